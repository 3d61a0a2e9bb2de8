"""Wait for what happens elsewhere, with a deadline instead of a sleep; time what must be quick."""

import time
from collections.abc import Callable

# A look takes the emulator and this process some milliseconds of processor time each.
_PAUSE_SECONDS = 0.1


def until[T](look: Callable[[], T], seconds: float = 120.0) -> T:
    """Look until something truthy is there and return it; raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {seconds} s")
        time.sleep(_PAUSE_SECONDS)
    return found


def at_some_pace[T](attempt: Callable[[int], T], most: int = 32) -> T:
    """What `attempt` returns, given how many times as long it may take: 1, or what it needs.

    For what must end in its time: a busy machine pauses a process for a while, a fault comes at
    every pace. Raises what the last attempt raised.
    """
    pace = 1
    while True:
        try:
            return attempt(pace)
        except Exception:
            if pace >= most:
                raise
            pace *= 2
