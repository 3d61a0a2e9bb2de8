"""`pipeline reconcile`: its options."""

import time
from typing import Annotated

import typer

from pipeline import times
from pipeline.options import KeyPrefix, Named, OneBucket, Since, about_a_pipeline
from pipeline.program import Json


@about_a_pipeline
def reconcile(
    named: Named,
    *,
    bucket: OneBucket = None,
    prefix: KeyPrefix = "",
    since: Since = None,
    grace: Annotated[
        str,
        typer.Option(metavar="DURATION", help="Wait this long for records of new uploads."),
    ] = "60s",
    as_json: Json = False,
) -> None:
    """Compare the buckets with the table; name what is missing, doubled or stale.

    As far back as records live. Exit 0 when all agree, 1 when something does not.
    """
    from pipeline.reconcile import report

    status = report.run(
        named.find(),
        prefix=prefix,
        since=None if since is None else times.moment(since, time.time(), "--since"),
        grace_seconds=times.seconds(grace, "--grace"),
        as_json=as_json,
        only=bucket,
    )
    raise typer.Exit(status)
