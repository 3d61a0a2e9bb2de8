"""`pipeline`: what it offers, and how it ends.

Exit status: 0 it holds, 1 it does not, 2 it could not be tried, 130 Ctrl-C, 143 SIGTERM.
"""

import sys

import typer

from pipeline import program
from pipeline.backfill.command import backfill
from pipeline.console.command import console
from pipeline.cost.command import cost
from pipeline.lab import command as lab
from pipeline.load.command import load
from pipeline.reconcile.command import reconcile
from pipeline.replay.command import replay
from pipeline.verify.command import verify

# What 1.0.0 called them: all began with `lab`, also what is about a deployed pipeline.
RENAMED = {
    **{name: f"{program.NAME} lab {name}" for name in ("up", "status", "down", "demo")},
    **{name: f"python -m tools {name}" for name in ("package", "docs", "validate", "scan")},
}


app = program.typer_app("Look after a deployed event-driven pipeline, or run one on this machine.")
for function in (verify, console, replay, reconcile, backfill, load, cost):
    app.command()(function)
app.add_typer(lab.app, name="lab")


def main() -> None:
    """Run `pipeline`."""
    if (name := " ".join(sys.argv[1:2])) in RENAMED:
        typer.secho(f"`{name}` is now `{RENAMED[name]}`.", fg=typer.colors.RED, err=True)
        sys.exit(2)
    program.run(app, program.NAME)


def renamed() -> None:
    """What `lab`, the name of 1.0.0, answers."""
    name = " ".join(sys.argv[1:2])
    now = RENAMED.get(name, f"{program.NAME} {name}".rstrip())
    typer.secho(f"`lab` is now `pipeline`: write `{now}`.", fg=typer.colors.RED, err=True)
    sys.exit(2)
