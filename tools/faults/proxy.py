"""A proxy on loopback that stands before a real DynamoDB endpoint and fails on demand.

It passes requests on as they are, the Host header included: that is signed.
"""

import contextlib
import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tools.faults.endpoint import FaultyEndpoint, Request, message, serving

# Of one connection, not of the answer; ours to the endpoint ends with each request.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_SECONDS = 30.0


@dataclass
class FaultProxy(FaultyEndpoint):
    """`target` is the URL that requests go on to; it may move while the proxy stays."""

    target: str = ""

    def answer(self, request: Request) -> bytes:
        """The target's own answer. Raises OSError when there is none, which drops the client."""
        place = urlsplit(self.target)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.putrequest("POST", "/", skip_host=True, skip_accept_encoding=True)
                for name, value in request.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(request.body)
                answer = connection.getresponse()
                body = answer.read()
            except http.client.HTTPException as error:
                raise ConnectionError(f"{self.target} gave no HTTP answer: {error!r}") from error
        headers = {name.lower(): value for name, value in answer.getheaders()}
        kept = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
        return message(answer.status, body, kept)


@contextlib.contextmanager
def fault_proxy(target: str = "") -> Iterator[FaultProxy]:
    """A proxy to `target` on a free port of loopback; ends with the block."""
    with serving(FaultProxy(target=target)) as proxy:
        yield proxy
