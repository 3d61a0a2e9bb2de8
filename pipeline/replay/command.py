"""`pipeline replay`: its options."""

from typing import Annotated

import typer

from pipeline.options import Named, about_a_pipeline
from pipeline.program import Json


@about_a_pipeline
def replay(
    named: Named,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Replay every message.")] = False,
    message: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Replay this message; 8 characters of its id suffice."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Replay the events of objects with such a key."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the messages.")] = False,
    parallel: Annotated[
        int, typer.Option(min=1, max=500, help="Concurrent invokes of the function.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Show the messages of the failure queue, and invoke the function with them again.

    Without --all, --message or --key it only shows them. A message leaves the queue only when its
    records are in the table, so it is safe to run this again. Exit 1 when a message stayed.
    """
    from pipeline.replay import report
    from pipeline.replay.choice import Choice

    found = named.find()
    choice = Choice(everything, message or (), key or ())
    status = report.run(found, choice, dry_run=dry_run, parallel=parallel, as_json=as_json)
    raise typer.Exit(status)
