"""Each example does on the emulator what its README promises."""

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pipeline.deployed.session import Session
from pipeline.deployed.target import Target
from pipeline.emulator.process import ACCOUNT_ID
from pipeline.verify import alerting
from tests.e2e.conftest import Cloud, Shown
from tests.support.aws import s3_events
from tests.support.aws.clients import items
from tests.support.poll import until
from tests.support.stacks import examples, kept


def upload(cloud: Cloud, pipeline: Mapping[str, Any], key: str, body: bytes = b"hello") -> str:
    """Put an object into a pipeline's bucket; returns its version."""
    answer = cloud.client("s3").put_object(Bucket=pipeline["bucket_name"], Key=key, Body=body)
    return str(answer.get("VersionId", ""))


def keys(cloud: Cloud, pipeline: Mapping[str, Any]) -> list[str]:
    """The keys of all records of a pipeline, sorted."""
    found = items(pipeline["table_name"], cloud.environment)
    return sorted(item["objectKey"]["S"] for item in found)


def logged(cloud: Cloud, group: str) -> list[dict[str, Any]]:
    """The lines of a log group that are JSON objects."""
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [event["message"] for page in pages for event in page["events"]]
    return [json.loads(line) for line in lines if line.startswith("{")]


def messages(cloud: Cloud, url: str) -> list[dict[str, Any]]:
    """What waits in a queue, taken out of it."""
    sqs = cloud.client("sqs")
    found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
    for message in found.get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def test_a_second_plan_of_them_changes_nothing(shown: Shown) -> None:
    _, applied = shown
    assert set(applied) == set(examples.NAMES)
    assert {example.second_plan for example in applied.values()} == {""}


@pytest.mark.parametrize("example", ["buffered", "encrypted"])
def test_uploads_at_once_wait_in_the_buffer_and_are_recorded(shown: Shown, example: str) -> None:
    cloud, applied = shown
    pipeline = applied[example].outputs["pipeline"]
    sent = sorted(f"batch/{number}.tif" for number in range(30))
    mapping, *_ = cloud.client("lambda").list_event_source_mappings(
        FunctionName=pipeline["function_name"]
    )["EventSourceMappings"]
    for key in sent:
        upload(cloud, pipeline, key)
    assert until(lambda: (found := keys(cloud, pipeline)) == sent and found) == sent
    assert mapping["EventSourceArn"].endswith(pipeline["buffer_queue_url"].rpartition("/")[2])


def test_the_key_of_encrypted_is_on_all_that_stores(shown: Shown) -> None:
    cloud, applied = shown
    pipeline = applied["encrypted"].outputs["pipeline"]
    dynamodb, s3, sqs = (cloud.client(name) for name in ("dynamodb", "s3", "sqs"))
    table = dynamodb.describe_table(TableName=pipeline["table_name"])["Table"]
    key = table["SSEDescription"]["KMSMasterKeyArn"]
    upload(cloud, pipeline, "sealed")
    head = s3.head_object(Bucket=pipeline["bucket_name"], Key="sealed")
    assert head["SSEKMSKeyId"] == key
    for url in pipeline["buffer_queue_url"], pipeline["failure_queue_url"]:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["KmsMasterKeyId"])
        assert found["Attributes"]["KmsMasterKeyId"] == key
    until(lambda: "sealed" in keys(cloud, pipeline))


