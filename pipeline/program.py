"""How a program of ours is called, and how it ends.

Exit status: 0 it holds, 1 it does not, 2 it could not be tried, 130 Ctrl-C, 143 SIGTERM.
"""

import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from pipeline.errors import PipelineError

# Its name on a command line: what `pip install` makes (`lab` is the old one), or the module.
INSTALLED = Path(sys.argv[0]).name in ("pipeline", "lab")
NAME = "pipeline" if INSTALLED else "python -m pipeline"


def command_line() -> str:
    """What starts it in this shell, where it is: `pipeline`, or `.venv/bin/python -m pipeline`."""
    # Not resolved: a virtual environment's python is a link to one without its packages.
    program, here = Path(sys.argv[0] if INSTALLED else sys.executable), Path.cwd()
    shown = program.relative_to(here) if program.is_relative_to(here) else program
    if INSTALLED and not program.is_absolute():
        shown = Path("pipeline")
    return shlex.quote(str(shown)) + ("" if INSTALLED else " -m pipeline")


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]


def typer_app(about: str) -> typer.Typer:
    """A command line as all of ours are."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def run(app: typer.Typer, name: str) -> None:
    """Run a command line; every way out passes the `finally`s of what was started."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _leave)
    for stream in (sys.stdout, sys.stderr):
        # Names of objects are anything; a terminal that lacks a character must not end the run.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app(prog_name=name)
    except PipelineError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        sys.exit(2)


def _leave(signum: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the cleaning up short.
    signal.signal(signum, signal.SIG_IGN)
    sys.exit(128 + signum)
