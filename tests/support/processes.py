"""Processes: those that work in a folder, and what a process prints."""

import contextlib
import time
from pathlib import Path
from typing import IO

import psutil


def processes(folder: Path) -> dict[int, str]:
    """The processes that work in a folder, with their command lines."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd().startswith(str(folder)):
                found[process.pid] = " ".join(process.cmdline())
    return found


def alive(pid: int) -> bool:
    """Whether a process runs, and is no zombie."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def wait_until_gone(folder: Path, seconds: float = 60) -> dict[int, str]:
    """Wait until no process works in a folder; returns those that still do."""
    deadline = time.monotonic() + seconds
    while (left := processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def read_until(stream: IO[str] | None, text: str) -> None:
    """Read lines up to the first that contains `text`."""
    assert stream is not None
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"{text!r} never came")
