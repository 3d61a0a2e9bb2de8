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
        typer.Option(
            "--write", help="Let the page upload and replay; on the embedded lab it always may."
        ),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The page's port on loopback; a free one if none."),
    ] = None,
    largest: Annotated[
        int, typer.Option("--largest", min=1, metavar="MIB", help="Of a file that is uploaded.")
    ] = 100,
    as_json: Json = False,
) -> None:
    """Watch the pipeline on a page in your browser: drop a file, see it travel.

    The embedded lab is started when it does not run. Served on this machine alone, to whoever has
    the link that is printed. Ctrl-C ends it, exit 0; 2 when it could not be started.
    """
    from pipeline.console import serve

    find, lab = serve.choose(named)
    status = serve.run(
        find, lab, write=write, port=port, largest=largest * 1024 * 1024, as_json=as_json
    )
    raise typer.Exit(status)
