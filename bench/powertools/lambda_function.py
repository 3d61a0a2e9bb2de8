"""A careful handler with Powertools for AWS Lambda: idempotent, answering message by message.

What its documentation leads to for the same events. It is here to be measured against.
"""

import json
import os
import uuid
from datetime import datetime
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
once = DynamoDBPersistenceLayer(table_name="idempotency")
config = IdempotencyConfig(
    event_key_jmespath="[eventName, s3.bucket.name, s3.object.[key, versionId, sequencer]]"
)
processor = BatchProcessor(event_type=EventType.SQS)


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    """Put an item for each record of an S3 notification, direct or in SQS messages."""
    config.register_lambda_context(context)
    if "body" in event["Records"][0]:
        return process_partial_response(event, message, processor, context)
    for record in event["Records"]:
        store(record=record)
    return {}


def message(record: SQSRecord) -> None:
    """Put an item for each record of a message."""
    for inner in json.loads(record.body)["Records"]:
        store(record=inner)


@idempotent_function(  # type: ignore[untyped-decorator]
    data_keyword_argument="record", config=config, persistence_store=once
)
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
