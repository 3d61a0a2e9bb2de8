"""Each delivery applies, is in place at once, and records what is uploaded."""

import pytest

from pipeline.accept.deliveries import Delivery
from pipeline.deployed.session import FailingError, Session
from pipeline.deployed.target import Target
from pipeline.emulator.process import ACCOUNT_ID, REGION
from pipeline.verify import path
from pipeline.verify.run import verify
from tests.e2e.conftest import Cloud
from tests.support.poll import until
from tests.support.stacks.deliveries import DELIVERIES, SEVERAL, Applied, params

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
    (item,) = until(
        lambda: [
            found
            for found in dynamodb.scan(TableName=outputs["table_name"])["Items"]
            if found["objectKey"]["S"] == key
        ]
    )
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


def test_uploads_of_one_key_to_three_buckets_leave_one_record_each(
    deliveries: tuple[Cloud, Applied], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, applied = deliveries
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    found = Target(applied.outputs[SEVERAL], "The lab", region=REGION)
    buckets = found.buckets()
    assert buckets[1:] == ("more-one", "more-two")
    s3, dynamodb = cloud.client("s3"), cloud.client("dynamodb")
    for bucket in buckets:
        s3.put_object(Bucket=bucket, Key="several/same", Body=b"hello")

    def recorded() -> list[str]:
        items = dynamodb.scan(TableName=found.table_name)["Items"]
        return sorted(
            item["bucket"]["S"] for item in items if item["objectKey"]["S"] == "several/same"
        )

    assert until(lambda: len(recorded()) >= 3 and recorded()) == sorted(buckets)
    steps = {
        step.name: step
        for step in verify(Session(found, ACCOUNT_ID), seconds=20, bucket=buckets[2])
    }
    assert {steps[name].verdict for name in ("notification", "rule", "upload", "record")} == {"ok"}
    assert "is in more-two" in steps["upload"].message
    assert "sends uploads of more-one, more-two to" in steps["rule"].message
    assert "to EventBridge also more-one, more-two" in steps["notification"].message
    for bucket, sentence in (
        ("more-code", "No upload to more-code comes, since S3 does not send to EventBridge"),
        ("gone", "The bucket gone does not exist: take it out of delivery.buckets"),
    ):
        delivery = {**found.delivery, "buckets": [bucket]}
        other = Target({**found.outputs, "delivery": delivery}, "The lab", region=REGION)
        with pytest.raises(FailingError, match=sentence):
            path.notification(Session(other, ACCOUNT_ID))


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
    has_rule = delivery.via == "eventbridge" or delivery.name == SEVERAL
    assert steps["rule"].verdict == ("ok" if has_rule else "skipped")
    assert steps["buffer"].verdict == ("ok" if delivery.buffered else "skipped")
    assert {steps[name].verdict for name in ("upload", "record", "log line")} == {"ok"}