def test_an_alarm_of_existing_topic_and_its_health_reach_the_subscribers(shown: Shown) -> None:
    cloud, applied = shown
    example = applied["existing-topic"]
    pipeline = example.outputs["pipeline"]
    upload(cloud, pipeline, "bill.pdf")
    until(lambda: keys(cloud, pipeline) == ["bill.pdf"])
    cloudwatch = cloud.client("cloudwatch")
    session = Session(Target(pipeline, "It"), ACCOUNT_ID, {"cloudwatch": cloudwatch})
    assert alerting.alarms(session).startswith("10 alarms notify the topic")
    alarm, health = "billing-LambdaErrorsAlert", "billing-pipeline_health"

    heard: list[tuple[str, str]] = []

    def was_told(state: str) -> bool:
        found = messages(cloud, example.theirs["queue_url"])
        heard.extend((message["AlarmName"], message["NewStateValue"]) for message in found)
        return {(alarm, state), (health, state)} <= {*heard}

    dimensions = [{"Name": "FunctionName", "Value": pipeline["function_name"]}]
    metric = {"MetricName": "Errors", "Dimensions": dimensions, "Value": 1.0}
    cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=[metric])
    until(lambda: was_told("ALARM"))
    # An alarm that gets its first data notifies OK, too.
    heard.clear()
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="over")
    until(lambda: was_told("OK"))


def test_an_upload_to_existing_bucket_is_recorded_and_its_owner_notified_as_before(
    shown: Shown,
) -> None:
    cloud, applied = shown
    example = applied["existing-bucket"]
    pipeline = example.outputs["pipeline"]
    for key in "private/1.jpg", "uploads/1.txt", "uploads/1.jpg":
        upload(cloud, pipeline, key)
    assert until(lambda: keys(cloud, pipeline)) == ["uploads/1.jpg"]
    notified: set[str] = set()

    def all_told() -> bool:
        for event in messages(cloud, example.theirs["queue_url"]):
            notified.update(record["s3"]["object"]["key"] for record in event.get("Records", []))
        return len(notified) == 3

    until(all_told)
    assert notified == {"private/1.jpg", "uploads/1.txt", "uploads/1.jpg"}
    found = cloud.client("s3").get_bucket_notification_configuration(Bucket=pipeline["bucket_name"])
    assert set(found) - {"ResponseMetadata"} == {"EventBridgeConfiguration", "QueueConfigurations"}


def test_two_pipelines_record_each_its_own(shown: Shown) -> None:
    cloud, applied = shown
    outputs = applied["two-pipelines"].outputs
    upload(cloud, outputs["orders"], "order.pdf")
    upload(cloud, outputs["invoices"], "invoice.txt")
    upload(cloud, outputs["invoices"], "invoice.pdf")
    assert until(lambda: keys(cloud, outputs["orders"])) == ["order.pdf"]
    assert until(lambda: keys(cloud, outputs["invoices"])) == ["invoice.pdf"]
    names = [
        {name: value for name, value in outputs[team].items() if name.endswith(("_name", "_names"))}
        for team in ("orders", "invoices")
    ]
    assert not [name for name, value in names[0].items() if value and value == names[1][name]]


def test_the_stream_consumer_gets_each_new_record_once(shown: Shown) -> None:
    cloud, applied = shown
    outputs = applied["stream-consumer"].outputs
    pipeline, consumer = outputs["pipeline"], outputs["consumer"]
    sent = {f"notice/ü {number}.txt" for number in range(3)}
    for key in sent:
        upload(cloud, pipeline, key)

    def announced() -> list[dict[str, Any]]:
        lines = logged(cloud, consumer["log_group_name"])
        return [line for line in lines if line["message"] == "New record"]

    until(lambda: len(announced()) >= len(sent))
    assert sorted(line["key"] for line in announced()) == sorted(sent)
    assert {line["bucket"] for line in announced()} == {pipeline["bucket_name"]}
    # What TTL does later: it shows on the stream, and the filter keeps it from the consumer.
    dynamodb = cloud.client("dynamodb")
    for line in announced():
        gone = {"objectId": {"S": line["objectId"]}}
        dynamodb.delete_item(TableName=pipeline["table_name"], Key=gone)
    upload(cloud, pipeline, "after")
    until(lambda: len(announced()) > len(sent))
    assert {line["key"] for line in announced()} == {*sent, "after"}
    assert {line["level"] for line in logged(cloud, consumer["log_group_name"])} == {"INFO"}
    assert messages(cloud, consumer["failure_queue_url"]) == []


