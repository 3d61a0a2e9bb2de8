"""`python -m tools`: what maintainers of this repository run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline import program
from pipeline.program import Json

Check = Annotated[
    bool, typer.Option("--check", help="Change nothing; exit 1 if it is out of date.")
]

app = program.typer_app("Package, document, check and break the module; for its maintainers.")


@app.command()
def package(check: Check = False, as_json: Json = False) -> None:
    """Build the function's package, lambda_src/dist/lambda.zip, and those of the examples."""
    from tools import package as command

    raise typer.Exit(command.run_all(check, as_json))


@app.command()
def docs(check: Check = False, as_json: Json = False) -> None:
    """Write the tables of inputs and outputs, and the descriptions of variables, from the HCL."""
    from tools import docs as command

    raise typer.Exit(command.run(check, as_json))


@app.command()
def validate(as_json: Json = False) -> None:
    """Run `terraform validate` on the root, every submodule and every example."""
    from tools import validate as command

    raise typer.Exit(command.run(as_json))


@app.command()
def scan() -> None:
    """Scan the HCL and its plans for insecure settings."""
    from tools import scan as command

    raise typer.Exit(command.run())


@app.command()
def schema(
    bindings: Annotated[
        Path | None, typer.Option(metavar="WHEEL", help="cdktn-provider-aws; downloaded if none.")
    ] = None,
    deprecations: Annotated[
        Path | None, typer.Option(metavar="WHEEL", help="Of pulumi-aws; downloaded if none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write what the newest AWS provider says of the types that the HCL uses."""
    from tools import schema as command

    raise typer.Exit(command.run(bindings, deprecations, as_json))


@app.command()
def faults(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME|all", help="What to break; an unknown name lists them all."),
    ],
    uploads: Annotated[
        int | None,
        typer.Option(min=1, help="In each run; 100 if not given, 2,000 in a burst."),
    ] = None,
    via: Annotated[
        Literal["notification", "eventbridge"], typer.Option(help="Where events come from.")
    ] = "notification",
    buffered: Annotated[
        bool, typer.Option("--buffered", help="Put a queue between source and function.")
    ] = False,
    work_dir: Annotated[
        Path | None,
        typer.Option(help="Folder for everything that is made; .work/faults if not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Upload to the module on an emulator while something is broken, and count what became of it.

    Exit 0 when every upload has one record in the end, 1 when one has not, 2 when it could not be
    tried.
    """
    from tools.faults import command

    status = command.faults(
        names,
        via=via,
        buffered=buffered,
        uploads=uploads,
        folder=work_dir or command.FOLDER,
        as_json=as_json,
    )
    raise typer.Exit(status)


if __name__ == "__main__":
    program.run(app, "python -m tools")
