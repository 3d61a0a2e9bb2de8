"""Answer the tasks of an S3 Batch Operations job: a record for each object that has none.

A task has a bucket, a key and a version only; the rest of the record S3 tells. It is the one that
`pipeline backfill` would write.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from functools import cache

import events
from events import Delivery, Failure, ObjectEvent, Passing, UnreadableError
from service import CallError, Service, endpoint, moment, renewed
from typed import Any

# None of S3's own names, and found by whoever looks for `ObjectCreated:`.
EVENT_NAME = "ObjectCreated:Backfill"
PAUSE_SECONDS = 0.2

_NO_CONTENT = {"x-amz-content-sha256": hashlib.sha256(b"").hexdigest()}
_RESERVED = re.compile(rb"[^A-Za-z0-9._~/-]")
_LONGEST = 1000
_REFUSALS = {
    # S3 says so of missing objects, too, to whoever may not list the bucket.
    403: "the object is gone, or the function lacks backfill.create = true",
    404: "the object is gone",
    405: "a delete marker, which has no record of a creation",
}


def read(job: Mapping[str, Any], deadline: float) -> Delivery:
    """The object of each task as an event, with the task's id; asks S3 until `deadline`."""
    delivery = Delivery(False, [], [], 0)
    for task in _tasks(job):
        try:
            event = _event(job["invocationSchemaVersion"], task, deadline)
            delivery.events.append((task["taskId"], event))
        except UnreadableError as error:
            place = task.get("s3Bucket") or task.get("s3BucketArn"), task.get("s3Key")
            known = (text if isinstance(text, str) else None for text in place)
            delivery.refusals.append(
                Failure(error.args[0], *known)._replace(messageId=task["taskId"])
            )
    return delivery


def answer(job: Mapping[str, Any], failures: list[Failure]) -> dict[str, Any]:
    """What S3 Batch Operations takes for an answer: a result for each task."""
    reasons = {failure.messageId: failure.reason for failure in failures}
    results = []
    for name in (task["taskId"] for task in _tasks(job)):
        reason = reasons.get(name, "")
        code = "TemporaryFailure" if isinstance(reason, Passing) else "PermanentFailure"
        # No UTF-8 has lone surrogates.
        text = reason[:_LONGEST].encode(errors="backslashreplace").decode()
        code = code if name in reasons else "Succeeded"
        results.append({"taskId": name, "resultCode": code, "resultString": text})
    return {
        "invocationSchemaVersion": job["invocationSchemaVersion"],
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": job.get("invocationId"),
        "results": results,
    }


def _tasks(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that an answer can name."""
    tasks = job.get("tasks")
    tasks = tasks if isinstance(tasks, list) else []
    return [task for task in tasks if isinstance(task, dict) and type(task.get("taskId")) is str]


def _event(schema: Any, task: dict[str, Any], deadline: float) -> ObjectEvent:
    if schema not in ("1.0", "2.0"):
        raise UnreadableError(f"invocation schema {schema!r:.40}; this function reads 1.0 and 2.0")
    place = events.field(task, "s3BucketArn" if schema == "1.0" else "s3Bucket", str)
    bucket, key = place.rpartition(":")[2], events.decoded(events.field(task, "s3Key", str))
    head = _s3().head(bucket, key, events.optional(task, "s3VersionId"), deadline)
    version = head.get("x-amz-version-id", "null")
    if version == "null":
        raise UnreadableError(
            "the object has no version id, so that only `pipeline backfill` without "
            "--batch-operations sees whether it has a record"
        )
    try:
        modified = moment(head["last-modified"])
        return ObjectEvent(
            bucket,
            key,
            EVENT_NAME,
            f"{modified:%Y-%m-%dT%H:%M:%SZ}",
            int(modified.timestamp()),
            version_id=version,
            etag=head["etag"].strip('"'),
            size=int(head["content-length"]),
        )
    except (KeyError, ValueError) as error:
        raise UnreadableError(f"HeadObject's answer makes no sense: {error!r:.80}") from error


@cache
def _s3() -> _S3:
    return _S3("s3", os.environ["AWS_REGION"], endpoint(os.environ, "s3"))


class _S3(Service):
    def head(self, bucket: str, key: str, version: str, deadline: float) -> dict[str, str]:
        """The object's headers. Raises UnreadableError."""
        query = f"versionId={_encoded(version).replace('/', '%2F')}" if version else ""
        request = "HEAD", f"/{_encoded(bucket)}/{_encoded(key)}", query, b""
        attempts, reason = 0, "out of time"
        while time.monotonic() < deadline:
            attempts += 1
            try:
                (status, head, _), signed = self._send(request, {**_NO_CONTENT}, deadline)
                if status == 200:
                    return head
                region = head.get("x-amz-bucket-region", self._region)
                if region != self._region:
                    raise UnreadableError(f"the bucket is in {region}, not {self._region}")
                # Without a body S3 does not say whether it minds the clock, the token or the right.
                fixed = self._clock_corrected(head, signed) or renewed(signed)
                again = (status == 403 and fixed) or status == 429 or status >= 500
                reason = f"HTTP {status}: {_REFUSALS.get(status, 'HeadObject was refused')}"
            except CallError as error:
                reason, again = str(error), bool(error.again)
            if not again:
                raise UnreadableError(reason)
            time.sleep(max(0.0, min(PAUSE_SECONDS * attempts, deadline - time.monotonic())))
        raise UnreadableError(Passing(f"gave up after {attempts} attempts: {reason}"))


def _encoded(text: str) -> str:
    try:
        return _RESERVED.sub(lambda byte: b"%%%02X" % ord(byte[0]), text.encode()).decode()
    except UnicodeEncodeError as error:
        raise UnreadableError("a lone surrogate, which no UTF-8 name of S3's holds") from error
