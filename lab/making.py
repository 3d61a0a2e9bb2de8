"""Apply and destroy the embedded lab, with each resource on screen; what its commands share."""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from rich.console import Console

from lab import lab_root, show, terraform
from lab.provider import terraform_environment

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
    show.heading(console, "Terraform applies the module, on a private AWS emulator (ministack)")
    root = lab_root.write(folder)
    with timed(seconds, "terraform init"):
        terraform.init(root, environment)
    return environment


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
        closing(show.follow(console, "planning", events)) as shown,
    ):
        yield from shown


def apply(folder: Path, environment: Mapping[str, str], console: Console, seconds: Seconds) -> None:
    """`terraform apply` to its end. Raises LabError."""
    with timed(seconds, "terraform apply"):
        for _ in follow(console, folder, environment, "apply"):
            pass


def destroy(
    folder: Path, environment: Mapping[str, str], console: Console, seconds: Seconds
) -> None:
    """`terraform destroy`. Raises LabError."""
    show.heading(console, "Terraform destroys it all")
    with timed(seconds, "terraform destroy"):
        for _ in follow(console, folder, environment, "destroy"):
            pass
