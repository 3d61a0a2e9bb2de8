"""Send events to every open page, from any thread."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, is_dataclass
from typing import Any

# A page with more unsent events is disconnected; it reconnects and gets a snapshot.
_MAX_UNSENT = 2000
_QUIET_SECONDS = 15.0


# None disconnects the page.
Listener = asyncio.Queue[str | None]


class Hub:
    """The listeners of one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: set[Listener] = set()
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many pages listen."""
        return len(self._queues)

    def publish(self, kind: str, data: Any) -> None:
        """Send an event to every page; from any thread."""
        if self._queues:
            self._call_soon(self._put, message(kind, data))

    def close(self) -> None:
        """Disconnect every page, and those that come later; from any thread."""
        self._closed = True
        self._call_soon(self._disconnect)

    def join(self) -> Listener:
        """A new listener; from the loop's own thread."""
        self._loop = asyncio.get_running_loop()
        queue: Listener = asyncio.Queue()
        self._queues.add(queue)
        if self._closed:
            queue.put_nowait(None)
        return queue

    def leave(self, queue: Listener) -> None:
        """Remove a listener."""
        self._queues.discard(queue)

    def _call_soon(self, work: Callable[..., None], *arguments: str) -> None:
        # Nobody listens in a loop that never ran, or has ended.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(work, *arguments)

    def _put(self, text: str) -> None:
        for queue in list(self._queues):
            if queue.qsize() < _MAX_UNSENT:
                queue.put_nowait(text)
            else:
                self._queues.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    def _disconnect(self) -> None:
        for queue in self._queues:
            queue.put_nowait(None)


async def hear(queue: Listener) -> AsyncIterator[str]:
    """A listener's events, until it is disconnected."""
    while True:
        try:
            text = await asyncio.wait_for(queue.get(), _QUIET_SECONDS)
        except TimeoutError:
            # Writing is how a connection that is gone is noticed, on both sides.
            text = message("quiet", None)
        if text is None:
            return
        yield text


def message(kind: str, data: Any) -> str:
    """One server-sent event. https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    return f"event: {kind}\ndata: {encode(data)}\n\n"


def encode(data: Any) -> str:
    """JSON in ASCII, so that no line separator of any kind ends an event early.

    Binary attributes of items are in base64, as in DynamoDB's own JSON.
    """
    return json.dumps(data, separators=(",", ":"), default=_jsonable)


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
