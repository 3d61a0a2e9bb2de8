"""Read the event: whatever envelope it came in, one `ObjectEvent` for each record in it.

Shapes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
and https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from typed import Any, NamedTuple

# EventBridge says in three fields what a notification says in its event name.
_REASONS = {"PutObject": "Put", "POST Object": "Post", "CopyObject": "Copy"}
_DETAIL_TYPES = {
    "Object Restore Initiated": "ObjectRestore:Post",
    "Object Restore Completed": "ObjectRestore:Completed",
    "Object Restore Expired": "ObjectRestore:Delete",
    "Object Storage Class Changed": "LifecycleTransition",
    "Object Access Tier Changed": "IntelligentTiering",
    "Object Tags Added": "ObjectTagging:Put",
    "Object Tags Deleted": "ObjectTagging:Delete",
    "Object ACL Updated": "ObjectAcl:Put",
}
_SQS, _SNS = "aws:sqs", "aws:sns"
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")


class Replication(NamedTuple):
    """Which replication of an object an event is about; named as S3 names it."""

    replicationRuleId: str = ""  # noqa: N815
    destinationBucket: str = ""  # noqa: N815
    s3Operation: str = ""  # noqa: N815
    requestTime: str = ""  # noqa: N815


class ObjectEvent(NamedTuple):
    """One thing that happened to one object, spelled alike whichever way it came.

    `key` is decoded, `name` is S3's own without `s3:` (`ObjectCreated:Put`), `time` is UTC in whole
    seconds (`2026-11-22T09:40:00Z`), `timestamp` the same in epoch seconds, `size` is in bytes,
    `request_id` what S3 answered the request with that caused the event. What an event lacks is
    empty; a size, None.
    """

    bucket: str
    key: str
    name: str
    time: str
    timestamp: int
    sequencer: str = ""
    version_id: str = ""
    etag: str = ""
    size: int | None = None
    request_id: str = ""
    replication: Replication = Replication()


class Passing(str):
    """The reason of a failure that another attempt may not meet."""

    __slots__ = ()


class Failure(NamedTuple):
    """A record that is not stored: why, and as much of its identity as is known.

    Named as in its log line.
    """

    reason: str
    bucket: str | None = None
    key: str | None = None
    sequencer: str | None = None
    messageId: str | None = None  # noqa: N815
    objectId: str | None = None  # noqa: N815


class Delivery(NamedTuple):
    """What one invoke brought, each event with the id of its SQS message (None when direct).

    `buffered`: through SQS. `ignored` counts test events and empty lists of records.
    """

    buffered: bool
    events: list[tuple[str | None, ObjectEvent]]
    refusals: list[Failure]
    ignored: int


class UnreadableError(Exception):
    """Says what is wrong with a record; a `Passing` where another attempt may help."""


def read(event: Any) -> Delivery:
    """Everything in `event`, good and bad side by side; raises nothing, whatever that is."""
    records = event.get("Records") if isinstance(event, dict) else None
    records = records if isinstance(records, list) else []
    sources = set(map(_source, records))
    buffered = _SQS in sources
    if buffered or _SNS in sources:
        source = _SQS if buffered else _SNS
        found = [_in_message(record, source) for record in records]
    else:
        found = [(None, _in_envelope(event))]
    delivery = Delivery(buffered, [], [], sum(not readings for _, readings in found))
    for message_id, readings in found:
        for reading in readings:
            if isinstance(reading, ObjectEvent):
                delivery.events.append((message_id, reading))
            else:
                delivery.refusals.append(reading._replace(messageId=message_id))
    return delivery


def _source(record: Any) -> str | None:
    """The service that made a record; SNS alone writes the name with a capital."""
    source = isinstance(record, dict) and (record.get("eventSource") or record.get("EventSource"))
    return source if isinstance(source, str) else None


def _in_message(message: Any, source: str) -> tuple[str | None, list[ObjectEvent | Failure]]:
    """A message of SQS with its id, or of SNS, which has none that anybody asks for."""
    if (other := _source(message)) != source:
        reason = f"a record of {other or 'no source'!s:.40} among messages of {source}"
        return None, [Failure(reason, *_identity(message))]
    name = message.get("messageId")
    message_id = name if isinstance(name, str) and name else None
    try:
        envelope = json.loads(message["body"]) if source == _SQS else message["Sns"]
        if isinstance(envelope, dict) and envelope.get("Type") == "Notification":
            envelope = json.loads(envelope["Message"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        service = "SQS" if source == _SQS else "SNS"
        return message_id, [
            Failure(f"the {service} message holds no JSON document: {error!r:.200}")
        ]
    return message_id, _in_envelope(envelope)


def _in_envelope(envelope: Any) -> list[ObjectEvent | Failure]:
    if not isinstance(envelope, dict):
        return [Failure(f"a JSON object was expected, not {type(envelope).__name__}")]
    if isinstance(envelope.get("Records"), list):
        return [_read_one(_of_notification, record) for record in envelope["Records"]]
    if "detail-type" in envelope:
        return [_read_one(_of_eventbridge, envelope)]
    if envelope.get("Event") == "s3:TestEvent":
        return []
    names = str(sorted(envelope))
    return [Failure(f"no list of Records, no detail-type, no s3:TestEvent; it has {names:.200}")]


def _read_one(parse: Callable[[Any], ObjectEvent], record: Any) -> ObjectEvent | Failure:
    try:
        return parse(record)
    except UnreadableError as error:
        return Failure(str(error), *_identity(record))


def _identity(record: Any) -> Iterator[str | None]:
    """Bucket, key and sequencer, as far as a bad record has them."""
    for path in ("bucket", "name"), ("object", "key"), ("object", "sequencer"):
        value = record
        for names in ("s3", "detail"), path[:1], path[1:]:
            value = value if isinstance(value, dict) else {}
            value = next(filter(None, map(value.get, names)), None)
        yield value if isinstance(value, str) else None


def _of_notification(record: Any) -> ObjectEvent:
    if not isinstance(record, dict):
        raise UnreadableError(f"the record is {type(record).__name__}, not a JSON object")
    _check_version(record.get("eventVersion", "2.0"), "2.")
    s3 = field(record, "s3", dict)
    item = field(s3, "object", dict)
    name = field(record, "eventName", str).removeprefix("s3:")
    key = decoded(field(item, "key", str))
    request_id = _text(record.get("responseElements"), "x-amz-request-id")
    about = record.get("replicationEventData")
    replication = (_text(about, each) for each in Replication._fields)
    return _event(name, field(record, "eventTime", str), s3, key, item, request_id, *replication)


def _of_eventbridge(envelope: dict[str, Any]) -> ObjectEvent:
    if envelope.get("source") != "aws.s3":
        raise UnreadableError(f"source is {envelope.get('source')!r:.80}, not aws.s3")
    detail = field(envelope, "detail", dict)
    _check_version(detail.get("event-version", "1.0"), "1.")
    item = field(detail, "object", dict)
    item = item | {"versionId": item.get("version-id"), "eTag": item.get("etag")}
    name = _eventbridge_name(field(envelope, "detail-type", str), detail)
    # Not encoded here, unlike in notifications.
    key = field(item, "key", str)
    request_id = _text(detail, "request-id")
    return _event(name, field(envelope, "time", str), detail, key, item, request_id)


def _check_version(version: Any, major: str) -> None:
    # S3 raises the first number when a reader of the old one would go wrong.
    if not isinstance(version, str) or not version.startswith(major):
        raise UnreadableError(f"event version {version!r:.40}; this function reads {major}x")


def _eventbridge_name(detail_type: str, detail: dict[str, Any]) -> str:
    reason = optional(detail, "reason")
    if detail_type == "Object Created":
        action = _REASONS.get(reason, reason.replace(" ", ""))
        return f"ObjectCreated:{action}".rstrip(":")
    if detail_type == "Object Deleted":
        family = "LifecycleExpiration" if reason == "Lifecycle Expiration" else "ObjectRemoved"
        marker = detail.get("deletion-type") == "Delete Marker Created"
        return f"{family}:{'DeleteMarkerCreated' if marker else 'Delete'}"
    # A type that S3 adds tomorrow is stored under its own name rather than lost.
    return _DETAIL_TYPES.get(detail_type) or detail_type.replace(" ", "")


def _event(
    name: str,
    time: str,
    place: dict[str, Any],
    key: str,
    item: dict[str, Any],
    request_id: str,
    *replication: str,
) -> ObjectEvent:
    bucket = field(field(place, "bucket", dict), "name", str)
    # Hexadecimal, so case says nothing. Zeros do: AWS compares them padded on the right.
    sequencer = optional(item, "sequencer").upper()
    version = optional(item, "versionId")
    version = "" if version == "null" else version
    etag = optional(item, "eTag").strip('"')
    texts = sequencer, version, etag
    try:
        "".join((bucket, key, name, *texts, request_id, *replication)).encode()
    except UnicodeEncodeError as error:
        raise UnreadableError("a lone surrogate, which no UTF-8 name of S3's holds") from error
    return ObjectEvent(
        bucket,
        key,
        name,
        *_moment(time),
        *texts,
        _size(item),
        request_id,
        Replication(*replication),
    )


def _moment(time: str) -> tuple[str, int]:
    """Spelled alike, and in epoch seconds. EventBridge has no fractions, so none are kept."""
    try:
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableError(f"the event time is {time!r:.60}: {error!s:.60}") from error
    return moment.isoformat()[:19] + "Z", int(moment.timestamp() // 1)


def _size(item: dict[str, Any]) -> int | None:
    size = item.get("size")
    if size is not None and (type(size) is not int or not 0 <= size < 2**63):
        raise UnreadableError(f"size is {size!r:.60}, not a whole number of bytes")
    return size


def decoded(key: str) -> str:
    """The key as its owner wrote it: notifications carry keys form-encoded in UTF-8.

    Stricter than `urllib.parse.unquote_plus`: what S3's encoder can't have written is refused.
    """
    if "%" not in key and "+" not in key:
        return key
    try:
        # No digits after the %: None, which has no `decode`.
        return _ESCAPE.sub(
            lambda escape: bytes.fromhex(escape[1].decode()), key.replace("+", " ").encode()
        ).decode()
    except (UnicodeError, AttributeError) as error:
        raise UnreadableError("the key is not URL-encoded UTF-8") from error


def field(parent: dict[str, Any], name: str, kind: type) -> Any:
    """`parent`'s field, which must be there, of its kind, and not empty."""
    value = parent.get(name)
    if not isinstance(value, kind) or not value:
        empty = value is None or value == kind()
        raise UnreadableError(f"{name} is {'missing or empty' if empty else type(value).__name__}")
    return value


def optional(parent: dict[str, Any], name: str) -> str:
    """`parent`'s text of that name; empty if there is none."""
    return "" if parent.get(name) in (None, "") else str(field(parent, name, str))


def _text(parent: Any, name: str) -> str:
    """The same of what no upload is refused for: empty whatever is wrong with it."""
    value = parent.get(name) if isinstance(parent, dict) else None
    return value if isinstance(value, str) else ""
