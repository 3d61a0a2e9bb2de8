"""Find one thing among what a board knows."""

import threading
from typing import Any

from pipeline.console.board.shapes import failed_at
from pipeline.console.board.uploads import Upload, Uploads
from pipeline.deployed.invokes import Invoke, Invokes
from pipeline.deployed.table import Item


class Finding:
    """A board's questions; thread-safe."""

    _lock: threading.RLock
    _uploads: Uploads
    _invokes: Invokes
    _records: dict[str, Any]
    _failures: dict[str, dict[str, Any]]

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
