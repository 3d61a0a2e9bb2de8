"""Hand what happens on to every page that listens, from any thread."""

import asyncio
import json
from collections.abc import AsyncIterator
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
        if self._loop is None or not self._queues or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._put, message(kind, data))

    def close(self) -> None:
        """Send every page away; from the loop's own thread."""
        self._closed = True
        for queue in self._queues:
            queue.put_nowait(None)

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

    def _put(self, text: str) -> None:
        for queue in self._queues:
            if queue.qsize() < _BACKLOG:
                queue.put_nowait(text)
            else:
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
    # ASCII: no line separator of any kind may end it early.
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
