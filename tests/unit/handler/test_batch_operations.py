"""A task of an S3 Batch Operations job leaves the record that `pipeline backfill` would write."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_plus

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

import batch_operations
import hooks
import records
from pipeline.deployed import bucket
from pipeline.deployed.bucket import Version
from tests.support.aws import faulty_dynamodb as faults
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB
from tests.support.aws.head_objects import Heads, head_objects
from tests.unit.handler.conftest import ENVIRONMENT, Handle

MODIFIED = 1795340400
ODD = "a b/ü+1%/~'()*!&=?#//x.txt"


@pytest.fixture(autouse=True)
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heads]:
    batch_operations._s3.cache_clear()
    monkeypatch.setattr(batch_operations, "PAUSE_SECONDS", 0.01)
    with head_objects() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        yield running


def task(key: str, version: Any = None, number: int = 1) -> dict[str, Any]:
    return {"taskId": f"task-{number}", "s3Key": quote_plus(key), "s3VersionId": version}


def job(*tasks: dict[str, Any], schema: str = "1.0") -> dict[str, Any]:
    place = {"s3BucketArn": "arn:aws:s3:::uploads"} if schema == "1.0" else {"s3Bucket": "uploads"}
    return {
        "invocationSchemaVersion": schema,
        "invocationId": "aW52b2NhdGlvbg",
        "job": {"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"},
        "tasks": [place | each for each in tasks],
    }


def only(answer: dict[str, Any]) -> tuple[str, str]:
    (result,) = answer["results"]
    return result["resultCode"], result["resultString"]


@pytest.mark.parametrize("schema", ["1.0", "2.0"])
@pytest.mark.parametrize("version", ["v/1+", None], ids=["a version", "the current one"])
@pytest.mark.parametrize("key", ["a/b.txt", ODD, "/", "ü" * 400])
def test_the_record_is_the_one_that_backfill_writes(
    handle: Handle, dynamodb: FaultyDynamoDB, objects: Heads, schema: str, version: Any, key: str
) -> None:
    objects.put("uploads", key, "v/1+", size=5, etag="e1-3")
    answer = handle(job(task(key, version), schema=schema))
    assert answer == {
        "invocationSchemaVersion": schema,
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": "aW52b2NhdGlvbg",
        "results": [{"taskId": "task-1", "resultCode": "Succeeded", "resultString": ""}],
    }
    listed = Version(key, "v/1+", MODIFIED, "e1-3", 5, latest=True, bucket="uploads")
    expected, (object_id,), _ = records.build([bucket.event_of(listed)], int(time.time()), 86_400)
    ttl = dynamodb.items[object_id].pop("ttl")
    assert abs(int(ttl["N"]) - int(expected[object_id].pop("ttl")["N"])) <= 5
    assert dynamodb.items == expected


def test_a_record_that_is_there_is_left_as_it_is(
    handle: Handle, dynamodb: FaultyDynamoDB, objects: Heads
) -> None:
    handle(s3.notification(s3.record("a", versionId="v1")))
    before = dict(dynamodb.items)
    objects.put("uploads", "a")
    assert only(handle(job(task("a", "v1")))) == ("Succeeded", "")
    assert dynamodb.items == before


REFUSED: dict[str, tuple[Callable[[Heads], Any], str]] = {
    "gone": (lambda objects: objects.objects.clear(), "the object is gone"),
    "denied": (lambda o: o.script.append((403, {})), "or the function lacks backfill.create"),
    "delete marker": (lambda o: o.script.append((405, {})), "a delete marker"),
    "without versions": (lambda o: o.put("uploads", "a", ""), "no version id"),
    "null version": (lambda o: o.put("uploads", "a", "null"), "no version id"),
    "another region": (
        lambda o: o.script.append((301, {"x-amz-bucket-region": "eu-west-3"})),
        "the bucket is in eu-west-3, not eu-central-1",
    ),
    "a bad request": (lambda o: o.script.append((400, {})), "HTTP 400"),
    "no date": (lambda o: o.script.append((200, {"x-amz-version-id": "v1"})), "makes no sense"),
}


@pytest.mark.parametrize(("prepare", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_no_attempt_can_read_fails_for_good_with_its_reason(
    handle: Handle,
    objects: Heads,
    lines: Callable[..., list[dict[str, Any]]],
    prepare: Callable[[Heads], Any],
    reason: str,
) -> None:
    objects.put("uploads", "a")
    prepare(objects)
    code, text = only(handle(job(task("a"))))
    assert (code, reason in text) == ("PermanentFailure", True), text
    failed, done = lines()
    assert failed["reason"] == text
    assert (failed["bucket"], failed["key"]) == ("arn:aws:s3:::uploads", "a")
    assert (done["received"], done["stored"], done["failed"]) == (1, 0, 1)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "not UTF-8": ({"s3Key": "%FF"}, "the key is not URL-encoded UTF-8"),
    "no key": ({"s3Key": None}, "s3Key is missing"),
    "a number": ({"s3Key": 5}, "s3Key is int"),
    "no bucket": ({"s3BucketArn": ""}, "s3BucketArn is missing or empty"),
    "an odd version": ({"s3VersionId": ["v"]}, "s3VersionId is list"),
    **{
        f"a lone surrogate in {name}": ({name: "x\ud800"}, "a lone surrogate")
        for name in ("s3BucketArn", "s3Key", "s3VersionId")
    },
}


@pytest.mark.parametrize(("change", "reason"), BAD.values(), ids=BAD)
def test_a_task_that_makes_no_sense_fails_alone(
    handle: Handle, objects: Heads, change: dict[str, Any], reason: str
) -> None:
    objects.put("uploads", "a")
    good, bad = handle(job(task("a"), task("a", number=2) | change))["results"]
    assert good["resultCode"] == "Succeeded"
    assert bad["resultCode"] == "PermanentFailure"
    assert reason in bad["resultString"]


@pytest.mark.parametrize("schema", ["3.0", 1, None, ["1.0"]])
def test_another_schema_is_refused_by_its_name(handle: Handle, schema: Any) -> None:
    code, text = only(handle(job(task("a")) | {"invocationSchemaVersion": schema}))
    assert code == "PermanentFailure"
    assert f"invocation schema {schema!r}; this function reads 1.0 and 2.0" in text


@pytest.mark.parametrize("tasks", [None, {}, "text", [], [None], [{}], [{"taskId": 5}]])
def test_tasks_that_no_answer_can_name_are_left_to_the_job(handle: Handle, tasks: Any) -> None:
    answer = handle(job() | {"tasks": tasks})
    assert (answer["results"], answer["treatMissingKeysAs"]) == ([], "PermanentFailure")


def test_every_task_of_an_invoke_has_its_own_result(
    handle: Handle, dynamodb: FaultyDynamoDB, objects: Heads
) -> None:
    for key in "abcd":
        objects.put("uploads", key)
    refused = faults.error(400, "AccessDeniedException")
    dynamodb.rule = lambda request: refused if request.keys == ["c"] else None
    tasks = [task(key, number=number) for number, key in enumerate("abca-")]
    results = handle(job(*tasks))["results"]
    assert [(each["taskId"], each["resultCode"]) for each in results] == [
        ("task-0", "Succeeded"),
        ("task-1", "Succeeded"),
        ("task-2", "PermanentFailure"),
        ("task-3", "Succeeded"),
        ("task-4", "PermanentFailure"),
    ]
    assert "AccessDeniedException" in results[2]["resultString"]
    assert sorted(item["objectKey"]["S"] for item in dynamodb.items.values()) == ["a", "b"]


@pytest.mark.parametrize("fault", [(503, {}), (429, {}), (500, {}), None])
def test_s3_is_asked_again_when_it_is_busy_or_hangs_up(
    handle: Handle, objects: Heads, fault: Any
) -> None:
    objects.put("uploads", "a")
    objects.script.extend([fault, fault])
    assert only(handle(job(task("a"))))[0] == "Succeeded"


def test_a_busy_s3_is_a_temporary_failure_once_time_is_up(handle: Handle, objects: Heads) -> None:
    objects.script.extend([(503, {})] * 1000)
    code, text = only(handle(job(task("a")), 600))
    assert code == "TemporaryFailure"
    assert "attempts: HTTP 503" in text


def test_a_throttled_table_is_a_temporary_failure_once_time_is_up(
    handle: Handle, dynamodb: FaultyDynamoDB, objects: Heads
) -> None:
    objects.put("uploads", "a")
    throttled = faults.error(400, "ProvisionedThroughputExceededException")
    dynamodb.rule = lambda _: throttled
    code, text = only(handle(job(task("a")), 1000))
    assert code == "TemporaryFailure"
    assert "ProvisionedThroughputExceededException" in text


def test_a_busy_s3_leaves_time_to_write_what_it_told_before(
    handle: Handle, dynamodb: FaultyDynamoDB, objects: Heads
) -> None:
    objects.put("uploads", "a")
    found = objects.objects["uploads", "a", ""]
    objects.script.extend([(200, found)] * 3 + [(503, {})] * 1000)
    tasks = [task(f"{number:03}", number=number) for number in range(50)]
    results = handle(job(*tasks), 1500)["results"]
    codes = [each["resultCode"] for each in results]
    assert codes == ["Succeeded"] * 3 + ["TemporaryFailure"] * 47
    assert len(dynamodb.items) == 3


def test_without_time_nothing_is_asked_and_the_task_comes_again(
    handle: Handle, objects: Heads
) -> None:
    assert only(handle(job(task("a")), 0))[0] == "TemporaryFailure"
    assert not objects.requests


def test_a_clock_that_is_wrong_costs_one_request(handle: Handle, objects: Heads) -> None:
    objects.put("uploads", "a")
    objects.script.append((403, {"date": "Sun, 22 Nov 2020 09:40:00 GMT"}))
    assert only(handle(job(task("a"))))[0] == "Succeeded"
    first, second = objects.requests
    assert first.headers["x-amz-date"][:4] != second.headers["x-amz-date"][:4] == "2020"


@pytest.mark.parametrize("version", ["v/1+ä", None])
def test_the_request_is_signed_as_botocore_signs_it(
    handle: Handle, objects: Heads, version: Any
) -> None:
    objects.put("uploads", ODD, version or "v1")
    assert only(handle(job(task(ODD, version))))[0] == "Succeeded"
    (request,) = objects.requests
    sent = request.headers
    keys = botocore.credentials.Credentials(
        ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        ENVIRONMENT["AWS_SESSION_TOKEN"],
    )
    theirs = botocore.awsrequest.AWSRequest("HEAD", objects.url + request.path)
    theirs.context["timestamp"] = sent["x-amz-date"]
    theirs.context["payload_signing_enabled"] = True
    signer: Any = botocore.auth.S3SigV4Auth(keys, "s3", "eu-central-1")
    signer._modify_request_before_signing(theirs)
    canonical = signer.canonical_request(theirs)
    signature = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    signer._inject_signature_to_request(theirs, signature)
    assert sent["authorization"] == theirs.headers["Authorization"]


def test_the_connection_is_kept_for_the_next_task(handle: Handle, objects: Heads) -> None:
    for key in "ab":
        objects.put("uploads", key)
    handle(job(task("a"), task("b", number=2)))
    handle(job(task("a")))
    assert len({request.port for request in objects.requests}) == 1


def hook(event: Any, record: Any) -> Any:
    if event.key == "skipped":
        raise hooks.SkipRecord
    if event.key == "bad":
        raise ValueError("no such customer")
    if event.key == "slow":
        time.sleep(2)
    return {"seen": event.name}


def test_a_hook_adds_to_the_record_skips_it_or_fails_the_task(
    handle: Handle,
    dynamodb: FaultyDynamoDB,
    objects: Heads,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECORD_HOOK", f"{__name__}.hook")
    hooks.load.cache_clear()
    keys = ["good", "skipped", "bad", "slow"]
    for key in keys:
        objects.put("uploads", key)
    tasks = [task(key, number=number) for number, key in enumerate(keys)]
    results = handle(job(*tasks), 1500)["results"]
    hooks.load.cache_clear()
    assert [each["resultCode"] for each in results] == [
        *("Succeeded", "Succeeded", "PermanentFailure", "TemporaryFailure")
    ]
    assert "no such customer" in results[2]["resultString"]
    (item,) = dynamodb.items.values()
    assert item["seen"] == {"S": "ObjectCreated:Backfill"}
