"""Run every floor: lint and the end-to-end tests, which mostly wait, beside all others.

What the others print is seen at once; what was said beside them, at the end.
"""

import subprocess
import sys
import time
from pathlib import Path

TOX = [str(Path(sys.executable).with_name("tox")), "run", "--no-list-dependencies"]
WORK = Path(".work")
BESIDE = ("lint", "e2e")
# In one environment: each takes half a minute to make.
FLOORS = ["-e", "unit", "--", "tests/unit", "tests/plan", "tests/apply"]


def main(arguments: list[str]) -> int:
    """Exit status: tox's own of what was asked for, or the first that is not 0."""
    if arguments:
        return subprocess.call([*TOX, *arguments])
    WORK.mkdir(exist_ok=True)
    logs = {name: WORK / f"{name}.log" for name in BESIDE}
    running = {}
    for name, log in logs.items():
        print(f"{name} runs beside the others: {log}", flush=True)
        with log.open("wb") as said:
            running[name] = subprocess.Popen(
                [*TOX, "-e", name], stdout=said, stderr=subprocess.STDOUT
            )
    try:
        status = subprocess.call([*TOX, *FLOORS])
        began = time.monotonic()
        for name, process in running.items():
            while process.poll() is None:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    waited = time.monotonic() - began
                    print(f"{name} goes on, {waited:.0f} s after the others", flush=True)
    except BaseException:
        # Ctrl-C reached them as well; they destroy what they made.
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
        raise
    finally:
        for log in logs.values():
            sys.stdout.buffer.write(log.read_bytes())
        sys.stdout.flush()
    return next(filter(None, [status, *(each.returncode for each in running.values())]), 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
