"""The handler as Lambda would call it, with a real endpoint on loopback to write to."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lambda_function
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB, faulty_dynamodb

ENVIRONMENT = {
    "TABLE_NAME": "events",
    "TTL_SECONDS": "86400",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret-EXAMPLEKEY",
    "AWS_SESSION_TOKEN": "token-EXAMPLETOKEN",
}


class Context:
    """Lambda's context: a request id and the time that is left."""

    def __init__(self, milliseconds: int = 30_000) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._end = time.monotonic() + milliseconds / 1000

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end - time.monotonic()) * 1000))


Handle = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_CA_BUNDLE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_LOG_LEVEL",
        "METRICS_NAMESPACE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # Each test starts as a fresh process would.
    lambda_function.table.cache_clear()


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyDynamoDB]:
    with faulty_dynamodb() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.url)
        yield endpoint


@pytest.fixture
def handle(dynamodb: FaultyDynamoDB) -> Handle:
    """The handler, called with `Context(milliseconds)` unless told otherwise."""

    def call(event: Any, milliseconds: int = 30_000, context: Any = None) -> dict[str, Any]:
        return lambda_function.lambda_handler(event, context or Context(milliseconds))

    return call


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """The log lines written since the last call, optionally those of one level."""

    def read(level: str | None = None) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in found if level in (None, line.get("level"))]

    return read
