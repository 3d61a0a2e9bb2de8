"""Does a deployed pipeline work? Check each stage, then send a probe through all of them.

The checks come first: they name at once what the probe would only find by waiting, and no probe is
sent where its event would end in the failure queue.
"""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor

from pipeline.deployed.session import Session
from pipeline.verify import alarm, alerting, probe
from pipeline.verify.round_trip import RoundTrip
from pipeline.verify.stages import ALERTING, BESIDE, PATH, Step, examine


def verify(
    session: Session,
    *,
    seconds: float,
    wait_alarm: bool = False,
    bucket: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Generator[Step]:
    """Yield the stages as they are done; `tell` is called with what is waited for.

    The probe goes through the pipeline's own bucket, or another `bucket` of its.

    The probe may take `seconds`, and so may the alarm's notification. Object and record of the
    probe are deleted whatever happens, also when this is closed. Raises PipelineError where no
    probe fits `delivery.filters`, there is no such bucket, or an output is missing.
    """
    chosen, *_ = session.target.buckets(bucket)
    trip = RoundTrip(session, chosen, probe.choose(session.target.filters), seconds, tell)
    tell("checking each stage")
    failing = False
    stages = PATH | ALERTING | BESIDE
    with ThreadPoolExecutor(len(stages)) as pool:
        checks = [pool.submit(examine, session, name, check) for name, check in stages.items()]
        for check in checks:
            step = check.result()
            failing = failing or (step.name in PATH and step.verdict == "failing")
            yield step
    if failing:
        why = "a stage of the path is failing: the probe would only end in the failure queue"
        for name in "upload", "record", "log line":
            yield Step(name, "skipped", why, 0.0)
    else:
        yield from _send(session, trip)
    if wait_alarm:
        yield examine(session, "alarm message", lambda _: alarm.test(session, seconds, tell))
        yield examine(session, "deliveries", alerting.deliveries)


def _send(session: Session, trip: RoundTrip) -> Generator[Step]:
    try:
        yield examine(session, "upload", lambda _: trip.start())
        yield examine(session, "record", lambda _: trip.record())
        yield examine(session, "log line", lambda _: trip.log_line())
    finally:
        # Also when the caller closes this.
        cleaned = examine(session, "clean-up", lambda _: trip.clean_up())
    if cleaned.verdict != "skipped":
        yield cleaned
