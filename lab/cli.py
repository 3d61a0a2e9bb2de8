"""`python -m lab`: what it offers, and how it ends.

Exit status: 0 it holds, 1 it does not, 2 it could not be tried, 130 Ctrl-C, 143 SIGTERM.
"""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer

from lab.errors import LabError
from lab.options import (
    Check,
    Given,
    Json,
    KeyPrefix,
    LabFolder,
    OutputName,
    OutputsFile,
    Port,
    Since,
    StackFolder,
    WorkDir,
    find_target,
)

app = typer.Typer(
    help="Package, run and look after the event-driven integration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def package(check: Check = False, as_json: Json = False) -> None:
    """Build the function's package, lambda_src/dist/lambda.zip."""
    from lab import package as command

    raise typer.Exit(command.run(check, as_json))


@app.command()
def docs(check: Check = False, as_json: Json = False) -> None:
    """Write the inputs and outputs tables of every README from the HCL."""
    from lab import docs as command

    raise typer.Exit(command.run(check, as_json))


@app.command()
def validate(as_json: Json = False) -> None:
    """Run `terraform validate` on the root, every submodule and every example."""
    from lab import validate as command

    raise typer.Exit(command.run(as_json))


@app.command()
def scan() -> None:
    """Scan the HCL and its plans for insecure settings."""
    from lab import scan as command

    raise typer.Exit(command.run())


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running at the end.")] = False,
    port: Port = None,
    work_dir: WorkDir = None,
    as_json: Json = False,
) -> None:
    """Apply the module on an emulator, upload files, show each step, destroy it all."""
    from lab import demo as command
    from lab import stack

    folder = work_dir or stack.FOLDER
    raise typer.Exit(command.run(folder, keep=keep, as_json=as_json, port=port))


@app.command()
def up(port: Port = None, work_dir: WorkDir = None, as_json: Json = False) -> None:
    """Apply the module on an emulator and leave it running."""
    from lab import demo as command
    from lab import stack

    folder = work_dir or stack.FOLDER
    raise typer.Exit(command.run(folder, keep=True, upload=False, as_json=as_json, port=port))


@app.command()
def down(work_dir: WorkDir = None, as_json: Json = False) -> None:
    """Destroy what `up` or `demo --keep` left running."""
    from lab import demo as command
    from lab import stack

    raise typer.Exit(command.down(work_dir or stack.FOLDER, as_json=as_json))


@app.command()
def replay(
    root: StackFolder = None,
    outputs: OutputsFile = None,
    output: OutputName = None,
    given: Given = None,
    work_dir: LabFolder = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Replay everything that is there.")
    ] = False,
    message: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Replay this message; 8 characters of its id suffice."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Replay the events of objects with such a key."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be replayed.")
    ] = False,
    parallel: Annotated[
        int, typer.Option(min=1, max=500, help="Events in the function at a time.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Show what lies in the failure queue, and put it through the function again.

    Without --all, --message or --key it only shows. A message leaves the queue once its records
    are in the table, so that running this again is always safe. Exit 1 when something stayed.
    """
    from lab import replay_command as command

    found = find_target(root, outputs, output, given, work_dir)
    choice = command.Choice(everything, tuple(message or ()), tuple(key or ()))
    status = command.run(found, choice, dry_run=dry_run, parallel=parallel, as_json=as_json)
    raise typer.Exit(status)


@app.command()
def reconcile(
    root: StackFolder = None,
    outputs: OutputsFile = None,
    output: OutputName = None,
    given: Given = None,
    work_dir: LabFolder = None,
    prefix: KeyPrefix = "",
    since: Since = None,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Wait so long for records of what was just uploaded; 60s if not given.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the bucket with the table; name what is missing, doubled or stale.

    As far back as records live. Exit 0 when all agree, 1 when something does not.
    """
    from lab import reconcile_command as command

    found = find_target(root, outputs, output, given, work_dir)
    raise typer.Exit(command.run(found, prefix=prefix, since=since, grace=grace, as_json=as_json))


@app.command()
def backfill(
    root: StackFolder = None,
    outputs: OutputsFile = None,
    output: OutputName = None,
    given: Given = None,
    work_dir: LabFolder = None,
    prefix: KeyPrefix = "",
    since: Since = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only what was uploaded before; like --since."),
    ] = None,
    current: Annotated[
        bool, typer.Option("--current", help="Only current versions, none that is hidden.")
    ] = False,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Leave younger uploads without a version id to their events; 60s if not given.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Records a second; four fifths of the table's write units if not given."
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Writes at a time.")] = 4,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where a run was interrupted.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell how many would be written.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write records of objects that have none; never overwrite one that is there.

    Safe to interrupt and to run again: it goes on where it ended. Exit 0 when all are there, 1 when
    some could not be written.
    """
    from lab import backfill_command as command
    from lab import stack

    found = find_target(root, outputs, output, given, work_dir)
    options = command.Options(
        prefix, since, until, grace, current, rate, parallel, restart, dry_run
    )
    folder = (work_dir or stack.REPOSITORY / ".work") / "backfill"
    raise typer.Exit(command.run(found, options, folder, as_json=as_json))


@app.command()
def load(
    faults: Annotated[
        list[str],
        typer.Option(
            metavar="NAME|all",
            help="What breaks meanwhile; may be repeated. An unknown name lists them all.",
        ),
    ],
    uploads: Annotated[
        int | None,
        typer.Option(min=1, help="Uploads in each run; 100 if not given, a burst 2,000."),
    ] = None,
    via: Annotated[
        Literal["notification", "eventbridge"], typer.Option(help="Where events come from.")
    ] = "notification",
    buffered: Annotated[
        bool, typer.Option("--buffered", help="Put a queue between source and function.")
    ] = False,
    work_dir: Annotated[
        Path | None, typer.Option(help="Folder for everything that is made; .work/faults.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Upload to the module on an emulator while something is broken; count what is lost.

    Exit 0 when every upload has one record in the end, 1 when one has not, 2 when it could not be
    tried.
    """
    from lab import load as command

    raise typer.Exit(
        command.faults(
            faults,
            via=via,
            buffered=buffered,
            uploads=uploads,
            folder=work_dir or command.FOLDER,
            as_json=as_json,
        )
    )


def main() -> None:
    """Run the command line; every way out passes the `finally`s of what was started."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _leave)
    for stream in (sys.stdout, sys.stderr):
        # Names of objects are anything; a terminal that lacks a character must not end the run.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app(prog_name="python -m lab")
    except LabError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        sys.exit(2)


def _leave(signum: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the cleaning up short.
    signal.signal(signum, signal.SIG_IGN)
    sys.exit(128 + signum)
