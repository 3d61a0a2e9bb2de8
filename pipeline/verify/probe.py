"""The probe: a small object of our own that the pipeline's filters take.

What it leaves is recognised by all that is known of it, never by its name alone: keys of others may
contain that too.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import times
from pipeline.deployed.bucket import answered_at
from pipeline.errors import PipelineError
from pipeline.handler import events, records

BODY = b"A probe of `pipeline verify`, deleted again at once.\n"

# The events that a probe can cause, the preferred one first: EventBridge's `detail-type`, and the
# fields of `detail` that depend on the event.
EVENTS = {
    "ObjectCreated:Put": ("Object Created", {"reason": "PutObject"}),
    "ObjectCreated:CompleteMultipartUpload": (
        "Object Created",
        {"reason": "CompleteMultipartUpload"},
    ),
    "ObjectCreated:Copy": ("Object Created", {"reason": "CopyObject"}),
    "ObjectRemoved:Delete": (
        "Object Deleted",
        {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
    ),
}
# S3's clock and the event's are the same; this is for events that S3 sends late, and for rounding.
_CLOCK_SECONDS = 120


@dataclass(frozen=True)
class Probe:
    """What to do with which key: `event` is its name in the record (`ObjectCreated:Put`).

    `mark` is the random part of the key, to look for in logs.
    """

    key: str
    event: str
    mark: str

    @property
    def created(self) -> bool:
        """Whether the event is a creation; otherwise it is a removal."""
        return self.event.startswith("ObjectCreated:")


@dataclass(frozen=True)
class Upload:
    """A probe that was sent: when by S3's clock, in epoch seconds, and the event that it causes.

    `event` is without time and sequencer, which only S3 knows. `versions` are those in the bucket.
    """

    probe: Probe
    at: float
    event: events.ObjectEvent
    versions: tuple[str, ...]

    @property
    def object_id(self) -> str | None:
        """The `objectId` of its record; None where that depends on the sequencer."""
        known = self.event.version_id and self.probe.created
        return records.object_id(self.event) if known else None

    def caused(self, event: events.ObjectEvent) -> bool:
        """Whether an event is this upload's: bucket, whole key, name, version, eTag and size."""
        known = event._replace(time="", timestamp=0, sequencer="", request_id="")
        if not self.probe.created:
            known = known._replace(etag="", size=None)
        return known == self.event


def choose(filters: Iterable[Mapping[str, Any]]) -> Probe:
    """A probe that one of `delivery.filters` takes. Raises PipelineError where none is possible."""
    filters = list(filters)
    for event in EVENTS:
        for each in filters:
            if {f"s3:{event}", f"s3:{event.partition(':')[0]}:*"} & set(each["events"]):
                mark = f"pipeline-verify-{secrets.token_hex(6)}"
                return Probe(f"{each['prefix']}{mark}{each['suffix']}", event, mark)
    taken = ", ".join(sorted({event for each in filters for event in each["events"]}))
    raise PipelineError(
        f"No probe can cause the events that the pipeline's filters take ({taken}): it can put, "
        "copy, upload in parts and delete an object. Cause one by hand and look for its record."
    )


def send(s3: Any, bucket: str, probe: Probe) -> Upload:
    """Cause the event. Raises botocore's errors, with nothing left behind."""
    place = {"Bucket": bucket, "Key": probe.key}
    operation = probe.event.partition(":")[2]
    versions: list[str] = []
    try:
        if operation == "CompleteMultipartUpload":
            answer = _in_parts(s3, place)
        else:
            answer = s3.put_object(**place, Body=BODY)
        versions.append(_version(answer))
        etag = answer["ETag"]
        if operation == "Copy":
            answer = s3.copy_object(**place, CopySource=place, MetadataDirective="REPLACE")
            versions.append(_version(answer))
            etag = answer["CopyObjectResult"]["ETag"]
        elif operation == "Delete":
            answer = s3.delete_object(**place, VersionId=versions[0])
    except BaseException:
        remove(s3, bucket, probe.key, versions)
        raise
    version_id = "" if versions[-1] == "null" else versions[-1]
    event = events.ObjectEvent(
        bucket, probe.key, probe.event, time="", timestamp=0, version_id=version_id
    )
    if probe.created:
        event = event._replace(etag=etag.strip('"'), size=len(BODY))
    return Upload(probe, answered_at(answer), event, tuple(versions))


def remove(s3: Any, bucket: str, key: str, versions: Iterable[str]) -> None:
    """Delete versions of the probe; twice is harmless. Raises botocore's errors."""
    for version in dict.fromkeys(versions):
        s3.delete_object(Bucket=bucket, Key=key, VersionId=version)


def differences(
    item: Mapping[str, Mapping[str, str]], upload: Upload, retention_seconds: int
) -> list[str]:
    """Which attributes of a record are not as the handler makes them; a sentence each."""
    found = item.get("timestamp", {}).get("N", "")
    at, sequencer = round(upload.at), item.get("sequencer", {}).get("S", "")
    if found.isdecimal() and abs(int(found) - at) <= _CLOCK_SECONDS:
        at = int(found)
    event = upload.event._replace(time=times.iso(at), timestamp=at, sequencer=sequencer)
    (wanted,) = records.build([event], 0, retention_seconds)[0].values()
    # The function always has one.
    wrong = [] if sequencer else ["sequencer is missing"]
    return wrong + [
        f"{name} is {_shown(item.get(name))}, not {_shown(value)}"
        for name, value in wanted.items()
        if item.get(name) != value
    ]


def _in_parts(s3: Any, place: dict[str, str]) -> dict[str, Any]:
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
    # S3's name for an object without a version, also where versioning was on for a time.
    return answer.get("VersionId") or "null"


def _shown(value: Mapping[str, str] | None) -> str:
    return "missing" if value is None else " ".join(f"{v!r} ({kind})" for kind, v in value.items())
