"""A table is read and written through throttling, and each refusal is reported."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pipeline.deployed.table import Table, ThrottledError, added, document, read, sentence
from pipeline.errors import PipelineError
from tests.support.aws.faulty_dynamodb import (
    Fault,
    FaultyDynamoDB,
    error,
    faulty_dynamodb,
    message,
    raw,
)

THROTTLED = error(400, "ProvisionedThroughputExceededException")
COST = {"ConsumedCapacity": {"CapacityUnits": 2.5}}


def answer(**document: Any) -> Fault:
    return raw(message(200, json.dumps(document).encode()))


def item(object_id: str) -> dict[str, dict[str, str]]:
    return {"objectId": {"S": object_id}}


@pytest.fixture
def dynamodb() -> Iterator[FaultyDynamoDB]:
    with faulty_dynamodb() as running:
        yield running


@pytest.fixture
def table(dynamodb: FaultyDynamoDB) -> Table:
    client = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb.url,
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return Table(client, "records")


def test_a_throttled_write_is_tried_until_it_is_in(dynamodb: FaultyDynamoDB, table: Table) -> None:
    dynamodb.script.extend([THROTTLED, THROTTLED])
    assert table.put_new(item("a"))
    assert list(dynamodb.items) == ["a"]
    asked = [request.payload["ConditionExpression"] for request in dynamodb.requests]
    assert asked == ["attribute_not_exists(objectId)"] * 3


def test_a_record_that_is_there_costs_a_unit_and_is_no_failure(
    dynamodb: FaultyDynamoDB, table: Table
) -> None:
    dynamodb.script.extend([error(400, "ConditionalCheckFailedException"), answer(**COST)])
    assert not table.put_new(item("a"))
    assert table.put_new(item("b"))
    assert table.write_units == 3.5


def test_a_scan_goes_on_through_throttling_page_by_page(
    dynamodb: FaultyDynamoDB, table: Table
) -> None:
    dynamodb.script.extend(
        [
            THROTTLED,
            answer(Items=[item("a")], LastEvaluatedKey=item("a"), **COST),
            THROTTLED,
            answer(Items=[item("b")], **COST),
        ]
    )
    assert list(table.scan("ü/", consistent=True)) == [[item("a")], [item("b")]]
    assert table.read_units == 5
    assert dynamodb.requests[-1].payload["ExclusiveStartKey"] == item("a")


def test_what_a_batch_left_unread_is_asked_for_again(
    dynamodb: FaultyDynamoDB, table: Table
) -> None:
    left = {"records": {"Keys": [item("b")]}}
    dynamodb.script.extend(
        [
            answer(Responses={"records": [item("a")]}, UnprocessedKeys=left),
            answer(Responses={"records": [item("b")]}, ConsumedCapacity=[{"CapacityUnits": 1}]),
        ]
    )
    assert table.get(["a", "b", "c"]) == [item("a"), item("b")]
    assert table.read_units == 1


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "out of patience"])
def test_a_batch_of_which_nothing_more_is_done_ends(
    dynamodb: FaultyDynamoDB, table: Table, ended: bool
) -> None:
    keys, delete = {"Keys": [item("a")]}, {"DeleteRequest": {"Key": item("a")}}
    table.patience_seconds = 60.0 if ended else 0.0
    if ended:
        table.stopped.set()
    dynamodb.script.append(answer(Responses={}, UnprocessedKeys={"records": keys}))
    with pytest.raises(ThrottledError, match="The table records was throttled"):
        table.get(["a"])
    dynamodb.script.append(answer(UnprocessedItems={"records": [delete]}))
    with pytest.raises(ThrottledError, match="The table records was throttled"):
        table.delete(["a"])
    assert len(dynamodb.requests) == 2


def test_a_closed_table_is_reported_and_a_refused_item_raises(
    dynamodb: FaultyDynamoDB, table: Table
) -> None:
    dynamodb.script.extend([error(400, "AccessDeniedException"), error(400, "ValidationException")])
    with pytest.raises(PipelineError, match=r"table records is closed to you: .* right to PutItem"):
        table.put_new(item("a"))
    with pytest.raises(ClientError, match="ValidationException"):
        table.put_new(item("a"))


def test_what_another_program_wrote_is_no_record() -> None:
    assert read(item("a")) is None


RECORD = {
    "objectId": {"S": "1"},
    "bucket": {"S": "uploads"},
    "objectKey": {"S": "a.pdf"},
    "eventName": {"S": "ObjectCreated:Put"},
    "timestamp": {"N": "0"},
}


def test_what_a_hook_added_is_shown_with_its_record() -> None:
    more: dict[str, Any] = {
        "pages": {"N": "3"},
        "ratio": {"N": "-0.5"},
        "ok": {"BOOL": True},
        "none": {"NULL": True},
        "raw": {"B": b"\x00"},
        "names": {"L": [{"S": "ü"}, {"M": {"n": {"N": "-1"}}}]},
        "kinds": {"NS": ["1", "2"]},
    }
    record = read(RECORD | more)
    assert record is not None
    found = added(RECORD | more)
    assert found == {
        "kinds": [1, 2],
        "names": ["ü", {"n": -1}],
        "none": None,
        "ok": True,
        "pages": 3,
        "ratio": -0.5,
        "raw": "AA==",
    }
    assert document(record, found)["added"] == found
    json.dumps(document(record, found))
    assert sentence("a.pdf", record, {"pages": 3}) == 'a.pdf  ObjectCreated:Put  {"pages": 3}'
    assert sentence("a.pdf", record, {}) == "a.pdf  ObjectCreated:Put"
    assert len(sentence("a.pdf", record, {"text": "x" * 1000})) < 250
