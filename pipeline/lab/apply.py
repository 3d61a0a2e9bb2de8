"""Apply and destroy the embedded lab, with each resource on screen; what its commands share."""

import os
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from rich.console import Console

from pipeline import terminal
from pipeline.lab import root as lab_root
from pipeline.terraform import progress
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import PROVIDER_RUN, PROVIDER_VARIABLE, terraform_environment

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


def prepare(folder: Path, console: Console, seconds: Seconds) -> dict[str, str]:
    """Write and initialise a new lab's root; returns Terraform's environment, yet without AWS."""
    environment = terraform_environment(folder)
    terminal.heading(console, "Terraform applies the module, on a private AWS emulator (ministack)")
    root = lab_root.write(folder)
    with timed(seconds, "terraform init"):
        version = terraform.init(root, environment)
    terminal.note(console, provider_note(version))
    return environment


def provider_note(version: str) -> str:
    """Which provider is taken, and why where it is not the one that everything was run with."""
    taken = f"The provider is hashicorp/aws {version}"
    if version == PROVIDER_RUN:
        return f"{taken}."
    if os.environ.get(PROVIDER_VARIABLE):
        return f"{taken}, as {PROVIDER_VARIABLE} says; {PROVIDER_RUN} is what was tested."
    return f"{taken}: {PROVIDER_RUN}, which was tested, is not to be found here."


def follow(
    console: Console,
    folder: Path,
    environment: Mapping[str, str],
    action: Literal["apply", "destroy"],
) -> Generator[terraform.Event]:
    """Apply or destroy the root in `folder`, and pass on what Terraform reports."""
    root, log = folder / "root", folder / f"{action}.log"
    with (
        closing(terraform.stream(root, environment, action, log)) as events,
        closing(progress.follow(console, "planning", events)) as shown,
    ):
        yield from shown


def apply(folder: Path, environment: Mapping[str, str], console: Console, seconds: Seconds) -> None:
    """`terraform apply` to its end. Raises PipelineError."""
    with timed(seconds, "terraform apply"):
        for _ in follow(console, folder, environment, "apply"):
            pass


def destroy(
    folder: Path, environment: Mapping[str, str], console: Console, seconds: Seconds
) -> None:
    """`terraform destroy`. Raises PipelineError."""
    terminal.heading(console, "Terraform destroys it all")
    with timed(seconds, "terraform destroy"):
        for _ in follow(console, folder, environment, "destroy"):
            pass
