"""`pipeline`: what it offers, and how it ends.

Exit status: 0 it holds, 1 it does not, 2 it could not be tried, 130 Ctrl-C, 141 nobody reads
what it prints, 143 SIGTERM.
"""

import sys
from typing import Annotated, NoReturn

import typer

from pipeline import program
from pipeline.accept.command import accept
from pipeline.backfill.command import backfill
from pipeline.console.command import console
from pipeline.cost.command import cost
from pipeline.demo.command import demo
from pipeline.dev.command import dev
from pipeline.invoke.command import invoke
from pipeline.lab import command as lab
from pipeline.load.command import load
from pipeline.logs.command import logs
from pipeline.reconcile.command import reconcile
from pipeline.records.command import records
from pipeline.replay.command import replay
from pipeline.tail.command import tail
from pipeline.verify.command import verify

# What 1.0.0 called `lab NAME`, where it is not `pipeline NAME` now.
_RENAMED = {
    **{name: f"{program.NAME} lab {name}" for name in ("up", "status", "down", "demo")},
    **{name: f"python -m tools {name}" for name in ("package", "docs", "validate", "scan")},
    "load --faults": "python -m tools faults",
}

app = program.typer_app("Look after a deployed event-driven pipeline, or run one on this machine.")
_LOOKING = verify, console, tail, logs, records
_ACTING = invoke, replay, reconcile, backfill, load, cost, accept
for function in (*_LOOKING, *_ACTING):
    app.command()(function)
lab.app.command()(dev)
lab.app.command()(demo)
app.add_typer(lab.app, name="lab")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"{program.NAME} {program.version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run `pipeline`."""
    if (name := _old_name()) in _RENAMED:
        _answer(name, _RENAMED[name])
    program.run(app, program.NAME)


def renamed() -> None:
    """Answer `lab`, the name of 1.0.0, with the new name."""
    name = _old_name()
    _answer(f"lab {name}".rstrip(), _RENAMED.get(name, f"{program.NAME} {name}".rstrip()))


def _old_name() -> str:
    name = " ".join(sys.argv[1:2])
    faults = name == "load" and any(word.startswith("--faults") for word in sys.argv)
    return "load --faults" if faults else name


def _answer(old: str, new: str) -> NoReturn:
    typer.secho(f"`{old}` is now `{new}`.", fg=typer.colors.RED, err=True)
    sys.exit(2)
