"""Follow uploads through the pipeline, by what each stage leaves behind.

bucket    S3 answered (an upload from this page), or the record says when S3 took the object
delivery  the function began with it: its log line, less what it says that it took
function  the function was done with it: its log line
table     its record was seen on the table's stream, at the latest when the function was done
failures  it lies in the failure queue

Times count from when the page's file was sent on to S3, in milliseconds; S3 may tell the function
before it answers. Of an upload from elsewhere S3's own time is all there is, in whole seconds.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.console.board.invokes import Invoke
from pipeline.handler import events, records

State = Literal["uploading", "travelling", "arrived", "retrying", "failed", "refused", "untaken"]

# As many are shown; the oldest go.
LIMIT = 200
# Milliseconds that AWS's clock may go after this machine's.
_CLOCKS_DIFFER = 5000
_FINAL = ("arrived", "refused", "untaken")
_TRIED = ("retrying", "failed")


@dataclass
class Travel:
    """One upload on its way.

    Times are in epoch milliseconds: `at` when S3 was sent it, or says that it took it, `began_at`
    and `done_at` of the invoke that stored it, `seen_at` of its record. `put` is how many
    milliseconds S3 took for it. `reason` is why it is not (yet) where it should be; `message` the
    failure queue's message that holds it.
    """

    id: int
    key: str
    at: float
    here: bool
    state: State = "travelling"
    size: int | None = None
    object_id: str | None = None
    put: float | None = None
    began_at: float | None = None
    done_at: float | None = None
    seen_at: float | None = None
    reason: str | None = None
    request: str | None = None
    message: str | None = None

    @property
    def stages(self) -> dict[str, float | None]:
        """Milliseconds since it was sent, by stage passed; None where that is not known."""
        passed: dict[str, float | None] = {}
        if self.state not in ("uploading", "refused"):
            passed["bucket"] = self.put
        if self.began_at is not None or self.seen_at is not None or self.state in _TRIED:
            passed["delivery"] = self._since(self.began_at)
        if self.done_at is not None or self.seen_at is not None:
            passed["function"] = self._since(self.done_at)
        if self.seen_at is not None:
            # Polled: when the function said that it was done, the record was there.
            passed["table"] = self._since(min(self.seen_at, self.done_at or self.seen_at))
        return passed

    def _since(self, moment: float | None) -> float | None:
        if moment is None or not self.here:
            return None
        return max(0.0, round(moment - self.at, 1))


class Travels:
    """The newest uploads of one bucket. Every method returns what it changed."""

    def __init__(self, bucket: str, filters: Iterable[Mapping[str, Any]]) -> None:
        """`filters` are `delivery.filters`."""
        self._bucket = bucket
        self._filters = [one for one in filters if isinstance(one, Mapping)]
        self._numbers = itertools.count(1)
        self._known: dict[int, Travel] = {}
        # By record: a log line may be read before anybody knows whose record it names.
        self._stored: dict[str, Invoke] = {}

    def newest(self) -> list[Travel]:
        """All of them, the newest last."""
        return list(self._known.values())

    def begin(self, key: str, size: int | None, at: float) -> Travel:
        """A file that is on its way into the bucket."""
        travel = Travel(next(self._numbers), key, at, here=True, state="uploading", size=size)
        return self._add(travel)

    def put(self, travel: Travel, version: str, size: int, at: float) -> Travel:
        """S3 took it, at `at`."""
        travel.size, travel.put = size, round(at - travel.at, 1)
        if version:
            event = events.ObjectEvent(
                self._bucket, travel.key, "ObjectCreated:Put", "", 0, version_id=version
            )
            travel.object_id = records.object_id(event)
            self._time(travel)
        if travel.state == "uploading":
            travel.state = "travelling"
            if not self._taken(travel.key):
                travel.state = "untaken"
                travel.reason = "No filter of delivery.filters takes this key."
        return travel

    def refuse(self, travel: Travel, reason: str) -> Travel:
        """S3 did not take it."""
        travel.state, travel.reason = "refused", reason
        return travel

    def arrive(self, item: Mapping[str, Any], at: float, *, old: bool = False) -> Travel | None:
        """Its record was seen, at `at`; `old` where it may have been there for long.

        The record may be one that no function of this project made: it has an `objectId`, at least.
        """
        if not _told(item, "eventName").startswith("ObjectCreated"):
            return None
        object_id, key = _told(item, "objectId"), _told(item, "objectKey")
        taken_at = 1000 * (_number(item, "timestamp") or 0)
        travel = self._of(object_id) or self._unnamed(key, taken_at if old else None)
        if travel is None:
            travel = self._add(self._from_elsewhere(key, taken_at))
            size = _number(item, "size")
            travel.size = None if size is None else int(size)
        elif travel.state == "arrived":
            return None
        travel.object_id, travel.seen_at = object_id, at
        travel.state, travel.reason, travel.message = "arrived", None, None
        self._time(travel)
        return travel

    def awaits(self, object_id: str) -> bool:
        """Whether a travel has yet to be told of this record."""
        travel = self._of(object_id)
        return travel is not None and travel.state != "arrived"

    def invoked(self, invoke: Invoke) -> list[Travel]:
        """An invoke says which records it stored, and which it could not."""
        self._stored |= dict.fromkeys(invoke.object_ids, invoke)
        for old in list(self._stored)[: -10 * LIMIT]:
            del self._stored[old]
        changed = list(filter(None, map(self._of, invoke.object_ids)))
        for travel in changed:
            self._time(travel)
            if travel.state == "retrying":
                travel.state, travel.reason = "travelling", None
        for refused in invoke.refused:
            if refused.bucket not in ("", self._bucket) or not refused.key:
                continue
            if refused.object_id in self._stored:
                # By another attempt, whichever line was read first.
                continue
            found = self._find(refused.object_id, refused.key)
            if found is None:
                found = self._add(self._from_elsewhere(refused.key, invoke.at))
            found.object_id = found.object_id or refused.object_id or None
            if found.state not in ("arrived", "failed"):
                found.state, found.reason = "retrying", refused.reason
                found.request = invoke.request
                changed.append(found)
        return changed

    def waiting(
        self, failures: Iterable[Mapping[str, Any]], *, complete: bool = True
    ) -> list[Travel]:
        """What lies in the failure queue now, as the page's panel has it.

        `complete`: nothing else lies there, so that what failed and is not among it was taken off.
        """
        changed, there = [], set()
        for failure in failures:
            for object_id, key in _pairs(failure):
                travel = self._of(object_id) or self._unnamed(key, _failed_at(failure))
                if travel is None or travel.state == "arrived":
                    continue
                there.add(travel.id)
                if travel.message != failure["id"] or travel.state != "failed":
                    travel.object_id = travel.object_id or object_id
                    travel.state, travel.message = "failed", failure["id"]
                    travel.reason = travel.reason or failure["reason"] or "no reason given"
                    changed.append(travel)
        for travel in self._known.values():
            if complete and travel.state == "failed" and travel.id not in there:
                # Replayed: its record is on its way to this page.
                travel.state, travel.reason, travel.message = "travelling", None, None
                changed.append(travel)
        return changed

    def _time(self, travel: Travel) -> None:
        """When the function had it, if that is known."""
        invoke = self._stored.get(travel.object_id or "")
        if invoke is not None:
            travel.request, travel.done_at = invoke.request, invoke.done_at
            if invoke.done_at is not None and invoke.milliseconds is not None:
                travel.began_at = invoke.done_at - invoke.milliseconds

    def _taken(self, key: str) -> bool:
        return not self._filters or any(
            key.startswith(str(one.get("prefix") or ""))
            and key.endswith(str(one.get("suffix") or ""))
            and any(event in _PUT for event in one.get("events") or _PUT)
            for one in self._filters
        )

    def _of(self, object_id: str | None) -> Travel | None:
        if not object_id:
            return None
        found = (one for one in self._known.values() if one.object_id == object_id)
        return next(found, None)

    def _open(self, key: str) -> Travel | None:
        """The newest one of that key that has not arrived."""
        found = (one for one in reversed(self._known.values()) if one.key == key)
        return next((one for one in found if one.state not in _FINAL), None)

    def _unnamed(self, key: str, at: float | None = None) -> Travel | None:
        """The oldest of that key whose record's id is not known yet.

        In a bucket without versions only the record tells it; in any, S3's answer may be slower.
        With `at`, only of uploads that may have been taken by then, in epoch milliseconds.
        """
        found = (one for one in self._known.values() if one.key == key and one.object_id is None)
        return next(
            (
                one
                for one in found
                if one.state not in _FINAL and (at is None or one.at <= at + _CLOCKS_DIFFER)
            ),
            None,
        )

    def _find(self, object_id: str, key: str) -> Travel | None:
        """Of a record that may have no id; another one's of the same key is not it."""
        if not object_id:
            return self._open(key)
        return self._of(object_id) or self._unnamed(key)

    def _from_elsewhere(self, key: str, at: float) -> Travel:
        return Travel(next(self._numbers), key, at, here=False)

    def _add(self, travel: Travel) -> Travel:
        self._known[travel.id] = travel
        while len(self._known) > LIMIT:
            del self._known[next(iter(self._known))]
        return travel


# What an upload from the page is called.
_PUT = ("s3:ObjectCreated:*", "s3:ObjectCreated:Put")


def _pairs(failure: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Id and key of each created object that it holds."""
    ids, objects = failure["objectIds"], failure["objects"]
    if len(ids) != len(objects):
        # Two records of it are one: which key has which id is not told.
        objects = [("", "", "ObjectCreated")] * len(ids)
    for object_id, (_, key, name) in zip(ids, objects, strict=True):
        if name.startswith("ObjectCreated"):
            yield object_id, key


def _failed_at(failure: Mapping[str, Any]) -> float | None:
    return None if failure["failed_at"] is None else 1000 * float(failure["failed_at"])


def _told(item: Mapping[str, Any], name: str) -> str:
    """A string or number of an item; empty where it has none."""
    value = next(iter((item.get(name) or {"S": ""}).values()))
    return value if isinstance(value, str) else ""


def _number(item: Mapping[str, Any], name: str) -> float | None:
    try:
        number = float(_told(item, name))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
