"""What the page knows of a pipeline: bounded lists, and figures of the last minutes.

All of it was read since the page was opened, and is gone with it.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from pipeline.console.board.figures import WINDOW_SECONDS, Counts, Figures, Gauge, Sample, Series
from pipeline.console.board.finding import Finding
from pipeline.console.board.memory import Check, Memory, Recovery
from pipeline.console.board.notifications import Notification
from pipeline.console.board.shapes import (
    failed_at,
    failure_json,
    invoke_json,
    recorded_at,
    upload_json,
)
from pipeline.console.board.timeline import MAX_DOTS, Dots
from pipeline.console.board.uploads import Upload
from pipeline.deployed.failure_queue import Failure
from pipeline.deployed.invokes import Invoke, Invokes
from pipeline.deployed.stream import StreamRecord

Publish = Callable[[str, Any], None]
Item = Mapping[str, Mapping[str, str]]

RECORDS = 300
INVOKES = 300
FAILURES = 100
# How long after an error the function is failing, unless a replay ends well.
FAILING_SECONDS = 300.0
_DOTS_AT_ONCE = 500
# Of more records than these it is not known how many there are.
_MAX_COUNTED = 50_000
# Uploads from before the page was opened, so that it does not begin empty.
_OLD_UPLOADS = 20


class Board(Finding):
    """What is known; thread-safe. Each change is published at once."""

    def __init__(
        self,
        bucket: str,
        filters: Sequence[Mapping[str, Any]],
        publish: Publish,
        memory: Memory | None = None,
        clock: Callable[[], float] = time.time,
        others: Sequence[str] = (),
    ) -> None:
        """Start with what is in `memory`.

        `filters` are `delivery.filters`, `others` the buckets beside `bucket`; `clock` is AWS's
        time in epoch seconds.
        """
        self.memory = memory or Memory()
        self.now = clock
        self._lock = self.memory.lock
        self._publish = publish
        self._records: dict[str, Item] = {}
        self._invokes = Invokes(INVOKES)
        self._uploads = self.memory.uploads_to(bucket, filters, others)
        self._failures: dict[str, dict[str, Any]] = {}
        self._opened_at = self.now()
        self.figures = Figures(self._opened_at)
        self._writes = Counts()
        self._dots = Dots()
        self._dots.sent(self._uploads.newest())
        self._turns, self._code = 1, ""
        # When (epoch milliseconds) the function changed, and what of it.
        self.changes: list[tuple[float, str]] = []
        # Ids of all records, None where they are not known.
        self._ids: set[str] | None = None
        self.waits = Gauge(lasting=False)
        self.gauges = {name: Gauge(lasting=True) for name in ("failures", "buffer", "alarms")}
        # Panels that were read at least once: before, nothing is known of them.
        self.read: set[str] = set()
        # When the function began to fail, as far as it does, and why it failed last.
        self.failing_since: float | None = None
        self.failing_reason = ""
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
        # When a check's message was first seen, in epoch seconds.
        self.noticed: dict[str, float] = {}
        # Why, by panel that can't be read.
        self.unknown: dict[str, str] = {}
        # By stage, when something happened there, in epoch seconds.
        self.last: dict[str, float] = {}
        # Write units that have not been published as metrics yet.
        self._new_units = 0

    def load_records(self, items: Iterable[Item], complete: bool) -> None:
        """The table's records, all of them if `complete`, as a scan read them."""
        with self._lock:
            found = {item["objectId"]["S"]: item for item in items}
            newest = sorted(found.values(), key=recorded_at)
            removed = [name for name in self._records if name not in found] if complete else []
            self._ids = set(found) if complete else None
            self._dots.recorded(newest[-MAX_DOTS:])
            self._records = found if complete else self._records | found
            since = self.now() - WINDOW_SECONDS
            recent = [item for item in newest[-_OLD_UPLOADS:] if recorded_at(item) > since]
            # A stream that broke off does not deliver what came before it was opened again.
            missed = [item for item in newest if self._uploads.expects(item["objectId"]["S"])]
            self._forget_records()
            if removed:
                self._publish("removed", removed)
            items = list(self._records.values())
            self._publish("records", {"items": items, "complete": complete, **self._total()})
            self._publish_uploads(
                self._uploads.record(item, recorded_at(item) * 1000, old=True)
                for item in [*recent, *missed]
            )

    def apply_changes(self, changes: Sequence[StreamRecord]) -> None:
        """Changes of the table."""
        now = self.now()
        with self._lock:
            written: list[Item] = []
            removed = []
            for change in changes:
                object_id = change.keys["objectId"]["S"]
                if self._ids is not None:
                    (self._ids.discard if change.change == "REMOVE" else self._ids.add)(object_id)
                if change.change == "REMOVE":
                    if self._records.pop(object_id, None) is not None:
                        removed.append(object_id)
                    continue
                self._writes.add(now)
                # Of 1 KB each; no record has more, but for the longest keys.
                self._new_units += 1
                self.last["table"] = now
                if change.image is not None:
                    self._records[object_id] = change.image
                    written.append(change.image)
            self._forget_records()
            if changes:
                self._publish("records", {"items": written[-RECORDS:], **self._total()})
            if removed:
                self._publish("removed", removed)
            self._dots.recorded(written)
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
                self.figures.add(invoke)
                if now - at < WINDOW_SECONDS:
                    uploads += self._uploads.invoked(invoke)
                self.last["function"] = max(self.last.get("function", 0.0), at)
                if invoke.attempt_failing:
                    self._failed(at, invoke.reason)
            self._dots.invoked(changed)
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
                merged = sorted((self._failures | found).values(), key=failed_at)
                found = {failure["id"]: failure for failure in merged[-FAILURES:]}
            if found != self._failures:
                self._failures = found
                self._publish("failures", self._newest_failures())
            self._publish_uploads(uploads)

    def set_checks(self, checks: dict[str, Check]) -> None:
        """How the stages are configured."""
        with self._lock:
            self.checks = checks
            failing = [check.message for check in checks.values() if check.verdict == "failing"]
            self.noticed = {each: self.noticed.get(each, self.now()) for each in failing}

    def take_turn(self) -> bool:
        """Whether the caller is the first that reads what was before the window."""
        with self._lock:
            self._turns -= 1
            return self._turns == 0

    def add_old_invokes(self, invokes: Sequence[Invoke]) -> None:
        """Invocations before the window, for the timeline alone."""
        with self._lock:
            self._dots.invoked(invokes)
            self._dots.take_changed()

    def set_function(self, modified: float | None, code: str) -> None:
        """When the function last changed (epoch milliseconds), and the hash of its code."""
        if modified is None or any(at == modified for at, _ in self.changes):
            return
        what = "Function changed" if not self._code else "Configuration changed"
        if self._code not in ("", code):
            what = "Code changed"
        self._code = code
        self.mark(modified, what)

    def mark(self, at: float, what: str) -> None:
        """A change at that time (epoch milliseconds), for the timeline."""
        with self._lock:
            self.changes = [*self.changes, (at, what)][-50:]
            self._publish("changes", self.changes)

    def set_depths(self, depths: dict[str, tuple[int, int]]) -> None:
        """About how many messages each queue has, and how many are in flight."""
        with self._lock:
            self.depths = depths
            for queue, depth in depths.items():
                self.gauges[queue].show(self.now(), sum(depth))

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
            if kind == "alarms":
                in_alarm = sum(alarm["state"] == "ALARM" for alarm in value)
                self.gauges["alarms"].show(self.now(), in_alarm)
            if changed:
                self._publish(kind, value)
            return changed

    def set_unknown(self, panel: str, reason: str | None) -> None:
        """Why a panel can't be read, None if it can."""
        with self._lock:
            if reason is None and panel not in self.read:
                self.read.add(panel)
                self._publish("read", sorted(self.read))
            if reason != self.unknown.get(panel):
                unknown = {**self.unknown, panel: reason}
                self.unknown = {name: why for name, why in unknown.items() if why is not None}
                self._publish("unknown", self.unknown)

    def begin_upload(self, key: str, size: int) -> Upload:
        """The page sends a file to S3."""
        with self._lock:
            self.last["bucket"] = self.now()
            upload = self._uploads.begin(key, size, self.now() * 1000)
            self._publish_uploads([upload])
            return upload

    def upload_stored(self, upload: Upload, version: str) -> None:
        """S3 stored it."""
        with self._lock:
            self._publish_uploads([self._uploads.put(upload, version, self.now() * 1000)])

    def upload_rejected(self, upload: Upload, reason: str) -> None:
        """S3 did not store it."""
        with self._lock:
            self._publish_uploads([self._uploads.reject(upload, reason)])

    def function_figures(self, now: float) -> dict[str, float | None]:
        """Invocations, errors, and durations (p50 and p99, milliseconds) of the window."""
        with self._lock:
            return self.figures.of_window(now)

    def writes(self, now: float) -> int:
        """Records written in the window, since the page was opened at most."""
        with self._lock:
            return self._writes.since(now)

    @property
    def opened_at(self) -> float:
        """Since when (epoch seconds) the table's stream is read."""
        return self._opened_at

    def series(self, name: str, now: float) -> Series:
        """What a sparkline shows; the name of a count or gauge."""
        with self._lock:
            figures = self.figures
            kept: dict[str, Counts | Gauge] = {"waits": self.waits, "writes": self._writes}
            kept |= {"invocations": figures.invocations, "errors": figures.errors}
            kept |= {"received": figures.received, "stored": figures.stored, **self.gauges}
            return kept[name].series(now)

    def replayed(self, events: int) -> None:
        """A replay ended well: what failed before it is over."""
        with self._lock:
            # By the clock of the log, whichever is ahead.
            at = max(self.now(), self.last.get("error", 0.0))
            self.memory.recovery = Recovery(at, events)

    @property
    def recovery(self) -> Recovery | None:
        """The last replay that ended well, if nothing failed after it."""
        found = self.memory.recovery
        return found if found and found.at >= self.last.get("error", 0.0) else None

    def failing(self, now: float) -> bool:
        """Whether an invocation failed lately, and after the last replay that ended well."""
        error = self.last.get("error", 0.0)
        return now - error < FAILING_SECONDS and self.recovery is None

    def throttled(self, now: float) -> bool:
        """Whether the table refused writes lately, and after the last replay that ended well."""
        at = self.last.get("throttled", 0.0)
        recovered = self.memory.recovery is not None and self.memory.recovery.at >= at
        return now - at < FAILING_SECONDS and not recovered

    def take_new_samples(self) -> tuple[int, list[Sample]]:
        """Write units and invocations since this was last called."""
        with self._lock:
            units, self._new_units = self._new_units, 0
            return units, self.figures.take_new(self.now())

    def snapshot(self) -> dict[str, Any]:
        """All that is known, for a page that was just opened."""
        with self._lock:
            return {
                "records": {"items": list(self._records.values()), **self._total()},
                "invokes": list(map(invoke_json, self._invokes.newest())),
                "failures": self._newest_failures(),
                "alarms": self.alarms or [],
                "notifications": self.notifications,
                "datapoints": self.datapoints,
                "unknown": self.unknown,
                "read": sorted(self.read),
                "uploads": list(map(upload_json, self._uploads.shown())),
            }

    def _failed(self, at: float, reason: str) -> None:
        last = self.last.get("error", 0.0)
        recovered = self.memory.recovery.at if self.memory.recovery else 0.0
        over = at - last > FAILING_SECONDS or last <= recovered < at
        if self.failing_since is None or over:
            self.failing_since = at
        elif at > recovered:
            self.failing_since = min(self.failing_since, at)
        if at >= last:
            self.last["error"], self.failing_reason = at, reason or self.failing_reason

    def _total(self) -> dict[str, Any]:
        """How many records there are, None where that is not known."""
        if self._ids is not None and len(self._ids) > _MAX_COUNTED:
            self._ids = None
        return {"total": None if self._ids is None else len(self._ids)}

    def _forget_records(self) -> None:
        if len(self._records) > RECORDS:
            newest = sorted(self._records.values(), key=recorded_at)[-RECORDS:]
            self._records = {item["objectId"]["S"]: item for item in newest}

    def _newest_failures(self) -> list[dict[str, Any]]:
        return sorted(self._failures.values(), key=failed_at)[-FAILURES:]

    def _publish_uploads(self, uploads: Iterable[Upload | None]) -> None:
        changed = {upload.id: upload for upload in uploads if upload is not None}
        self._dots.sent(changed.values())
        if dots := self._dots.take_changed():
            # Of very many the page asks for all again.
            self._publish("dots", dots if len(dots) <= _DOTS_AT_ONCE else None)
        for upload in changed.values():
            if upload.wait_ms is not None:
                self.waits.show((upload.started_at or 0.0) / 1000, upload.wait_ms)
        if changed:
            self._publish("uploads", list(map(upload_json, changed.values())))
