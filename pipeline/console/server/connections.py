"""Bound what anybody on this machine can take from the page without its link."""

import asyncio
import logging
import resource
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

# A browser needs no second for it.
_STRANGER_SECONDS = 10.0
# Files, AWS clients and the lab's emulator need the rest of the open files.
_SHARE = 4
_AT_LEAST = 16
# asyncio accepts so many before it hands any of them over.
_ACCEPTED_AT_ONCE = 16

Address = tuple[str, int]


class Connections:
    """The connections to the page, as many as this process may have files open, divided by four.

    One that has not sent a request with the link's token is a stranger. It is closed after ten
    seconds, or as soon as there is no room for a new one.
    """

    def __init__(self, most: int | None = None) -> None:
        """At most `most` connections."""
        open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = max(_AT_LEAST, open_files // _SHARE) if most is None else most
        # In the order in which they came.
        self._strangers: dict[Address, asyncio.Transport] = {}
        self._known: set[Address] = set()

    def know(self, address: Address) -> None:
        """The connection from that address has the link."""
        if self._strangers.pop(address, None) is not None:
            self._known.add(address)

    @property
    def protocol(self) -> type[H11Protocol]:
        """uvicorn's protocol for these connections."""
        connections = self

        class Bounded(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                connections._add(self.client, transport, self.loop)

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                connections._forget(self.client)

        return Bounded

    def _add(
        self, address: Address | None, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop
    ) -> None:
        if address is None:
            transport.abort()
            return
        self._strangers[address] = transport
        loop.call_later(_STRANGER_SECONDS, self._close, address, transport)
        if len(self._strangers) + len(self._known) > self._most:
            oldest = next(iter(self._strangers))
            self._close(oldest, self._strangers[oldest])

    def _close(self, address: Address, transport: asyncio.Transport) -> None:
        if self._strangers.get(address) is transport:
            del self._strangers[address]
            transport.abort()

    def _forget(self, address: Address | None) -> None:
        if address is not None:
            self._strangers.pop(address, None)
            self._known.discard(address)


def configuration(app: ASGIApp, connections: Connections) -> uvicorn.Config:
    """How uvicorn serves the page to these connections."""
    return uvicorn.Config(
        app,
        http=connections.protocol,
        backlog=_ACCEPTED_AT_ONCE,
        # The link is a secret: it must not be in any log.
        access_log=False,
        # Whoever sends what is no HTTP gets an answer; nobody has to read of it.
        log_level=logging.ERROR,
        server_header=False,
        timeout_graceful_shutdown=2,
        ws="none",
    )


def refuse_quietly(loop: asyncio.AbstractEventLoop) -> None:
    """Refuse a connection that finds no open file left, without a traceback for each.

    asyncio tries again after a second.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not str(context.get("message", "")).startswith("socket.accept()"):
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
