"""A hook: adds to each record what the object's first 64 KB tell."""

import csv
import hashlib
import io
from collections.abc import Mapping
from typing import Any

import boto3

from hooks import ObjectEvent, SkipRecord

START_BYTES = 64 * 1024

# https://en.wikipedia.org/wiki/List_of_file_signatures
MAGIC = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b": "application/gzip",
    b"PAR1": "application/vnd.apache.parquet",
}

# Made once for each execution environment. Hooks run in threads, which may share a client.
s3 = boto3.client("s3")


def on_event(event: ObjectEvent, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The SHA-256 of the object's start, its type, and the number of a CSV file's columns."""
    if event.key.endswith("/"):
        # What the S3 console makes for a folder.
        raise SkipRecord
    if not event.name.startswith("ObjectCreated"):
        return None
    return describe(event.key, start_of(event))


def start_of(event: ObjectEvent) -> bytes:
    """The first bytes of the very version that the event is about."""
    if event.size == 0:
        # S3 refuses any range of nothing.
        return b""
    version = {"VersionId": event.version_id} if event.version_id else {}
    answer = s3.get_object(
        Bucket=event.bucket, Key=event.key, Range=f"bytes=0-{START_BYTES - 1}", **version
    )
    start: bytes = answer["Body"].read()
    return start


def describe(key: str, start: bytes) -> dict[str, Any]:
    """What the first bytes tell."""
    found: dict[str, Any] = {
        "startSha256": hashlib.sha256(start).hexdigest(),
        "contentType": next((kind for mark, kind in MAGIC.items() if start.startswith(mark)), None),
    }
    if key.lower().endswith(".csv") and found["contentType"] is None:
        # The last character may be cut.
        text = io.StringIO(start.decode("utf-8-sig", errors="ignore"))
        found |= {"contentType": "text/csv", "columns": len(next(csv.reader(text), []))}
    return found
