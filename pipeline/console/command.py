"""`pipeline console`: its options."""

from typing import Annotated

import typer

from pipeline.options import Named, about_a_pipeline
from pipeline.program import Json


@about_a_pipeline
def console(
    named: Named,
    *,
    write: Annotated[
        bool,
        typer.Option("--write", help="Allow uploads and replays; always so on the embedded lab."),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the page on loopback; a free one if none."),
    ] = None,
    largest: Annotated[
        int, typer.Option("--largest", min=1, metavar="MIB", help="Largest file to upload.")
    ] = 100,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the link, and open no browser.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the pipeline on a page in your browser: upload files and follow them to their records.

    Starts the embedded lab if it does not run. Serves on this machine only, for whoever has the
    link, which is printed and opened where there is a terminal and a desktop. Ctrl-C ends it,
    exit 0; 2 when it could not be started.
    """
    from pipeline.console import serve

    serve.run(
        named,
        write=write,
        port=port,
        largest=largest * 1024 * 1024,
        as_json=as_json,
        open_browser=not no_open,
    )
