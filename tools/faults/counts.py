"""Count what became of uploads: their records, and their messages in the failure queue.

Key and eTag identify an upload, since every kind of event carries them; so each upload needs
content of its own.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.deployed import failure_queue
from pipeline.deployed.table import Item, Table
from pipeline.handler import events


class Upload(NamedTuple):
    """One object version: its key, decoded, and its eTag without quotes."""

    key: str
    etag: str


@dataclass(frozen=True)
class Counts:
    """`items` by `objectId`; how many `records` and failure `messages` each upload has.

    `without_event` counts messages that hold no S3 event.
    """

    items: dict[str, Item] = field(default_factory=dict)
    records: Counter[Upload] = field(default_factory=Counter)
    messages: Counter[Upload] = field(default_factory=Counter)
    without_event: int = 0


def count(dynamodb: Any, sqs: Any, table: str, queue_url: str, prefix: str) -> Counts:
    """Count the records below the key `prefix`, and all messages of the failure queue.

    `dynamodb` and `sqs` are boto3 clients. The messages stay, and are visible again afterwards.
    """
    items = {item["objectId"]["S"]: item for item in scan(dynamodb, table, prefix)}
    records = Counter(
        Upload(item["objectKey"]["S"], item.get("eTag", {}).get("S", "")) for item in items.values()
    )
    failures = [list(uploads_in(failure)) for failure in failure_queue.peek(sqs, queue_url)]
    messages = Counter(upload for uploads in failures for upload in uploads)
    return Counts(items, records, messages, failures.count([]))


def scan(dynamodb: Any, table: str, prefix: str) -> Iterator[Item]:
    """The records below the key `prefix`."""
    for page in Table(dynamodb, table).scan(prefix, consistent=True):
        yield from page


def uploads_in(failure: failure_queue.Failure) -> Iterator[Upload]:
    """The uploads in the event of a message, as the function reads it."""
    if isinstance(failure, failure_queue.FailedEvent):
        for _, event in events.read(failure.event).events:
            yield Upload(event.key, event.etag)
