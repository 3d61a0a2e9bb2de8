"""`pipeline reconcile`: its options."""

from typing import Annotated

import typer

from pipeline.options import KeyPrefix, Named, Since, about_a_pipeline
from pipeline.program import Json


@about_a_pipeline
def reconcile(
    named: Named,
    *,
    prefix: KeyPrefix = "",
    since: Since = None,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Wait so long for records of what was just uploaded; 60s if not given.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the bucket with the table; name what is missing, doubled or stale.

    As far back as records live. Exit 0 when all agree, 1 when something does not.
    """
    from pipeline.reconcile import report

    found = named.find()
    raise typer.Exit(report.run(found, prefix=prefix, since=since, grace=grace, as_json=as_json))
