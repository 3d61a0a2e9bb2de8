"""A DynamoDB endpoint on loopback that fails as it is told to.

Before each answer it takes the next fault of its script, then asks its rule for a fault. A subclass
gives the answer when there is none.
"""

import contextlib
import json
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

Item = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Request:
    """One request; `connection` numbers the connections from 0."""

    operation: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def payload(self) -> Any:
        """Its JSON."""
        return json.loads(self.body)

    @property
    def items(self) -> list[Item]:
        """The items to write."""
        if self.operation == "PutItem":
            return [self.payload["Item"]]
        (puts,) = self.payload["RequestItems"].values()
        return [put["PutRequest"]["Item"] for put in puts]

    @property
    def keys(self) -> list[str]:
        """Their `objectKey`s."""
        return [item["objectKey"]["S"] for item in self.items]


class Hangup(Exception):  # noqa: N818  (an instruction, not an error)
    """Raised by a fault to end the connection."""


# Called instead of the ordinary answer, with the endpoint: Any, as some need a certain kind of it.
Fault = Callable[[Any, socket.socket, Request], None]
Rule = Callable[[Request], Fault | None]


@dataclass
class FaultyEndpoint:
    """`requests` are all that came, `script` the next faults.

    After the script `rule` decides, called by one thread at a time.
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    script: deque[Fault] = field(default_factory=deque)
    rule: Rule = lambda request: None
    connections: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> bytes:
        """Carry out the request; returns the whole HTTP answer."""
        raise NotImplementedError

    def serve(self, client: socket.socket, number: int) -> None:
        """Answer one connection's requests until either side closes it."""
        with client, contextlib.suppress(OSError, Hangup):
            stream = client.makefile("rb")
            while (request := _read(stream, number)) is not None:
                with self._lock:
                    self.requests.append(request)
                    fault = self.script.popleft() if self.script else self.rule(request)
                if fault is None:
                    client.sendall(self.answer(request))
                else:
                    fault(self, client, request)


def _read(stream: Any, number: int) -> Request | None:
    line = stream.readline()
    if not line:
        return None
    headers = {}
    while (header := stream.readline()) not in (b"\r\n", b""):
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers["content-length"]))
    operation = headers["x-amz-target"].rpartition(".")[2]
    return Request(operation, headers, body, number)


@contextlib.contextmanager
def serving[E: FaultyEndpoint](endpoint: E, tls: ssl.SSLContext | None = None) -> Iterator[E]:
    """`endpoint` on a free port of loopback, over TLS if given a context; ends with the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    endpoint.url = f"http://127.0.0.1:{port}"
    if tls:
        endpoint.url = f"https://localhost:{port}"
        # Each connection's own thread does its handshake.
        listener = tls.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
    clients: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients.append(client)
                number, endpoint.connections = endpoint.connections, len(clients)
                serve = threading.Thread(target=endpoint.serve, args=(client, number), daemon=True)
                serve.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield endpoint
    finally:
        endpoint.ended.set()
        for opened in (listener, *clients):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        accepting.join(5)


def message(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """An HTTP answer."""
    lines = {
        "date": formatdate(usegmt=True),
        "content-type": "application/x-amz-json-1.0",
        "content-length": str(len(body)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + body


def error(
    status: int, code: str, text: str = "on purpose", headers: dict[str, str] | None = None
) -> Fault:
    """DynamoDB's error `code`."""
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    body = json.dumps({"__type": kind, "message": text}).encode()
    answer = message(status, body, headers)
    return lambda endpoint, client, request: client.sendall(answer)


def throttle(endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
    """Nothing is stored: a batch comes back as UnprocessedItems, one item is an error."""
    if request.operation == "PutItem":
        error(400, "ProvisionedThroughputExceededException")(endpoint, client, request)
    else:
        left = {"UnprocessedItems": request.payload["RequestItems"]}
        client.sendall(message(200, json.dumps(left).encode()))


def refuses(pattern: str) -> Rule:
    """A rule: DynamoDB refuses every request that holds an item whose key matches `pattern`.

    As DynamoDB does, it refuses the whole batch, without saying for which item.
    """
    refusal = error(400, "ValidationException", "Item size has exceeded the allowed maximum")
    return lambda request: refusal if any(re.search(pattern, key) for key in request.keys) else None


class Delay:
    """A fault that delays requests until they are released.

    With `stored` they are carried out at once, and only the answer is delayed.
    """

    def __init__(self, *, stored: bool = False) -> None:
        self._stored = stored
        self._carry_out = True
        self._released = threading.Event()

    def __call__(self, endpoint: FaultyEndpoint, client: socket.socket, request: Request) -> None:
        """Wait, at most until the endpoint ends."""
        answer = endpoint.answer(request) if self._stored else b""
        while not self._released.wait(0.05):
            if endpoint.ended.is_set():
                raise Hangup
        if not answer and not self._carry_out:
            raise Hangup
        client.sendall(answer or endpoint.answer(request))

    def release(self, *, carry_out: bool = True) -> None:
        """Release these requests and all later ones; without `carry_out` the rest is not stored."""
        self._carry_out = carry_out
        self._released.set()
