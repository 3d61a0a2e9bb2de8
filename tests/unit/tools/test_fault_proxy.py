"""The fault proxy passes requests on until a rule says otherwise."""

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.aws.faulty_dynamodb import FaultyDynamoDB, faulty_dynamodb
from tests.support.poll import until
from tools.faults.endpoint import Delay, refuses, throttle
from tools.faults.proxy import FaultProxy, fault_proxy


@pytest.fixture
def table() -> Iterator[FaultyDynamoDB]:
    with faulty_dynamodb() as endpoint:
        yield endpoint


@pytest.fixture
def proxy(table: FaultyDynamoDB) -> Iterator[FaultProxy]:
    with fault_proxy(table.url) as proxy:
        yield proxy


def put(url: str, key: str, operation: str = "PutItem") -> tuple[int, Any]:
    """Status and answer of a write as the function makes it."""
    item = {"objectId": {"S": key}, "objectKey": {"S": key}}
    payload: Any = {"TableName": "events", "Item": item}
    if operation == "BatchWriteItem":
        payload = {"RequestItems": {"events": [{"PutRequest": {"Item": item}}]}}
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Authorization": "signed"}
    with contextlib.closing(connection):
        connection.request("POST", "/", json.dumps(payload), headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)


def test_a_request_goes_on_as_it_was_signed(proxy: FaultProxy, table: FaultyDynamoDB) -> None:
    assert put(proxy.url, "a") == (200, {})
    (arrived,) = table.requests
    assert arrived.headers["host"] == proxy.url.removeprefix("http://")
    assert arrived.headers["authorization"] == "signed"
    assert arrived.body == proxy.requests[0].body
    assert list(table.items) == ["a"]


def test_a_refused_key_stops_at_the_proxy_and_its_neighbour_does_not(
    proxy: FaultProxy, table: FaultyDynamoDB
) -> None:
    proxy.rule = refuses("bad")
    status, answer = put(proxy.url, "bad")
    assert (status, answer["__type"].rpartition("#")[2]) == (400, "ValidationException")
    assert put(proxy.url, "good")[0] == 200
    assert list(table.items) == ["good"]


def test_a_throttled_batch_comes_back_unprocessed(proxy: FaultProxy, table: FaultyDynamoDB) -> None:
    proxy.rule = lambda request: throttle
    status, answer = put(proxy.url, "a", "BatchWriteItem")
    assert status == 200
    assert answer["UnprocessedItems"]["events"][0]["PutRequest"]["Item"]["objectId"] == {"S": "a"}
    assert table.items == {}


@pytest.mark.parametrize("stored", [False, True])
def test_a_delayed_write_is_stored_before_or_after_its_release(
    proxy: FaultProxy, table: FaultyDynamoDB, stored: bool
) -> None:
    delay = Delay(stored=stored)
    proxy.rule = lambda request: delay
    client = threading.Thread(target=put, args=(proxy.url, "a"))
    client.start()
    until(lambda: table.items if stored else proxy.requests)
    assert list(table.items) == ["a"] * stored
    delay.release()
    client.join(10)
    assert not client.is_alive()
    assert list(table.items) == ["a"]


def test_a_delayed_write_that_is_dropped_is_never_stored(
    proxy: FaultProxy, table: FaultyDynamoDB
) -> None:
    delay = Delay()
    delay.release(carry_out=False)
    proxy.rule = lambda request: delay
    with pytest.raises(OSError, match=r"closed connection|reset"):
        put(proxy.url, "a")
    assert table.items == {}


def test_without_its_target_the_proxy_drops_the_connection(proxy: FaultProxy) -> None:
    proxy.target = "http://127.0.0.1:9"
    with pytest.raises(OSError, match=r"closed connection|reset"):
        put(proxy.url, "a")
