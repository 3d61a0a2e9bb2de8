"""`pipeline cost`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.program import Json


def cost(
    plan: Annotated[
        Path | None,
        typer.Argument(
            metavar="PLAN.json",
            help="What `terraform show -json` printed, of a plan or a state; or -. The module with "
            "no setting if none.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--stack", metavar="FOLDER", help="Terraform root whose state is priced instead."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0, max=1_000_000, help="Uploads a second, on average; 0.1 if not given."),
    ] = None,
    uploads: Annotated[
        float | None, typer.Option(min=0, max=1e12, help="Uploads a month, instead of --rate.")
    ] = None,
    size: Annotated[str, typer.Option(help="Mean size of an object: bytes, or KB, MB, GB.")] = (
        "100KB"
    ),
    keep_days: Annotated[
        float, typer.Option(min=0, max=36_500, help="How long an object stays in the bucket.")
    ] = 30,
    milliseconds: Annotated[
        float, typer.Option(min=1, max=900_000, help="Billed for an invoke of the function.")
    ] = 20,
    batch: Annotated[
        float, typer.Option(min=1, max=10_000, help="Messages in a batch, where there is a buffer.")
    ] = 1,
    alarm_messages: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Messages of alarms in a month.")
    ] = 30,
    limit: Annotated[
        float | None,
        typer.Option(metavar="DOLLARS", min=0, help="Exit 1 when a month costs more, for CI."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell what a plan costs a month, what of it is free, and up to how many uploads.

    Rate, size and messages are each pipeline's, where a plan has several. Prices are those of
    prices.json; AWS is not asked, but for a state that lies there.
    """
    from pipeline import prices
    from pipeline.cost import report

    table = prices.load()
    assumed = report.assumed(
        table,
        rate=rate,
        uploads=uploads,
        size=size,
        keep_days=keep_days,
        milliseconds=milliseconds,
        batch=batch,
        alarm_messages=alarm_messages,
    )
    found, what = report.find_plan(plan, root)
    raise typer.Exit(report.run(found, what, assumed, table, limit=limit, as_json=as_json))
