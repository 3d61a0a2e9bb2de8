"""S3 events as AWS shapes them, in each envelope that the handler reads."""

import json
import uuid
from typing import Any
from urllib.parse import quote_plus

TIME = "2026-11-22T09:40:00.123Z"
REQUEST_ID = "N4N7GDK58NMKJ12R"


def record(
    path: str = "a/b.txt",
    *,
    name: str = "ObjectCreated:Put",
    request_id: str = REQUEST_ID,
    replication: Any = None,
    **thing: Any,
) -> Any:
    """A record of a notification for the object at `path`; keyword None leaves a field out."""
    about = {} if replication is None else {"replicationEventData": replication}
    fields = {
        "key": quote_plus(path, safe="/"),
        "size": 3,
        "eTag": "49f68a5c8493ec2c0bf489821c21fc3b",
        "sequencer": "0055AED6DCD90281E5",
        **thing,
    }
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": TIME,
        "eventName": name,
        "responseElements": {"x-amz-request-id": request_id, "x-amz-id-2": "Example"},
        **about,
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "all",
            "bucket": {"name": "uploads", "arn": "arn:aws:s3:::uploads"},
            "object": {name: value for name, value in fields.items() if value is not None},
        },
    }


def notification(*records: Any) -> dict[str, Any]:
    """What S3 sends."""
    return {"Records": list(records)}


def eventbridge(
    key: str = "a/b.txt",
    *,
    detail_type: str = "Object Created",
    reason: str | None = "PutObject",
    deletion_type: str | None = None,
    request_id: str = REQUEST_ID,
    **thing: Any,
) -> dict[str, Any]:
    """What S3 sends through EventBridge for the same upload as `record`'s."""
    fields = {
        "key": key,
        "size": 3,
        "etag": "49f68a5c8493ec2c0bf489821c21fc3b",
        "sequencer": "0055AED6DCD90281E5",
        **{name.replace("_", "-"): value for name, value in thing.items()},
    }
    detail = {
        "version": "0",
        "bucket": {"name": "uploads"},
        "object": {name: value for name, value in fields.items() if value is not None},
        "request-id": request_id,
        "requester": "123456789012",
    }
    if reason is not None:
        detail["reason"] = reason
    if deletion_type is not None:
        detail["deletion-type"] = deletion_type
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": "123456789012",
        "time": TIME[:19] + "Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:s3:::uploads"],
        "detail": detail,
    }


def sqs(*bodies: Any) -> dict[str, Any]:
    """A batch of SQS messages named m0, m1, ...; bodies that aren't text are put into JSON."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "AQEB",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:uploads",
                "awsRegion": "eu-central-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def sns(message: Any) -> dict[str, Any]:
    """An SNS notification, as an SQS message holds it without raw delivery."""
    return {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:uploads",
        "Subject": "Amazon S3 Notification",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": TIME,
    }


def from_sns(*messages: Any) -> dict[str, Any]:
    """What SNS invokes a function with; in one invoke it brings one message."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": f"arn:aws:sns:eu-central-1:123456789012:uploads:{number}",
                "Sns": sns(message) | {"MessageAttributes": {}, "SignatureVersion": "1"},
            }
            for number, message in enumerate(messages)
        ]
    }


TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": TIME,
    "Bucket": "uploads",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}
