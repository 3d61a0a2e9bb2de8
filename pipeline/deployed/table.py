"""Read and write a table's records: wait while it throttles, and count the units."""

import base64
import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import batched, count
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from pipeline import times
from pipeline.deployed import aws
from pipeline.errors import PipelineError
from pipeline.handler import hooks

Item = Mapping[str, Mapping[str, str]]

# About 300 KB: a bite that a table of 5 read units has saved up within seconds.
_SCAN_PAGE = 1000
# What BatchGetItem and BatchWriteItem take.
_READ_BATCH = 100
_WRITE_BATCH = 25
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
# Of what was added to a record, in a line for people.
_SHOWN = 200
_EXISTS = "ConditionalCheckFailedException"
_THROTTLED = re.compile("throttl|ThroughputExceeded|RequestLimitExceeded", re.I)
_ATTRIBUTES = (
    "objectId",
    "bucket",
    "objectKey",
    "versionId",
    "eventName",
    "timestamp",
    "ttl",
    "sequencer",
    "eTag",
    "size",
)


class ThrottledError(PipelineError):
    """The table had no capacity left for as long as the caller waits."""


class Record(NamedTuple):
    """A record's attributes that are compared; absent ones are empty, `ttl` and `size` None.

    `timestamp` and `ttl` are in epoch seconds, `size` in bytes, `name` is the event's.
    """

    object_id: str
    bucket: str
    key: str
    version_id: str
    name: str
    timestamp: int
    ttl: int | None
    sequencer: str
    etag: str
    size: int | None

    @property
    def family(self) -> str:
        """The event's name without its last word: `ObjectCreated`."""
        return self.name.partition(":")[0]


def read(item: Item) -> Record | None:
    """The record in an item; None for what another program wrote."""
    try:
        return Record(
            item["objectId"]["S"],
            item["bucket"]["S"],
            item["objectKey"]["S"],
            item.get("versionId", {}).get("S", ""),
            item["eventName"]["S"],
            int(item["timestamp"]["N"]),
            int(item["ttl"]["N"]) if "ttl" in item else None,
            item.get("sequencer", {}).get("S", ""),
            item.get("eTag", {}).get("S", ""),
            int(item["size"]["N"]) if "size" in item else None,
        )
    except (KeyError, ValueError):
        return None


def added(item: Item) -> dict[str, Any]:
    """What a hook, or somebody else, added to a record; as JSON has it, bytes in base64."""
    found = {}
    for name in sorted(item.keys() - hooks.RESERVED):
        try:
            found[name] = _plain(item[name])
        except (AttributeError, TypeError, ValueError):
            found[name] = str(item[name])
    return found


