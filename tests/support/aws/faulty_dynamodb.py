"""A DynamoDB on loopback that stores items, and fails when and how a test tells it to.

It implements enough of `PutItem` and `BatchWriteItem` over real sockets. Nothing in it waits longer
than a test does.
"""

import contextlib
import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tools.faults.endpoint import Fault as Fault
from tools.faults.endpoint import FaultyEndpoint, serving
from tools.faults.endpoint import Hangup as Hangup
from tools.faults.endpoint import Item as Item
from tools.faults.endpoint import Request as Request
from tools.faults.endpoint import error as error
from tools.faults.endpoint import message as message
from tools.faults.endpoint import refuses as refuses

_RESET = struct.pack("ii", 1, 0)


@dataclass
class FaultyDynamoDB(FaultyEndpoint):
    """`items` are stored by `objectId`, `writes` has every write in order."""

    items: dict[str, Item] = field(default_factory=dict)
    writes: list[Item] = field(default_factory=list)

    def store(self, items: list[Item]) -> None:
        """Write, as DynamoDB would."""
        for item in items:
            self.items[item["objectId"]["S"]] = item
            self.writes.append(item)

    def answer(self, request: Request) -> bytes:
        """Store the items; returns the answer."""
        if "ConditionExpression" in request.payload:
            (item,) = request.items
            if item["objectId"]["S"] in self.items:
                code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
                return message(400, json.dumps({"__type": code, "message": "there"}).encode())
        self.store(request.items)
        return message(
            200, b"{}" if request.operation == "PutItem" else b'{"UnprocessedItems": {}}'
        )


@contextlib.contextmanager
def faulty_dynamodb(tls: ssl.SSLContext | None = None) -> Iterator[FaultyDynamoDB]:
    """A server on a free port of loopback, over TLS if given a context; ends with the block."""
    with serving(FaultyDynamoDB(), tls) as endpoint:
        yield endpoint


def raw(data: bytes, *, then_hang_up: bool = False) -> Fault:
    """Exactly these bytes; nothing is stored."""

    def fault(endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
        client.sendall(data)
        if then_hang_up:
            raise Hangup

    return fault


def hang_up(endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
    """No answer, nothing stored."""
    raise Hangup


def reset(endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
    """The connection is reset, as by a crash."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    client.close()
    raise Hangup


def store_and_hang_up(endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
    """Stored, and the connection drops before the answer."""
    endpoint.answer(request)
    raise Hangup


def store_and_stop_midway(
    endpoint: FaultyEndpoint, client: socket.socket, request: Request
) -> None:
    """Stored, and the connection drops inside the answer."""
    client.sendall(endpoint.answer(request)[:-1])
    raise Hangup


def answer_then_hang_up(endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
    """A good answer that promises to keep the connection, which then dies."""
    client.sendall(endpoint.answer(request))
    raise Hangup


def silence(endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
    """No answer for as long as the test lasts."""
    endpoint.ended.wait(60)


def drip(endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
    """A head that comes byte by byte and never ends."""
    client.sendall(b"HTTP/1.1 200 OK\r\nx: ")
    while not endpoint.ended.wait(0.02):
        client.sendall(b"x")


def unprocessed(keep: Callable[[Item], bool]) -> Fault:
    """Store the items that `keep` accepts, return the rest as UnprocessedItems."""

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
