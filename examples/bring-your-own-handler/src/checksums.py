"""Write the checksum of each uploaded object to the event table, whichever way its event came."""

import hashlib
import json
import os
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

# Lambda's Python runtime brings it along.
import boto3

CHUNK_BYTES = 1024 * 1024
# The module's own, so that its tooling finds the records.
NAMESPACE = uuid.UUID("5b9aca6c-30a9-4133-b9ca-5ff848fd892d")

# Outside of the handler, so that it is made once a worker and not once an invoke.
s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


class Upload(NamedTuple):
    """One version of one object, and when it came, in ISO 8601."""

    bucket: str
    key: str
    version: str
    time: str


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle every upload that `event` tells of.

    Direct, any exception makes Lambda try the whole event again, and in the end hand it to the
    failure queue. From the buffer, the answer names the messages that are to come again.
    """
    records = event.get("Records", [])
    if not (records and records[0].get("eventSource") == "aws:sqs"):
        for upload in uploads(event):
            store(upload)
        return {}
    failed = []
    for message in records:
        try:
            for upload in uploads(json.loads(message["body"])):
                store(upload)
        except Exception as error:  # noqa: BLE001 - whatever it was, its neighbours go on
            say("ERROR", "Message failed", messageId=message["messageId"], reason=repr(error))
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def uploads(event: dict[str, Any]) -> Iterator[Upload]:
    """The uploads in a notification of S3 or an event of EventBridge; none in `s3:TestEvent`."""
    for record in event.get("Records", []):
        item = record["s3"]["object"]
        # Notifications carry keys form-encoded, EventBridge as they are.
        key = unquote_plus(item["key"])
        bucket = record["s3"]["bucket"]["name"]
        yield Upload(bucket, key, item["versionId"], record["eventTime"])
    if event.get("detail-type") == "Object Created":
        detail = event["detail"]
        item = detail["object"]
        yield Upload(detail["bucket"]["name"], item["key"], item["version-id"], event["time"])


def store(upload: Upload) -> None:
    """Twice is as good as once: the same upload has the same record, byte for byte."""
    came = int(datetime.fromisoformat(upload.time).timestamp())
    item = {
        "objectId": object_id(upload),
        "bucket": upload.bucket,
        "objectKey": upload.key,
        "versionId": upload.version,
        "checksum": checksum(upload),
    }
    numbers = {"timestamp": came, "ttl": came + int(os.environ["TTL_SECONDS"])}
    dynamodb.put_item(
        TableName=os.environ["TABLE_NAME"],
        Item={name: {"S": value} for name, value in item.items()}
        | {name: {"N": str(value)} for name, value in numbers.items()},
    )
    say("INFO", "Stored", **item)


def object_id(upload: Upload) -> str:
    """The record's key, as the module's own handler makes it for a version of an object."""
    parts = [upload.bucket, upload.key, upload.version, "ObjectCreated"]
    name = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return str(uuid.uuid5(NAMESPACE, name))


def checksum(upload: Upload) -> str:
    """`ALGORITHM:hexadecimal digits` of the object's content."""
    digest = hashlib.new(os.environ["ALGORITHM"])
    body = s3.get_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version)["Body"]
    for chunk in body.iter_chunks(CHUNK_BYTES):
        digest.update(chunk)
    return f"{digest.name}:{digest.hexdigest()}"


def say(level: str, message: str, **facts: object) -> None:
    """One JSON object a line, as the log group expects it."""
    sys.stdout.write(json.dumps({"level": level, "message": message, **facts}) + "\n")
