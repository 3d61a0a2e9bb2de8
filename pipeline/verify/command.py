"""`pipeline verify`: its options."""

from typing import Annotated

import typer

from pipeline.options import Named, about_a_pipeline
from pipeline.program import Json


@about_a_pipeline
def verify(
    named: Named,
    *,
    wait_alarm: Annotated[
        bool,
        typer.Option(
            "--wait-alarm",
            help="Drive the write alarm too, and wait for its message; all subscribers get it.",
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, max=3600, metavar="SECONDS", help="Wait so long for the probe.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Does the pipeline work? Look at each stage, and send a probe through all of them.

    The probe is an object of some bytes whose key the pipeline's filters take; object and record
    are deleted again. Exit 0 when everything is well, 1 when a stage is broken (it is named), 2
    when some of it could not be told.
    """
    from pipeline.verify import report

    found = named.find()
    status = report.run(found, seconds=timeout, wait_alarm=wait_alarm, as_json=as_json)
    raise typer.Exit(status)
