"""The same against a DynamoDB that is not ours: it checks signatures and keeps real tables."""

import itertools
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

import answer
import lambda_function
from pipeline.emulator.process import Emulator, emulator
from tests.support.aws import s3_events as s3
from tests.unit.handler.conftest import Context

_numbers = itertools.count()


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("ministack"), auth=True) as running:
        yield running


@pytest.fixture
def table(ministack: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    for name, value in ministack.environment.items():
        monkeypatch.setitem(os.environ, name, value)
    name = f"events-{next(_numbers)}"
    monkeypatch.setenv("TABLE_NAME", name)
    return boto3.resource("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "objectId", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "objectId", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_the_same_upload_through_all_five_envelopes_leaves_one_item(table: Any) -> None:
    key, version = "a b/ü+1 %.txt", "3sL4kqtJlcpXroDTDmJ"
    notified = s3.notification(s3.record(key, versionId=version))
    bridged = s3.eventbridge(key, version_id=version)
    first = None
    for envelope in (
        notified,
        bridged,
        s3.sqs(notified, bridged),
        s3.sqs(s3.sns(notified)),
        s3.from_sns(bridged),
    ):
        lambda_function.lambda_handler(envelope, Context())
        (item,) = table.scan()["Items"]
        # It counts from the write, of which the last one stays.
        del item["ttl"]
        first = first or item
        assert item == first
    assert first is not None
    assert first["objectKey"] == key


def test_a_thousand_records_are_stored_under_checked_signatures(table: Any) -> None:
    batch = s3.sqs(*(s3.notification(s3.record(f"key-{number}")) for number in range(1000)))
    assert lambda_function.lambda_handler(batch, Context()) == {"batchItemFailures": []}
    stored = table.scan()["Items"]
    assert {item["objectKey"] for item in stored} == {f"key-{number}" for number in range(1000)}


@pytest.mark.parametrize("count", [1, 30])
def test_keys_of_any_character_are_stored(count: int, table: Any) -> None:
    keys = [f"{number} \x01\x1f\x7f\u2028ü𝄞%+&=?#" for number in range(count)]
    event = s3.notification(*(s3.record(key) for key in keys))
    assert lambda_function.lambda_handler(event, Context())["statusCode"] == 200
    assert sorted(item["objectKey"] for item in table.scan()["Items"]) == sorted(keys)


@pytest.mark.parametrize("count", [1, 30])
def test_a_forged_signature_stores_nothing(
    count: int, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = boto3.client("iam")
    user = f"user-{next(_numbers)}"
    keys.create_user(UserName=user)
    access = keys.create_access_key(UserName=user)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not the secret")
    event = s3.notification(*(s3.record(f"key-{number}") for number in range(count)))
    with pytest.raises(answer.NotStoredError, match=r"Signature|InvalidClient|AccessDenied"):
        lambda_function.lambda_handler(event, Context())
    assert table.scan()["Items"] == []


def test_a_table_that_is_not_there_is_named_as_the_reason(
    table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_NAME", "elsewhere")
    with pytest.raises(answer.NotStoredError, match="ResourceNotFoundException"):
        lambda_function.lambda_handler(s3.notification(s3.record("a")), Context())
