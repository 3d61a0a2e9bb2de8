"""`pipeline invoke`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.options import Named, about_a_pipeline
from pipeline.program import Json


@about_a_pipeline
def invoke(
    named: Named,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The event, as JSON; - is stdin.")],
    as_json: Json = False,
) -> None:
    """Invoke the function with an event of your own, and show its answer and its log.

    The event is taken as it is, and its records are stored. Lambda does not retry it, and a failure
    does not reach the failure queue. Exit 0 when the function has stored all of it, 1 when it has
    not, 2 when it could not be invoked.
    """
    from pipeline.invoke import run

    raise typer.Exit(run.run(named, file, as_json=as_json))
