"""Hand what happens on to every page that listens, from any thread."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

# A page that takes no more than that is too slow to be told; it asks for everything again.
_BACKLOG = 2000
_QUIET_SECONDS = 15.0


# None sends the page away.
Listener = asyncio.Queue[str | None]


class Hub:
    """Listeners of one event loop."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: set[Listener] = set()
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many pages listen."""
        return len(self._queues)

    def publish(self, kind: str, data: Any) -> None:
        """Tell every page; from any thread."""
        if self._queues:
            self._soon(self._put, message(kind, data))

    def close(self) -> None:
        """Send every page away; from any thread."""
        self._closed = True
        self._soon(self._send_away)

    def join(self) -> Listener:
        """Listen from now on; from the loop's own thread."""
        self._loop = asyncio.get_running_loop()
        queue: Listener = asyncio.Queue()
        self._queues.add(queue)
        if self._closed:
            queue.put_nowait(None)
        return queue

    def leave(self, queue: Listener) -> None:
        """Listen no more."""
        self._queues.discard(queue)

    def _soon(self, work: Callable[..., None], *arguments: str) -> None:
        # Nobody listens in a loop that was never there, or has ended meanwhile.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(work, *arguments)

    def _put(self, text: str) -> None:
        for queue in list(self._queues):
            if queue.qsize() < _BACKLOG:
                queue.put_nowait(text)
            else:
                # It must not grow while the page takes nothing at all.
                self._queues.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    def _send_away(self) -> None:
        for queue in self._queues:
            queue.put_nowait(None)


async def hear(queue: Listener) -> AsyncIterator[str]:
    """What a listener is told; ends when it is sent away."""
    while True:
        try:
            text = await asyncio.wait_for(queue.get(), _QUIET_SECONDS)
        except TimeoutError:
            # So that a connection that is gone is noticed.
            text = ": quiet\n\n"
        if text is None:
            return
        yield text


def message(kind: str, data: Any) -> str:
    """One server-sent event. https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    return f"event: {kind}\ndata: {encoded(data)}\n\n"


def encoded(data: Any) -> str:
    """JSON in ASCII, so that no line separator of any kind ends an event early.

    Binary attributes of items are in base64, as DynamoDB itself sends them.
    """
    return json.dumps(data, separators=(",", ":"), default=_binary)


def _binary(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is nothing that a page is told")