@pytest.fixture
def checksums(shown: Shown) -> Mapping[str, Any]:
    """The outputs of bring-your-own-handler's pipeline."""
    pipeline: Mapping[str, Any] = shown[1]["bring-your-own-handler"].outputs["pipeline"]
    return pipeline


def checksum_of(cloud: Cloud, pipeline: Mapping[str, Any], version: str) -> str | None:
    """What the team's handler recorded of a version."""
    items = cloud.client("dynamodb").scan(TableName=pipeline["table_name"])["Items"]
    found = [item["checksum"]["S"] for item in items if item["versionId"]["S"] == version]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_teams_own_handler_reads_the_object_and_records_its_checksum(
    shown: Shown, checksums: Mapping[str, Any]
) -> None:
    cloud, _ = shown
    for body in b"first", b"second":
        version = upload(cloud, checksums, "a b+ü%.txt", body)
        found = until(lambda version=version: checksum_of(cloud, checksums, version))  # type: ignore[misc]
        assert found == f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_a_teams_own_handler_names_the_messages_that_are_to_come_again(
    shown: Shown, checksums: Mapping[str, Any]
) -> None:
    cloud, _ = shown
    version = upload(cloud, checksums, "buffered.txt", b"x")
    until(lambda: checksum_of(cloud, checksums, version))

    def message(number: str, version: str) -> dict[str, str]:
        place: dict[str, Any] = {"bucket": {"name": checksums["bucket_name"]}}
        item = {"object": {"key": "buffered.txt", "versionId": version}}
        body = {"Records": [{"eventTime": "2026-11-22T09:40:00.000Z", "s3": place | item}]}
        return {"messageId": number, "eventSource": "aws:sqs", "body": json.dumps(body)}

    batch = [message("1", "none"), message("2", version), message("3", "none")]
    batch.append({**batch[0], "messageId": "4", "body": '{"Event": "s3:TestEvent"}'})
    answer = cloud.client("lambda").invoke(
        FunctionName=checksums["function_name"], Payload=json.dumps({"Records": batch})
    )
    failed = json.load(answer["Payload"])["batchItemFailures"]
    assert failed == [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]


