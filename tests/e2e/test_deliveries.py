"""Each delivery applies, is in place at once, and records what is uploaded."""

import pytest

from pipeline.accept.deliveries import Delivery
from tests.e2e.conftest import Cloud
from tests.support.poll import until
from tests.support.stacks.deliveries import DELIVERIES, Applied, params
from tests.support.stacks.switching import STEPS, Report

each_delivery = pytest.mark.parametrize("delivery", params(DELIVERIES))


@each_delivery
def test_a_second_plan_changes_nothing(
    deliveries: tuple[Cloud, Applied], delivery: Delivery
) -> None:
    _, applied = deliveries
    assert delivery.name in applied.outputs
    assert applied.second_plan == ""


@each_delivery
def test_an_upload_leaves_one_record(deliveries: tuple[Cloud, Applied], delivery: Delivery) -> None:
    cloud, applied = deliveries
    outputs = applied.outputs[delivery.name]
    key = "in/a b+ü%.txt"
    answer = cloud.client("s3").put_object(Bucket=outputs["bucket_name"], Key=key, Body=b"hello")
    dynamodb = cloud.client("dynamodb")
    (item,) = until(lambda: dynamodb.scan(TableName=outputs["table_name"])["Items"])
    assert item["objectKey"]["S"] == key
    assert item["eventName"]["S"] == "ObjectCreated:Put"
    assert item["eTag"]["S"] == answer["ETag"].strip('"')
    assert outputs["delivery"]["via"] == delivery.via
    assert outputs["delivery"]["buffered"] is (outputs["buffer_queue_url"] is not None)


def test_the_owner_of_an_existing_bucket_keeps_its_configuration(
    deliveries: tuple[Cloud, Applied],
) -> None:
    cloud, applied = deliveries
    s3 = cloud.client("s3")
    theirs = [
        applied.outputs[delivery.name]["bucket_name"]
        for delivery in DELIVERIES
        if delivery.name in applied.outputs and delivery.existing and delivery.via == "eventbridge"
    ]
    assert theirs
    for bucket in theirs:
        found = s3.get_bucket_notification_configuration(Bucket=bucket)
        assert set(found) - {"ResponseMetadata"} == {"EventBridgeConfiguration"}


def test_while_delivery_changes_no_upload_is_lost_or_counted_twice(switched: Report) -> None:
    assert len(switched.uploaded) > 100
    # An upload has one record, whichever delivery took it, or both.
    assert switched.records == dict.fromkeys(switched.uploaded, 1)


@pytest.mark.parametrize("step", [name for name, _ in STEPS[1:]])
def test_a_change_of_delivery_recreates_neither_table_nor_bucket_nor_function(
    switched: Report, step: str
) -> None:
    kept = (
        "aws_dynamodb_table.this",
        "aws_s3_bucket.this",
        "aws_lambda_function.this",
        "aws_sqs_queue.failures",
        "aws_iam_role.this",
    )
    ended = {
        address: action
        for address, action in switched.changed[step].items()
        if action in ("delete", "replace") and any(name in address for name in kept)
    }
    assert ended == {}
