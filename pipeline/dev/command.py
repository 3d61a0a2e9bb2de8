"""`pipeline lab dev`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.lab.command import WorkDir
from pipeline.paths import LAB


def dev(
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="More files for --send.", show_default=False),
    ] = None,
    hook: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Run this hook in the module's handler; watch it, too."),
    ] = None,
    handler: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Run the handler in this folder, not the module's."),
    ] = None,
    entry: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="on_event of a hook; lambda_handler or handler",
            help="The hook's function, or the handler's module.function.",
        ),
    ] = None,
    send: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Upload it after each save, under its name."),
    ] = None,
    work_dir: WorkDir = LAB,
) -> None:
    """Run in the lab what you save, and show what comes of it: uploads, records, errors.

    Watches the module's handler, or yours, and the HCL of the module and of the lab's root. Saved
    code replaces the function's in about a second, saved HCL is applied. Code with a syntax error
    is not taken: the old code stays. Starts the lab where none runs.

    Ctrl-C gives the lab the code again that Terraform applied, and exits with 130. Exit 2 where the
    lab can't be used.
    """
    from pipeline.dev import run
    from pipeline.dev.code import chosen

    run.run(work_dir, chosen(hook, handler, entry), [*(send or ()), *(more or ())])
