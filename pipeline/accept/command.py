"""`pipeline accept`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import PipelineError
from pipeline.paths import WORK
from pipeline.program import Json


def accept(
    account: Annotated[
        str, typer.Option(metavar="ID", help="The account to run in: that of the credentials.")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without, only the estimate is printed.")
    ] = False,
    budget: Annotated[
        float | None,
        typer.Option(metavar="DOLLARS", min=0, help="What the run may cost by its estimate."),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="The region; that of the AWS configuration if not given.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="IDS", help="Only these checks (a,b), and those that they need."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was cut short.")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Delete all that a run which was cut short left.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the result as Markdown, too.")
    ] = None,
    work_dir: Annotated[
        Path,
        typer.Option(
            help="Folder of the run's journal and Terraform roots.",
            show_default=".work/accept",
            resolve_path=True,
        ),
    ] = WORK / "accept",
    as_json: Json = False,
) -> None:
    """Prove in an AWS account what no emulator shows. Everything is destroyed at the end.

    Makes pipelines with names of their own (accept-<6 random>-…) in each delivery, lets them fail,
    and checks each line of docs/reference/limits.md. Exit 0 when nothing is disproved and the rest
    could not be tried by its nature, 1 when something is disproved, 2 when it could not run.
    """
    from pipeline.accept import run

    if resume and clean:
        raise PipelineError("--resume goes on and --clean deletes: give one of them.")
    asked = run.Asked(account, region, only, budget, yes=yes)
    if resume or clean:
        status = run.go_on(work_dir, asked, clean=clean, markdown=markdown, as_json=as_json)
    else:
        status = run.start(work_dir, asked, markdown=markdown, as_json=as_json)
    raise typer.Exit(status)
