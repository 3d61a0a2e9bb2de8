"""Follow uploads through the pipeline, by what each stage leaves behind.

bucket    S3 answered (an upload of this page), or the record has S3's time
delivery  the function started with it: its log line, less the duration in it
function  the function finished with it: its log line
table     its record came on the table's stream, at the latest when the function had finished
failures  it is in the failure queue

Durations count from when the page sent the file to S3; S3 may notify the function before it
answers. For other uploads S3's own time is all that is known, in whole seconds.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.deployed.invokes import Invoke
from pipeline.handler import events, records

State = Literal[
    "uploading", "in_progress", "recorded", "retrying", "failed", "rejected", "filtered_out"
]

# The oldest are forgotten, those that have come to an end first.
LIMIT = 2_000
# Of these a page that is opened shows the newest, and all that are not over.
_SHOWN = 200
# How many milliseconds AWS's clock may be behind this machine's.
_MAX_CLOCK_SKEW = 5000
_FINAL = ("recorded", "rejected", "filtered_out")
# Events of an upload from the page.
_PUT_EVENTS = {"s3:ObjectCreated:*", "s3:ObjectCreated:Put"}


@dataclass
class Upload:
    """One upload and how far it came.

    Times are in epoch milliseconds: `at` when it was sent to S3, or S3's own time; `started_at` and
    `finished_at` of the invocation that stored it; `recorded_at` when its record was seen. `put_ms`
    is how long S3 took. `reason` is why it is not (yet) recorded; `message` the id of the failure
    queue's message that holds it.
    """

    id: int
    key: str
    at: float
    from_page: bool
    state: State = "in_progress"
    size: int | None = None
    object_id: str | None = None
    put_ms: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    recorded_at: float | None = None
    reason: str | None = None
    message: str | None = None

    @property
    def wait_ms(self) -> float | None:
        """From S3's answer to the start of the function; of an upload of this page only."""
        if not self.from_page or self.put_ms is None or self.started_at is None:
            return None
        return max(0.0, round(self.started_at - self.at - self.put_ms, 1))

    @property
    def stages(self) -> dict[str, float | None]:
        """Milliseconds since it was sent, by stage passed; None where that is not known."""
        passed: dict[str, float | None] = {}
        recorded = self.recorded_at is not None
        if self.state not in ("uploading", "rejected"):
            passed["bucket"] = self.put_ms
        if self.started_at is not None or recorded or self.state in ("retrying", "failed"):
            passed["delivery"] = self._since_sent(self.started_at)
        if self.finished_at is not None or recorded:
            passed["function"] = self._since_sent(self.finished_at)
        if self.recorded_at is not None:
            # The stream is polled: when the function had finished, the record was there.
            passed["table"] = self._since_sent(
                min(self.recorded_at, self.finished_at or self.recorded_at)
            )
        return passed

    def _since_sent(self, at: float | None) -> float | None:
        return None if at is None or not self.from_page else max(0.0, round(at - self.at, 1))


