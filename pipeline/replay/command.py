"""`pipeline replay`: its options."""

from typing import Annotated

import typer

from pipeline.options import Named, about_a_pipeline
from pipeline.program import Json


@about_a_pipeline
def replay(
    named: Named,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Replay everything that is there.")
    ] = False,
    message: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Replay this message; 8 characters of its id suffice."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Replay the events of objects with such a key."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be replayed.")
    ] = False,
    parallel: Annotated[
        int, typer.Option(min=1, max=500, help="Events in the function at a time.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Show what lies in the failure queue, and put it through the function again.

    Without --all, --message or --key it only shows. A message leaves the queue once its records
    are in the table, so that running this again is always safe. Exit 1 when something stayed.
    """
    from pipeline.replay import report

    found = named.find()
    choice = report.Choice(everything, tuple(message or ()), tuple(key or ()))
    status = report.run(found, choice, dry_run=dry_run, parallel=parallel, as_json=as_json)
    raise typer.Exit(status)
