"""A DynamoDB of our own on loopback that fails when and how a test wants it to.

It speaks enough of `PutItem` and `BatchWriteItem` over real sockets to store items. Nothing in it
waits for longer than a test does.
"""

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.faults.endpoint import (
    Fault,
    FaultyEndpoint,
    Hangup,
    Item,
    Request,
    answer_then_hang_up,
    drip,
    error,
    hang_up,
    message,
    raw,
    refuses,
    reset,
    serving,
    silence,
    store_and_hang_up,
    store_and_stop_midway,
)

__all__ = [
    "Fault",
    "FaultyDynamoDB",
    "Hangup",
    "Item",
    "Request",
    "answer_then_hang_up",
    "drip",
    "error",
    "faulty_dynamodb",
    "hang_up",
    "message",
    "raw",
    "refuses",
    "reset",
    "silence",
    "store_and_hang_up",
    "store_and_stop_midway",
    "unprocessed",
]


@dataclass
class FaultyDynamoDB(FaultyEndpoint):
    """`items` are what is stored, `writes` all that was written, in its order."""

    items: dict[str, Item] = field(default_factory=dict)
    writes: list[Item] = field(default_factory=list)

    def store(self, items: list[Item]) -> None:
        """Write, as DynamoDB would."""
        for item in items:
            self.items[item["objectId"]["S"]] = item
            self.writes.append(item)

    def answer(self, request: Request) -> bytes:
        """Store what was asked for and say so."""
        self.store(request.items)
        document: dict[str, Any] = (
            {} if request.operation == "PutItem" else {"UnprocessedItems": {}}
        )
        return message(200, json.dumps(document).encode())


@contextlib.contextmanager
def faulty_dynamodb(tls: ssl.SSLContext | None = None) -> Iterator[FaultyDynamoDB]:
    """A server on a free port of loopback, over TLS if given a context; ends with the block."""
    with serving(FaultyDynamoDB(), tls) as endpoint:
        yield endpoint


def unprocessed(keep: Callable[[Item], bool]) -> Fault:
    """Write what `keep` says, hand back the rest as UnprocessedItems."""

    def fault(endpoint: FaultyDynamoDB, client: socket.socket, request: Request) -> None:
        if request.operation == "PutItem" and not all(map(keep, request.items)):
            error(400, "ProvisionedThroughputExceededException")(endpoint, client, request)
            return
        endpoint.store([item for item in request.items if keep(item)])
        if request.operation == "PutItem":
            client.sendall(message(200, b"{}"))
            return
        left = [{"PutRequest": {"Item": item}} for item in request.items if not keep(item)]
        table = next(iter(request.payload["RequestItems"]))
        body = json.dumps({"UnprocessedItems": {table: left} if left else {}}).encode()
        client.sendall(message(200, body))

    return fault
