"""What is written, in how many requests, when nothing goes wrong."""

from typing import Any

import pytest

import dynamodb as writer
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB, faulty_dynamodb
from tests.unit.handler.conftest import Handle

SUCCESS = {"statusCode": 200, "body": '"Item stored"'}


def records(count: int) -> list[Any]:
    return [s3.record(f"key-{number}") for number in range(count)]


def test_one_record_is_put_by_itself(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    assert handle(s3.notification(s3.record("a"))) == SUCCESS
    (request,) = dynamodb.requests
    assert request.operation == "PutItem"
    assert request.payload["TableName"] == "events"


@pytest.mark.parametrize(("count", "requests"), [(2, 1), (25, 1), (26, 2), (1000, 40)])
def test_more_are_written_in_batches_of_25(
    count: int, requests: int, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    assert handle(s3.notification(*records(count))) == SUCCESS
    assert len(dynamodb.items) == len(dynamodb.writes) == count
    batches = [request for request in dynamodb.requests if request.operation == "BatchWriteItem"]
    assert len(batches) == count // 25 + (count % 25 > 1)
    assert len(dynamodb.requests) == requests
    assert max(len(request.items) for request in dynamodb.requests) <= 25
    assert dynamodb.connections <= writer.CONNECTIONS


def test_duplicates_of_a_batch_are_folded(
    handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    batch = s3.sqs(*(s3.notification(s3.record(key)) for key in ("a", "b", "a", "a")))
    assert handle(batch) == {"batchItemFailures": []}
    assert len(dynamodb.writes) == 2
    (line,) = lines("INFO")
    assert (line["received"], line["stored"], line["duplicatesFolded"]) == (4, 2, 2)


def test_a_connection_serves_the_next_invoke_too(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    for key in ("a", "b", "c"):
        handle(s3.notification(s3.record(key)))
    assert [request.connection for request in dynamodb.requests] == [0, 0, 0]


def test_the_session_token_is_sent_and_signed(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    handle(s3.notification(s3.record("a")))
    (request,) = dynamodb.requests
    assert request.headers["x-amz-security-token"] == "token-EXAMPLETOKEN"
    assert "x-amz-security-token" in request.headers["authorization"]


def test_refreshed_credentials_are_used_at_once(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(s3.notification(s3.record("a")))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDREFRESHED")
    handle(s3.notification(s3.record("a")))
    used = ["AKIDREFRESHED" in request.headers["authorization"] for request in dynamodb.requests]
    assert used == [False, True]


def test_dynamodb_s_own_endpoint_comes_before_the_common_one(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty_dynamodb() as other:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", other.url)
        handle(s3.notification(s3.record("a")))
        assert len(other.writes) == 1
    assert not dynamodb.requests


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TABLE_NAME", ""),
        ("TTL_SECONDS", "a day"),
        ("TTL_SECONDS", ""),
        ("TTL_SECONDS", "9" * 45),
        ("AWS_ENDPOINT_URL", "localhost:8000"),
        ("AWS_ENDPOINT_URL", "http://localhost:8000/path"),
    ],
)
def test_a_missing_or_wrong_setting_is_named(
    name: str, value: str, handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=value or name):
        handle(s3.notification(s3.record("a")))


def test_missing_credentials_are_a_failure_that_says_so(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Exception, match="KeyError: 'AWS_SECRET_ACCESS_KEY'"):
        handle(s3.notification(s3.record("a")))


def test_the_handler_can_be_called_by_hand_without_a_context(
    dynamodb: FaultyDynamoDB,
) -> None:
    import lambda_function

    assert lambda_function.lambda_handler(s3.notification(s3.record("a")), None) == SUCCESS
