"""Options that several commands share, and the pipeline that some of them name."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.target import Target

Check = Annotated[
    bool, typer.Option("--check", help="Change nothing; exit 1 if it is out of date.")
]

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]

Port = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="The emulator's port on loopback; a free one if not given."
    ),
]
WorkDir = Annotated[
    Path | None,
    typer.Option(help="Folder for everything that is made; .work/demo if not given."),
]

# Which deployed pipeline a command is about.
StackFolder = Annotated[
    Path | None,
    typer.Option(
        "--stack", metavar="FOLDER", help="Terraform root that was applied; the kept lab if none."
    ),
]
OutputsFile = Annotated[
    Path | None,
    typer.Option("--outputs", metavar="FILE", help="What `terraform output -json` printed; or -."),
]
OutputName = Annotated[
    str | None,
    typer.Option("--output", metavar="NAME", help="Which output, where a root has two pipelines."),
]
Given = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One output by hand, before any other."),
]
LabFolder = Annotated[
    Path | None, typer.Option("--work-dir", help="Folder of the kept lab; .work/demo if not given.")
]

# Which of its objects.
KeyPrefix = Annotated[
    str, typer.Option("--prefix", metavar="TEXT", help="Only keys that begin with this.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="Only what was uploaded since: so long ago (6h, 2d), or 2026-11-22T09:40:00Z.",
    ),
]


def find_target(
    root: Path | None,
    outputs: Path | None,
    output: str | None,
    given: list[str] | None,
    work_dir: Path | None,
) -> "Target":
    """The pipeline that these options name, the kept lab without any. Raises LabError."""
    from lab import target

    return target.find(root=root, file=outputs, output=output, given=given or (), lab=work_dir)


def refuse_others(context: typer.Context, fitting: Collection[str], why: str) -> None:
    """Raises LabError where a parameter was given that is none of the `fitting` ones.

    `why` goes on after the option's name.
    """
    for one in context.command.params:
        source = context.get_parameter_source(one.name or "")
        if one.name not in fitting and source is not None and source.name == "COMMANDLINE":
            raise LabError(f"{one.opts[0]} {why}: drop one of them.")
