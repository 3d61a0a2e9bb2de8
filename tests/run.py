"""Run every floor side by side: the end-to-end tests mostly wait, and the others go on meanwhile.

What `plan` prints is seen at once; what the others said, when all have ended.
"""

import subprocess
import sys
import time
from pathlib import Path

TOX = [str(Path(sys.executable).with_name("tox")), "run", "--no-list-dependencies"]
WORK = Path(".work")
# In one environment, which takes half a minute to make.
SHARED = ["-e", "unit"]
FLOORS = {
    "e2e": ["-e", "e2e"],
    "lint": ["-e", "lint"],
    "apply": [*SHARED, "--", "tests/apply"],
    "unit": SHARED,
    "plan": [*SHARED, "--", "tests/plan"],
}
SEEN = "plan"


def main(arguments: list[str]) -> int:
    """Exit status: tox's own of what was asked for, or the first that is not 0."""
    if arguments:
        return subprocess.call([*TOX, *arguments])
    WORK.mkdir(exist_ok=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in ("e2e", "lint"):
            running[name] = _start(name)
        if status := subprocess.call([*TOX, *SHARED, "--notest"]):
            return status
        for name in ("apply", "unit"):
            running[name] = _start(name)
        # Both work all the time: together they would only keep the end-to-end tests from it.
        print(f"{SEEN} begins when lint has ended", flush=True)
        running["lint"].wait()
        status = subprocess.call([*TOX, *FLOORS[SEEN]])
        began = time.monotonic()
        for name, process in running.items():
            while process.poll() is None:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    waited = time.monotonic() - began
                    print(f"{name} goes on, {waited:.0f} s after {SEEN}", flush=True)
        return next(filter(None, [status, *(each.returncode for each in running.values())]), 0)
    finally:
        # Ctrl-C reached them as well; they destroy what they made.
        for process in running.values():
            process.terminate()
        for name, process in running.items():
            process.wait()
            sys.stdout.buffer.write(_log(name).read_bytes())
        sys.stdout.flush()


def _log(name: str) -> Path:
    return WORK / f"{name}.log"


def _start(name: str) -> subprocess.Popen[bytes]:
    print(f"{name} runs beside the others: {_log(name)}", flush=True)
    with _log(name).open("wb") as said:
        return subprocess.Popen([*TOX, *FLOORS[name]], stdout=said, stderr=subprocess.STDOUT)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
