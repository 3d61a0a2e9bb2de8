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

from lab import aws, journey, probe, watching, wiring
from lab.alarm_drive import drive
from lab.errors import LabError
from lab.ground import BrokenError, Ground, UntoldError
from lab.journey import Journey, Tell
from lab.probe import Probe
from lab.show import printable

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
    ground: Ground, *, seconds: float, wait_alarm: bool = False, tell: Tell = lambda _: None
) -> Generator[Step]:
    """The stages one by one, as they are done; `tell` hears what is waited for.

    A probe is waited for up to `seconds`; so is the alarm's message. Whatever happens, also when
    this is closed, object and record of the probe are deleted. Raises LabError where no probe fits
    `delivery.filters`, or an output is missing.
    """
    chosen = probe.choose(ground.target.delivery.get("filters") or [])
    stages: dict[str, Callable[[], str]] = {
        "notification": lambda: wiring.notification(ground),
        "rule": lambda: wiring.rule(ground, chosen),
        "permission": lambda: wiring.permission(ground, chosen),
        "buffer": lambda: wiring.buffer(ground),
        "function": lambda: wiring.function(ground),
        "role": lambda: wiring.role(ground),
        "table": lambda: wiring.table(ground),
    }
    others: dict[str, Callable[[], str]] = {
        "alarms": lambda: watching.alarms(ground),
        "topic": lambda: watching.topic(ground),
        "subscriptions": lambda: watching.subscriptions(ground),
        "failure queue": lambda: watching.failure_queue(ground),
    }
    tell("looking at each stage")
    broken = False
    with ThreadPoolExecutor(len(stages) + len(others)) as pool:
        looks = [pool.submit(_step, ground, name, look) for name, look in (stages | others).items()]
        for look in looks:
            step = look.result()
            broken = broken or (step.name in stages and step.verdict == "broken")
            yield step
    if broken:
        why = "the path is broken, so that the probe would only end in the failure queue"
        for name in "upload", "record", "log line":
            yield Step(name, "skipped", why, 0.0)
    else:
        yield from _probe(ground, chosen, seconds, tell)
    if wait_alarm:
        yield _step(ground, "alarm message", lambda: drive(ground, seconds, tell))


def _step(ground: Ground, name: str, look: Callable[[], str]) -> Step:
    began = time.monotonic()
    verdict: Verdict = "ok"
    try:
        says = look()
    except BrokenError as error:
        verdict, says = "broken", str(error)
    except UntoldError as error:
        verdict, says = "skipped", str(error)
    except LabError as error:
        verdict, says = "unknown", str(error)
    except (ClientError, BotoCoreError) as error:
        verdict, says = refused(ground, name, error)
    return Step(name, verdict, says, round(time.monotonic() - began, 3))


def refused(
    ground: Ground, stage: str, error: ClientError | BotoCoreError
) -> tuple[Literal["broken", "unknown"], str]:
    """What AWS's refusal to tell about a stage means, and a sentence of what it was about."""
    found, operation = ground.target, getattr(error, "operation_name", "")
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


def _probe(ground: Ground, chosen: Probe, seconds: float, tell: Tell) -> Generator[Step]:
    sent: list[Journey] = []

    def upload() -> str:
        sent.append(journey.start(ground, chosen))
        how = chosen.event.removeprefix("s3:")
        return f"{printable(chosen.key)} is in {ground.target.bucket_name} ({how})"

    try:
        yield _step(ground, "upload", upload)
        if not sent:
            for name in "record", "log line":
                yield Step(name, "skipped", "there was no upload", 0.0)
            return
        (one,) = sent
        yield _step(ground, "record", lambda: journey.record(ground, one, seconds, tell))
        if one.item is None:
            yield Step("log line", "skipped", "there is no record to look for", 0.0)
        else:
            identity = one.item["objectId"]["S"]
            yield _step(
                ground, "log line", lambda: journey.log_line(ground, one, identity, seconds, tell)
            )
    finally:
        # Also when nobody wants to hear of it any more.
        if sent:
            cleaned = _step(ground, "clean-up", lambda: journey.clean_up(ground, sent[0]))
    yield cleaned