@contextlib.contextmanager
def denied_reads(cloud: Cloud, pipeline: Mapping[str, Any]) -> Iterator[None]:
    """The role may read no object as long as the block lasts."""
    iam = cloud.client("iam")
    policy = {"RoleName": pipeline["role_name"], "PolicyName": "no-reads"}
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [deny]}
    iam.put_role_policy(**policy, PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        iam.delete_role_policy(**policy)


def failed(cloud: Cloud, pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """The one message that waits in the failure queue, and stays there."""
    look = {"QueueUrl": pipeline["failure_queue_url"], "WaitTimeSeconds": 1, "VisibilityTimeout": 0}
    sqs = cloud.client("sqs")
    (message,) = until(lambda: sqs.receive_message(**look).get("Messages"))
    found: dict[str, Any] = json.loads(message["Body"])
    return found


def replay_all(cloud: Cloud, pipeline: Mapping[str, Any]) -> str:
    """What `pipeline replay --all` prints of messages that can all be replayed."""
    names = ("failure_queue_url", "function_name", "table_name")
    given = [word for name in names for word in ("--set", f"{name}={pipeline[name]}")]
    replay = kept.start("replay", "--all", *given, **cloud.environment)
    out, err = replay.communicate(timeout=120)
    assert replay.returncode == 0, out + err
    return out + err


def test_what_a_teams_own_handler_fails_on_waits_in_the_failure_queue_for_replay(
    shown: Shown, checksums: Mapping[str, Any]
) -> None:
    cloud, _ = shown
    queue = checksums["failure_queue_url"]
    with denied_reads(cloud, checksums):
        version = upload(cloud, checksums, "unreadable.txt", b"kept")
        (record,) = failed(cloud, checksums)["requestPayload"]["Records"]
        assert record["s3"]["object"]["versionId"] == version
        assert checksum_of(cloud, checksums, version) is None
    replay_all(cloud, checksums)
    found = checksum_of(cloud, checksums, version)
    assert found == f"sha256:{hashlib.sha256(b'kept').hexdigest()}"
    assert messages(cloud, queue) == []


@pytest.fixture
def enriched(shown: Shown) -> Mapping[str, Any]:
    """The outputs of enrich's pipeline."""
    pipeline: Mapping[str, Any] = shown[1]["enrich"].outputs["pipeline"]
    return pipeline


def record_of(cloud: Cloud, pipeline: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The newest record of a key, empty if there is none."""
    found = items(pipeline["table_name"], cloud.environment)
    return next((item for item in found if item["objectKey"]["S"] == key), {})


def test_a_hook_adds_what_it_reads_of_the_object_and_skips_what_is_none(
    shown: Shown, enriched: Mapping[str, Any]
) -> None:
    cloud, _ = shown
    upload(cloud, enriched, "skipped/", b"")
    upload(cloud, enriched, "table.csv", b"a,b,c\n1,2,3\n")
    record = until(lambda: record_of(cloud, enriched, "table.csv"))
    assert record["columns"] == {"N": "3"}
    assert record["contentType"] == {"S": "text/csv"}
    assert record["startSha256"]["S"] == hashlib.sha256(b"a,b,c\n1,2,3\n").hexdigest()

    def done() -> list[dict[str, Any]]:
        lines = logged(cloud, enriched["log_group_name"])
        return [line for line in lines if line.get("skipped")]

    (line,) = until(done)
    assert (line["skipped"], line["stored"], line["failed"]) == (1, 0, 0)
    assert record_of(cloud, enriched, "skipped/") == {}


def test_a_replay_deletes_what_the_hook_skips(shown: Shown, enriched: Mapping[str, Any]) -> None:
    cloud, _ = shown
    event = s3_events.notification(s3_events.record("folder/", size=0))
    queue = enriched["failure_queue_url"]
    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    assert "1 message replayed: the hook skipped 1" in replay_all(cloud, enriched)
    assert messages(cloud, queue) == []


def test_backfill_sends_what_has_no_record_to_the_hook_and_reconcile_says_what_that_may_mean(
    shown: Shown, enriched: Mapping[str, Any]
) -> None:
    cloud, _ = shown
    upload(cloud, enriched, "filled/in.csv", b"a,b\n")
    upload(cloud, enriched, "filled/", b"")
    record = until(lambda: record_of(cloud, enriched, "filled/in.csv"))
    dynamodb = cloud.client("dynamodb")
    dynamodb.delete_item(TableName=enriched["table_name"], Key={"objectId": record["objectId"]})
    names = "bucket_name", "failure_queue_url", "function_name", "table_name"
    given = [word for name in names for word in ("--set", f"{name}={enriched[name]}")]

    def run(command: str, *more: str) -> tuple[int, dict[str, Any], str]:
        started = kept.start(
            command, *given, "--prefix", "filled/", "--json", *more, **cloud.environment
        )
        out, err = started.communicate(timeout=120)
        return started.returncode, json.loads(out), err

    status, found, said = run("reconcile", "--grace", "0s")
    assert (status, found["hook"]) == (1, "enrich.on_event")
    assert [each["key"] for each in found["missing"]] == ["filled/", "filled/in.csv"]
    assert "missing or skipped  filled/" in said
    status, found, _ = run("backfill")
    assert (status, found["written"], found["skipped"], found["failed"]) == (0, 1, 1, [])
    filled = record_of(cloud, enriched, "filled/in.csv")
    assert filled["columns"] == {"N": "2"}
    assert filled["eventName"] == {"S": "ObjectCreated:Backfill"}
    assert filled["objectId"] == record["objectId"]


def test_what_a_hook_fails_on_is_kept_with_its_reason_and_stored_by_a_replay(
    shown: Shown, enriched: Mapping[str, Any]
) -> None:
    cloud, _ = shown
    with denied_reads(cloud, enriched):
        upload(cloud, enriched, "denied.pdf", b"%PDF-1.7")
        reason = failed(cloud, enriched)["responsePayload"]["errorMessage"]
        assert "hook enrich.on_event: AccessDenied: " in reason
        assert "(enrich.py:" in reason
        assert record_of(cloud, enriched, "denied.pdf") == {}
    replay_all(cloud, enriched)
    record = record_of(cloud, enriched, "denied.pdf")
    assert record["contentType"] == {"S": "application/pdf"}


@contextlib.contextmanager
def another_hook(cloud: Cloud, pipeline: Mapping[str, Any], body: str) -> Iterator[None]:
    """The function has another layer, and four seconds, as long as the block lasts."""
    functions, name = cloud.client("lambda"), pipeline["function_name"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("python/enrich.py", f"def on_event(event, record):\n    {body}\n")
    layer = functions.publish_layer_version(
        LayerName="another-hook", Content={"ZipFile": package.getvalue()}
    )
    before = functions.get_function_configuration(FunctionName=name)

    def configure(layers: list[str], timeout: int) -> None:
        functions.update_function_configuration(FunctionName=name, Layers=layers, Timeout=timeout)
        functions.get_waiter("function_updated_v2").wait(FunctionName=name)

    configure([layer["LayerVersionArn"]], 4)
    try:
        yield
    finally:
        configure([each["Arn"] for each in before["Layers"]], before["Timeout"])


@pytest.mark.soak
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import threading; threading.Event().wait()", "did not return within 2."),
        ("return {'size': 1}", "it returned size, which the record has of its own"),
    ],
    ids=["slow until the timeout", "wrong attribute"],
)
def test_what_a_bad_hook_fails_on_is_stored_once_it_is_fixed(
    body: str, reason: str, shown: Shown, enriched: Mapping[str, Any]
) -> None:
    cloud, _ = shown
    key = f"fixed/{len(body)}.pdf"
    with another_hook(cloud, enriched, body):
        upload(cloud, enriched, key, b"%PDF-1.7")
        assert reason in failed(cloud, enriched)["responsePayload"]["errorMessage"]
        assert record_of(cloud, enriched, key) == {}
    replay_all(cloud, enriched)
    assert record_of(cloud, enriched, key)["contentType"] == {"S": "application/pdf"}


@pytest.mark.soak
def test_a_thousand_messages_at_once_are_each_described(
    shown: Shown, enriched: Mapping[str, Any]
) -> None:
    cloud, _ = shown
    upload(cloud, enriched, "many.csv", b"a,b")
    until(lambda: record_of(cloud, enriched, "many.csv"))
    # Without a version id, events with sequencers of their own are records of their own.
    records = [s3_events.record("many.csv", sequencer=f"{number:016X}") for number in range(1000)]
    for record in records:
        record["s3"]["bucket"]["name"] = enriched["bucket_name"]
    left = s3_events.sqs(*map(s3_events.notification, records))["Records"]
    while left:
        answer = cloud.client("lambda").invoke(
            FunctionName=enriched["function_name"], Payload=json.dumps({"Records": left})
        )
        failures = json.load(answer["Payload"])["batchItemFailures"]
        again = {failure["itemIdentifier"] for failure in failures}
        # What there was no time for comes again, as from a queue.
        assert len(again) < len(left)
        left = [message for message in left if message["messageId"] in again]
    found = items(enriched["table_name"], cloud.environment)
    columns = [item["columns"] for item in found if item["objectKey"]["S"] == "many.csv"]
    assert columns == [{"N": "2"}] * 1001
