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

from trust import Trust
from typed import Any, NamedTuple

# 25 items that come back, each of 400 KB at most, fit in.
_LONGEST_ANSWER = 2**24
_LONGEST_HEAD = 65536
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,7}(?=[ \t]*(?:;|$))")
_STATUS = re.compile(r"HTTP/(1\.[01]) ([1-5][0-9][0-9])(?: |$)")
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^/:@]+)(?::([0-9]{1,5}))?/?")


class _ClosedError(ConnectionError):
    """The server ended the connection."""


class Endpoint(NamedTuple):
    """Where to connect, over TLS if there is a `trust`. `authority` is what Host says."""

    trust: Trust | None
    host: str
    port: int
    authority: str


# Method, path and query, which are encoded already, body.
Request = tuple[str, str, str, bytes]
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
        self._data = b""
        addresses = _addresses(endpoint, deadline)
        end = min(deadline, time.monotonic() + seconds)
        trust = endpoint.trust
        self._socket = (
            _secured(trust, endpoint.host, addresses, end) if trust else _connected(addresses, end)
        )

    def send(self, request: Request, headers: dict[str, str], deadline: float) -> Answer:
        """Send, and read the whole answer by `deadline`. Raises OSError.

        TimeoutError: past the deadline. ConnectionError: cut short, or no HTTP/1.
        """
        self.reusable = False
        method, path, query, body = request
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        # Without it a proxy may compress; unsigned, since a proxy may change it.
        lines += f"accept-encoding: identity\r\ncontent-length: {len(body)}\r\n"
        start = f"{method} {path}{query and '?'}{query} HTTP/1.1\r\n"
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(f"{start}{lines}\r\n".encode("latin-1") + body)

        self._data = b""
        status = 100
        while status < 200:
            # Interim answers (`100 Continue`) come before the real one.
            head = self._until(b"\r\n\r\n", deadline).decode("latin-1")
            version, status, answer_headers = _head(head)
        content, framed = (
            (b"", True) if method == "HEAD" else self._content(answer_headers, deadline)
        )
        # Bytes beyond the answer would be taken for the next one.
        kept = "close" not in answer_headers.get("connection", "").lower()
        self.reusable = kept and framed and version == "1.1" and not self._data
        return status, answer_headers, content

    def _content(self, headers: dict[str, str], deadline: float) -> tuple[bytes, bool]:
        """The answer's content, and whether it ended by itself, not with the connection."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunks(deadline), True
        length = headers.get("content-length")
        if length is not None:
            if not length.isdecimal() or len(length) > 9 or int(length) > _LONGEST_ANSWER:
                raise ConnectionError(f"the answer's length is {length!r:.40}")
            return self._exactly(int(length), deadline), True
        # Whether it was cut short shows the JSON in it.
        with suppress(_ClosedError):
            while True:
                self._receive(deadline)
        return self._data, False

    def _chunks(self, deadline: float) -> bytes:
        content = b""
        while len(content) <= _LONGEST_ANSWER:
            line = self._until(b"\r\n", deadline)
            size = _CHUNK_SIZE.match(line)
            if not size:
                raise ConnectionError(f"a chunk's size is {line!r:.40}")
            if not int(size[0], 16):
                while self._until(b"\r\n", deadline):
                    pass  # trailers
                return content
            content += self._exactly(int(size[0], 16), deadline)
            self._exactly(2, deadline)
        raise ConnectionError("the answer does not end")

    def quiet(self) -> bool:
        """Whether nothing came since the answer: neither an end nor a second answer."""
        return not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _until(self, end: bytes, deadline: float) -> bytes:
        """What comes before `end`, which is taken too."""
        while (found := self._data.find(end)) < 0:
            if len(self._data) > _LONGEST_HEAD:
                raise ConnectionError("the answer's head does not end")
            self._receive(deadline)
        data, self._data = self._data[:found], self._data[found + len(end) :]
        return data

    def _exactly(self, count: int, deadline: float) -> bytes:
        while len(self._data) < count:
            self._receive(deadline)
        data, self._data = self._data[:count], self._data[count:]
        return data

    def _receive(self, deadline: float) -> None:
        self._socket.settimeout(_left(deadline))
        data = self._socket.recv(65536)
        if not data:
            raise _ClosedError("the connection was closed before the answer was complete")
        self._data += data
        if len(self._data) > _LONGEST_ANSWER:
            raise ConnectionError("the answer does not end")


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


def _head(text: str) -> tuple[str, int, dict[str, str]]:
    """Version, status, and headers by their names in lower case."""
    start, *lines = text.split("\r\n")
    match = _STATUS.match(start)
    if not match:
        raise ConnectionError(f"the answer is not HTTP/1: {text}")
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return match[1], int(match[2]), headers


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("out of time")
    return left
