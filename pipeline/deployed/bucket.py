"""List the versions of a bucket's objects, and look for single ones."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from botocore.config import Config

from pipeline import times
from pipeline.deployed import aws
from pipeline.handler import events

# Told apart from S3's own, and still found by whoever looks for `ObjectCreated:`.
FILLED_IN = "ObjectCreated:Backfill"
PAGE = 1000
# Few: a key's own versions come first, what follows are other keys.
_LOOK = 50


class Version(NamedTuple):
    """One object version that is there, delete markers aside.

    `version_id` is empty for a version without one ("null"), `modified` is in epoch seconds,
    `etag` has no quotes, `size` is in bytes. `latest`: nothing hides it. Of a multipart upload
    `modified` is when it began, so that its event may be days younger.
    """

    key: str
    version_id: str
    modified: int
    etag: str
    size: int
    latest: bool

    @property
    def multipart(self) -> bool:
        """Whether it came in parts."""
        return "-" in self.etag


@dataclass(frozen=True)
class Page:
    """One answer: its `versions`, and the last key of which no more versions follow.

    `whole_up_to` is empty where no key is known to be through; `asked_at` is S3's time, in epoch
    seconds.
    """

    versions: list[Version]
    whole_up_to: str
    asked_at: float


def client(**settings: Any) -> Any:
    """An S3 client that suits listings; `settings` are boto3's. Raises PipelineError."""
    patient = Config(retries={"mode": "standard", "total_max_attempts": 6})
    return aws.client("s3", patient, **settings)


def pages(
    s3: Any, bucket: str, prefix: str, after: str = "", page_size: int = PAGE
) -> Iterator[Page]:
    """The versions of all keys with `prefix` that come after the key `after`, in S3's order.

    One LIST request a page. Raises PipelineError.
    """
    whole = after
    markers = {"KeyMarker": after} if after else {}
    while True:
        with asking(bucket):
            answer = s3.list_object_versions(
                Bucket=bucket, Prefix=prefix, MaxKeys=page_size, **markers
            )
        listed = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
        # The last key may go on with more versions on the next page.
        last = answer.get("NextKeyMarker") if answer.get("IsTruncated") else None
        through = (one["Key"] for one in listed if last is None or one["Key"] < last)
        whole = max(through, default=whole)
        yield Page(list(map(_version, answer.get("Versions", ()))), whole, _asked_at(answer))
        if last is None:
            return
        markers = {"KeyMarker": last}
        if answer.get("NextVersionIdMarker"):
            markers["VersionIdMarker"] = answer["NextVersionIdMarker"]


def look(s3: Any, bucket: str, key: str) -> tuple[list[Version], int]:
    """The versions of one key that are there now, and how many LIST requests that took.

    A listing needs no right to read objects, unlike HeadObject. Raises PipelineError.
    """
    found: list[Version] = []
    requests = 0
    for page in pages(s3, bucket, key, page_size=_LOOK):
        requests += 1
        found += [one for one in page.versions if one.key == key]
        # S3 lists the key itself before those that are longer.
        if page.whole_up_to:
            break
    return found, requests


def event_of(bucket: str, version: Version) -> events.ObjectEvent:
    """What S3 would tell of its creation, as far as a listing has it: there is no sequencer."""
    return events.ObjectEvent(
        bucket,
        version.key,
        FILLED_IN,
        times.iso(version.modified),
        version.modified,
        version_id=version.version_id,
        etag=version.etag,
        size=version.size,
    )


def by_identity(versions: Iterable[Version]) -> dict[tuple[str, str], Version]:
    """Versions by key and version id."""
    return {(one.key, one.version_id): one for one in versions}


def asking(bucket: str) -> Any:
    """AWS's refusals in the block become LabErrors about the bucket."""
    fix = "take bucket_name from the stack's outputs, and its account and region"
    return aws.asking(f"the bucket {bucket}", fix)


def _version(told: Any) -> Version:
    version = told.get("VersionId", "null")
    return Version(
        told["Key"],
        "" if version == "null" else version,
        int(told["LastModified"].timestamp()),
        told.get("ETag", "").strip('"'),
        told.get("Size", 0),
        bool(told.get("IsLatest")),
    )


def _asked_at(answer: Any) -> float:
    # S3's clock, by which it dates objects; this machine's may differ by minutes.
    try:
        date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(date).timestamp()
    except (KeyError, TypeError, ValueError):
        return time.time()
