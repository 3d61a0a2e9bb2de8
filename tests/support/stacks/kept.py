"""The embedded lab that stays, as `pipeline lab up` makes it, and commands run against it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
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


def up(folder: Path, *arguments: str) -> Kept:
    """Make a lab in `folder` that stays, or bring it back."""
    _run("up", folder, *arguments)
    kept = read_kept(folder)
    assert kept is not None
    return Kept(folder, client_environment(kept.endpoint), root.needed(folder)[0])


def copies(place: Path, names: Sequence[str]) -> dict[str, Kept]:
    """Labs in folders of `place` of these names: one is made, the others come back as it was."""
    first, *others = (place / name for name in names)
    lab = up(first)
    if not others:
        return {first.name: lab}
    _run("down", first, "--keep-state")
    for other in others:
        shutil.copytree(first, other, symlinks=True)
    # Each on a port of its own.
    return {each.name: up(each, "--port", str(free_port())) for each in (first, *others)}


def _run(command: str, folder: Path, *arguments: str) -> None:
    process = start("lab", command, "--work-dir", str(folder), *arguments)
    _, err = process.communicate(timeout=900)
    assert process.returncode == 0, err


def down(folder: Path) -> None:
    """End the lab in `folder`."""
    end_emulators(folder)
    forget(folder)
