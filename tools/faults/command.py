"""`python -m tools faults`: its options."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.paths import WORK
from pipeline.program import Json


def faults(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME|all", help="What to break; an unknown name lists them all."),
    ],
    uploads: Annotated[
        int | None,
        typer.Option(min=1, help="Uploads in each run; by default 100, in a burst 2,000."),
    ] = None,
    via: Annotated[
        Literal["notification", "eventbridge"], typer.Option(help="How S3 delivers its events.")
    ] = "notification",
    buffered: Annotated[
        bool, typer.Option("--buffered", help="Put a queue between source and function.")
    ] = False,
    work_dir: Annotated[
        Path, typer.Option(help="Folder for everything that is made.", show_default=".work/faults")
    ] = WORK / "faults",
    as_json: Json = False,
) -> None:
    """Upload to the module on an emulator while something is broken, and count the records.

    Exit 0 when every upload has one record in the end, 1 when one has not, 2 when it could not be
    tried.
    """
    from tools.faults import report

    delivery = via + ("-buffered" if buffered else "")
    raise typer.Exit(report.run(names, delivery, uploads, work_dir.resolve(), as_json))
