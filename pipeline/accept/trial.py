"""What a check is, and what it is run with."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.accept.sandbox import EMULATOR_SECONDS, Sandbox
from pipeline.deployed import failure_queue, table
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.load.plan import Plan, Shape, place
from pipeline.load.results import Results, results_of
from pipeline.load.run import Load

# S3 mostly takes a second, sometimes more than a minute; Lambda retries after one and two.
RECORD_SECONDS = 300.0
FAILED_SECONDS = 600.0
# A datapoint takes minutes, and that of a queue which was idle up to fifteen.
ALARM_SECONDS = 1500.0
# Where it is known that nothing will come.
_NOTHING_SECONDS = 1.0


@dataclass(frozen=True)
class Check:
    """What is tried, once.

    `run` returns a sentence of what it saw, and raises FailingError where the claim is disproved
    and NotCheckedError where it can't be tried. `places` are the roots or deliveries that it needs;
    of one place checks run one after another, those of several at the end. `needs` are the checks
    that it builds on. `emulator` says why an emulator proves nothing here, `line` that it is a line
    of docs/reference/limits.md. `seconds` and `uploads` are what it takes in AWS at most, `dollars`
    what it costs beside them.
    """

    id: str
    what: str
    run: "Callable[[Trial], str]"
    places: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    emulator: str = ""
    line: bool = False
    seconds: int = 60
    uploads: int = 0
    dollars: float = 0.0


@dataclass
class Trial:
    """A check that is run: in which sandbox, with which pipelines, by place."""

    check: Check
    sandbox: Sandbox
    sessions: Mapping[str, Session] = field(default_factory=dict)

    @property
    def session(self) -> Session:
        """The first place's."""
        return self.sessions[self.check.places[0]]

    def until[T](
        self, look: Callable[[], T], seconds: float, what: str, *, emulated: bool = False
    ) -> T:
        """See `Sandbox.until`; it does not wait for what an emulator never does.

        `emulated`: the emulator does it, although it can't prove what the check is about.
        """
        if self.sandbox.emulator and self.check.emulator and not emulated:
            seconds = _NOTHING_SECONDS
        return self.sandbox.until(look, seconds, what)

    def upload(self, session: Session, name: str, body: bytes = b"accept\n") -> str:
        """Upload an object that the first filter takes; its key."""
        prefix = session.target.filters[0]["prefix"]
        key = f"{prefix}{self.check.id}/{name}-{time.time_ns()}"
        session.client("s3").put_object(Bucket=session.target.bucket_name, Key=key, Body=body)
        self.sandbox.uploaded[self.check.id] += 1
        return key

    def recorded(
        self, session: Session, keys: Iterable[str], seconds: float, *, emulated: bool = True
    ) -> None:
        """Each of these keys gets its record. Raises FailingError."""
        missing = set(keys)
        rows = table.Table(session.client("dynamodb"), session.target.table_name)

        def look() -> bool:
            items = (item for page in rows.scan(consistent=True) for item in page)
            missing.difference_update(item["objectKey"]["S"] for item in items)
            return not missing

        what = f"the record of {min(missing)!r}, or of another of {len(missing)},"
        self.until(look, seconds, what, emulated=emulated)

    def failed(
        self, session: Session, key: str, seconds: float, *, emulated: bool = True
    ) -> Failure:
        """The message of a key in the failure queue. Raises FailingError."""

        def look() -> Failure | None:
            found = failure_queue.peek(session.client("sqs"), session.target.failure_queue_url, 1)
            return next((each for each in found if _about(each, key)), None)

        what = f"the event of {key!r} in the failure queue"
        found = self.until(look, seconds, what, emulated=emulated)
        assert found is not None  # noqa: S101 - until returns what is truthy
        return found

    def load(
        self,
        session: Session,
        uploads: int,
        shape: Shape = "plain",
        seconds: float = RECORD_SECONDS,
        parallel: int = 4,
    ) -> Results:
        """Upload so many at once; what became of them. Raises PipelineError."""

        def move(_what: str, _done: int, _total: int) -> None:
            self.sandbox.check()

        number = time.time_ns() & 0xFFFFFFFFFF
        folder, suffix = place(session.target.delivery, None, f"{number:010x}")
        plan = Plan(uploads, None, (1024, 1024), shape, folder, suffix, number)
        # The emulator makes a process for every invoke at a time.
        load = Load(session.target, plan, 2 if self.sandbox.emulator else parallel, None)
        self.sandbox.uploaded[self.check.id] += uploads
        with load.reading():
            load.upload(move)
            load.wait(EMULATOR_SECONDS if self.sandbox.emulator else seconds, move)
        found = results_of(load, move)
        if found.lost or found.doubled or len(load.taken) < uploads:
            raise FailingError(
                f"Of {uploads} uploads S3 took {len(load.taken)}, {len(found.lost)} were lost and "
                f"{len(found.doubled)} have several records"
            )
        return found


def by_nature(reason: str) -> Callable[[Trial], str]:
    """A check that no program can do: `reason` says why, or where to look."""

    def untried(_trial: Trial) -> str:
        raise NotCheckedError(reason)

    return untried


def shown(trial: Trial) -> str:
    """A check whose evidence is that those which it needs were proved."""
    results = trial.sandbox.journal.results
    for need in trial.check.needs:
        if need not in results or results[need].verdict != "proved":
            raise NotCheckedError(f"{need} was not proved, on which it builds")
    return f"shown by {', '.join(trial.check.needs)}"


def alarm(session: Session, key: str) -> str:
    """The name of an alarm by its key in the variable `alarms`."""
    alarms: Mapping[str, Any] = session.target.outputs.get("alarms") or {}
    if key not in alarms:
        raise NotCheckedError(f"the pipeline has no alarm {key}")
    return str(alarms[key]["name"])


def _about(message: Failure, key: str) -> bool:
    return isinstance(message, FailedEvent) and any(key == each[1] for each in message.objects)
