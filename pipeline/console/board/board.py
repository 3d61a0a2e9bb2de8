"""What the page knows of a pipeline: bounded lists, and figures of the last minutes.

All of it was read since the page was opened, and is gone with it.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from pipeline.console.board.notifications import Notification
from pipeline.console.board.uploads import Upload, Uploads
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.invokes import Invoke, Invokes
from pipeline.deployed.stream import StreamRecord

Publish = Callable[[str, Any], None]
Item = Mapping[str, Mapping[str, str]]

WINDOW_SECONDS = 900
RECORDS = 300
INVOKES = 300
FAILURES = 100
_MAX_SAMPLES = 20_000
_MAX_REASON = 2000
# Uploads from before the page was opened, so that it does not begin empty.
_OLD_UPLOADS = 20


@dataclass(frozen=True)
class Check:
    """How a stage is configured, in a sentence."""

    verdict: Literal["ok", "failing", "unknown"]
    message: str


class Sample(NamedTuple):
    """An invocation that has ended: when (epoch seconds), how long, and whether it failed."""

    at: float
    milliseconds: float | None
    failing: bool


class Board:
    """What is known; thread-safe. Each change is published at once."""

    def __init__(
        self,
        bucket: str,
        filters: Sequence[Mapping[str, Any]],
        publish: Publish,
        others: Sequence[str] = (),
    ) -> None:
        """Start empty; `filters` are `delivery.filters`, `others` the buckets beside `bucket`."""
        self._lock = threading.RLock()
        self._publish = publish
        self._records: dict[str, Item] = {}
        self._invokes = Invokes(INVOKES)
        self._uploads = Uploads(bucket, filters, others)
        self._failures: dict[str, dict[str, Any]] = {}
        self._samples = OrderedDict[str, Sample]()
        self._writes: deque[float] = deque(maxlen=_MAX_SAMPLES)
        # By queue: about how many messages it can deliver, and how many are in flight.
        self.depths: dict[str, tuple[int, int]] = {}
        # None before they were read.
        self.alarms: list[dict[str, Any]] | None = None
        # The newest first.
        self.notifications: list[Notification] = []
        # Of the alarms' metrics, by the alarm's name: time (epoch seconds) and value.
        self.datapoints: dict[str, list[tuple[float, float]]] = {}
        self.metrics: dict[str, float | None] = {}
        self.checks: dict[str, Check] = {}
        # Why, by panel that can't be read.
        self.unknown: dict[str, str] = {}
        # By stage, when something happened there, in epoch seconds.
        self.last: dict[str, float] = {}
        # What has not been published as metrics yet: write units, and invocations.
        self._new_units = 0
        self._new_samples: deque[Sample] = deque(maxlen=_MAX_SAMPLES)
        self._opened_at = time.time()

    def load_records(self, items: Iterable[Item], complete: bool) -> None:
        """The table's records, all of them if `complete`, as a scan read them."""
        with self._lock:
            found = {item["objectId"]["S"]: item for item in items}
            removed = [name for name in self._records if name not in found] if complete else []
            self._records = found if complete else self._records | found
            newest = sorted(found.values(), key=_time)
            since = time.time() - WINDOW_SECONDS
            recent = [item for item in newest[-_OLD_UPLOADS:] if _time(item) > since]
            # A stream that broke off does not deliver what came before it was opened again.
            missed = [item for item in newest if self._uploads.expects(item["objectId"]["S"])]
            self._forget_records()
            if removed:
                self._publish("removed", removed)
            items = list(self._records.values())
            self._publish("records", {"items": items, "complete": complete})
            self._publish_uploads(
                self._uploads.record(item, _time(item) * 1000, old=True)
                for item in [*recent, *missed]
            )

    def apply_changes(self, changes: Sequence[StreamRecord]) -> None:
        """Changes of the table."""
        now = time.time()
        with self._lock:
            written: list[Item] = []
            removed = []
            for change in changes:
                object_id = change.keys["objectId"]["S"]
                if change.change == "REMOVE":
                    if self._records.pop(object_id, None) is not None:
                        removed.append(object_id)
                    continue
                self._writes.append(now)
                # Of 1 KB each; no record has more, but for the longest keys.
                self._new_units += 1
                self.last["table"] = now
                if change.image is not None:
                    self._records[object_id] = change.image
                    written.append(change.image)
            self._forget_records()
            if written:
                self._publish("records", {"items": written[-RECORDS:]})
            if removed:
                self._publish("removed", removed)
            self._publish_uploads(self._uploads.record(item, now * 1000) for item in written)

    def add_log_events(self, events: Iterable[Mapping[str, Any]], now: float) -> list[Invoke]:
        """Events of the function's log; returns the invocations that changed.

        `now` in epoch seconds: uploads take nothing from invocations before the window.
        """
        with self._lock:
            changed = self._invokes.add(events)
            uploads: list[Upload] = []
            for invoke in changed:
                at = invoke.at / 1000
                self._add_sample(invoke)
                if now - at < WINDOW_SECONDS:
                    uploads += self._uploads.invoked(invoke)
                self.last["function"] = max(self.last.get("function", 0.0), at)
                if invoke.failing:
                    self.last["error"] = max(self.last.get("error", 0.0), at)
            if changed:
                changed.sort(key=lambda invoke: invoke.at)
                self._publish("invokes", list(map(invoke_json, changed[-INVOKES:])))
            for upload in uploads:
                record = self._records.get(upload.object_id or "")
                if record is not None and upload.state != "recorded":
                    # The record is older than this page.
                    self._uploads.record(record, now * 1000)
            self._publish_uploads(uploads)
            return changed

    def set_failures(self, failures: Iterable[Failure], *, complete: bool = True) -> None:
        """The failure queue's messages, all of them if `complete`."""
        with self._lock:
            found = {failure.message_id: failure_json(failure) for failure in failures}
            uploads = self._uploads.set_failures(found.values(), complete=complete)
            if not complete:
                # Those that were not read now are still in the queue, or were the last time.
                merged = sorted((self._failures | found).values(), key=_failed_at)
                found = {failure["id"]: failure for failure in merged[-FAILURES:]}
            if found != self._failures:
                self._failures = found
                self._publish("failures", self._newest_failures())
            self._publish_uploads(uploads)

    def remove_failure(self, message_id: str) -> None:
        """A message was taken off the failure queue."""
        with self._lock:
            if self._failures.pop(message_id, None) is not None:
                self._publish("failures", self._newest_failures())

    def set(self, kind: Literal["alarms", "notifications", "datapoints"], value: Any) -> bool:
        """Replace what a source reads as a whole; returns whether that has changed."""
        with self._lock:
            changed: bool = value != getattr(self, kind)
            setattr(self, kind, value)
            if changed:
                self._publish(kind, value)
            return changed

    def set_unknown(self, panel: str, reason: str | None) -> None:
        """Why a panel can't be read, None if it can."""
        with self._lock:
            if reason != self.unknown.get(panel):
                unknown = {**self.unknown, panel: reason}
                self.unknown = {name: why for name, why in unknown.items() if why is not None}
                self._publish("unknown", self.unknown)

    def begin_upload(self, key: str, size: int) -> Upload:
        """The page sends a file to S3."""
        with self._lock:
            self.last["bucket"] = time.time()
            upload = self._uploads.begin(key, size, time.time() * 1000)
            self._publish_uploads([upload])
            return upload

    def upload_stored(self, upload: Upload, version: str) -> None:
        """S3 stored it."""
        with self._lock:
            self._publish_uploads([self._uploads.put(upload, version, time.time() * 1000)])

    def upload_rejected(self, upload: Upload, reason: str) -> None:
        """S3 did not store it."""
        with self._lock:
            self._publish_uploads([self._uploads.reject(upload, reason)])

    def uploads_in_progress(self) -> bool:
        """Whether an upload is between two stages, so that short intervals are worth it."""
        since = time.time() * 1000 - 60_000
        with self._lock:
            return any(
                upload.state in ("uploading", "in_progress", "retrying") and upload.at > since
                for upload in self._uploads.newest()
            )

    def function_figures(self, now: float) -> dict[str, float | None]:
        """Invocations, errors, and durations (p50 and p99, milliseconds) of the window."""
        since = now - WINDOW_SECONDS
        with self._lock:
            while self._samples and next(iter(self._samples.values())).at < since:
                self._samples.popitem(last=False)
            samples = [sample for sample in self._samples.values() if sample.at >= since]
        durations = sorted(
            sample.milliseconds for sample in samples if sample.milliseconds is not None
        )
        return {
            "invocations": len(samples),
            "errors": sum(sample.failing for sample in samples),
            "p50": _percentile(durations, 50),
            "p99": _percentile(durations, 99),
        }

    def writes(self, now: float) -> int:
        """Records written in the window, since the page was opened at most."""
        with self._lock:
            while self._writes and self._writes[0] < now - WINDOW_SECONDS:
                self._writes.popleft()
            return len(self._writes)

    def recorded_in(self, bucket: str, now: float) -> int:
        """How many of the newest records are of events of that bucket in the window."""
        since = now - WINDOW_SECONDS
        with self._lock:
            return sum(
                item.get("bucket") == {"S": bucket} and _time(item) > since
                for item in self._records.values()
            )

    def take_new_samples(self) -> tuple[int, list[Sample]]:
        """Write units and invocations since this was last called."""
        with self._lock:
            units, samples = self._new_units, list(self._new_samples)
            self._new_units = 0
            self._new_samples.clear()
            return units, samples

    def oldest_failure(self) -> float | None:
        """When the oldest known event of the failure queue failed, in epoch seconds."""
        with self._lock:
            return min(filter(None, map(_failed_at, self._failures.values())), default=None)

    def snapshot(self) -> dict[str, Any]:
        """All that is known, for a page that was just opened."""
        with self._lock:
            return {
                "records": {"items": list(self._records.values())},
                "invokes": list(map(invoke_json, self._invokes.newest())),
                "failures": self._newest_failures(),
                "alarms": self.alarms or [],
                "notifications": self.notifications,
                "datapoints": self.datapoints,
                "unknown": self.unknown,
                "uploads": list(map(upload_json, self._uploads.newest())),
            }

    def _add_sample(self, invoke: Invoke) -> None:
        # Each invocation once, when it is known how it ended.
        if (invoke.done_at is None and not invoke.ended) or invoke.request in self._samples:
            return
        sample = Sample(invoke.at / 1000, invoke.milliseconds, invoke.failing)
        self._samples[invoke.request] = sample
        if len(self._samples) > _MAX_SAMPLES:
            self._samples.popitem(last=False)
        # Those before were published by the page that was open then, or by none.
        if sample.at >= self._opened_at:
            self._new_samples.append(sample)

    def _forget_records(self) -> None:
        if len(self._records) > RECORDS:
            newest = sorted(self._records.values(), key=_time)[-RECORDS:]
            self._records = {item["objectId"]["S"]: item for item in newest}

    def _newest_failures(self) -> list[dict[str, Any]]:
        return sorted(self._failures.values(), key=_failed_at)[-FAILURES:]

    def _publish_uploads(self, uploads: Iterable[Upload | None]) -> None:
        changed = {upload.id: upload for upload in uploads if upload is not None}
        if changed:
            self._publish("uploads", list(map(upload_json, changed.values())))


def upload_json(upload: Upload) -> dict[str, Any]:
    """An upload as the page has it."""
    return asdict(upload) | {"stages": upload.stages}


def invoke_json(invoke: Invoke) -> dict[str, Any]:
    """An invocation as the page has it."""
    return asdict(invoke) | {"failing": invoke.failing}


def failure_json(failure: Failure) -> dict[str, Any]:
    """A message of the failure queue as the page has it."""
    event = failure if isinstance(failure, FailedEvent) else None
    reasons = [failure.reason or "", *(event.refusals if event else ())]
    return {
        "id": failure.message_id,
        "failed_at": failure.failed_at,
        "how": event.how if event else "unreadable",
        "reason": "; ".join(filter(None, reasons))[:_MAX_REASON],
        "attempts": event.attempts if event else None,
        "objects": list(map(list, event.objects)) if event else [],
        "objectIds": list(event.object_ids) if event else [],
    }


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The least of these sorted values that so many percent don't exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def _failed_at(failure: Mapping[str, Any]) -> float:
    return failure["failed_at"] or 0.0


def _time(item: Item) -> float:
    try:
        return float(item["timestamp"]["N"])
    except (KeyError, ValueError):
        return 0.0
