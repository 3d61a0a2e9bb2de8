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
            help="Test the write alarm too: wait for its notification. All subscribers get it.",
        ),
    ] = False,
    before_destroy: Annotated[
        bool,
        typer.Option(
            "--before-destroy",
            help="Instead: look whether `terraform destroy` would stop or lose something.",
        ),
    ] = False,
    bucket: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Send the probe through this one, where it takes several buckets."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, max=3600, metavar="SECONDS", help="How long to wait.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Does the pipeline work? Check each stage, and send a probe through all of them.

    The probe is a small object whose key the pipeline's filters take; object and record are deleted
    again. Exit 0 when everything works, 1 when a stage is failing, 2 when a stage is unknown.
    """
    from pipeline.errors import PipelineError
    from pipeline.verify import report

    if before_destroy:
        if wait_alarm:
            raise PipelineError("--before-destroy tests no alarm: leave --wait-alarm out.")
        raise typer.Exit(report.before_destroy(named.find(), as_json=as_json))
    status = report.run(
        named.find(), seconds=timeout, wait_alarm=wait_alarm, bucket=bucket, as_json=as_json
    )
    raise typer.Exit(status)
