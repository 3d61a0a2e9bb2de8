"""One kept-alive HTTP/1.1 connection whose every step ends by a deadline.

`http.client` bounds each read, not the answer, and takes as long to import as all of this.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple

from trust import Trust

_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^/:@]+)(?::([0-9]{1,5}))?/?")


class Endpoint(NamedTuple):
    """Where to connect, over TLS if there is a `trust`. `authority` is what Host says."""

    trust: Trust | None
    host: str
    port: int
    authority: str


# Status, headers in lower case, body.
Answer = tuple[int, dict[str, str], bytes]


def parse(url: str) -> Endpoint:
    """`http(s)://host[:port]` taken apart. Raises ValueError for anything else."""
    match = _URL.fullmatch(url)
    if not match:
        raise ValueError(f"{url!r} is no endpoint; write http(s)://host[:port]")
    secure = match[1] == "https"
    port = int(match[3] or (443 if secure else 80))
    authority = url.partition("://")[2].rstrip("/")
    return Endpoint(Trust() if secure else None, match[2].strip("[]"), port, authority)


class Connection:
    """Opens at once. Not to be used again unless `reusable` and, after a while, `quiet`."""

    def __init__(self, endpoint: Endpoint, seconds: float, deadline: float) -> None:
        """Connect in so many `seconds` and by `deadline` (`time.monotonic()`). Raises OSError."""
        self.reusable = True
        addresses = _addresses(endpoint, deadline)
        end = min(deadline, time.monotonic() + seconds)
        trust = endpoint.trust
        self._socket = (
            _secured(trust, endpoint.host, addresses, end) if trust else _connected(addresses, end)
        )

    def post(self, headers: dict[str, str], body: bytes, deadline: float) -> Answer:
        """Send to `/` and read the whole answer by `deadline`. Raises OSError.

        TimeoutError: past the deadline. ConnectionError: cut short, or not HTTP/1.1 with a length.
        """
        self.reusable = False
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(head.encode("latin-1") + body)

        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > 65536:
                raise ConnectionError("the answer's head does not end")
            data += self._receive(deadline)
        status, answer_headers = _head(data[:end].decode("latin-1"))
        data = data[end + 4 :]
        length = answer_headers.get("content-length", "")
        if not length.isdecimal() or len(length) > 9:
            raise ConnectionError("the answer does not say its length")
        while len(data) < int(length):
            data += self._receive(deadline)
        # Bytes beyond the length would be taken for the next answer.
        kept = answer_headers.get("connection") != "close"
        self.reusable = kept and len(data) == int(length)
        return status, answer_headers, data[: int(length)]

    def quiet(self) -> bool:
        """Whether nothing came since the answer: neither an end nor a second answer."""
        return not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _receive(self, deadline: float) -> bytes:
        self._socket.settimeout(_left(deadline))
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the connection was closed before the answer was complete")
        return data


def _addresses(endpoint: Endpoint, deadline: float) -> list[Any]:
    found: list[Any] = []

    def resolve() -> None:
        with suppress(OSError, UnicodeError):
            found.extend(socket.getaddrinfo(endpoint.host, endpoint.port, 0, socket.SOCK_STREAM))

    # In a thread, since the resolver's own time limit may be longer than an invoke.
    resolver = threading.Thread(target=resolve, daemon=True)
    resolver.start()
    resolver.join(_left(deadline))
    if not found:
        raise ConnectionError(f"no name server told an address of {endpoint.host} in time")
    return found


def _connected(addresses: list[Any], end: float) -> socket.socket:
    (family, kind, protocol, _, address), *others = addresses
    plain = socket.socket(family, kind, protocol)
    try:
        # A share for each: `create_connection` gives each the whole time.
        plain.settimeout(_left(end) / len(addresses))
        plain.connect(address)
        plain.settimeout(_left(end))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain
    except OSError:
        plain.close()
        if not others:
            raise
    return _connected(others, end)


def _secured(trust: Trust, host: str, addresses: list[Any], end: float) -> socket.socket:
    # As this handshake finds it: another thread may widen it meanwhile.
    whole = trust.whole
    try:
        plain = _connected(addresses, end)
        return trust.context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError:
        if whole:
            raise
    trust.widen()
    return trust.context.wrap_socket(_connected(addresses, end), server_hostname=host)


def _head(text: str) -> tuple[int, dict[str, str]]:
    start, *lines = text.lower().split("\r\n")
    if start[:9] != "http/1.1 " or not start[9:12].isdecimal():
        raise ConnectionError(f"the answer is not HTTP/1.1: {text}")
    fields = (line.partition(":") for line in lines)
    return int(start[9:12]), {name: value.strip() for name, _, value in fields}


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("out of time")
    return left
