"""Find one thing among what a board knows."""

import threading
from collections.abc import Callable
from typing import Any

from pipeline.console.board.figures import WINDOW_SECONDS
from pipeline.console.board.shapes import failed_at, recorded_at
from pipeline.console.board.timeline import Dots
from pipeline.console.board.uploads import Upload, Uploads
from pipeline.deployed.invokes import Invoke, Invokes
from pipeline.deployed.table import Item


class Finding:
    """A board's questions; thread-safe."""

    now: Callable[[], float]
    _lock: threading.RLock
    _uploads: Uploads
    _invokes: Invokes
    _records: dict[str, Any]
    _failures: dict[str, dict[str, Any]]
    _dots: Dots

    def oldest_failure(self) -> float | None:
        """When the oldest known event of the failure queue failed, in epoch seconds."""
        with self._lock:
            return min(filter(None, map(failed_at, self._failures.values())), default=None)

    def newest_failure_reason(self) -> str:
        """Why the newest known event of the failure queue failed."""
        with self._lock:
            newest = max(self._failures.values(), key=failed_at, default=None)
            return newest["reason"] if newest else ""

    def find_upload(self, name: str) -> Upload | None:
        """By its object id, or its number on this page."""
        with self._lock:
            return self._uploads.find(name)

    def find_invokes(self, object_id: str, request: str | None) -> list[Invoke]:
        """Those that name a record, or have this request id, the oldest first."""
        with self._lock:
            return [
                invoke
                for invoke in self._invokes.newest()
                if invoke.request == request or (object_id and invoke.names(object_id))
            ]

    def failed_invokes(self) -> list[Invoke]:
        """Those that failed, the oldest first."""
        with self._lock:
            return [invoke for invoke in self._invokes.newest() if invoke.failing]

    def find_record(self, object_id: str) -> Item | None:
        """A record that is known."""
        with self._lock:
            return self._records.get(object_id)

    def find_failure(self, object_id: str, message: str | None) -> dict[str, Any] | None:
        """The failure queue's message that holds an event."""
        with self._lock:
            if message in self._failures:
                return self._failures[message]
            known = reversed(self._failures.values())
            return next((each for each in known if object_id in each["objectIds"]), None)

    def uploads_in_progress(self) -> bool:
        """Whether an upload is between two stages, so that short intervals are worth it."""
        since = self.now() * 1000 - 60_000
        with self._lock:
            return any(
                upload.state in ("uploading", "in_progress", "retrying") and upload.at > since
                for upload in self._uploads.newest()
            )

    def recorded_in(self, bucket: str, now: float) -> int:
        """How many of the newest records are of events of that bucket in the window."""
        since = now - WINDOW_SECONDS
        with self._lock:
            return sum(
                item.get("bucket") == {"S": bucket} and recorded_at(item) > since
                for item in self._records.values()
            )

    def dots_since(self, since: float) -> tuple[list[tuple[Any, ...]], int]:
        """The timeline's dots since then (epoch seconds), one of how many."""
        with self._lock:
            return [dot for dot in self._dots.all() if dot[2] >= since * 1000], self._dots.every
