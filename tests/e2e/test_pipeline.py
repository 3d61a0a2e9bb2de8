"""An upload to S3 runs the real package, and leaves its record."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from tests.e2e.conftest import Cloud
from tests.support.aws.clients import items
from tests.support.poll import until
from tests.support.stacks.stack import left_behind, second_plan

RETENTION_SECONDS = 24 * 3600


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    return str(cloud.stacks["minimal"].outputs["bucket_name"])


def records(cloud: Cloud, key: str, stack: str = "minimal") -> list[dict[str, Any]]:
    """The records of an object as plain values, oldest first."""
    table = cloud.stacks[stack].outputs["table_name"]
    found = [
        {name: int(v["N"]) if "N" in v else v["S"] for name, v in item.items()}
        for item in items(table, cloud.environment)
        if item["objectKey"]["S"] == key
    ]
    return sorted(found, key=lambda item: str(item.get("sequencer", "")))


@pytest.mark.parametrize(
    "key",
    [
        "plain.txt",
        "folder/with spaces/a file.txt",
        "a+b.txt",
        "ü/日本語/🎉.txt",
        "100%/50%25.txt",
        "a=b&c=d;e?f#g.txt",
        "'quotes\" and \\ backslash.txt",
        "k" * 1024,
        "ü" * 512,
    ],
    ids=lambda key: key[:20],
)
def test_an_upload_leaves_one_record_with_its_key_as_written(
    cloud: Cloud, bucket: str, key: str
) -> None:
    body = b"hello"
    answer = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    (record,) = until(lambda: records(cloud, key))
    assert record["bucket"] == bucket
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["size"] == len(body)
    assert record["eTag"] == answer["ETag"].strip('"')
    assert record["versionId"] == answer["VersionId"]
    assert record["ttl"] == record["timestamp"] + RETENTION_SECONDS


def test_an_empty_object_has_size_0(cloud: Cloud, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="empty", Body=b"")
    (record,) = until(lambda: records(cloud, "empty"))
    assert record["size"] == 0


def test_a_multipart_upload_leaves_one_record(cloud: Cloud, bucket: str) -> None:
    part = 5 * 1024 * 1024
    cloud.client("s3").upload_fileobj(
        io.BytesIO(bytes(2 * part + 1)),
        bucket,
        "big.bin",
        Config=TransferConfig(multipart_threshold=part, multipart_chunksize=part),
    )
    (record,) = until(lambda: records(cloud, "big.bin"))
    assert record["eventName"] == "ObjectCreated:CompleteMultipartUpload"
    assert record["size"] == 2 * part + 1


def test_a_copy_is_recorded_under_its_new_key(cloud: Cloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="copy/from", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="copy/to", CopySource={"Bucket": bucket, "Key": "copy/from"})
    (record,) = until(lambda: records(cloud, "copy/to"))
    assert record["eventName"] == "ObjectCreated:Copy"


def test_each_version_of_an_object_has_its_record(cloud: Cloud, bucket: str) -> None:
    versions = {
        cloud.client("s3").put_object(Bucket=bucket, Key="twice", Body=body)["VersionId"]
        for body in (b"1", b"22")
    }
    until(lambda: len(records(cloud, "twice")) == 2)
    assert {record["versionId"] for record in records(cloud, "twice")} == versions


def upload_all(cloud: Cloud, bucket: str, keys: list[str], at_once: int) -> None:
    with ThreadPoolExecutor(at_once) as pool:
        list(
            pool.map(
                lambda key: cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x"), keys
            )
        )


@pytest.mark.parametrize(("count", "at_once"), [(10, 10), (200, 4)])
def test_of_many_uploads_none_is_lost_or_counted_twice(
    cloud: Cloud, bucket: str, count: int, at_once: int
) -> None:
    keys = [f"many/{at_once}/{number}" for number in range(count)]
    upload_all(cloud, bucket, keys, at_once)
    table = cloud.stacks["minimal"].outputs["table_name"]

    def stored() -> list[str]:
        found = [item["objectKey"]["S"] for item in items(table, cloud.environment)]
        return sorted(key for key in found if key.startswith(f"many/{at_once}/"))

    until(lambda: len(stored()) >= len(keys))
    assert stored() == sorted(keys)


def notification(cloud: Cloud, bucket: str, key: str) -> dict[str, Any]:
    """The event that S3 sent for an object, made again from its record."""
    (record,) = records(cloud, key)
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": record["eventTime"],
                "eventName": record["eventName"],
                "s3": {
                    "bucket": {"name": bucket},
                    "object": {
                        "key": key,
                        "size": record["size"],
                        "eTag": record["eTag"],
                        "versionId": record["versionId"],
                        "sequencer": record["sequencer"],
                    },
                },
            }
        ]
    }


def test_a_redelivered_event_leaves_one_record(cloud: Cloud, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="redelivered", Body=b"x")
    before = until(lambda: records(cloud, "redelivered"))
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.stacks["minimal"].outputs["function_name"],
        Payload=json.dumps(notification(cloud, bucket, "redelivered")),
    )
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"]) == {"statusCode": 200, "body": '"Item stored"'}
    assert records(cloud, "redelivered") == before


def log_lines(cloud: Cloud) -> list[str]:
    group = cloud.stacks["minimal"].outputs["log_group_name"]
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def test_the_log_names_the_record(cloud: Cloud, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="logged", Body=b"x")
    (record,) = until(lambda: records(cloud, "logged"))
    (line,) = until(lambda: [line for line in log_lines(cloud) if str(record["objectId"]) in line])
    logged = json.loads(line)
    assert logged["level"] == "INFO"
    assert logged["stored"] == logged["received"] == 1


@pytest.fixture
def denied_writes(cloud: Cloud) -> Iterator[None]:
    """The role may not write for the length of one test."""
    role = cloud.stacks["minimal"].outputs["role_name"]
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}],
    }
    iam = cloud.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="no-writes", PolicyDocument=json.dumps(document))
    yield
    iam.delete_role_policy(RoleName=role, PolicyName="no-writes")


@pytest.mark.usefixtures("denied_writes")
def test_an_event_that_cannot_be_written_ends_whole_in_the_failure_queue(
    cloud: Cloud, bucket: str
) -> None:
    key = "fails/für +.txt"
    answer = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"kept")
    queue = cloud.stacks["minimal"].outputs["failure_queue_url"]
    sqs = cloud.client("sqs")
    (message,) = until(
        lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), seconds=60
    )
    body = json.loads(message["Body"])
    assert body["requestContext"]["approximateInvokeCount"] == 3
    (event,) = body["requestPayload"]["Records"]
    assert event["s3"]["object"]["key"] == "fails/f%C3%BCr+%2B.txt"
    assert event["s3"]["object"]["versionId"] == answer["VersionId"]
    assert event["s3"]["object"]["size"] == len(b"kept")
    assert records(cloud, key) == []
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_an_alarm_reaches_the_subscribed_queue(cloud: Cloud) -> None:
    table = cloud.stacks["complete"].outputs["table_name"]
    dimensions = [{"Name": "TableName", "Value": table}]
    metric = {"MetricName": "ConsumedWriteCapacityUnits", "Dimensions": dimensions, "Value": 9000.0}
    cloud.client("cloudwatch").put_metric_data(Namespace="AWS/DynamoDB", MetricData=[metric])
    sqs = cloud.client("sqs")
    queue = sqs.get_queue_url(QueueName="acme-on-call")["QueueUrl"]

    def notifications() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        alarms = [json.loads(message["Body"]) for message in messages]
        # The alarm on duration notifies this queue too, as soon as it has data.
        return [a for a in alarms if a["AlarmName"] == "acme-DynamoDBWriteActivityAlert"]

    (alarm,) = until(notifications)
    assert alarm["NewStateValue"] == "ALARM"
    assert alarm["Trigger"]["Threshold"] == 2400


def test_filters_let_in_what_they_name_and_nothing_else(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    bucket = cloud.stacks["complete"].outputs["bucket_name"]
    for key in ("invoices/1.txt", "elsewhere/1.pdf", "invoices/1.pdf", "scans/1.tif"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key="scans/1.tif")

    def names(key: str) -> list[str]:
        return [str(record["eventName"]) for record in records(cloud, key, "complete")]

    until(lambda: len(names("scans/1.tif")) == 2)
    assert until(lambda: names("invoices/1.pdf")) == ["ObjectCreated:Put"]
    assert sorted(names("scans/1.tif")) == [
        "ObjectCreated:Put",
        "ObjectRemoved:DeleteMarkerCreated",
    ]
    assert names("invoices/1.txt") == names("elsewhere/1.pdf") == []


def test_others_are_notified_and_admitted_beside_the_pipeline(cloud: Cloud) -> None:
    bucket = cloud.stacks["complete"].outputs["bucket_name"]
    s3, sqs = cloud.client("s3"), cloud.client("sqs")
    url = sqs.get_queue_url(QueueName="acme-previews")["QueueUrl"]
    s3.put_object(Bucket=bucket, Key="images/a.png", Body=b"x")

    def notified() -> list[str]:
        # S3 also sends a test event, which has no records.
        messages = sqs.receive_message(QueueUrl=url).get("Messages", [])
        events = [json.loads(message["Body"]) for message in messages]
        return [r["s3"]["object"]["key"] for event in events for r in event.get("Records", [])]

    assert until(notified) == ["images/a.png"]
    assert records(cloud, "images/a.png", "complete") == []
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert "EventBridgeConfiguration" in configuration
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    sids = [statement["Sid"] for statement in policy["Statement"]]
    assert sids == ["AccountReadsImages", "TlsOnly"]


@pytest.mark.parametrize("example", ["minimal", "complete"])
def test_a_second_plan_changes_nothing(cloud: Cloud, example: str) -> None:
    applied = cloud.stacks[example]
    assert second_plan(applied.root, applied.environment) == ""


def test_a_destroy_that_stops_at_a_bucket_with_objects_keeps_its_table(
    stopped: tuple[Cloud, str],
) -> None:
    cloud, said = stopped
    assert "BucketNotEmpty" in said
    left = left_behind(cloud.environment)
    assert cloud.stacks["minimal"].outputs["table_name"] in left["tables"]
    assert cloud.stacks["minimal"].outputs["function_name"] not in left.get("functions", ())


def test_destroy_leaves_nothing(destroyed: Cloud) -> None:
    assert left_behind(destroyed.environment) == {}
