"""How a program of ours is called, and how it ends.

Exit status: 0 it holds, 1 it does not, 2 it could not be tried, 130 Ctrl-C, 141 nobody reads
what it prints, 143 SIGTERM.
"""

import errno
import inspect
import shlex
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from pipeline.errors import PipelineError

# Its name on a command line: what `pip install` makes (`lab` is the old one), or the module.
INSTALLED = Path(sys.argv[0]).name in ("pipeline", "lab")
NAME = "pipeline" if INSTALLED else "python -m pipeline"

_DISTRIBUTION = "terraform-aws-event-driven-integration"
_WIDEST_HELP = 100
# A full disk, or a folder of somebody else's, meets whatever writes.
_FULL = {errno.EDQUOT, errno.ENOSPC}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def command_line() -> str:
    """What starts it in this shell, where it is: `pipeline`, or `.venv/bin/python -m pipeline`."""
    # Not resolved: a virtual environment's python is a link to one without its packages.
    program, here = Path(sys.argv[0] if INSTALLED else sys.executable), Path.cwd()
    shown = program.relative_to(here) if program.is_relative_to(here) else program
    if INSTALLED and not program.is_absolute():
        shown = Path("pipeline")
    return shlex.quote(str(shown)) + ("" if INSTALLED else " -m pipeline")


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def typer_app(about: str) -> typer.Typer:
    """A command line as all of ours are."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        # A shell completes a program's name, not `python -m`.
        add_completion=INSTALLED,
        pretty_exceptions_enable=False,
        # It doubles the time of `--help`, and breaks lines where the source does.
        rich_markup_mode=None,
        context_settings={
            "help_option_names": ["-h", "--help"],
            # Click's own never goes below 50 columns.
            "terminal_width": min(shutil.get_terminal_size().columns, _WIDEST_HELP) - 2,
        },
    )


def run(app: typer.Typer, name: str) -> None:
    """Run a command line; every way out passes the `finally`s of what was started."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _leave)
    for stream in (sys.stdout, sys.stderr):
        # Names of objects are anything; a terminal that lacks a character must not end the run.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    _whole_summaries(app)
    try:
        app(prog_name=name)
    except PipelineError as error:
        _end(str(error))
    except OSError as error:
        if error.errno not in _FULL and not (error.filename and error.errno in _CLOSED):
            raise
        _end(
            f"{error.filename or 'A file'} can't be used ({error.strerror}): make room on that "
            "disk, or take a folder that you may write to."
        )


def _end(sentence: str) -> NoReturn:
    typer.secho(sentence, fg=typer.colors.RED, err=True)
    sys.exit(2)


def _whole_summaries(app: typer.Typer) -> None:
    """List commands with the whole first line of their help, which click cuts."""
    for command in app.registered_commands:
        command.short_help = (inspect.getdoc(command.callback) or "").partition("\n")[0]
    for group in app.registered_groups:
        if group.typer_instance is not None:
            group.short_help = group.typer_instance.info.help
            _whole_summaries(group.typer_instance)


def version() -> str:
    """The version of what was installed, or of the clone."""
    from importlib import metadata

    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        import tomllib

        file = Path(__file__).parents[1] / "pyproject.toml"
        return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["version"])


def _leave(signum: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the cleaning up short.
    signal.signal(signum, signal.SIG_IGN)
    sys.exit(128 + signum)
