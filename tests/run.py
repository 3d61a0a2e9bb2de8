"""Run every floor: the end-to-end tests, which mostly wait, beside all others.

What the others print is seen at once; what the end-to-end tests said, at the end.
"""

import subprocess
import sys
import time
from pathlib import Path

TOX = [str(Path(sys.executable).with_name("tox")), "run", "--no-list-dependencies"]
LOG = Path(".work") / "e2e.log"
# In the environment of the first: each takes half a minute to make.
FLOORS = ["-e", "lint,unit", "--", "tests/unit", "tests/plan", "tests/apply"]


def main(arguments: list[str]) -> int:
    """Exit status: tox's own of what was asked for, or the first that is not 0."""
    if arguments:
        return subprocess.call([*TOX, *arguments])
    LOG.parent.mkdir(exist_ok=True)
    print(f"The end-to-end tests run beside the others: {LOG}", flush=True)
    with LOG.open("wb") as log:
        beside = subprocess.Popen([*TOX, "-e", "e2e"], stdout=log, stderr=subprocess.STDOUT)
    try:
        status = subprocess.call([*TOX, *FLOORS])
        began = time.monotonic()
        while beside.poll() is None:
            try:
                beside.wait(30)
            except subprocess.TimeoutExpired:
                waited = time.monotonic() - began
                print(f"The end-to-end tests go on, {waited:.0f} s after the others", flush=True)
    except BaseException:
        # Ctrl-C reached it as well; it destroys what it made.
        beside.terminate()
        beside.wait()
        raise
    finally:
        sys.stdout.buffer.write(LOG.read_bytes())
        sys.stdout.flush()
    return status or beside.returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