class Uploads:
    """The newest uploads to a pipeline's buckets. Every method returns what it changed."""

    def __init__(
        self, bucket: str, filters: Sequence[Mapping[str, Any]], others: Sequence[str] = ()
    ) -> None:
        """`filters` are `delivery.filters`, none where they are unknown; `others` its buckets.

        The page uploads to `bucket`. Keys in another one are shown with its name.
        """
        self.bucket, self.filters, self.others = bucket, filters, others
        self._ids = itertools.count(1)
        self._known: dict[int, Upload] = {}
        self._of_key: dict[str, list[Upload]] = {}
        self._of_id: dict[str, Upload] = {}
        # By object id: a log line may come before the upload's id is known.
        self._stored_by: dict[str, Invoke] = {}

    def newest(self) -> list[Upload]:
        """All that are known, the newest last."""
        return list(self._known.values())

    def find(self, name: str) -> Upload | None:
        """By its object id, or its number here."""
        number = int(name) if name.isascii() and name.isdecimal() and len(name) < 10 else 0
        return self._known.get(number) or self._of_id.get(name)

    def shown(self) -> list[Upload]:
        """The newest, and all that are not over, the newest last."""
        newest = next(iter(list(self._known)[-_SHOWN:]), 0)
        known = self._known.values()
        return [each for each in known if each.id >= newest or each.state not in _FINAL]

    def begin(self, key: str, size: int, at: float) -> Upload:
        """The page sends a file to S3."""
        return self._add(key, at, from_page=True, state="uploading", size=size)

    def put(self, upload: Upload, version: str, at: float) -> Upload:
        """S3 stored it."""
        upload.put_ms = round(at - upload.at, 1)
        if version:
            event = events.ObjectEvent(
                self.bucket, upload.key, "ObjectCreated:Put", "", 0, version_id=version
            )
            self._identify(upload, records.object_id(event))
            self._add_times(upload)
        if upload.state == "uploading":
            upload.state = "in_progress"
            if not self._is_delivered(upload.key):
                upload.state = "filtered_out"
                upload.reason = "No filter of delivery.filters matches this key."
        return upload

    def reject(self, upload: Upload, reason: str) -> Upload:
        """S3 did not store it."""
        upload.state, upload.reason = "rejected", reason
        return upload

    def record(self, item: Mapping[str, Any], at: float, *, old: bool = False) -> Upload | None:
        """Its record was seen; `old` if the record may have been there for long.

        Another function than this project's may have made it: only its `objectId` is certain.
        """
        if not _text(item, "eventName").startswith("ObjectCreated"):
            return None
        object_id = _text(item, "objectId")
        key = self._shown(_text(item, "bucket"), _text(item, "objectKey"))
        uploaded_at = 1000 * (_number(item, "timestamp") or 0)
        upload = self._by_id(object_id) or self._without_id(key, uploaded_at if old else None)
        if upload is None:
            size = _number(item, "size")
            upload = self._add(key, uploaded_at, size=None if size is None else int(size))
        elif upload.state == "recorded":
            return None
        self._identify(upload, object_id)
        upload.recorded_at = at
        upload.state, upload.reason, upload.message = "recorded", None, None
        self._add_times(upload)
        return upload

    def expects(self, object_id: str) -> bool:
        """Whether the record of a known upload has not been seen yet."""
        upload = self._by_id(object_id)
        return upload is not None and upload.state != "recorded"

    def invoked(self, invoke: Invoke) -> list[Upload]:
        """An invocation logged which records it stored, and which it could not."""
        self._stored_by |= dict.fromkeys(invoke.object_ids, invoke)
        for old in list(self._stored_by)[: -10 * LIMIT]:
            del self._stored_by[old]
        changed = list(filter(None, map(self._by_id, invoke.object_ids)))
        for upload in changed:
            self._add_times(upload)
            if upload.state == "retrying":
                upload.state, upload.reason = "in_progress", None
        for record in invoke.not_stored:
            if record.bucket not in ("", self.bucket, *self.others) or not record.key:
                continue
            if record.object_id in self._stored_by:
                # By another attempt, whichever line came first.
                continue
            key = self._shown(record.bucket, record.key)
            found = self._of_record(record.object_id, key)
            if found is None:
                found = self._add(key, invoke.at)
            self._identify(found, found.object_id or record.object_id)
            if found.state not in ("recorded", "failed"):
                found.state, found.reason = "retrying", record.reason
                changed.append(found)
        return changed

    def set_failures(
        self, failures: Iterable[Mapping[str, Any]], *, complete: bool = True
    ) -> list[Upload]:
        """The failure queue's messages, as the page has them.

        `complete`: nothing else is in the queue, so that a failed upload that is not among them was
        taken off.
        """
        changed, waiting = [], set()
        for failure in failures:
            failed_at = failure["failed_at"]
            for object_id, bucket, key in _created_objects(failure):
                upload = self._by_id(object_id) or self._without_id(
                    self._shown(bucket, key), None if failed_at is None else 1000 * float(failed_at)
                )
                if upload is None or upload.state == "recorded":
                    continue
                waiting.add(upload.id)
                if upload.message != failure["id"] or upload.state != "failed":
                    self._identify(upload, upload.object_id or object_id)
                    upload.state, upload.message = "failed", failure["id"]
                    upload.reason = upload.reason or failure["reason"] or "no reason given"
                    changed.append(upload)
        for upload in self._known.values():
            if complete and upload.state == "failed" and upload.id not in waiting:
                # Replayed: its record is still to be seen.
                upload.state, upload.reason, upload.message = "in_progress", None, None
                changed.append(upload)
        return changed

    def _add(self, key: str, at: float, *, from_page: bool = False, **more: Any) -> Upload:
        upload = Upload(next(self._ids), key, at, from_page, **more)
        self._known[upload.id] = upload
        self._of_key.setdefault(key, []).append(upload)
        if len(self._known) > LIMIT:
            self._forget_one()
        return upload

    def _forget_one(self) -> None:
        """The oldest from elsewhere that is over, else of this page, else one that is not over."""
        known = self._known.values()
        over = [upload for upload in known if upload.state in _FINAL]
        old = next((upload for upload in over if not upload.from_page), next(iter(over), None))
        old = old or next(iter(known))
        del self._known[old.id]
        self._of_key[old.key].remove(old)
        if not self._of_key[old.key]:
            del self._of_key[old.key]
        if self._of_id.get(old.object_id or "") is old:
            del self._of_id[old.object_id or ""]

    def _identify(self, upload: Upload, object_id: str | None) -> None:
        upload.object_id = object_id or None
        # One that was forgotten may still be under way.
        if object_id and upload.id in self._known:
            self._of_id[object_id] = upload

    def _add_times(self, upload: Upload) -> None:
        invoke = self._stored_by.get(upload.object_id or "")
        if invoke is not None:
            upload.finished_at = invoke.done_at
            if invoke.done_at is not None and invoke.milliseconds is not None:
                upload.started_at = invoke.done_at - invoke.milliseconds

    def _shown(self, bucket: str, key: str) -> str:
        return f"s3://{bucket}/{key}" if bucket in self.others else key

    def _is_delivered(self, key: str) -> bool:
        return not self.filters or any(
            key.startswith(keys["prefix"])
            and key.endswith(keys["suffix"])
            and not _PUT_EVENTS.isdisjoint(keys["events"])
            for keys in self.filters
        )

    def _by_id(self, object_id: str) -> Upload | None:
        return self._of_id.get(object_id)

    def _open(self, key: str) -> list[Upload]:
        """Those of a key that are not final, the oldest first."""
        return [each for each in self._of_key.get(key, ()) if each.state not in _FINAL]

    def _without_id(self, key: str, at: float | None = None) -> Upload | None:
        """The oldest of a key whose object id is not known yet.

        In a bucket without versions only the record has the id; in any bucket S3's answer may be
        slower than the record. With `at`, only uploads that S3 may have stored by then.
        """
        for upload in self._open(key):
            if upload.object_id is None and (at is None or upload.at <= at + _MAX_CLOCK_SKEW):
                return upload
        return None

    def _of_record(self, object_id: str, key: str) -> Upload | None:
        """Of a record that may have no id; an upload of the same key with another id is not it."""
        if object_id:
            return self._by_id(object_id) or self._without_id(key)
        return next(reversed(self._open(key)), None)


def _created_objects(failure: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Object id, bucket and key of each created object in a message."""
    ids, objects = failure["objectIds"], failure["objects"]
    if len(ids) != len(objects):
        # Two of its records have the same id: which key has which id is not known.
        objects = [("", "", "ObjectCreated")] * len(ids)
    for object_id, (bucket, key, name) in zip(ids, objects, strict=True):
        if name.startswith("ObjectCreated"):
            yield object_id, bucket, key


def _text(item: Mapping[str, Any], name: str) -> str:
    """A string or number of an item; empty if it has none."""
    value = next(iter((item.get(name) or {"S": ""}).values()))
    return value if isinstance(value, str) else ""


def _number(item: Mapping[str, Any], name: str) -> float | None:
    try:
        number = float(_text(item, name))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
