"""What the pipeline left behind, seen as an operator would see it: through AWS's own API.

Every function that waits takes its time limit in seconds and raises NotSeenError after it.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

_POLL_SECONDS = 0.1
# Loopback through a proxy would never arrive.
_DIRECT = Config(proxies={})


class NotSeenError(Exception):
    """Something that the pipeline should have done did not show in time; the message says what."""


@dataclass(frozen=True)
class Units:
    """Writes that a table took, and the write capacity units that they cost."""

    writes: int
    total: float
    largest: float


@dataclass(frozen=True)
class Alarm:
    """An alarm's name, state, why it is in that state, metric, threshold and period in seconds."""

    name: str
    state: str
    reason: str
    metric: str
    threshold: float
    period: int


def client(service: str) -> Any:
    """A boto3 client for what this process's environment points at."""
    make: Any = boto3.client
    return make(service, config=_DIRECT)


def wait_for[T](look: Callable[[], T | None], what: str, seconds: float = 30.0) -> T:
    """The first answer of `look` that is not None."""
    deadline = time.monotonic() + seconds
    while (seen := look()) is None:
        if time.monotonic() > deadline:
            raise NotSeenError(f"{what} did not show within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    return seen


def record(table: str, bucket: str, key: str, version: str) -> dict[str, Any]:
    """The record of one object version, as DynamoDB's typed attributes by name."""
    dynamodb = client("dynamodb")

    def look() -> dict[str, Any] | None:
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=table,
            ConsistentRead=True,
            FilterExpression="objectKey = :key AND #bucket = :bucket AND versionId = :version",
            ExpressionAttributeNames={"#bucket": "bucket"},
            ExpressionAttributeValues={
                ":key": {"S": key},
                ":bucket": {"S": bucket},
                ":version": {"S": version},
            },
        )
        return next((item for page in pages for item in page["Items"]), None)

    return wait_for(look, f"the record of {key!r}")


def count_records(table: str, expected: int) -> int:
    """How many records the table holds, once there are `expected` of them."""
    dynamodb = client("dynamodb")

    def look() -> int | None:
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=table, ConsistentRead=True, Select="COUNT"
        )
        found = sum(page["Count"] for page in pages)
        return found if found >= expected else None

    return wait_for(look, f"{expected} records in {table}", 60)


def log_lines(group: str, text: str) -> list[str]:
    """The lines in a log group that contain `text`."""
    logs = client("logs")

    def look() -> list[str] | None:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        lines = (event["message"].strip() for page in pages for event in page["events"])
        return [line for line in lines if text in line] or None

    return wait_for(look, f"a line with {text} in {group}")


def alarm(name: str, state: str | None = None) -> Alarm:
    """An alarm, once it is in `state` if that is given."""
    cloudwatch = client("cloudwatch")

    def look() -> Alarm | None:
        found = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        if not found or state not in (None, found[0]["StateValue"]):
            return None
        one = found[0]
        return Alarm(
            one["AlarmName"],
            one["StateValue"],
            one.get("StateReason", ""),
            f"{one['Namespace']} {one['MetricName']}, {one['Statistic']}",
            one["Threshold"],
            one["Period"],
        )

    return wait_for(look, f"the alarm {name}" + (f" in state {state}" if state else ""))


def message(queue_url: str, alarm_name: str, state: str) -> dict[str, Any]:
    """The SNS envelope about an alarm's change to `state`, as a subscribed queue received it.

    Its `Message` is the alarm's own JSON text. Other messages in the queue are passed over and
    deleted.
    """
    sqs = client("sqs")

    def look() -> dict[str, Any] | None:
        received = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        found = None
        for one in received.get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=one["ReceiptHandle"])
            envelope: dict[str, Any] = json.loads(one["Body"])
            change = json.loads(envelope["Message"])
            if (change["AlarmName"], change["NewStateValue"]) == (alarm_name, state):
                found = envelope
        return found

    return wait_for(look, f"the message that {alarm_name} is in state {state}")


def consumed_units(stream_arn: str) -> Units:
    """What the writes on a table's stream cost: a unit for each KB of an item, at least one."""
    streams = client("dynamodbstreams")
    costs: list[float] = []
    for shard in streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        ).get("ShardIterator")
        while iterator:
            page = streams.get_records(ShardIterator=iterator, Limit=1000)
            images = [entry["dynamodb"].get("NewImage") for entry in page["Records"]]
            costs += [math.ceil(item_bytes(image) / 1024) for image in images if image]
            # The iterator of an open shard never ends; an empty page means that we caught up.
            iterator = page.get("NextShardIterator") if page["Records"] else None
    return Units(len(costs), float(sum(costs)), float(max(costs, default=0)))


def item_bytes(item: Mapping[str, Mapping[str, str]]) -> int:
    """The size by which DynamoDB charges a flat item of strings and numbers, in bytes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    size = 0
    for name, value in item.items():
        kind, text = next(iter(value.items()))
        digits = len(text.strip("-").replace(".", "").strip("0"))
        size += len(name.encode()) + (len(text.encode()) if kind == "S" else (digits + 3) // 2)
    return size


def publish_units(cloudwatch: Any, table: str, units: Units) -> None:
    """Publish AWS/DynamoDB's ConsumedWriteCapacityUnits, as DynamoDB itself does in AWS."""
    statistics = {
        "SampleCount": float(units.writes),
        "Sum": units.total,
        "Minimum": 1.0,
        "Maximum": units.largest,
    }
    datum = {
        "MetricName": "ConsumedWriteCapacityUnits",
        "Dimensions": [{"Name": "TableName", "Value": table}],
        "Unit": "Count",
        "StatisticValues": statistics,
    }
    cloudwatch.put_metric_data(Namespace="AWS/DynamoDB", MetricData=[datum])
