"""`pipeline logs`: its options."""

from enum import StrEnum
from typing import Annotated

import typer

from pipeline.options import Follow, Named, about_a_pipeline
from pipeline.program import JsonLines


class Level(StrEnum):
    """The levels of Lambda's logs, the lowest first."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    FATAL = "FATAL"


@about_a_pipeline
def logs(
    named: Named,
    *,
    follow: Follow = False,
    level: Annotated[
        Level,
        typer.Option(
            case_sensitive=False, metavar="LEVEL", help="Only invokes with a line of it, or above."
        ),
    ] = Level.TRACE,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            show_default="10m, with --request 1d",
            help="So long ago (90s, 6h), or 2026-11-22T09:40:00Z.",
        ),
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(metavar="ID", help="One invoke, with all its lines."),
    ] = None,
    as_json: JsonLines = False,
) -> None:
    """Show the function's invokes, a line each: time, level, milliseconds, keys, and why it failed.

    The keys of stored records are read from the table: half a read unit each, three of an invoke.
    Exit 0, also where there are none; 1 where there is no invoke with that --request; 2 where the
    log can't be read; Ctrl-C ends --follow with 130.
    """
    from pipeline.logs import run

    found = named.find()
    if request is not None:
        raise typer.Exit(run.by_request(found, request, since or "1d", as_json=as_json))
    run.run(found, level, since or "10m", following=follow, as_json=as_json)
