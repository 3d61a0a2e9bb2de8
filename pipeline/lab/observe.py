"""What the pipeline left behind, seen as an operator would see it: through AWS's own API.

Every function that waits raises NotSeenError once its time is over.
"""

import time
from collections.abc import Callable
from typing import Any

from pipeline.deployed import aws
from pipeline.deployed.documents import json_object

_POLL_SECONDS = 0.1


class NotSeenError(Exception):
    """An effect of the pipeline did not show in time; the message names it."""


def wait_for[T](look: Callable[[], T | None], what: str, seconds: float = 30.0) -> T:
    """The first answer of `look` that is not None."""
    deadline = time.monotonic() + seconds
    while (seen := look()) is None:
        if time.monotonic() > deadline:
            raise NotSeenError(f"{what} did not show within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    return seen


def record(table: str, key: str, version: str) -> dict[str, Any]:
    """The record of an object version, as DynamoDB's typed attributes by name."""
    dynamodb = aws.client("dynamodb")

    def look() -> dict[str, Any] | None:
        items = _items(dynamodb, table)
        return next((item for item in items if item.get("versionId", {}).get("S") == version), None)

    return wait_for(look, f"the record of {key!r}")


def wait_for_records(table: str, expected: int) -> None:
    """Wait until the table has `expected` records."""
    dynamodb = aws.client("dynamodb")
    enough = f"{expected} records in {table}"
    wait_for(lambda: len(_items(dynamodb, table)) >= expected or None, enough, 60)


def _items(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def log_lines(group: str, text: str) -> list[str]:
    """The lines in a log group that contain `text`."""
    logs = aws.client("logs")

    def look() -> list[str] | None:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        lines = (event["message"].strip() for page in pages for event in page["events"])
        return [line for line in lines if text in line] or None

    return wait_for(look, f"a line with {text} in {group}")


def alarm(name: str, state: str | None = None) -> dict[str, Any]:
    """An alarm, once it is in `state` if that is given; its period is in seconds."""
    cloudwatch = aws.client("cloudwatch")

    def look() -> dict[str, Any] | None:
        for found in cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            if state in (None, found["StateValue"]):
                return {
                    "name": name,
                    "state": found["StateValue"],
                    "reason": found.get("StateReason", ""),
                    "metric": f"{found['Namespace']} {found['MetricName']}, {found['Statistic']}",
                    "threshold": found["Threshold"],
                    "period": found["Period"],
                }
        return None

    return wait_for(look, f"the alarm {name}" + (f" in state {state}" if state else ""))


def notification(queue_url: str, alarm_name: str, state: str) -> dict[str, Any]:
    """The SNS envelope about an alarm's change to `state`, as a subscribed queue received it.

    Its `Message` is the alarm's own JSON text. What came before it is deleted.
    """
    sqs = aws.client("sqs")

    def look() -> dict[str, Any] | None:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=1, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            envelope = json_object(message["Body"]) or {}
            change = json_object(envelope.get("Message")) or {}
            if (change.get("AlarmName"), change.get("NewStateValue")) == (alarm_name, state):
                return envelope
        return None

    return wait_for(look, f"the message that {alarm_name} is in state {state}")


def writes(stream_arn: str) -> int:
    """How many writes of items are on a table's stream."""
    streams = aws.client("dynamodbstreams")
    count = 0
    for shard in streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        ).get("ShardIterator")
        while iterator:
            page = streams.get_records(ShardIterator=iterator, Limit=1000)
            count += sum("NewImage" in entry["dynamodb"] for entry in page["Records"])
            # The iterator of an open shard never ends; an empty page means that we caught up.
            iterator = page.get("NextShardIterator") if page["Records"] else None
    return count


def publish_writes(cloudwatch: Any, table: str, count: int) -> None:
    """Publish AWS/DynamoDB's ConsumedWriteCapacityUnits of writes, as DynamoDB itself does in AWS.

    A record has less than 1 KB, so that its write takes one unit.
    """
    datum = {
        "MetricName": "ConsumedWriteCapacityUnits",
        "Dimensions": [{"Name": "TableName", "Value": table}],
        "Unit": "Count",
        "StatisticValues": {
            "SampleCount": float(count),
            "Sum": float(count),
            "Minimum": 1.0,
            "Maximum": 1.0,
        },
    }
    cloudwatch.put_metric_data(Namespace="AWS/DynamoDB", MetricData=[datum])
