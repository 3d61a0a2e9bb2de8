"""`pipeline load`: its options."""

import random
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import PipelineError
from pipeline.load.plan import Plan, Shape, place, sizes
from pipeline.options import Named, about_a_pipeline
from pipeline.program import Json

# More than this needs --yes.
_MANY = 10_000


@about_a_pipeline
def load(
    named: Named,
    *,
    uploads: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_SECOND", min=0.001, help="Uploads started a second; a burst if not given."
        ),
    ] = None,
    size: Annotated[str, typer.Option(help="Bytes of each, or a range, as 1KiB-1MiB.")] = "1KiB",
    keys: Annotated[
        Shape,
        typer.Option(help="Keys that are plain, hard to encode, or deep in folders."),
    ] = "plain",
    prefix: Annotated[
        str | None, typer.Option(help="Key prefix; the first filter's if not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same sizes and contents again.")] = None,
    parallel: Annotated[int, typer.Option(min=1, max=500, help="Uploads at a time.")] = 8,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="How long to wait for records after the last upload."
        ),
    ] = 60.0,
    poll: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.01,
            help="How often to read the stream; every 0.2 in AWS, every 0.02 on an emulator.",
        ),
    ] = None,
    clean: Annotated[bool, typer.Option("--clean", help="Remove objects and records.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .png or .svg; both under .work/load if not given."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Allow more than 10,000 uploads.")] = False,
    as_json: Json = False,
) -> None:
    """Upload to a deployed pipeline; measure how long records take, and whether any is lost.

    Exit 0 when every upload has one record in the end, 1 when one has not, 2 when it could not be
    tried.
    """
    from pipeline.load import report

    if uploads > _MANY and not yes:
        raise PipelineError(
            f"{uploads:,} uploads are many: say --yes if they are meant, or take fewer."
        )
    found = named.find()
    folder, suffix = place(found.delivery, prefix, f"{random.getrandbits(40):010x}")
    seed = random.getrandbits(32) if seed is None else seed
    plan = Plan(uploads, rate, sizes(size), keys, folder, suffix, seed)
    status = report.run(
        found,
        plan,
        parallel=parallel,
        timeout=timeout,
        poll=poll,
        clean=clean,
        picture=picture,
        as_json=as_json,
    )
    raise typer.Exit(status)
