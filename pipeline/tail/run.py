"""One stream of all that happens in a pipeline, from its stream, log, failure queue and alarms."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline import terminal, times
from pipeline.deployed import alarms, aws, failure_queue
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.follow import Reader, follow
from pipeline.deployed.log import LogReader
from pipeline.deployed.new_records import NewRecords
from pipeline.deployed.session import Session, connect
from pipeline.deployed.table import document, sentence
from pipeline.deployed.target import Target

_COLOURS = {
    "upload": "cyan",
    "record": "green",
    "invoke": "green",
    "error": "yellow",
    "failure": "bold red",
    "alarm": "bold magenta",
}


@dataclass(frozen=True)
class News:
    """Something that happened, at epoch milliseconds; `about` is for programs.

    `lines` are what else is known of an invoke: a traceback, or what it printed.
    """

    at: float
    kind: str
    text: str
    about: Mapping[str, Any]
    lines: tuple[str, ...] = ()


def run(target: Target, *, as_json: bool) -> None:
    """Print what happens until Ctrl-C. Raises PipelineError where something can't be read."""
    session, console = connect(target), terminal.console()
    stream = Stream(session)
    terminal.aside(f"{target.origin}: {stream.before}.")
    with terminal.last_line(lambda: f"{stream.summary}."):
        for news in stream.news(terminal.wait):
            if as_json:
                about = {"kind": news.kind, "time": times.iso_ms(news.at)}
                terminal.print_json_line(about | dict(news.about))
            else:
                show(console, news)


def show(console: Console, news: News) -> None:
    """Print a line of it."""
    head = Text(times.local_ms(news.at))
    head.append(f"  {news.kind:7}", style=_COLOURS[news.kind])
    terminal.entry(console, head, news.text)


class Stream:
    """All that happens in a pipeline from now on.

    `before` says what there is to know of before.
    """

    def __init__(self, session: Session, *, every: bool = False) -> None:
        """`every`: each invoke that raised nothing is news, too. Raises PipelineError."""
        self._session = session
        queue, states = _Queue(), _States()
        self._readers = [
            Reader(_records(NewRecords(session)), 0.2, 1.0),
            Reader(_invokes(LogReader(time.time()), every), 0.4, 2.0),
            Reader(queue.new, 1.0, 10.0),
            Reader(states.new, 2.0, 15.0),
        ]
        kinds = [kind for kind in _COLOURS if every or kind != "invoke"]
        self._counts = Counter[str](dict.fromkeys(kinds, 0))
        # What was there before is known, and no news.
        list(queue.new(session))
        list(states.new(session))
        self.before = f"{len(queue.known)} in the failure queue; alarms {states.summary}"

    def news(self, wait: Callable[[float], None]) -> Iterator[News]:
        """What happens, as it does; `wait` waits so many seconds. Raises PipelineError."""
        for found in follow(self._session, self._readers, wait):
            for each in sorted(found, key=lambda each: each.at):
                self._counts[each.kind] += 1
                yield each

    @property
    def summary(self) -> str:
        """How much there was of each kind."""
        counts = self._counts.items()
        return ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in counts)


def _records(written: NewRecords) -> Callable[[Session], Iterator[News]]:
    def new(session: Session) -> Iterator[News]:
        now = time.time() * 1000
        for record, more in written.new(session):
            about = {**document(record, more), "eventTime": times.iso(record.timestamp)}
            del about["time"]
            key = session.target.shown(record.bucket, record.key)
            size = "" if record.size is None else f"  {record.size:,} B"
            if record.family == "ObjectCreated":
                # S3's clock may be ahead of ours.
                at = min(record.timestamp * 1000.0, now)
                yield News(at, "upload", f"{key}{size}", about)
            yield News(now, "record", sentence(key, record, more), about)

    return new


def _invokes(log: LogReader, every: bool) -> Callable[[Session], Iterator[News]]:
    def new(session: Session) -> Iterator[News]:
        for invoke in log.new(session):
            if not invoke.failing:
                if every:
                    yield News(
                        invoke.at,
                        "invoke",
                        f"{invoke.milliseconds or 0:,.0f} ms",
                        {},
                        invoke.printed,
                    )
                continue
            about: dict[str, str | None] = {"requestId": invoke.request}
            for each in invoke.not_stored:
                own = {**about, "key": each.key, "objectId": each.object_id, "reason": each.reason}
                shown = session.target.shown(each.bucket, each.key)
                name = shown if each.key else "an event without key"
                yield News(invoke.at, "error", f"{name}: {each.reason}", own)
            if not invoke.not_stored:
                reason = invoke.reason or f"{invoke.level} in the log of {invoke.request}"
                own = {**about, "key": None, "reason": reason}
                yield News(invoke.at, "error", reason, own, invoke.traceback)

    return new


@dataclass
class _Queue:
    """The failure queue: `known` are the ids of the messages that were seen in it."""

    known: set[str] = field(default_factory=set)
    _count: int = 0

    def new(self, session: Session) -> Iterator[News]:
        sqs, url = session.client("sqs"), session.target.failure_queue_url
        with aws.asking("the failure queue", "run `terraform apply` in the stack's root"):
            waiting, hidden = failure_queue.depth(sqs, url)
            if waiting + hidden == self._count:
                return
            found = list(map(failure_queue.read, failure_queue.browse(sqs, url, waiting)))
        # Some that others hide are read when they are visible again.
        self._count = waiting + hidden if len(found) >= waiting and not hidden else -1
        for failure in found:
            if failure.message_id not in self.known:
                yield _failure(session.target, failure)
        ids = {failure.message_id for failure in found}
        # One that was replayed may fail again under its id.
        self.known = ids if self._count >= 0 else self.known | ids


def _failure(target: Target, failure: Failure) -> News:
    at = (failure.failed_at or time.time()) * 1000
    event = failure if isinstance(failure, FailedEvent) else None
    objects = event.objects if event else ()
    keys = [key for _, key, _ in objects]
    reasons: Iterable[str | None] = (failure.reason, *(event.refusals if event else ()))
    reason = "; ".join(filter(None, reasons))
    attempts = event.attempts if event else None
    shown = (target.shown(bucket, key) for bucket, key, _ in objects)
    text = ", ".join(shown) or "an event without objects"
    text += f": {reason}" if reason else ""
    text += f" ({attempts} attempts)" if attempts else ""
    about = {
        "messageId": failure.message_id,
        "keys": keys,
        "reason": reason or None,
        "attempts": attempts,
    }
    return News(at, "failure", text, about)


@dataclass
class _States:
    """The alarms' states by name."""

    _known: dict[str, str] = field(default_factory=dict)

    def new(self, session: Session) -> Iterator[News]:
        with aws.asking("the alarms", "run `terraform apply` in the stack's root"):
            found = alarms.describe(session)
        for name, alarm in found.items():
            old, new = self._known.get(name, "-"), str(alarm["StateValue"])
            self._known[name] = new
            if new != old:
                reason = str(alarm.get("StateReason") or "")
                about = {"alarm": name, "from": old, "to": new, "reason": reason}
                text = f"{name}: {old} → {new}" + (f"  {reason}" if reason else "")
                changed = alarm["StateUpdatedTimestamp"].timestamp() * 1000
                yield News(changed, "alarm", text, about)

    @property
    def summary(self) -> str:
        """How many are in each state."""
        states = Counter(self._known.values())
        return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
