"""One upload of our own: choose its key so that the pipeline's filters take it, make it, remove it.

Whatever it leaves behind is told by all that is known of it, never by its key's looks alone: the
same mark may stand in anybody's key.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pipeline.errors import PipelineError
from pipeline.handler import events, records

BODY = b"A probe of `pipeline verify`, deleted again at once.\n"

# How to bring an event about, by what S3 calls it: the handler's name for it, EventBridge's words.
_WAYS = {
    "s3:ObjectCreated:Put": ("Object Created", {"reason": "PutObject"}),
    "s3:ObjectCreated:CompleteMultipartUpload": (
        "Object Created",
        {"reason": "CompleteMultipartUpload"},
    ),
    "s3:ObjectCreated:Copy": ("Object Created", {"reason": "CopyObject"}),
    "s3:ObjectRemoved:Delete": (
        "Object Deleted",
        {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
    ),
}


@dataclass(frozen=True)
class Probe:
    """What to do to which key: `event` is S3's name of it (`s3:ObjectCreated:Put`).

    `mark` is the random part of the key, to look for in logs.
    """

    key: str
    event: str
    mark: str

    @property
    def family(self) -> str:
        """`ObjectCreated` or `ObjectRemoved`."""
        return self.event.split(":")[1]

    def on_eventbridge(self) -> tuple[str, dict[str, str]]:
        """The `detail-type`, and what of `detail` depends on it."""
        return _WAYS[self.event]


@dataclass(frozen=True)
class Made:
    """A probe that is in the bucket: when (S3's clock), which version, its eTag and bytes.

    `versions` are all that it left there, to be deleted.
    """

    at: datetime
    version_id: str
    etag: str
    size: int
    versions: tuple[str, ...]


def choose(filters: Iterable[Mapping[str, Any]]) -> Probe:
    """A probe that one of `delivery.filters` takes. Raises PipelineError where none is possible."""
    filters = list(filters)
    for event in _WAYS:
        for one in filters:
            wanted = one["events"]
            if event in wanted or f"{event.rpartition(':')[0]}:*" in wanted:
                mark = f"lab-verify-{secrets.token_hex(6)}"
                return Probe(f"{one['prefix']}{mark}{one['suffix']}", event, mark)
    asked = ", ".join(sorted({event for one in filters for event in one["events"]}))
    raise PipelineError(
        f"No probe can bring about what the pipeline's filters take ({asked}): it can put, copy, "
        "upload in parts and delete an object. Cause such an event by hand and look for its record."
    )


def make(s3: Any, bucket: str, probe: Probe) -> Made:
    """Bring the event about. Raises botocore's errors, with nothing left behind."""
    action = probe.event.rpartition(":")[2]
    versions: list[str] = []
    try:
        if action == "CompleteMultipartUpload":
            answer = _in_parts(s3, bucket, probe.key)
        else:
            answer = s3.put_object(Bucket=bucket, Key=probe.key, Body=BODY)
        versions.append(_version(answer))
        etag = str(answer["ETag"])
        if action == "Copy":
            answer = s3.copy_object(
                Bucket=bucket,
                Key=probe.key,
                CopySource={"Bucket": bucket, "Key": probe.key},
                MetadataDirective="REPLACE",
            )
            versions.append(_version(answer))
            etag = str(answer["CopyObjectResult"]["ETag"])
        elif action == "Delete":
            answer = s3.delete_object(Bucket=bucket, Key=probe.key, **_of(versions[0]))
    except BaseException:
        remove(s3, bucket, probe, tuple(versions))
        raise
    return Made(_time(answer), versions[-1], etag.strip('"'), len(BODY), tuple(versions))


def remove(s3: Any, bucket: str, probe: Probe, versions: Iterable[str]) -> None:
    """Delete what the probe left in the bucket; twice is harmless. Raises botocore's errors."""
    for version in dict.fromkeys(versions):
        s3.delete_object(Bucket=bucket, Key=probe.key, **_of(version))


def object_id(bucket: str, probe: Probe, made: Made) -> str | None:
    """The key of its record; None where that depends on the sequencer, which only S3 knows."""
    if not made.version_id or probe.family != "ObjectCreated":
        return None
    name = probe.event.removeprefix("s3:")
    return records.object_id(
        events.ObjectEvent(bucket, probe.key, name, "", 0, version_id=made.version_id)
    )


def is_event_of(event: events.ObjectEvent, bucket: str, probe: Probe, made: Made) -> bool:
    """Whether an event is this very probe's: bucket, whole key, name, version, eTag and size."""
    told = (event.bucket, event.key, event.name, event.version_id)
    if told != (bucket, probe.key, probe.event.removeprefix("s3:"), made.version_id):
        return False
    # Of what is removed, S3 tells neither.
    return probe.family != "ObjectCreated" or (event.etag, event.size) == (made.etag, made.size)


def differences(
    item: Mapping[str, Mapping[str, str]], bucket: str, probe: Probe, made: Made, ttl_seconds: int
) -> list[str]:
    """What of a record is not as the probe's must be; a sentence each."""
    found = {name: next(iter(value.items())) for name, value in item.items()}
    wanted = {
        "bucket": ("S", bucket),
        "objectKey": ("S", probe.key),
        "eventName": ("S", probe.event.removeprefix("s3:")),
    }
    if probe.family == "ObjectCreated":
        wanted |= {"eTag": ("S", made.etag), "size": ("N", str(made.size))}
    if made.version_id:
        wanted["versionId"] = ("S", made.version_id)
    if (identity := object_id(bucket, probe, made)) is not None:
        wanted["objectId"] = ("S", identity)
    wrong = [
        f"{name} is {_shown(found.get(name))}, not {_shown(value)}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    wrong += [f"{name} is missing" for name in _ANYTHING if not found.get(name, ("", ""))[1]]
    return wrong + _wrong_times(found, made, ttl_seconds)


# Only S3 knows what these must be.
_ANYTHING = ("objectId", "sequencer")
# S3's clock and an event's are the same; this is for events that S3 sends late, and for rounding.
_CLOCK_SECONDS = 120


def _wrong_times(found: Mapping[str, tuple[str, str]], made: Made, ttl_seconds: int) -> list[str]:
    try:
        at, ttl = (int(found[name][1]) for name in ("timestamp", "ttl"))
        time = datetime.fromisoformat(found["eventTime"][1]).timestamp()
    except (KeyError, ValueError):
        shown = ", ".join(
            f"{name} {_shown(found.get(name))}" for name in ("timestamp", "ttl", "eventTime")
        )
        return [f"its times make no sense ({shown})"]
    wrong = []
    if abs(at - made.at.timestamp()) > _CLOCK_SECONDS:
        wrong.append(f"timestamp is {at}, but S3 took the probe at {made.at.timestamp():.0f}")
    if time != at:
        wrong.append(f"eventTime is {found['eventTime'][1]}, which is not timestamp {at}")
    if ttl - at != ttl_seconds:
        wrong.append(f"ttl is {ttl - at} s after timestamp, not {ttl_seconds}")
    return wrong


def _in_parts(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    place = {"Bucket": bucket, "Key": key}
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    try:
        part = s3.upload_part(**upload, PartNumber=1, Body=BODY)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        answer: dict[str, Any] = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    except BaseException:
        s3.abort_multipart_upload(**upload)
        raise
    return answer


def _version(answer: Mapping[str, Any]) -> str:
    version = str(answer.get("VersionId") or "")
    return "" if version == "null" else version


def _of(version: str) -> dict[str, str]:
    # "null" is what an unversioned object is called, also where versions were kept at a time.
    return {"VersionId": version or "null"}


def _time(answer: Mapping[str, Any]) -> datetime:
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)


def _shown(value: tuple[str, str] | None) -> str:
    return "missing" if value is None else f"{value[1]!r} ({value[0]})"
