"""`pipeline backfill`: its options."""

import time
from typing import Annotated

import typer

from pipeline import times
from pipeline.options import KeyPrefix, Named, OneBucket, Since, about_a_pipeline
from pipeline.paths import WORK
from pipeline.program import Json


@about_a_pipeline
def backfill(
    named: Named,
    *,
    bucket: OneBucket = None,
    prefix: KeyPrefix = "",
    since: Since = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only what was uploaded before; like --since."),
    ] = None,
    current: Annotated[bool, typer.Option("--current", help="Only current versions.")] = False,
    grace: Annotated[
        str,
        typer.Option(
            metavar="DURATION", help="Leave younger uploads without a version id to their events."
        ),
    ] = "60s",
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Records a second; four fifths of the table's write units if not given."
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Writes at a time.")] = 4,
    restart: Annotated[bool, typer.Option("--restart", help="Start from the first key.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: Json = False,
) -> None:
    """Write records of objects that have none; never overwrite a record.

    Safe to interrupt and to run again: it goes on where it ended. Exit 0 when all are there, 1 when
    some could not be written.
    """
    from pipeline.backfill import report
    from pipeline.backfill.run import Selection
    from pipeline.deployed.filters import filters_of

    found, now = named.find(), time.time()
    first, *others = found.buckets(bucket)
    selection = Selection(
        first,
        filters_of(found),
        prefix,
        None if since is None else times.moment(since, now, "--since"),
        None if until is None else times.moment(until, now, "--until"),
        current,
        times.seconds(grace, "--grace"),
        others,
    )
    # A run goes on where one with the same options ended, and `6h` is later each time.
    options = {"prefix": prefix, "since": since, "until": until, "current": current}
    status = report.run(
        found,
        selection,
        options,
        folder=(named.work_dir or WORK) / "backfill",
        rate=rate,
        parallel=parallel,
        restart=restart,
        dry_run=dry_run,
        as_json=as_json,
    )
    raise typer.Exit(status)
