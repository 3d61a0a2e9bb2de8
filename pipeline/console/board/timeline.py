"""The dots of the timeline: each upload at its time, as high as it took until it was recorded."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.console.board.uploads import Upload
from pipeline.deployed.documents import epoch_ms
from pipeline.deployed.invokes import Invoke

# What a page draws sixty times a second.
MAX_DOTS = 5_000
# Of more that failed, the newest are kept.
_MOST_FAILED = 4_000
_MAX_KEY = 100


@dataclass
class Dot:
    """An upload: `at` when it was sent and `done` when the function had ended, epoch milliseconds.

    `run` is how long the function had it; what is above that was waiting. `approximate`: `at` is
    known to the second only.
    """

    id: str
    key: str = ""
    at: float | None = None
    approximate: bool = True
    done: float | None = None
    run: float | None = None
    failed: bool = False

    def drawn(self) -> tuple[Any, ...] | None:
        """Id, key, time, latency (None: nobody tells), run, failed, approximate; None: no place."""
        at = self.at if self.at is not None else self.done
        if at is None:
            return None
        latency = None
        if self.at is not None and self.done is not None:
            latency = max(round(self.done - self.at, 1), self.run or 1.0)
        return self.id, self.key, at, latency, self.run, int(self.failed), int(self.approximate)


class Dots:
    """The newest uploads; of too many every second is left out, again and again. Not thread-safe.

    Which are left out is decided by their ids, so that those that stay are like all.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._known: dict[str, Dot] = {}
        self._changed: dict[str, Dot] = {}
        self.every = 1

    def sent(self, uploads: Iterable[Upload]) -> None:
        """Uploads of this page, whose time is known to the millisecond; and those that fail."""
        for upload in uploads:
            failed = upload.state in ("failed", "retrying")
            dot = self._dot(upload.object_id, upload.key, keep=failed or upload.from_page)
            if dot is None:
                continue
            if upload.from_page:
                dot.at, dot.approximate = upload.at, False
            elif dot.at is None and upload.at:
                dot.at = upload.at
            dot.failed = failed
            if failed and dot.done is None:
                dot.done = upload.finished_at

    def recorded(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Records as the table has them."""
        for item in items:
            name, key, written = (
                str(next(iter(item.get(each, {}).values()), ""))
                for each in ("objectId", "objectKey", "eventTime")
            )
            at = epoch_ms(written)
            dot = self._dot(name, key) if at is not None else None
            if dot is not None and (dot.at is None or dot.approximate):
                dot.at, dot.approximate = at, "." not in written

    def invoked(self, invokes: Iterable[Invoke]) -> None:
        """What the function stored, and what it could not."""
        for invoke in invokes:
            run = invoke.milliseconds
            for name in invoke.object_ids if invoke.done_at is not None else ():
                if (dot := self._dot(name)) is not None:
                    dot.done, dot.run, dot.failed = float(invoke.done_at or 0), run, False
            for record in invoke.not_stored:
                dot = self._dot(record.object_id, record.key, keep=True)
                if dot is not None and (dot.done is None or dot.failed):
                    dot.done, dot.run, dot.failed = float(invoke.at), run, True

    def all(self) -> list[tuple[Any, ...]]:
        """Those that have a place, the oldest first."""
        found = (dot.drawn() for dot in self._known.values())
        return sorted((dot for dot in found if dot is not None), key=lambda dot: float(dot[2]))

    def take_changed(self) -> list[tuple[Any, ...]]:
        """Those that changed since this was last called."""
        changed, self._changed = self._changed, {}
        return [drawn for dot in changed.values() if (drawn := dot.drawn()) is not None]

    def _dot(self, name: str | None, key: str = "", *, keep: bool = False) -> Dot | None:
        if not name:
            return None
        dot = self._known.get(name)
        if dot is None:
            if not keep and _number(name) % self.every:
                return None
            dot = self._known[name] = Dot(name)
            if len(self._known) > MAX_DOTS:
                self._thin()
        dot.key = dot.key or key[:_MAX_KEY]
        self._changed[name] = dot
        return dot

    def _thin(self) -> None:
        self.every *= 2
        kept = {
            name: dot
            for name, dot in self._known.items()
            if dot.failed or _number(name) % self.every == 0
        }
        if len(kept) > _MOST_FAILED:
            kept = dict(list(kept.items())[-MAX_DOTS // 2 :])
        self._known = kept


def _number(name: str) -> int:
    """The same for an id each time, and evenly spread."""
    return zlib.crc32(name.encode(errors="replace"))
