"""Count what became of uploads: their records, and the messages in the failure queue.

An upload is told by its key and eTag, which every event carries whichever way it came; so whoever
counts gives each upload contents of its own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.deployed import failure_queue
from pipeline.handler import events

Item = dict[str, dict[str, str]]


class Upload(NamedTuple):
    """One object version: its key, decoded, and its eTag without quotes."""

    key: str
    etag: str


@dataclass(frozen=True)
class Tally:
    """`items` by `objectId`; how many `records` and failure `messages` each upload has.

    `strangers` are messages in which no S3 event was found.
    """

    items: dict[str, Item] = field(default_factory=dict)
    records: Counter[Upload] = field(default_factory=Counter)
    messages: Counter[Upload] = field(default_factory=Counter)
    strangers: int = 0

    def accounts_for(self, uploads: Iterable[Upload]) -> bool:
        """Whether each upload has a record or a message."""
        return all(self.records[one] or self.messages[one] for one in uploads)


def take(dynamodb: Any, sqs: Any, table: str, queue_url: str, prefix: str) -> Tally:
    """Count the records of keys that begin with `prefix`, and all messages of the failure queue.

    `dynamodb` and `sqs` are boto3 clients. The messages stay and are visible again afterwards.
    """
    items = {item["objectId"]["S"]: item for item in scan(dynamodb, table, prefix)}
    records = Counter(
        Upload(item["objectKey"]["S"], item.get("eTag", {}).get("S", "")) for item in items.values()
    )
    messages: Counter[Upload] = Counter()
    strangers = 0
    for failure in failure_queue.peek(sqs, queue_url):
        found = list(uploads_in(failure))
        messages.update(found)
        strangers += not found
    return Tally(items, records, messages, strangers)


def scan(dynamodb: Any, table: str, prefix: str) -> Iterator[Item]:
    """The records of keys that begin with `prefix`."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        FilterExpression="begins_with(objectKey, :prefix)",
        ExpressionAttributeValues={":prefix": {"S": prefix}},
    )
    for page in pages:
        yield from page["Items"]


def uploads_in(failure: failure_queue.Failure) -> Iterator[Upload]:
    """The uploads that the event in a message tells of, as the function reads it."""
    if isinstance(failure, failure_queue.FailedEvent):
        for _, event in events.read(failure.event).events:
            yield Upload(event.key, event.etag)
