"""`pipeline lab demo`: its options."""

from typing import Annotated

import typer

from pipeline.lab.command import Port, WorkDir
from pipeline.paths import LAB
from pipeline.program import Json


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running at the end.")] = False,
    page: Annotated[
        bool,
        typer.Option("--page", help="Show it on a page: it breaks, is fixed and heals by itself."),
    ] = False,
    port: Port = None,
    work_dir: WorkDir = LAB,
    as_json: Json = False,
) -> None:
    """Apply the module on an emulator, upload files, show each step, destroy it all.

    With --page the round is played on the page, for whoever only watches; Ctrl-C then ends it, or
    with --json its end.
    """
    if page:
        from pipeline.demo import page as shown

        raise typer.Exit(shown.run(work_dir, port, keep=keep, as_json=as_json))
    from pipeline.lab import demo

    raise typer.Exit(demo.run(work_dir, port, keep=keep, as_json=as_json))
