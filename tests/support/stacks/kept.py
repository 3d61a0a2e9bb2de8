"""The embedded lab that stays, as `pipeline lab up` makes it, and commands run against it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.emulator.process import client_environment
from pipeline.lab import folder as stack
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
        out, err = process.communicate(timeout=300)
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


def up(folder: Path) -> Kept:
    """Make a lab in `folder` that stays."""
    process = start("lab", "up", "--work-dir", str(folder), "--json")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    kept = stack.read_kept(folder)
    assert kept is not None
    return Kept(folder, client_environment(kept.endpoint), json.loads(out)["outputs"])


def down(folder: Path) -> None:
    """End the lab in `folder`."""
    stack.end_emulators(folder)
    stack.forget(folder)
