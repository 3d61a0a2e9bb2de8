"""Wait for what happens elsewhere, with a deadline instead of a sleep."""

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
