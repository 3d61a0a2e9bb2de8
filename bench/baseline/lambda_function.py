"""The obvious handler: the boto3 resource, a random id, one put per record.

What most of the code that answers S3 events looks like, with the same fields as ours and boto3 as
it comes. It is here to be measured against, and not to be used.
"""

import json
import os
import uuid
from datetime import datetime
from typing import Any

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Put an item for each record of an S3 notification, direct or in SQS messages."""
    for record in event["Records"]:
        if "body" in record:
            for inner in json.loads(record["body"])["Records"]:
                store(inner)
        else:
            store(record)
    return {"statusCode": 200, "body": json.dumps("Item stored")}


def store(record: dict[str, Any]) -> None:
    """Put one item."""
    thing = record["s3"]["object"]
    timestamp = int(datetime.fromisoformat(record["eventTime"]).timestamp())
    table.put_item(
        Item={
            "objectId": str(uuid.uuid4()),
            "bucket": record["s3"]["bucket"]["name"],
            "objectKey": thing["key"],
            "timestamp": timestamp,
            "ttl": timestamp + int(os.environ["TTL_SECONDS"]),
            "eventName": record["eventName"],
            "eventTime": record["eventTime"],
            "sequencer": thing["sequencer"],
            "versionId": thing["versionId"],
            "eTag": thing["eTag"],
            "size": thing["size"],
        }
    )
