"""Processes: those that work in a folder, by what Linux tells in /proc, and what one says."""

import time
from pathlib import Path
from typing import IO


def processes(folder: Path) -> dict[int, str]:
    """The processes that work in a folder, with their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()).startswith(str(folder)):
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def wait_until_gone(folder: Path, seconds: float = 60) -> dict[int, str]:
    deadline = time.monotonic() + seconds
    while (left := processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def read_until(stream: IO[str] | None, text: str) -> None:
    """Read lines until one holds `text`."""
    assert stream is not None
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"{text!r} never came")
