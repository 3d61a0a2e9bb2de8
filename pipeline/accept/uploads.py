"""Upload without a pause while something else goes on."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.errors import PipelineError

_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 120.0


@dataclass
class Uploads:
    """The `keys` that were uploaded so far."""

    keys: list[str] = field(default_factory=list)
    _future: "Future[None]" = field(default_factory=Future)

    def wait_for(self, more: int) -> None:
        """Wait for so many `more` uploads; raises what an upload raised, and PipelineError."""
        enough, deadline = len(self.keys) + more, time.monotonic() + _PATIENCE_SECONDS
        while len(self.keys) < enough and not self._future.done():
            if time.monotonic() > deadline:
                raise PipelineError(f"{more} uploads took over {_PATIENCE_SECONDS:.0f} s.")
            time.sleep(_LOOK_SECONDS)
        if self._future.done():
            self._future.result()


@contextmanager
def uploading(upload: Callable[[int], str], pause_seconds: float) -> Iterator[Uploads]:
    """Call `upload` with 0, 1, 2 and so on for the block; it returns the key."""
    uploads, stop = Uploads(), threading.Event()

    def run() -> None:
        for number in itertools.count():
            uploads.keys.append(upload(number))
            if stop.wait(pause_seconds):
                return

    with ThreadPoolExecutor(1) as pool:
        uploads._future = pool.submit(run)
        try:
            yield uploads
        finally:
            stop.set()
        uploads._future.result()
