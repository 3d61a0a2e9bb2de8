"""Each delivery applies, is in place at once, and records what is uploaded."""

import pytest

from pipeline.accept.deliveries import Delivery
from pipeline.deployed.session import Session
from pipeline.deployed.target import Target
from pipeline.emulator.process import ACCOUNT_ID, REGION
from pipeline.verify.run import verify
from tests.e2e.conftest import Cloud
from tests.support.poll import until
from tests.support.stacks.deliveries import DELIVERIES, Applied, params

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


@pytest.mark.parametrize(
    "delivery",
    params(each for each in DELIVERIES if not each.customer_key),
)
def test_verify_finds_nothing_failing(
    deliveries: tuple[Cloud, Applied],
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud, applied = deliveries
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    found = Target(applied.outputs[delivery.name], "The lab", region=REGION)
    steps = {step.name: step for step in verify(Session(found, ACCOUNT_ID), seconds=20)}
    bad = {name: step for name, step in steps.items() if step.verdict in ("failing", "unknown")}
    assert not bad
    assert steps["rule"].verdict == ("ok" if delivery.via == "eventbridge" else "skipped")
    assert steps["buffer"].verdict == ("ok" if delivery.buffered else "skipped")
    assert {steps[name].verdict for name in ("upload", "record", "log line")} == {"ok"}
