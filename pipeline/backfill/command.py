"""`pipeline backfill`: its options."""

import time
from typing import Annotated

import typer

from pipeline import times
from pipeline.errors import PipelineError
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
    batch_operations: Annotated[
        bool,
        typer.Option(
            "--batch-operations",
            help="Let an S3 Batch Operations job do it, which costs; what follows is for jobs.",
        ),
    ] = False,
    manifest: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The manifest.json of an S3 Inventory; S3 lists the bucket if none."
        ),
    ] = None,
    suffix: Annotated[str, typer.Option(metavar="TEXT", help="Only keys with this suffix.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without, only its prices are printed.")
    ] = False,
    budget: Annotated[
        float | None,
        typer.Option(metavar="DOLLARS", min=0, help="Start no job that costs more."),
    ] = None,
    job: Annotated[
        str | None, typer.Option(metavar="ID", help="Follow this job instead of a new one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write records of objects that have none; never overwrite a record.

    Safe to interrupt and to run again: it goes on where it ended. Exit 0 when all are there, 1 when
    some could not be written.
    """
    now = time.time()
    from_, to = (
        None if text is None else times.moment(text, now, name)
        for name, text in (("--since", since), ("--until", until))
    )
    if not batch_operations and (manifest or suffix or yes or budget is not None or job):
        raise PipelineError(
            "--manifest, --suffix, --yes, --budget and --job are for jobs: add --batch-operations."
        )
    if batch_operations:
        if current or restart or dry_run or rate is not None or bucket:
            raise PipelineError(
                "--bucket, --current, --restart, --dry-run and --rate are not for jobs: leave them "
                "out, or --batch-operations."
            )
        from pipeline.backfill import batch

        options = batch.Options(manifest, prefix, suffix, from_, to, job, yes, budget)
        raise typer.Exit(batch.run(named.find(), options, as_json=as_json))

    from pipeline.backfill import report
    from pipeline.backfill.run import Selection
    from pipeline.deployed.filters import filters_of

    found = named.find()
    first, *others = found.buckets(bucket)
    selection = Selection(
        first,
        filters_of(found),
        prefix,
        from_,
        to,
        current,
        times.seconds(grace, "--grace"),
        others,
    )
    # A run goes on where one with the same options ended, and `6h` is later each time.
    kept = {"prefix": prefix, "since": since, "until": until, "current": current}
    status = report.run(
        found,
        selection,
        kept,
        folder=(named.work_dir or WORK) / "backfill",
        rate=rate,
        parallel=parallel,
        restart=restart,
        dry_run=dry_run,
        as_json=as_json,
    )
    raise typer.Exit(status)
