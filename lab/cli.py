"""`python -m lab`: what it offers, and how it ends.

Exit status: 0 it holds, 1 it does not, 2 it could not be tried, 130 Ctrl-C, 143 SIGTERM.
"""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer

from lab import program
from lab.errors import LabError
from lab.module import WORK
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
    refuse_others,
)

# Headings of the list of commands.
_LAB = "The lab on this machine"
_PIPELINE = "A deployed pipeline, or that lab"
_REPOSITORY = "This repository"

app = typer.Typer(
    help="Package, run and look after the event-driven integration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(rich_help_panel=_LAB)
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


@app.command(rich_help_panel=_LAB)
def up(port: Port = None, work_dir: WorkDir = None, as_json: Json = False) -> None:
    """See to it that a lab runs on this machine, as the module is now, and leave it running.

    One that runs already stays, and gets what has changed in the module. One that was stopped, or
    whose emulator died, comes back with its objects, records, messages and alarms: what it holds is
    saved every second or two, so that a crash costs the newest writes. Otherwise a new one is made,
    in about a minute.
    """
    from lab import stack
    from lab import stay as command

    raise typer.Exit(command.up(work_dir or stack.FOLDER, port=port, as_json=as_json))


@app.command(rich_help_panel=_LAB)
def status(work_dir: WorkDir = None, as_json: Json = False) -> None:
    """Tell whether the lab runs, since when, what is in it, and whether the module has changed.

    Exit 0 when it runs, 1 when it does not, 2 when that can't be found out.
    """
    from lab import stack
    from lab import status as command

    raise typer.Exit(command.run(work_dir or stack.FOLDER, as_json=as_json))


@app.command(rich_help_panel=_LAB)
def down(
    keep_state: Annotated[
        bool, typer.Option("--keep-state", help="Only stop it; `up` brings it back as it was.")
    ] = False,
    work_dir: WorkDir = None,
    as_json: Json = False,
) -> None:
    """Destroy the lab that `up` or `demo --keep` left, running or stopped.

    With it go stacks of your own that you made in its emulator.
    """
    from lab import stack
    from lab import stay as command

    folder = work_dir or stack.FOLDER
    raise typer.Exit(command.down(folder, keep_state=keep_state, as_json=as_json))


@app.command(rich_help_panel=_PIPELINE)
def verify(
    root: StackFolder = None,
    outputs: OutputsFile = None,
    output: OutputName = None,
    given: Given = None,
    work_dir: LabFolder = None,
    wait_alarm: Annotated[
        bool,
        typer.Option(
            "--wait-alarm",
            help="Drive the write alarm too, and wait for its message; all subscribers get it.",
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, max=3600, metavar="SECONDS", help="Wait so long for the probe.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Does the pipeline work? Look at each stage, and send a probe through all of them.

    The probe is an object of some bytes whose key the pipeline's filters take; object and record
    are deleted again. Exit 0 when everything is well, 1 when a stage is broken (it is named), 2
    when some of it could not be told.
    """
    from lab import verify_command as command

    found = find_target(root, outputs, output, given, work_dir)
    status = command.run(found, seconds=timeout, wait_alarm=wait_alarm, as_json=as_json)
    raise typer.Exit(status)


@app.command(rich_help_panel=_PIPELINE)
def console(
    root: StackFolder = None,
    outputs: OutputsFile = None,
    output: OutputName = None,
    given: Given = None,
    work_dir: LabFolder = None,
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
    from lab.console import command

    find, lab = command.choose(root, outputs, output, given, work_dir)
    status = command.run(
        find, lab, write=write, port=port, largest=largest * 1024 * 1024, as_json=as_json
    )
    raise typer.Exit(status)


@app.command(rich_help_panel=_PIPELINE)
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


@app.command(rich_help_panel=_PIPELINE)
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


@app.command(rich_help_panel=_PIPELINE)
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

    found = find_target(root, outputs, output, given, work_dir)
    options = command.Options(
        prefix, since, until, grace, current, rate, parallel, restart, dry_run
    )
    folder = (work_dir or WORK) / "backfill"
    raise typer.Exit(command.run(found, options, folder, as_json=as_json))


@app.command(rich_help_panel=_PIPELINE)
def load(
    context: typer.Context,
    uploads: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many; 100 if not given. With --faults in each run; a burst 2,000."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_SECOND", min=0.001, help="Uploads begun a second; a burst if not given."
        ),
    ] = None,
    size: Annotated[str, typer.Option(help="Bytes of each, or a range, as 1KiB-1MiB.")] = "1KiB",
    keys: Annotated[
        Literal["plain", "odd", "nested"],
        typer.Option(help="Keys that are plain, hard to encode, or deep in folders."),
    ] = "plain",
    prefix: Annotated[
        str | None, typer.Option(help="What keys begin with; the first filter's if not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same sizes and contents again.")] = None,
    parallel: Annotated[int, typer.Option(min=1, max=500, help="Uploads at a time.")] = 8,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="To wait for records after the last upload, at most."
        ),
    ] = 60.0,
    poll: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.01,
            help="How often to read the stream; every 0.2 in AWS, every 0.02 on an emulator.",
        ),
    ] = None,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove the objects and the records at the end.")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .png or .svg; both under .work/load if not given."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="More than 10,000 uploads are meant.")] = False,
    root: StackFolder = None,
    outputs: OutputsFile = None,
    output: OutputName = None,
    given: Given = None,
    work_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the kept lab, .work/demo; with --faults of what is made, .work/faults."
        ),
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|all",
            help="Break this meanwhile, on an emulator of its own; may be repeated. An unknown "
            "name lists them all.",
        ),
    ] = None,
    via: Annotated[
        Literal["notification", "eventbridge"],
        typer.Option(help="With --faults: where events come from."),
    ] = "notification",
    buffered: Annotated[
        bool,
        typer.Option("--buffered", help="With --faults: put a queue between source and function."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Upload to a deployed pipeline; tell how long records take, and whether any is lost.

    With --faults, upload to the module on an emulator while something is broken. Exit 0 when every
    upload has one record in the end, 1 when one has not, 2 when it could not be tried.
    """
    if faults:
        from lab import fault_command

        refuse_others(
            context,
            {"faults", "uploads", "via", "buffered", "work_dir", "as_json"},
            "goes with a stack that is deployed, and --faults applies one of its own",
        )
        status = fault_command.faults(
            faults,
            via=via,
            buffered=buffered,
            uploads=uploads,
            folder=work_dir or fault_command.FOLDER,
            as_json=as_json,
        )
        raise typer.Exit(status)

    from lab import load_command

    everything = {one.name or "" for one in context.command.params}
    refuse_others(
        context,
        everything - {"via", "buffered"},
        "goes with --faults: a stack that is deployed delivers as it does",
    )
    asked = load_command.Asked(
        uploads=load_command.UPLOADS if uploads is None else uploads,
        rate=rate,
        size=size,
        keys=keys,
        prefix=prefix,
        seed=seed,
        parallel=parallel,
        timeout=timeout,
        poll=poll,
        clean=clean,
        picture=picture,
        yes=yes,
    )
    found = find_target(root, outputs, output, given, work_dir)
    raise typer.Exit(load_command.run(found, asked, as_json=as_json))


@app.command(rich_help_panel=_PIPELINE)
def cost(
    plan: Annotated[
        Path | None,
        typer.Argument(
            metavar="PLAN.json",
            help="What `terraform show -json` printed, of a plan or a state; or -. The module with "
            "no setting if none.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--stack", metavar="FOLDER", help="Terraform root whose state is priced instead."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0, max=1_000_000, help="Uploads a second, on average; 0.1 if not given."),
    ] = None,
    uploads: Annotated[
        float | None, typer.Option(min=0, max=1e12, help="Uploads a month, instead of --rate.")
    ] = None,
    size: Annotated[str, typer.Option(help="Mean size of an object: bytes, or KB, MB, GB.")] = (
        "100KB"
    ),
    keep_days: Annotated[
        float, typer.Option(min=0, max=36_500, help="How long an object stays in the bucket.")
    ] = 30,
    milliseconds: Annotated[
        float, typer.Option(min=1, max=900_000, help="Billed for an invoke of the function.")
    ] = 20,
    batch: Annotated[
        float, typer.Option(min=1, max=10_000, help="Messages in a batch, where there is a buffer.")
    ] = 1,
    alarm_messages: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Messages of alarms in a month.")
    ] = 30,
    limit: Annotated[
        float | None,
        typer.Option(metavar="DOLLARS", min=0, help="Exit 1 when a month costs more, for CI."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell what a plan costs a month, what of it is free, and up to how many uploads.

    Rate, size and messages are each pipeline's, where a plan has several. Prices are those of
    prices.json; AWS is not asked, but for a state that lies there.
    """
    from lab import cost_command as command
    from lab import prices

    table = prices.load()
    assumed = command.assumed(
        table,
        rate=rate,
        uploads=uploads,
        size=size,
        keep_days=keep_days,
        milliseconds=milliseconds,
        batch=batch,
        alarm_messages=alarm_messages,
    )
    found, what = command.find_plan(plan, root)
    raise typer.Exit(command.run(found, what, assumed, table, limit=limit, as_json=as_json))


@app.command(rich_help_panel=_REPOSITORY)
def package(check: Check = False, as_json: Json = False) -> None:
    """Build the function's package, lambda_src/dist/lambda.zip, and those of the examples."""
    from lab import package as command

    raise typer.Exit(command.run_all(check, as_json))


@app.command(rich_help_panel=_REPOSITORY)
def docs(check: Check = False, as_json: Json = False) -> None:
    """Write the tables of inputs and outputs, and the variables' descriptions, from the HCL."""
    from lab import docs as command

    raise typer.Exit(command.run(check, as_json))


@app.command(rich_help_panel=_REPOSITORY)
def validate(as_json: Json = False) -> None:
    """Run `terraform validate` on the root, every submodule and every example."""
    from lab import validate as command

    raise typer.Exit(command.run(as_json))


@app.command(rich_help_panel=_REPOSITORY)
def scan() -> None:
    """Scan the HCL and its plans for insecure settings."""
    from lab import scan as command

    raise typer.Exit(command.run())


def main() -> None:
    """Run the command line; every way out passes the `finally`s of what was started."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _leave)
    for stream in (sys.stdout, sys.stderr):
        # Names of objects are anything; a terminal that lacks a character must not end the run.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app(prog_name=program.NAME)
    except LabError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        sys.exit(2)


def _leave(signum: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the cleaning up short.
    signal.signal(signum, signal.SIG_IGN)
    sys.exit(128 + signum)
