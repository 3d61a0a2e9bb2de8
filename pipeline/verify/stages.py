"""The stages of a pipeline, each with its check.

A check takes the session and returns a sentence of what it saw. It raises FailingError where the
stage is not as it should be, NotCheckedError where that can't be known here, and botocore's errors
where AWS refuses to answer.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import aws
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.deployed.target import APPLY
from pipeline.errors import PipelineError
from pipeline.verify import access_log, alerting, path

Check = Callable[[Session], str]
Verdict = Literal["ok", "failing", "unknown", "skipped"]

# What an event passes, in this order.
PATH: dict[str, Check] = {
    "notification": path.notification,
    "rule": path.rule,
    "permission": path.permission,
    "buffer": path.buffer,
    "function": path.function,
    "role": path.role,
    "table": path.table,
}
ALERTING: dict[str, Check] = {
    "alarms": alerting.alarms,
    "topic": alerting.topic,
    "subscriptions": alerting.subscriptions,
    "failure queue": alerting.failures,
}
# What no event waits for.
BESIDE: dict[str, Check] = {"access log": access_log.access_log}
# Words in the names of operations, by the output that they are about.
_ABOUT = {
    "bucket_name": ("Bucket", "Object"),
    "function_name": ("Function", "Policy"),
    "table_name": ("Table", "TimeToLive", "Item"),
    "topic_arn": ("Topic",),
    "log_group_name": ("Log",),
}


@dataclass(frozen=True)
class Step:
    """A stage's verdict after `seconds`, and what was seen, or what is wrong and the fix.

    unknown: AWS did not answer. skipped: there is no such stage here, or nothing depends on it.
    """

    name: str
    verdict: Verdict
    message: str
    seconds: float


def examine(session: Session, name: str, check: Check) -> Step:
    """Run the check of a stage."""
    began = time.monotonic()
    verdict: Verdict = "ok"
    try:
        message = check(session)
    except FailingError as error:
        verdict, message = "failing", str(error)
    except NotCheckedError as error:
        verdict, message = "skipped", str(error)
    except PipelineError as error:
        verdict, message = "unknown", str(error)
    except (ClientError, BotoCoreError) as error:
        verdict, message = refused(session, name, error)
    message = message.replace(APPLY, session.target.apply)
    return Step(name, verdict, message, round(time.monotonic() - began, 3))


def refused(
    session: Session, stage: str, error: ClientError | BotoCoreError
) -> tuple[Literal["failing", "unknown"], str]:
    """What an error of AWS's means for a stage, and a sentence of what it is about."""
    operation = getattr(error, "operation_name", "")
    thing = f"the {stage}"
    for output, words in _ABOUT.items():
        if any(word in operation for word in words):
            kind = output.rpartition("_")[0].replace("_", " ")
            thing = f"the {kind} {session.target.outputs.get(output)}"
            break
    fix = f"{APPLY}, and see that it goes through"
    return "failing" if aws.is_gone(error) else "unknown", aws.sentence(error, thing, fix)
