"""Apply and destroy the embedded lab, with each resource on screen."""

import os
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from pipeline import terminal
from pipeline.emulator.ports import free_port
from pipeline.emulator.process import Emulator
from pipeline.lab import folder as lab
from pipeline.lab import root, snapshot
from pipeline.terraform import progress
from pipeline.terraform import run as terraform
from pipeline.terraform.attached import attached
from pipeline.terraform.provider import PROVIDER_RUN, PROVIDER_VARIABLE, terraform_environment

Action = Literal["apply", "destroy"]
NOTIFICATION = ".aws_s3_bucket_notification."
# How long each part took, by its name.
Seconds = dict[str, float]


@contextmanager
def timed(seconds: Seconds, name: str) -> Iterator[None]:
    """Note how long the block took, whether or not it succeeds."""
    began = time.monotonic()
    try:
        yield
    finally:
        seconds[name] = round(time.monotonic() - began, 2)


@dataclass(frozen=True)
class NewLab:
    """A new lab: its emulator, Terraform's environment for its root, and its provider's version.

    `snapshot` is what it was restored from, if it was.
    """

    emulator: Emulator
    environment: dict[str, str]
    provider: str
    snapshot: Path | None


@contextmanager
def new_lab(
    folder: Path,
    port: int | None,
    console: Console,
    seconds: Seconds,
    *,
    keep: bool,
    restore: bool = False,
) -> Iterator[NewLab]:
    """A new lab, whose root is to be applied; with `restore` from a snapshot, if there is any.

    The lab outlives the block with `keep`. Without, or where the block fails, only logs stay.
    """
    lab.make_room(folder)
    try:
        environment = terraform_environment(folder)
        terminal.heading(console, "The module, on a private AWS emulator (ministack)")
        with timed(seconds, "terraform init"):
            version = terraform.init(root.write(folder), environment)
        terminal.note(console, f"The provider is hashicorp/aws {version}{_why(version)}")
        found = snapshot.find(version) if restore else None
        if found is not None:
            port = port or free_port()
            found = found if snapshot.put(found, folder, port) else None
        with lab.running_emulator(folder, port, keep=keep) as running:
            terminal.note(console, f"The emulator listens on {running.endpoint}, and nowhere else.")
            if keep:
                lab.write_env(folder, running.endpoint, environment)
            yield NewLab(running, environment | running.environment, version, found)
    except BaseException as error:
        lab.forget(folder)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            terminal.note(console, "Interrupted: Terraform and the emulator ended, nothing stays.")
        raise
    if not keep:
        lab.forget(folder)


def _why(version: str) -> str:
    """Why it is this version, where it is not the tested version."""
    if version == PROVIDER_RUN:
        return "."
    if os.environ.get(PROVIDER_VARIABLE):
        return f", as {PROVIDER_VARIABLE} says; {PROVIDER_RUN} is what was tested."
    return f": {PROVIDER_RUN}, which was tested, is not to be found here."


def events(
    folder: Path, environment: Mapping[str, str], console: Console, action: Action
) -> Generator[terraform.Event]:
    """Apply or destroy the root in `folder`, and pass on what Terraform reports."""
    log = folder / f"{action}.log"
    with (
        attached(folder / "root", environment) as quicker,
        closing(terraform.stream(folder / "root", quicker, action, log)) as reported,
        closing(progress.follow(console, "planning", reported)) as shown,
    ):
        yield from shown


def delivers(event: terraform.Event) -> bool:
    """Whether from this on uploads become records: the function and its failure queue are there."""
    return event.kind == "apply_complete" and NOTIFICATION in event.address


def run(
    folder: Path,
    environment: Mapping[str, str],
    console: Console,
    seconds: Seconds,
    action: Action = "apply",
) -> int:
    """Apply or destroy the root in `folder`, to the end. Raises PipelineError.

    Returns how many resources were changed.
    """
    if action == "destroy":
        terminal.heading(console, "Terraform destroys it all")
    with timed(seconds, f"terraform {action}"):
        reported = events(folder, environment, console, action)
        return sum(event.kind == "apply_complete" for event in reported)
