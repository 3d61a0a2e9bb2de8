"""All that a run tries: its own steps, and the limits."""

from collections.abc import Iterable

from pipeline.accept import adopt, failures, live
from pipeline.accept.deliveries import DELIVERIES
from pipeline.accept.limits import LINES, METRICS
from pipeline.accept.sandbox import EMULATOR_SECONDS
from pipeline.accept.trial import RECORD_SECONDS, Check, Trial
from pipeline.deployed.session import FailingError
from pipeline.errors import PipelineError
from pipeline.verify.run import verify

# What is left when everything was destroyed; the run itself looks.
DESTROYED = "destroyed"
_ODD_KEYS = 20


def _deliver(trial: Trial) -> str:
    """Every stage is as it should be; a probe and odd keys have their records."""
    patience = EMULATOR_SECONDS if trial.sandbox.emulator else RECORD_SECONDS
    for step in verify(trial.session, seconds=patience, tell=lambda _: trial.sandbox.check()):
        if step.verdict == "failing":
            raise FailingError(f"{step.name}: {step.message}")
        if step.verdict == "unknown":
            raise PipelineError(f"{step.name}: {step.message}")
    found = trial.load(trial.session, _ODD_KEYS, "odd")
    if found.failed:
        raise FailingError(f"{len(found.failed)} of {_ODD_KEYS} events are in the failure queue")
    slowest = max(found.latency.values(), default=0.0)
    return f"each stage OK; {_ODD_KEYS} odd keys, a record each within {slowest:.1f} s"


def _destroyed(_trial: Trial) -> str:
    raise AssertionError("the run itself looks")


def _steps() -> list[Check]:
    deliver = [
        Check(f"deliver-{name}", str(each), _deliver, (name,), seconds=180, uploads=_ODD_KEYS + 1)
        for name, each in DELIVERIES.items()
    ]
    return [
        *deliver,
        Check(
            "failed-event-kept",
            "without the right to write, an event comes to the failure queue",
            failures.failed_event_kept,
            ("ndns",),
            seconds=300,
            uploads=1,
        ),
        Check(
            "replay",
            "a replay records what failed",
            failures.replayed,
            ("ndns",),
            ("failed-event-kept",),
            uploads=1,
        ),
        Check(
            "alarm-message",
            "an alarm goes off by itself, and its message reaches a subscriber",
            failures.notified,
            ("edns",),
            emulator=METRICS,
            seconds=1800,
            uploads=1,
        ),
        Check(
            "alarm-message-encrypted",
            "the same, through a topic with a customer-managed key",
            failures.notified,
            ("ndnk",),
            emulator=METRICS,
            seconds=1800,
            uploads=1,
        ),
        Check(
            "throttled-table",
            "a table throttles by its own capacity, and no event is lost",
            failures.throttled,
            ("ndnk",),
            emulator="its tables take any number of writes",
            seconds=1800,
            uploads=3600,
        ),
        Check(
            "change-delivery",
            "delivery changes on a live pipeline without losing an upload",
            live.change,
            (live.ROOT,),
            seconds=2700,
            uploads=5400,
        ),
        Check(
            "adopt-console-lab",
            "a lab that was built by hand is adopted without losing an upload",
            adopt.adopt,
            (adopt.ROOT,),
            seconds=600,
            uploads=600,
        ),
        Check(DESTROYED, "everything is destroyed, nothing stays", _destroyed, seconds=600),
    ]


CHECKS = {each.id: each for each in (*_steps(), *LINES)}


def choose(only: str | None) -> list[Check]:
    """All checks, or those with the ids in `only` (`a,b`) and what they need, in their order.

    Raises PipelineError for an id that there is none of.
    """
    if only is None:
        return list(CHECKS.values())
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    if unknown := sorted(wanted - CHECKS.keys()):
        raise PipelineError(
            f"--only names no check {', '.join(unknown)}: write some of {', '.join(CHECKS)}."
        )
    if not wanted:
        raise PipelineError(f"--only is empty: write some of {', '.join(CHECKS)}.")
    wanted.add(DESTROYED)
    while more := {need for name in wanted for need in CHECKS[name].needs} - wanted:
        wanted |= more
    return [check for check in CHECKS.values() if check.id in wanted]


def places(checks: Iterable[Check]) -> list[str]:
    """The places that checks need, each once, deliveries first."""
    found = dict.fromkeys(place for check in checks for place in check.places)
    return sorted(found, key=lambda place: place not in DELIVERIES)


def is_late(check: Check) -> bool:
    """Whether a check comes after those of a single place."""
    return len(check.places) != 1 or any(is_late(CHECKS[need]) for need in check.needs)
