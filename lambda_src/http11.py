"""One kept-alive HTTP/1.1 connection whose every step ends by a deadline.

`http.client` bounds each read, not the answer, so a server that drips holds it for ever. And its
import takes as long as all of this function's.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
from typing import NamedTuple

_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^/:@]+)(?::([0-9]{1,5}))?/?")
_START = re.compile(r"HTTP/1\.1 ([0-9]{3})")
_HEADER = re.compile(r"\r\n([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*(?=\r|\Z)")
_LARGEST_HEAD = 64 * 1024


class Endpoint(NamedTuple):
    """Where to connect. `authority` is what the Host header says."""

    tls: ssl.SSLContext | None
    host: str
    port: int
    authority: str


class Answer(NamedTuple):
    """What the server said; headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse(url: str) -> Endpoint:
    """`http(s)://host[:port]` taken apart. Raises ValueError for anything else."""
    match = _URL.fullmatch(url)
    if not match:
        raise ValueError(f"{url!r} is no endpoint; write http(s)://host[:port]")
    usual = 443 if match[1] == "https" else 80
    port = int(match[3] or usual)
    # Made once: reading a hundred certificate authorities takes 20 ms.
    bundle = os.environ.get("AWS_CA_BUNDLE")
    tls = ssl.create_default_context(cafile=bundle) if usual == 443 else None
    return Endpoint(tls, match[2].strip("[]"), port, url.partition("://")[2].rstrip("/"))


class Connection:
    """Opens at once. Not to be used again unless `reusable`. `answered`: epoch seconds."""

    def __init__(self, endpoint: Endpoint, deadline: float) -> None:
        """Connect by `deadline` (`time.monotonic()` seconds). Raises OSError."""
        self.reusable = True
        self.answered = 0.0
        plain = socket.create_connection((endpoint.host, endpoint.port), _left(deadline))
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_left(deadline))
            self._socket = plain
            if endpoint.tls:
                self._socket = endpoint.tls.wrap_socket(plain, server_hostname=endpoint.host)
        except BaseException:
            plain.close()
            raise

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
            if len(data) > _LARGEST_HEAD:
                raise ConnectionError("the answer's head does not end")
            data += self._receive(deadline)
        status, answer_headers = _head(data[:end].decode("latin-1"))
        data = data[end + 4 :]
        length = answer_headers.get("content-length", "")
        if not length.isdecimal():
            raise ConnectionError("the answer does not say its length")
        while len(data) < int(length):
            data += self._receive(deadline)
        # Bytes beyond the length would be taken for the next answer.
        kept = answer_headers.get("connection") != "close"
        self.reusable = kept and len(data) == int(length)
        self.answered = time.time()
        return Answer(status, answer_headers, data[: int(length)])

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _receive(self, deadline: float) -> bytes:
        self._socket.settimeout(_left(deadline))
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the connection was closed before the answer was complete")
        return data


def _head(text: str) -> tuple[int, dict[str, str]]:
    start = _START.match(text)
    if not start:
        raise ConnectionError(f"the answer is not HTTP/1.1: {text!r:.80}")
    return int(start[1]), dict(_HEADER.findall(text.lower()))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("out of time")
    return left
