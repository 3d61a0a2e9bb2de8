"""What is known of a pipeline just now: bounded lists, and figures of the last minutes.

Everything here was told by the stack since the page was opened, and is gone with it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.console.board.invokes import Invoke, Invokes
from pipeline.console.board.mail import Mail
from pipeline.console.board.travels import Travel, Travels
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.stream import Arrival

Publish = Callable[[str, Any], None]
Item = Mapping[str, Mapping[str, str]]

WINDOW_SECONDS = 900
RECORDS = 300
INVOKES = 300
FAILURES = 100
_SAMPLES = 20_000
_REASON = 2000
# Uploads from before the page was opened, so that it does not begin empty.
_RECENT = 20


@dataclass(frozen=True)
class Depth:
    """About how many messages a queue has to give, and how many are hidden."""

    waiting: int
    hidden: int


@dataclass(frozen=True)
class Check:
    """How a stage is wired: `verdict` is ok, broken or unknown, `says` one sentence."""

    verdict: str
    says: str


class Board:
    """What is known; safe for several threads. Each change is published as it comes."""

    def __init__(self, bucket: str, filters: Iterable[Mapping[str, Any]], publish: Publish) -> None:
        """Know nothing yet."""
        self._lock = threading.RLock()
        self._publish = publish
        self._records: dict[str, Item] = {}
        self._invokes = Invokes(INVOKES)
        self._travels = Travels(bucket, filters)
        self._failures: dict[str, dict[str, Any]] = {}
        self._samples: deque[tuple[float, str, float | None, bool]] = deque()
        self._counted: set[str] = set()
        self._writes: deque[float] = deque(maxlen=_SAMPLES)
        self.depths: dict[str, Depth] = {}
        self.alarms: list[dict[str, Any]] = []
        # Whether the alarms were told at all so far.
        self.heard = False
        self.mails: list[Mail] = []
        self.points: dict[str, list[tuple[float, float]]] = {}
        self.metrics: dict[str, float | None] = {}
        self.checks: dict[str, Check] = {}
        self.subscriptions = ""
        self.last: dict[str, float] = {}
        # What came since somebody last took it: units written, and invokes as (at, ms, failed).
        self._units = 0
        self._new_invokes: deque[tuple[float, float | None, bool]] = deque(maxlen=_SAMPLES)
        self._began = time.time()

    def fill_records(self, items: Iterable[Item], complete: bool) -> None:
        """The table's newest records, as it was read when watching began."""
        with self._lock:
            found = {item["objectId"]["S"]: item for item in items}
            gone = [one for one in self._records if complete and one not in found]
            for identity in gone:
                del self._records[identity]
            self._records |= found
            since = time.time() - WINDOW_SECONDS
            recent = sorted((one for one in found.values() if _when(one) > since), key=_when)
            # A stream that broke off does not tell what came before it was found again.
            shown = {one["objectId"]["S"]: one for one in recent[-_RECENT:]} | {
                identity: one for identity, one in found.items() if self._travels.awaits(identity)
            }
            self._forget_records()
            if gone:
                self._publish("removed", gone)
            self._publish("records", {"items": self._newest_records(), "complete": complete})
            self._tell_travels(
                [self._travels.arrive(one, _when(one) * 1000, old=True) for one in shown.values()]
            )

    def arrived(self, arrivals: Sequence[Arrival]) -> None:
        """Changes of the table."""
        now = time.time() * 1000
        with self._lock:
            new, gone, travels = [], [], []
            for one in arrivals:
                identity = one.keys["objectId"]["S"]
                if one.change == "REMOVE":
                    if self._records.pop(identity, None) is not None:
                        gone.append(identity)
                    continue
                self._writes.append(time.time())
                # Of 1 KB each; no record has more, but for the longest keys.
                self._units += 1
                self.last["table"] = time.time()
                if one.image is not None:
                    self._records[identity] = one.image
                    new.append(one.image)
                    travels.append(self._travels.arrive(one.image, now))
            self._forget_records()
            if new:
                self._publish("records", {"items": new[-RECORDS:]})
            if gone:
                self._publish("removed", gone)
            self._tell_travels(travels)

    def logged(self, events: Iterable[Mapping[str, Any]], now: float) -> list[Invoke]:
        """Lines of the function's log; returns the invokes that they say something new of.

        `now` in epoch seconds: older invokes bring nothing about.
        """
        with self._lock:
            changed = self._invokes.take(events)
            travels: list[Travel | None] = []
            for invoke in changed:
                self._count(invoke)
                if now - invoke.at / 1000 < WINDOW_SECONDS:
                    travels += self._travels.invoked(invoke)
                self.last["function"] = max(self.last.get("function", 0.0), invoke.at / 1000)
                if invoke.broken:
                    self.last["error"] = max(self.last.get("error", 0.0), invoke.at / 1000)
            if changed:
                changed.sort(key=lambda one: one.at)
                self._publish("invokes", [told_invoke(one) for one in changed[-INVOKES:]])
            for one in [*filter(None, travels)]:
                record = self._records.get(one.object_id or "")
                if record is not None and one.state != "arrived":
                    # It was there before this page.
                    self._travels.arrive(record, now * 1000)
            self._tell_travels(travels)
            return changed

    def failed(self, failures: Iterable[Failure], *, complete: bool = True) -> None:
        """What lies in the failure queue, all of it that was read; `complete` if that is all."""
        with self._lock:
            found = {one.message_id: told_failure(one) for one in failures}
            travels = self._travels.waiting(found.values(), complete=complete)
            if not complete:
                # The others are there yet, or were the last time.
                merged = sorted((self._failures | found).values(), key=_failed)
                found = {one["id"]: one for one in merged[-FAILURES:]}
            if found != self._failures:
                self._failures = found
                self._publish("failures", self._newest_failures())
            self._tell_travels(travels)

    def taken(self, message_id: str) -> None:
        """A message was taken off the failure queue."""
        with self._lock:
            if self._failures.pop(message_id, None) is not None:
                self._publish("failures", self._newest_failures())

    def queues(self, depths: Mapping[str, Depth]) -> None:
        """How deep the queues are, by their part."""
        with self._lock:
            self.depths = dict(depths)

    def rang(self, alarms: list[dict[str, Any]]) -> bool:
        """The alarms; whether anything about them has changed."""
        with self._lock:
            changed = alarms != self.alarms
            self.heard = True
            if changed:
                self.alarms = alarms
                self._publish("alarms", alarms)
            return changed

    def mailed(self, mails: list[Mail]) -> None:
        """What reached the topic, the newest first."""
        with self._lock:
            if mails != self.mails:
                self.mails = mails
                self._publish("mails", [asdict(one) for one in mails])

    def drawn(self, points: dict[str, list[tuple[float, float]]]) -> None:
        """The alarms' metrics, by the alarm's name."""
        with self._lock:
            if points != self.points:
                self.points = points
                self._publish("points", points)

    def begin(self, key: str, size: int | None) -> Travel:
        """A file comes from the page."""
        with self._lock:
            travel = self._travels.begin(key, size, time.time() * 1000)
            self.last["bucket"] = time.time()
            self._tell_travels([travel])
            return travel

    def put(self, travel: Travel, version: str, size: int) -> None:
        """S3 has it."""
        with self._lock:
            self._tell_travels([self._travels.put(travel, version, size, time.time() * 1000)])

    def refuse(self, travel: Travel, reason: str) -> None:
        """S3 does not take it, or it never came whole."""
        with self._lock:
            self._tell_travels([self._travels.refuse(travel, reason)])

    def under_way(self) -> bool:
        """Whether an upload is between two stages, so that looking often pays."""
        now = time.time() * 1000
        with self._lock:
            return any(
                one.state in ("uploading", "travelling", "retrying") and now - one.at < 60_000
                for one in self._travels.newest()
            )

    def function_figures(self, now: float) -> dict[str, float | None]:
        """Invokes, errors, and durations (p50 and p99, milliseconds) of the last 15 minutes."""
        with self._lock:
            while self._samples and self._samples[0][0] < now - WINDOW_SECONDS:
                self._forget_sample()
            samples = [one for one in self._samples if one[0] >= now - WINDOW_SECONDS]
        took = sorted(one[2] for one in samples if one[2] is not None)
        return {
            "invokes": len(samples),
            "errors": sum(one[3] for one in samples),
            "p50": _percentile(took, 50),
            "p99": _percentile(took, 99),
        }

    def writes(self, now: float) -> int:
        """Records written since watching began, in the last 15 minutes at most."""
        with self._lock:
            while self._writes and self._writes[0] < now - WINDOW_SECONDS:
                self._writes.popleft()
            return len(self._writes)

    def take_news(self) -> tuple[int, list[tuple[float, float | None, bool]]]:
        """Write units and invokes (when, milliseconds, failed) since this was last called."""
        with self._lock:
            news = self._units, list(self._new_invokes)
            self._units = 0
            self._new_invokes.clear()
            return news

    def oldest_failure(self) -> float | None:
        """When the oldest event of the failure queue that was read failed, in epoch seconds."""
        with self._lock:
            times = [one["failed_at"] for one in self._failures.values() if one["failed_at"]]
        return min(times, default=None)

    def told(self) -> dict[str, Any]:
        """All of it, for a page that has just been opened."""
        with self._lock:
            return {
                "records": {"items": self._newest_records()},
                "invokes": [told_invoke(one) for one in self._invokes.newest()[-INVOKES:]],
                "failures": self._newest_failures(),
                "alarms": self.alarms,
                "mails": [asdict(one) for one in self.mails],
                "points": self.points,
                "travels": [told_travel(one) for one in self._travels.newest()],
            }

    def _count(self, invoke: Invoke) -> None:
        # Once for each, when it is known how it ended.
        if invoke.done_at is None and not invoke.ended:
            return
        if invoke.request in self._counted:
            return
        self._counted.add(invoke.request)
        sample = (invoke.at / 1000, invoke.request, invoke.milliseconds, invoke.broken)
        self._samples.append(sample)
        if len(self._samples) > _SAMPLES:
            self._forget_sample()
        # Those before were told by the page that was open then, or by none.
        if sample[0] >= self._began:
            self._new_invokes.append((sample[0], sample[2], sample[3]))

    def _forget_sample(self) -> None:
        self._counted.discard(self._samples.popleft()[1])

    def _newest_records(self) -> list[Item]:
        return list(self._records.values())

    def _forget_records(self) -> None:
        if len(self._records) > RECORDS:
            newest = sorted(self._records.values(), key=_when)[-RECORDS:]
            self._records = {item["objectId"]["S"]: item for item in newest}

    def _newest_failures(self) -> list[dict[str, Any]]:
        return sorted(self._failures.values(), key=_failed)[-FAILURES:]

    def _tell_travels(self, travels: Iterable[Travel | None]) -> None:
        changed = {one.id: told_travel(one) for one in travels if one is not None}
        if changed:
            self._publish("travels", list(changed.values()))


def told_travel(travel: Travel) -> dict[str, Any]:
    """A travel as the page has it."""
    return asdict(travel) | {"stages": travel.stages}


def told_invoke(invoke: Invoke) -> dict[str, Any]:
    """An invoke as the page has it."""
    return asdict(invoke) | {"broken": invoke.broken}


def told_failure(failure: Failure) -> dict[str, Any]:
    """A message of the failure queue as the page has it."""
    known = failure if isinstance(failure, FailedEvent) else None
    reasons = [failure.reason or "", *(known.refusals if known else ())]
    return {
        "id": failure.message_id,
        "failed_at": failure.failed_at,
        "how": known.how if known else "unreadable",
        "reason": "; ".join(filter(None, reasons))[:_REASON],
        "attempts": known.attempts if known else None,
        "objects": [list(one) for one in known.objects] if known else [],
        "objectIds": list(known.object_ids) if known else [],
    }


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The least of them that so many percent do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def _failed(failure: Mapping[str, Any]) -> float:
    return failure["failed_at"] or 0.0


def _when(item: Item) -> float:
    try:
        return float(item["timestamp"]["N"])
    except (KeyError, ValueError):
        return 0.0
