"""`pipeline records`: its options."""

from typing import Annotated

import typer

from pipeline.options import Follow, Named, Since, about_a_pipeline
from pipeline.program import JsonLines


@about_a_pipeline
def records(
    named: Named,
    *,
    prefix: Annotated[str, typer.Argument(metavar="[PREFIX]", help="Only keys with it.")] = "",
    since: Since = None,
    follow: Follow = False,
    as_json: JsonLines = False,
) -> None:
    """Show the table's records, a line each, the oldest first.

    This reads the whole table, which costs half a read unit for each 4 KB. --follow alone reads
    only what is written from now on, from the table's stream, which costs no read units; with
    --since it begins with what is there. Exit 0, also where there are none; 2 where they can't be
    read; Ctrl-C ends --follow with 130.
    """
    from pipeline.records import run

    run.run(named.find(), prefix, since, following=follow, as_json=as_json)
