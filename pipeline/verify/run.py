"""Does a deployed pipeline work? Look at each stage, then send a probe through all of them.

The path is looked at first: what a probe would only find out by waiting is told at once and by
name, and no probe goes where its event would end in the failure queue.
"""

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import aws
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.errors import PipelineError
from pipeline.terminal import printable
from pipeline.verify import alerting, journey, path, probe
from pipeline.verify.alarm import drive
from pipeline.verify.journey import Journey, Tell
from pipeline.verify.probe import Probe

Verdict = Literal["ok", "broken", "unknown", "skipped"]


@dataclass(frozen=True)
class Step:
    """One stage: `verdict`, what was seen (or is wrong and what to do), and for how many seconds.

    unknown: AWS did not tell, `says` why; skipped: it does not apply here, or needn't be known.
    """

    name: str
    verdict: Verdict
    says: str
    seconds: float


def verify(
    session: Session, *, seconds: float, wait_alarm: bool = False, tell: Tell = lambda _: None
) -> Generator[Step]:
    """The stages one by one, as they are done; `tell` hears what is waited for.

    A probe is waited for up to `seconds`; so is the alarm's message. Whatever happens, also when
    this is closed, object and record of the probe are deleted. Raises PipelineError where no probe
    fits `delivery.filters`, or an output is missing.
    """
    chosen = probe.choose(session.target.delivery.get("filters") or [])
    stages: dict[str, Callable[[], str]] = {
        "notification": lambda: path.notification(session),
        "rule": lambda: path.rule(session, chosen),
        "permission": lambda: path.permission(session, chosen),
        "buffer": lambda: path.buffer(session),
        "function": lambda: path.function(session),
        "role": lambda: path.role(session),
        "table": lambda: path.table(session),
    }
    others: dict[str, Callable[[], str]] = {
        "alarms": lambda: alerting.alarms(session),
        "topic": lambda: alerting.topic(session),
        "subscriptions": lambda: alerting.subscriptions(session),
        "failure queue": lambda: alerting.failures(session),
    }
    tell("looking at each stage")
    broken = False
    with ThreadPoolExecutor(len(stages) + len(others)) as pool:
        looks = [
            pool.submit(_step, session, name, look) for name, look in (stages | others).items()
        ]
        for look in looks:
            step = look.result()
            broken = broken or (step.name in stages and step.verdict == "broken")
            yield step
    if broken:
        why = "the path is broken, so that the probe would only end in the failure queue"
        for name in "upload", "record", "log line":
            yield Step(name, "skipped", why, 0.0)
    else:
        yield from _probe(session, chosen, seconds, tell)
    if wait_alarm:
        yield _step(session, "alarm message", lambda: drive(session, seconds, tell))


def _step(session: Session, name: str, look: Callable[[], str]) -> Step:
    began = time.monotonic()
    verdict: Verdict = "ok"
    try:
        says = look()
    except FailingError as error:
        verdict, says = "broken", str(error)
    except NotCheckedError as error:
        verdict, says = "skipped", str(error)
    except PipelineError as error:
        verdict, says = "unknown", str(error)
    except (ClientError, BotoCoreError) as error:
        verdict, says = refused(session, name, error)
    return Step(name, verdict, says, round(time.monotonic() - began, 3))


def refused(
    session: Session, stage: str, error: ClientError | BotoCoreError
) -> tuple[Literal["broken", "unknown"], str]:
    """What AWS's refusal to tell about a stage means, and a sentence of what it was about."""
    found, operation = session.target, getattr(error, "operation_name", "")
    things = {
        "Bucket": f"the bucket {found.bucket_name}",
        "Object": f"the bucket {found.bucket_name}",
        "Function": f"the function {found.function_name}",
        "Policy": f"the function {found.function_name}",
        "Table": f"the table {found.table_name}",
        "TimeToLive": f"the table {found.table_name}",
        "Item": f"the table {found.table_name}",
        "Topic": f"the topic {found.topic_arn}",
        "Log": f"the log group {found.log_group_name}",
    }
    thing = next((thing for word, thing in things.items() if word in operation), f"the {stage}")
    fix = "run `terraform apply` in the stack's root, and see that it goes through"
    verdict: Literal["broken", "unknown"] = "broken" if aws.is_gone(error) else "unknown"
    return verdict, aws.sentence(error, thing, fix)


def _probe(session: Session, chosen: Probe, seconds: float, tell: Tell) -> Generator[Step]:
    sent: list[Journey] = []

    def upload() -> str:
        sent.append(journey.start(session, chosen))
        how = chosen.event.removeprefix("s3:")
        return f"{printable(chosen.key)} is in {session.target.bucket_name} ({how})"

    try:
        yield _step(session, "upload", upload)
        if not sent:
            for name in "record", "log line":
                yield Step(name, "skipped", "there was no upload", 0.0)
            return
        (one,) = sent
        yield _step(session, "record", lambda: journey.record(session, one, seconds, tell))
        if one.item is None:
            yield Step("log line", "skipped", "there is no record to look for", 0.0)
        else:
            identity = one.item["objectId"]["S"]
            yield _step(
                session, "log line", lambda: journey.log_line(session, one, identity, seconds, tell)
            )
    finally:
        # Also when nobody wants to hear of it any more.
        if sent:
            cleaned = _step(session, "clean-up", lambda: journey.clean_up(session, sent[0]))
    yield cleaned
