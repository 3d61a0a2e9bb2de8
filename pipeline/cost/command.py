"""`pipeline cost`: its options."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import PipelineError
from pipeline.program import Json

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) *(B|KB|MB|GB|TB|)", re.IGNORECASE)
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


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
        float, typer.Option(min=1, max=900_000, help="Billed duration of an invoke.")
    ] = 20,
    batch: Annotated[
        float, typer.Option(min=1, max=10_000, help="Messages in a batch, where there is a buffer.")
    ] = 1,
    alarm_messages: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Alarm messages in a month.")
    ] = 30,
    limit: Annotated[
        float | None,
        typer.Option(metavar="DOLLARS", min=0, help="Exit 1 when a month costs more, for CI."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a plan costs a month, what of it is free, and up to how many uploads.

    Rate, size and messages are each pipeline's, where a plan has several. Prices are those of
    prices.json; AWS is not asked, except for a state that is there.
    """
    from pipeline import prices
    from pipeline.cost import report
    from pipeline.cost.module_usage import Assumed

    if rate is not None and uploads is not None:
        raise PipelineError("--rate and --uploads both set how many uploads: give one of them.")
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise PipelineError(f"--size {size!r} is no size: write bytes, or 100KB, 5MB, 1.5GB.")
    table = prices.load()
    # At 0.1 a second the default configuration costs nothing but S3.
    a_second = Decimal("0.1" if rate is None else str(rate))
    assumed = Assumed(
        a_second * table.seconds_a_month if uploads is None else Decimal(str(uploads)),
        Decimal(match[1]) * _UNITS[match[2].upper()],
        Decimal(str(keep_days)),
        Decimal(str(milliseconds)),
        Decimal(str(batch)),
        alarm_messages,
    )
    found, name = report.find_plan(plan, root)
    status = report.run(found, name, assumed, table, limit=limit, as_json=as_json)
    raise typer.Exit(status)
