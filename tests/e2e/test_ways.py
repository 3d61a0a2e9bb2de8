"""Every way of delivery applies, is in place at once, and records what is uploaded."""

import pytest

from tests.e2e.conftest import Cloud
from tests.support.poll import until
from tests.support.switching import STEPS, Report
from tests.support.ways import EVERY_WAY, Applied, Way, params

every_way = pytest.mark.parametrize("way", params(EVERY_WAY))


@every_way
def test_a_second_plan_changes_nothing(ways: tuple[Cloud, Applied], way: Way) -> None:
    _, applied = ways
    assert way.name in applied.outputs
    assert applied.second_plan == ""


@every_way
def test_an_upload_leaves_one_record(ways: tuple[Cloud, Applied], way: Way) -> None:
    cloud, applied = ways
    outputs = applied.outputs[way.name]
    key = "in/a b+ü%.txt"
    answer = cloud.client("s3").put_object(Bucket=outputs["bucket_name"], Key=key, Body=b"hello")
    dynamodb = cloud.client("dynamodb")
    (item,) = until(lambda: dynamodb.scan(TableName=outputs["table_name"])["Items"])
    assert item["objectKey"]["S"] == key
    assert item["eventName"]["S"] == "ObjectCreated:Put"
    assert item["eTag"]["S"] == answer["ETag"].strip('"')
    assert outputs["delivery"]["via"] == way.via
    assert outputs["delivery"]["buffered"] is (outputs["buffer_queue_url"] is not None)


def test_the_owner_of_an_existing_bucket_keeps_its_configuration(
    ways: tuple[Cloud, Applied],
) -> None:
    cloud, applied = ways
    s3 = cloud.client("s3")
    theirs = [
        applied.outputs[way.name]["bucket_name"]
        for way in EVERY_WAY
        if way.name in applied.outputs and way.existing and way.via == "eventbridge"
    ]
    assert theirs
    for bucket in theirs:
        found = s3.get_bucket_notification_configuration(Bucket=bucket)
        assert set(found) - {"ResponseMetadata"} == {"EventBridgeConfiguration"}


def test_while_delivery_changes_no_upload_is_lost_or_counted_twice(switched: Report) -> None:
    assert len(switched.uploaded) > 100
    # An upload has one record whichever way or ways it came.
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
