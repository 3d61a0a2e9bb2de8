"""The table's records: a scan at first, then its stream, which takes no read units."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.console.board.board import Item
from pipeline.console.sources.session import ReadSession
from pipeline.console.sources.source import Source
from pipeline.deployed.stream import StreamReader, StreamRecord
from pipeline.errors import PipelineError

_SCAN_PAGES = 4
# BatchGetItem takes as many.
_READ_BATCH = 100


@dataclass
class Records(Source):
    """The table and its stream."""

    panel, thing = "records", "the table or its stream"
    interval, quick = (2.0, 1.2), (0.08, 0.5)
    _stream: StreamReader | None = field(default=None, init=False)

    def poll(self, session: ReadSession) -> None:
        table, dynamodb = session.target.table_name, session.client("dynamodb")
        if self._stream is None:
            # Opened before the scan, so that no change is missed.
            stream = StreamReader(
                session.client("dynamodbstreams"), session.target.table_stream_arn
            )
            self.board.load_records(*_scan(dynamodb, table))
            self._stream = stream
        try:
            changes = self._stream.new()
        except (PipelineError, ClientError, BotoCoreError):
            # Shard iterators expire in AWS after 15 minutes, and with an emulator.
            self._stream = None
            raise
        if changes and not self._stream.images:
            changes = _with_images(dynamodb, table, changes)
        self.board.apply_changes(changes)
        # The function logged what it wrote. In AWS the free tier sets the interval.
        if changes and self.embedded:
            self.wake("log")


def search_records(
    session: ReadSession, prefix: str, since: float | None, limit: int
) -> tuple[list[Item], bool]:
    """The newest records by key prefix and event time (epoch seconds).

    And whether all of the table was searched.
    """
    names, values, conditions = {}, {}, []
    if prefix:
        conditions.append("begins_with(#key, :prefix)")
        names["#key"], values[":prefix"] = "objectKey", {"S": prefix}
    if since is not None:
        conditions.append("#time >= :since")
        names["#time"], values[":since"] = "timestamp", {"N": f"{since:.0f}"}
    filters: dict[str, Any] = {}
    if conditions:
        filters = {
            "FilterExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    items, complete = _scan(session.client("dynamodb"), session.target.table_name, **filters)
    items.sort(key=lambda item: float(item.get("timestamp", {}).get("N", 0)))
    return items[-limit:], complete


def _scan(dynamodb: Any, table: str, **filters: Any) -> tuple[list[Item], bool]:
    """Items of the table's first 4 MB, and whether that is all of it."""
    items: list[Item] = []
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, **filters)
    for number, page in enumerate(pages, 1):
        items += page["Items"]
        if number == _SCAN_PAGES:
            return items, not page.get("LastEvaluatedKey")
    return items, True


def _with_images(dynamodb: Any, table: str, changes: Sequence[StreamRecord]) -> list[StreamRecord]:
    """The same with the items as they are now, for a stream without new images."""
    keys = {
        change.keys["objectId"]["S"]: change.keys for change in changes if change.change != "REMOVE"
    }
    images: dict[str, Item] = {}
    if newest := list(keys.values())[-_READ_BATCH:]:
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": newest}})
        images = {item["objectId"]["S"]: item for item in answer["Responses"].get(table, [])}
    return [replace(change, image=images.get(change.keys["objectId"]["S"])) for change in changes]
