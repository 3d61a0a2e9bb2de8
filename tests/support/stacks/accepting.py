"""Run `pipeline accept` against an emulated account, kill it, go on, and clean."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.accept import journal
from pipeline.accept.journal import Journal, Result
from pipeline.emulator.process import Emulator
from tests.support.aws.clients import client
from tests.support.poll import until
from tests.support.processes import wait_until_gone
from tests.support.stacks import kept
from tests.support.stacks.stack import left_behind

# The emulator takes twelve digits for an account of its own.
ACCOUNT = "123456789012"
ENOUGH = ("--budget", "5", "--yes")
CHECK = "deliver-ndns"


@dataclass(frozen=True)
class Place:
    """An emulated account, and the folder of the runs in it."""

    folder: Path
    environment: Mapping[str, str]

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start `pipeline accept`."""
        place = ("--account", ACCOUNT, "--work-dir", str(self.folder))
        return kept.start("accept", *place, *arguments, **{**self.environment, **variables})

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Run it to its end: exit status, stdout and stderr."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=1800)
        return process.returncode, out, err

    def journal(self) -> Journal | None:
        return journal.read(self.folder)

    def left(self) -> dict[str, list[str]]:
        """What is in the account."""
        return left_behind(self.environment, aws_access_key_id=ACCOUNT)

    def result(self, check: str) -> Result | None:
        found = self.journal()
        return None if found is None else found.results.get(check)


def place(folder: Path, running: Emulator) -> Place:
    """That account on an emulator."""
    return Place(folder, running.environment | {"AWS_ACCESS_KEY_ID": ACCOUNT})


@dataclass(frozen=True)
class Report:
    """What became of a run with one delivery that was killed while it destroyed.

    `refused` has what was refused before, by what was wrong, and `unfinished` what was after. Then
    `halfway` was in the account, and `left` after `--clean`, which is `cleaned`. `files` are the
    names of what stayed in the run's folder.
    """

    refused: Mapping[str, tuple[int, str, str]]
    unfinished: tuple[int, str, str]
    result: Result | None
    halfway: Mapping[str, list[str]]
    cleaned: tuple[int, str, str]
    left: Mapping[str, list[str]]
    files: list[str]


def killed(place: Place) -> Report:
    """Begin a run, kill it, and clean."""
    only = ("--only", CHECK)
    refused = {
        "account": place.run(*only, *ENOUGH, AWS_ACCESS_KEY_ID="999999999999"),
        "budget": place.run(*only, "--yes"),
    }
    kill(place, place.start(*only, *ENOUGH), lambda: place.result(CHECK))
    unfinished = place.run(*only, *ENOUGH)
    result, halfway = place.result(CHECK), place.left()
    cleaned = place.run("--clean")
    files = [file.name for file in place.folder.glob("*")]
    return Report(refused, unfinished, result, halfway, cleaned, place.left(), files)


def kill(place: Place, process: "subprocess.Popen[str]", ready: Callable[[], Any]) -> None:
    """Kill a run as soon as that is true."""

    def look() -> bool:
        assert process.poll() is None, process.communicate()
        return bool(ready())

    until(look, 900)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    # Terraform is interrupted as its parent dies, and writes its state.
    assert wait_until_gone(place.folder) == {}


def rights_denied(running: Emulator, actions: list[str]) -> dict[str, str]:
    """The keys of a user who may do anything but that."""
    iam = client("iam", running.environment)
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName="operator")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": actions, "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="operator", PolicyName="all-but", PolicyDocument=document)
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
