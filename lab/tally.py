"""Count what became of uploads: their records, and the messages in the failure queue.

An upload is told by its key and eTag, which every event carries whichever way it came; so whoever
counts gives each upload contents of its own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lab import failures
from lab.handler import events

Item = dict[str, dict[str, str]]

# For as long as the queue is read; then all are shown again.
_HIDDEN_SECONDS = 60


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
    for failure in lying_in(sqs, queue_url):
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


def lying_in(sqs: Any, queue_url: str, wait_seconds: int = 0) -> list[failures.Failure]:
    """All messages of a failure queue, which stay in it and are visible again afterwards.

    Of a queue in AWS, some only without a `wait_seconds` of 1 to 20: then it asks all its servers.
    """
    received: dict[str, Any] = {}
    while page := sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_HIDDEN_SECONDS,
        WaitTimeSeconds=wait_seconds,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        received |= {message["MessageId"]: message for message in page}
    for message in received.values():
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    return [failures.read(message) for message in received.values()]


def waiting(sqs: Any, queue_url: str) -> int:
    """How many messages a queue holds, hidden ones included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def uploads_in(failure: failures.Failure) -> Iterator[Upload]:
    """The uploads that the event in a message tells of, as the function reads it."""
    if isinstance(failure, failures.FailedEvent):
        for _, event in events.read(failure.event).events:
            yield Upload(event.key, event.etag)
