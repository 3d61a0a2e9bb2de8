"""Run a command that must not outlive the process that started it.

`python -I guard.py GRACE_SECONDS COMMAND…` runs COMMAND in a process group of its own until it
ends, and ends the whole group once stdin closes, which the kernel does for the parent however that
parent dies. SIGINT and SIGTERM are passed on, each as often as it arrives. Exits with the command's
own status, 128 + signal when a signal ended it.

Runs as a script, isolated, on the standard library alone: it has to start in a few milliseconds and
must not depend on the working directory.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType


def guarded(command: list[str], grace_seconds: float) -> list[str]:
    """The command line that runs `command` under guard; give it a pipe as stdin and keep that open.

    `grace_seconds`: how long the command may take to end by itself once the pipe has closed.
    """
    return [sys.executable, "-I", str(Path(__file__).resolve()), str(grace_seconds), *command]


def run(command: list[str], grace_seconds: float) -> int:
    """Run `command` until it ends or stdin closes; returns its exit status."""
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(signum: int, _frame: FrameType | None) -> None:
        # Only to the command itself: a provider that Terraform started must not stop before it.
        early.append(signum) if process is None else process.send_signal(signum)

    # Before the command starts: a signal may come right away.
    signal.signal(signal.SIGINT, pass_on)
    signal.signal(signal.SIGTERM, pass_on)
    try:
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        sys.exit(str(error))
    process = started
    for signum in early:
        process.send_signal(signum)

    def end_when_orphaned() -> None:
        while os.read(0, 4096):
            pass
        started.send_signal(signal.SIGINT)
        try:
            started.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            _kill_group(started.pid)

    threading.Thread(target=end_when_orphaned, daemon=True).start()
    status = process.wait()
    _kill_group(process.pid)
    return status if status >= 0 else 128 - status


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(run(sys.argv[2:], float(sys.argv[1])))
