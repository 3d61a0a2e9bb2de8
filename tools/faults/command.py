"""Put load on the pipeline while something is broken, and tell what became of each upload."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline import terminal
from pipeline.errors import PipelineError
from pipeline.lab import folder as stack
from pipeline.paths import WORK
from pipeline.terraform import progress
from pipeline.terraform import run as terraform
from tools.faults.faults import FAULTS, Report, run
from tools.faults.site import Via, sites

FOLDER = WORK / "faults"
UPLOADS = 100
# A wave of kills costs as many seconds as a message is hidden.
_UPLOADS = {"burst": 2000, "worker-killed": 24}


def faults(
    names: Sequence[str],
    *,
    via: Via = "notification",
    buffered: bool = False,
    uploads: int | None = None,
    folder: Path = FOLDER,
    as_json: bool = False,
) -> int:
    """Run the faults of `names`, or `all`, on one delivery; returns the exit status.

    `uploads` for each run; without it 100, a burst 2,000. Raises PipelineError when a fault does
    not exist or Terraform fails. Nothing stays but logs.
    """
    delivery = via + ("+buffer" if buffered else "")
    if unknown := [name for name in names if name != "all" and name not in FAULTS]:
        known = "".join(f"\n  {name}: {_what(name)}" for name in FAULTS)
        raise PipelineError(f"There is no fault {unknown[0]!r}: write all, or one of{known}")
    chosen = list(FAULTS) if "all" in names else list(dict.fromkeys(names))

    console = Console(stderr=as_json, highlight=False)
    folder = folder.resolve()
    reports: list[Report] = []
    with stack.exclusive(folder):
        stack.forget(folder)
        try:
            terminal.heading(console, f"Terraform applies the module, delivery by {delivery}")
            with sites(folder, [delivery], partial(_apply, console)) as found:
                terminal.heading(console, "Faults")
                for one in chosen:
                    count = uploads or _UPLOADS.get(one, UPLOADS)
                    console.print(f"  {one}: {_what(one)}", soft_wrap=True)
                    with terminal.progress(console, one) as tell:
                        reports.append(run(one, found[delivery], count, tell))
                    _tell_end(console, reports[-1])
        except KeyboardInterrupt:
            console.print("Interrupted: Terraform and the emulator ended, nothing stays but logs.")
            raise
        finally:
            stack.forget(folder)
    _show(console, reports)
    if as_json:
        told = [asdict(report) | {"holds": report.holds} for report in reports]
        json.dump({"reports": told}, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    return 0 if all(report.holds for report in reports) else 1


def _what(name: str) -> str:
    """What a fault does, in its own words."""
    return (FAULTS[name].__doc__ or "").splitlines()[0]


def _apply(console: Console, root: Path, environment: Mapping[str, str]) -> None:
    log = root.parent / "apply.log"
    with (
        closing(terraform.stream(root, environment, "apply", log)) as events,
        closing(progress.follow(console, "planning", events)) as shown,
    ):
        for _ in shown:
            pass


def _tell_end(console: Console, report: Report) -> None:
    colour, verdict = ("green", "holds") if report.holds else ("red", "FAILS")
    console.print(
        f"  [bold {colour}]{verdict}[/] {report.fault}, {report.uploads} uploads "
        f"in {report.seconds:.1f} s",
        soft_wrap=True,
    )
    for problem in report.problems:
        console.print(f"        {escape(problem)}", soft_wrap=True)


def _show(console: Console, reports: list[Report]) -> None:
    terminal.heading(console, "What became of the uploads")
    # Narrow enough for 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("fault", no_wrap=True, style="cyan")
    for name in ("uploads", "recorded", "failed", "both", "replayed", "doubled", "lost", "seconds"):
        table.add_column(name, justify="right")
    for one in reports:
        figures = (
            one.uploads,
            one.recorded,
            one.in_failure_queue,
            one.both,
            one.replayed,
            one.doubled,
            one.lost,
            one.seconds,
        )
        table.add_row(one.fault, *map(str, figures), style="" if one.holds else "red")
    console.print(table)
    terminal.note(
        console,
        "Before the replay, an upload has a record (recorded), a message in the failure queue "
        "(failed), or both: an invoke may end badly after it has written. All messages are then "
        "replayed. In the end each upload must have exactly one record: none doubled, none lost.",
    )
