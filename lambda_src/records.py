"""Turn events into table items. An item is a pure function of its event, but for late TTLs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from events import ObjectEvent
from typed import Any

# A DynamoDB item in its wire form: {"size": {"N": "5"}, ...}.
Item = dict[str, dict[str, Any]]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# Frozen: another namespace would give every object of every installation a new identity.
NAMESPACE = bytes.fromhex("5b9aca6c30a94133b9ca5ff848fd892d")

# With other events, a restore's say, S3 sends the sequencer of the object's creation, or none.
_SEQUENCED = {"ObjectCreated", "ObjectRemoved", "LifecycleExpiration"}

# S3 does these itself, a version at a time and never twice in a second. What a request causes can
# come twice: its id is the one that S3 answered it with, in notifications as in EventBridge events.
_UNREQUESTED = {
    "ObjectRestore:Completed",
    "ObjectRestore:Delete",
    "IntelligentTiering",
    "LifecycleTransition",
    "ReducedRedundancyLostObject",
}


def build(
    events: Iterable[ObjectEvent], now: int, retention: int
) -> tuple[dict[str, Item], list[str], dict[str, ObjectEvent]]:
    """Items by `objectId`, the `objectId` of each event in its order, and each item's event.

    `now` in epoch seconds, `retention` in seconds. Of events with one identity that differ, the
    one that says most wins, so that the order of arrival decides nothing.
    """
    items: dict[str, Item] = {}
    ids = []
    sources: dict[str, ObjectEvent] = {}
    for event in events:
        identity = object_id(event)
        item = _item(identity, event, now, retention)
        known = items.get(identity)
        if known is None or (item != known and _weight(item) > _weight(known)):
            items[identity], sources[identity] = item, event
        ids.append(identity)
    return items, ids, sources


def _weight(item: Item) -> tuple[int, str]:
    return len(item), _encode(sorted(item.items()))


def object_id(event: ObjectEvent) -> str:
    """UUIDv5 (RFC 9562) of what makes an event one of its kind, in `NAMESPACE`.

    The name is a JSON array of strings, UTF-8, no white space, nothing escaped but what JSON must:
    `["bucket","key","version","ObjectCreated"]` for a created version, otherwise
    `["bucket","key","version","family","sequencer"]` for what is created, removed or expires, and
    `["bucket","key","version","family:action","time","eTag"]` for the rest and what has no
    sequencer, with `"request id"`, or the replication's rule, destination, operation and time of
    its request, after these where only that tells two apart. What an event lacks is `""`.
    """
    family = event.name.partition(":")[0]
    parts = [event.bucket, event.key, event.version_id]
    if event.version_id and family == "ObjectCreated":
        parts += [family]
    elif event.sequencer and family in _SEQUENCED:
        parts += [family, event.sequencer]
    else:
        # The whole name: tags put and deleted within one second are two events.
        parts += [event.name, event.time, event.etag, *_apart(event).values()]
    name = _encode(parts).encode()
    digest = bytearray(hashlib.sha1(NAMESPACE + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _apart(event: ObjectEvent) -> dict[str, str]:
    """What tells apart events that are alike in all else, by the names of its attributes."""
    if event.name in _UNREQUESTED or event.name.partition(":")[0] in _SEQUENCED:
        return {}
    if any(event.replication):
        return event.replication._asdict()
    return {"requestId": event.request_id} if event.request_id else {}


def _item(identity: str, event: ObjectEvent, now: int, retention: int) -> Item:
    expiry = event.timestamp + retention
    if expiry <= now:
        # Replayed long after: TTL would take it before anybody saw it.
        expiry = now + retention
    item = {
        "objectId": {"S": identity},
        "bucket": {"S": event.bucket},
        "objectKey": {"S": event.key},
        "timestamp": {"N": str(event.timestamp)},
        "ttl": {"N": str(expiry)},
        "eventName": {"S": event.name},
        "eventTime": {"S": event.time},
    }
    rest = {"sequencer": event.sequencer, "versionId": event.version_id, "eTag": event.etag}
    rest |= _apart(event)
    item |= {name: {"S": value} for name, value in rest.items() if value}
    if event.size is not None:
        item["size"] = {"N": str(event.size)}
    return item
