"""`pipeline backfill`: its options."""

from typing import Annotated

import typer

from pipeline.options import KeyPrefix, Named, Since, about_a_pipeline
from pipeline.paths import WORK
from pipeline.program import Json


@about_a_pipeline
def backfill(
    named: Named,
    *,
    prefix: KeyPrefix = "",
    since: Since = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only what was uploaded before; like --since."),
    ] = None,
    current: Annotated[
        bool, typer.Option("--current", help="Only current versions, none that is hidden.")
    ] = False,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Leave younger uploads without a version id to their events; 60s if not given.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Records a second; four fifths of the table's write units if not given."
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Writes at a time.")] = 4,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where a run was interrupted.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell how many would be written.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write records of objects that have none; never overwrite one that is there.

    Safe to interrupt and to run again: it goes on where it ended. Exit 0 when all are there, 1 when
    some could not be written.
    """
    from pipeline.backfill import report

    found = named.find()
    options = report.Options(prefix, since, until, grace, current, rate, parallel, restart, dry_run)
    folder = (named.work_dir or WORK) / "backfill"
    raise typer.Exit(report.run(found, options, folder, as_json=as_json))
