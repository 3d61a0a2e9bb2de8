"""The embedded lab that stays, as `pipeline lab up` makes it, and commands run against it."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.emulator.ports import free_port
from pipeline.emulator.process import client_environment
from pipeline.lab import root
from pipeline.lab.folder import end_emulators, forget, read_kept
from tests.support.aws.clients import client

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Kept:
    """A running lab: its folder, what AWS clients need, and the module's outputs by name."""

    folder: Path
    environment: dict[str, str]
    outputs: Mapping[str, Any]

    def client(self, service: str) -> Any:
        return client(service, self.environment)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start `python -m pipeline ARGUMENTS` about this lab."""
        return start(*arguments, "--work-dir", str(self.folder), **variables)

    def lab(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Run `python -m pipeline ARGUMENTS` about this lab: exit status, stdout and stderr."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=900)
        return process.returncode, out, err


def start(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start `python -m pipeline ARGUMENTS`."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONUTF8": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def up(folder: Path, *arguments: str, **variables: str) -> Kept:
    """Make a lab in `folder` that stays, or bring it back."""
    _run("up", folder, *arguments, **variables)
    kept = read_kept(folder)
    assert kept is not None
    return Kept(folder, client_environment(kept.endpoint), root.needed(folder)[0])


class Original:
    """A lab that is made once for all workers, by the first that wants a copy, and stopped."""

    def __init__(self, base: Path) -> None:
        """`base` is the folder of this worker's temporary files."""
        # A worker's folder lies in the session's; without workers there is the session's alone.
        shared = base.parent / "shared" if os.environ.get("PYTEST_XDIST_WORKER") else base
        # As deep as the copies, whose path to the module is relative.
        self._folder = shared / "original" / "lab"
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        # Where its snapshot is; not the user's, which an older run may have filled.
        self.cache = {"XDG_CACHE_HOME": str(self._folder.parent / "cache")}

    def copy(self, folder: Path) -> Kept:
        """A lab in `folder` as this one was, on a port of its own."""
        with Path(f"{self._folder}.made").open("a+") as made:
            fcntl.flock(made, fcntl.LOCK_EX)
            # By now, and not when it was opened.
            if not os.fstat(made.fileno()).st_size:
                up(self._folder, **self.cache)
                _run("down", self._folder, "--keep-state")
                made.write("whole")
        shutil.copytree(self._folder, folder, symlinks=True)
        return up(folder, "--port", str(free_port()))


def _run(command: str, folder: Path, *arguments: str, **variables: str) -> None:
    process = start("lab", command, "--work-dir", str(folder), *arguments, **variables)
    _, err = process.communicate(timeout=900)
    assert process.returncode == 0, err


def down(folder: Path) -> None:
    """End the lab in `folder`."""
    end_emulators(folder)
    forget(folder)