def _plain(typed: Mapping[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    match kind:
        case "N":
            return int(value) if value.lstrip("-").isdecimal() else float(value)
        case "B":
            return base64.b64encode(value).decode()
        case "L":
            return [_plain(each) for each in value]
        case "M":
            return {name: _plain(each) for name, each in value.items()}
        case "SS" | "NS" | "BS":
            return [_plain({kind[0]: each}) for each in value]
        case "NULL":
            return None
    return value


def sentence(key: str, record: Record, more: Mapping[str, Any]) -> str:
    """A record for people: its `key`, its event, what was added to it, cut where it is long."""
    line = f"{key}  {record.name}"
    if not more:
        return line
    text = json.dumps(more, ensure_ascii=False)
    return f"{line}  {text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}"


def document(record: Record, more: Mapping[str, Any]) -> dict[str, Any]:
    """A record for programs, and what was added to it; times are ISO, in UTC."""
    return {
        "key": record.key,
        "event": record.name,
        "time": times.iso(record.timestamp),
        "size": record.size,
        "bucket": record.bucket,
        "versionId": record.version_id or None,
        "eTag": record.etag or None,
        "sequencer": record.sequencer or None,
        "objectId": record.object_id,
        "expires": None if record.ttl is None else times.iso(record.ttl),
        "added": dict(more),
    }


def is_throttled(error: str) -> bool:
    """Whether an error's code, or a text with a code in it, says that DynamoDB lacked capacity."""
    return bool(_THROTTLED.search(error))


@dataclass
class Table:
    """A table by `name`, through boto3's client; what was asked so far has cost so many units.

    `stopped` ends the waiting for a throttled table. Every method raises PipelineError where the
    table can't be used, and ThrottledError when it was throttled for `patience_seconds` on end.
    """

    dynamodb: Any
    name: str
    patience_seconds: float = 300.0
    read_units: float = 0.0
    write_units: float = 0.0
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def description(self) -> Mapping[str, Any]:
        """DescribeTable's answer."""
        with self._asking():
            answer: Mapping[str, Any] = self.dynamodb.describe_table(TableName=self.name)["Table"]
        return answer

    def scan(
        self, prefix: str = "", *, consistent: bool = False, whole: bool = False
    ) -> Iterator[list[Item]]:
        """All items whose `objectKey` has the prefix, a page at a time; `whole`: all attributes.

        This reads, and costs, the whole table.
        """
        asked: dict[str, Any] = {
            "TableName": self.name,
            "ConsistentRead": consistent,
            "Limit": _SCAN_PAGE,
            "ReturnConsumedCapacity": "TOTAL",
            **({} if whole else _PROJECTION),
        }
        if prefix:
            asked.setdefault("ExpressionAttributeNames", {"#objectKey": "objectKey"})
            asked["FilterExpression"] = "begins_with(#objectKey, :prefix)"
            asked["ExpressionAttributeValues"] = {":prefix": {"S": prefix}}
        while True:
            answer = self._patiently(lambda: self.dynamodb.scan(**asked))
            self._count_read([answer.get("ConsumedCapacity", {})])
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def get(self, object_ids: Iterable[str], *, consistent: bool = False) -> list[Item]:
        """Those items that exist: half a read unit each, a whole one if consistent."""
        found: list[Item] = []

        def read(keys: Sequence[Any]) -> Sequence[Any]:
            answer = self._batch_get(keys, consistent)
            self._count_read(answer.get("ConsumedCapacity", ()))
            found.extend(answer.get("Responses", {}).get(self.name, []))
            left: Sequence[Any] = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys")
            return left or ()

        for batch in batched(object_ids, _READ_BATCH):
            self._all_of([{"objectId": {"S": object_id}} for object_id in batch], read)
        return found

    def stored(self, object_ids: Iterable[str]) -> set[str]:
        """Which of these `objectId`s have a record now: a read unit each."""
        return {item["objectId"]["S"] for item in self.get(object_ids, consistent=True)}

    def delete(self, object_ids: Iterable[str]) -> None:
        """Delete the records with these `objectId`s; one that is not there is no error."""

        def write(requests: Sequence[Any]) -> Sequence[Any]:
            asked = {self.name: requests}
            answer = self._patiently(partial(self.dynamodb.batch_write_item, RequestItems=asked))
            left: Sequence[Any] = answer.get("UnprocessedItems", {}).get(self.name)
            return left or ()

        for batch in batched(object_ids, _WRITE_BATCH):
            keys = ({"objectId": {"S": object_id}} for object_id in batch)
            self._all_of([{"DeleteRequest": {"Key": key}} for key in keys], write)

    def put_new(self, item: Item) -> bool:
        """Write an item unless its `objectId` exists; whether it was written.

        It costs a write unit also where it exists. Raises botocore's ClientError where the item is
        refused (ValidationException).
        """

        def put() -> Any:
            try:
                return self.dynamodb.put_item(
                    TableName=self.name,
                    Item=item,
                    ConditionExpression="attribute_not_exists(objectId)",
                    ReturnConsumedCapacity="TOTAL",
                )
            except ClientError as error:
                if aws.code(error) in (_EXISTS, "ValidationException"):
                    return error
                raise

        answer = self._patiently(put)
        if isinstance(answer, ClientError):
            if aws.code(answer) != _EXISTS:
                raise answer
            self._count_write(1.0)
            return False
        self._count_write(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 1.0))
        return True

    def _batch_get(self, keys: Sequence[Any], consistent: bool) -> Any:
        asked = {self.name: {"Keys": keys, "ConsistentRead": consistent, **_PROJECTION}}
        return self._patiently(
            lambda: self.dynamodb.batch_get_item(RequestItems=asked, ReturnConsumedCapacity="TOTAL")
        )

    def _all_of(self, batch: Sequence[Any], ask: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        """Ask for a batch until nothing of it is left, as far as more of it is done in time."""
        deadline = time.monotonic() + self.patience_seconds
        for attempt in count():
            left = ask(batch)
            if not left:
                return
            if len(left) < len(batch):
                deadline = time.monotonic() + self.patience_seconds
            elif self.stopped.is_set() or time.monotonic() > deadline:
                raise self._throttled()
            batch = left
            self._pause(attempt)

    def _throttled(self) -> ThrottledError:
        return ThrottledError(
            f"The table {self.name} was throttled for {self.patience_seconds:g} s: give it more "
            "units, or try again when less is going on."
        )

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """The answer, however long the table is throttled, as far as that is bearable."""
        deadline = time.monotonic() + self.patience_seconds
        for attempt in count():
            with self._asking():
                try:
                    return call()
                except ClientError as error:
                    if not is_throttled(aws.code(error)):
                        raise
                    if self.stopped.is_set() or time.monotonic() > deadline:
                        raise self._throttled() from error
            self._pause(attempt)
        raise AssertionError("unreachable")

    def _pause(self, attempt: int) -> None:
        span = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 10))
        self.stopped.wait(span * random.uniform(0.5, 1))  # noqa: S311  (nothing secret)

    def _asking(self) -> Any:
        fix = "take table_name from the stack's outputs, and its account and region"
        return aws.asking(f"the table {self.name}", fix)

    def _count_read(self, consumed: Iterable[Mapping[str, Any]]) -> None:
        self.read_units += sum(float(capacity.get("CapacityUnits", 0)) for capacity in consumed)

    def _count_write(self, units: float) -> None:
        with self._lock:
            self.write_units += units


def client(parallel: int = 1, **settings: Any) -> Any:
    """A DynamoDB client for a `Table`, which retries itself. Raises PipelineError."""
    return aws.client("dynamodb", attempts=3, parallel=parallel, **settings)


# Most of these names are reserved words.
_PROJECTION: Mapping[str, Any] = {
    "ProjectionExpression": ", ".join(f"#{name}" for name in _ATTRIBUTES),
    "ExpressionAttributeNames": {f"#{name}": name for name in _ATTRIBUTES},
}
