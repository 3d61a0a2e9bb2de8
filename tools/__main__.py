"""`python -m tools`: what maintainers of this repository run."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import program
from pipeline.program import Json
from tools.faults.command import faults

Check = Annotated[
    bool, typer.Option("--check", help="Change nothing; exit 1 if it is out of date.")
]

app = program.typer_app("Package, document, check and break the module; for its maintainers.")


@app.command()
def package(check: Check = False, as_json: Json = False) -> None:
    """Build the function's package, lambda_src/dist/lambda.zip, and those of the examples."""
    from tools import package as command

    raise typer.Exit(command.run(check, as_json))


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
    """Write the newest AWS provider's schema of the types that the HCL uses."""
    from tools import schema as command

    raise typer.Exit(command.run(bindings, deprecations, as_json))


@app.command()
def words() -> None:
    """Look for words of the old vocabulary in all files; exit 1 if there are any."""
    from tools import words as command

    raise typer.Exit(command.run())


@app.command()
def record() -> None:
    """Record the page while a lab breaks and heals, for README, and its picture for the docs."""
    from tools import record as command

    raise typer.Exit(command.run())


app.command()(faults)


if __name__ == "__main__":
    program.run(app, "python -m tools")
