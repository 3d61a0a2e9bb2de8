"""List the versions of a bucket's objects."""

import functools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from pipeline import times
from pipeline.deployed import aws
from pipeline.handler import events

# Not one of S3's event names, but found by whoever looks for `ObjectCreated:`.
BACKFILL_EVENT = "ObjectCreated:Backfill"
PAGE = 1000
# Few: a key's own versions come first, then other keys with that prefix.
_VERSIONS_PAGE = 50

client = functools.partial(aws.client, "s3", attempts=6)


class Version(NamedTuple):
    """One object version; a delete marker is none.

    `version_id` is empty instead of "null", `modified` is in epoch seconds, `etag` has no quotes,
    `size` is in bytes, `latest` is the current version. Of a multipart upload `modified` is when it
    began, so that its event may be days younger.
    """

    key: str
    version_id: str
    modified: int
    etag: str
    size: int
    latest: bool
    bucket: str = ""

    @property
    def multipart(self) -> bool:
        """Whether it was uploaded in parts."""
        return "-" in self.etag


@dataclass(frozen=True)
class Page:
    """One page of a listing, and the last key all of whose versions were listed.

    `whole_up_to` is empty before the first such key; `asked_at` is S3's time, in epoch seconds.
    """

    versions: list[Version]
    whole_up_to: str
    asked_at: float


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
        keys = (version["Key"] for version in listed)
        whole = max((key for key in keys if last is None or key < last), default=whole)
        versions = [_version(bucket, version) for version in answer.get("Versions", ())]
        yield Page(versions, whole, answered_at(answer))
        if last is None:
            return
        markers = {"KeyMarker": last}
        if answer.get("NextVersionIdMarker"):
            markers["VersionIdMarker"] = answer["NextVersionIdMarker"]


def look(s3: Any, bucket: str, key: str) -> tuple[list[Version], int]:
    """The versions of one key, and how many LIST requests that took.

    Unlike HeadObject this needs no right to read objects. Raises PipelineError.
    """
    found: list[Version] = []
    requests = 0
    for page in pages(s3, bucket, key, page_size=_VERSIONS_PAGE):
        requests += 1
        found += [version for version in page.versions if version.key == key]
        # S3 lists the key before longer ones.
        if page.whole_up_to:
            break
    return found, requests


def event_of(version: Version) -> events.ObjectEvent:
    """The event of its creation, as far as a listing tells: it has no sequencer."""
    return events.ObjectEvent(
        version.bucket,
        version.key,
        BACKFILL_EVENT,
        times.iso(version.modified),
        version.modified,
        version_id=version.version_id,
        etag=version.etag,
        size=version.size,
    )


def by_identity(versions: Iterable[Version]) -> dict[tuple[str, str, str], Version]:
    """Versions by bucket, key and version id."""
    return {(version.bucket, version.key, version.version_id): version for version in versions}


def asking(bucket: str) -> Any:
    """Turn botocore's errors in the block into PipelineErrors about the bucket."""
    fix = "take bucket_name from the stack's outputs, and its account and region"
    return aws.asking(f"the bucket {bucket}", fix)


def _version(bucket: str, listed: Any) -> Version:
    version = listed.get("VersionId", "null")
    return Version(
        listed["Key"],
        "" if version == "null" else version,
        int(listed["LastModified"].timestamp()),
        listed.get("ETag", "").strip('"'),
        listed.get("Size", 0),
        bool(listed.get("IsLatest")),
        bucket,
    )


def answered_at(answer: Any) -> float:
    """When S3 answered, in epoch seconds."""
    # S3 dates objects by its own clock; this machine's may differ by minutes.
    try:
        date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(date).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return time.time()
