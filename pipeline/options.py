"""Options that several commands share, and the pipeline that some of them name."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.deployed.target import Target


# Which of its objects.
KeyPrefix = Annotated[
    str, typer.Option("--prefix", metavar="TEXT", help="Only keys with this prefix.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="Only what was uploaded since: so long ago (6h, 2d), or 2026-11-22T09:40:00Z.",
    ),
]

OneBucket = Annotated[
    str | None,
    typer.Option("--bucket", metavar="NAME", help="Only this one, where it takes several buckets."),
]

Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
]


# Which deployed pipeline a command is about.
_NAMING: dict[str, Any] = {
    "root": Annotated[
        Path | None,
        typer.Option(
            "--stack",
            metavar="FOLDER",
            help="Terraform root that was applied; the embedded lab if none.",
        ),
    ],
    "outputs": Annotated[
        Path | None,
        typer.Option(
            "--outputs", metavar="FILE", help="What `terraform output -json` printed; or -."
        ),
    ],
    "output": Annotated[
        str | None,
        typer.Option(
            "--output", metavar="NAME", help="Which output, where a root has two pipelines."
        ),
    ],
    "given": Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One output by hand, before any other."),
    ],
    "work_dir": Annotated[
        Path | None,
        typer.Option(
            "--work-dir",
            metavar="FOLDER",
            help="Folder of the embedded lab; .work/demo if not given.",
        ),
    ],
}


@dataclass(frozen=True)
class Named:
    """The deployed pipeline that the options name, the embedded lab without any."""

    root: Path | None
    outputs: Path | None
    output: str | None
    given: list[str] | None
    work_dir: Path | None

    def find(self) -> "Target":
        """Its names. Raises PipelineError."""
        from pipeline import find

        return find.find(
            root=self.root,
            file=self.outputs,
            output=self.output,
            given=self.given or (),
            lab=self.work_dir,
        )


def about_a_pipeline(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name a pipeline; it gets them as its first argument."""

    def with_options(**values: Any) -> None:
        named = Named(**{name: values.pop(name) for name in _NAMING})
        command(named, **values)

    first, *own = inspect.signature(command).parameters.values()
    naming = [
        inspect.Parameter(name, first.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _NAMING.items()
    ]
    # What typer reads.
    with_options.__signature__ = inspect.Signature([*naming, *own])  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in (*naming, *own)}
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    return with_options
