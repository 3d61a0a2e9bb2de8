"""Put load on the pipeline while something is broken, and tell what became of each upload."""

import json
import shutil
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab import show, stack, terraform
from lab.errors import LabError
from lab.fault_site import Via, sites
from lab.faults import FAULTS, Report, run

FOLDER = stack.REPOSITORY / ".work" / "faults"
UPLOADS = 100
# A wave of kills costs as many seconds as a message is hidden.
_UPLOADS = {"burst": 2000, "worker-killed": 24}


def faults(
    name: str,
    *,
    via: Via = "notification",
    buffered: bool = False,
    uploads: int | None = None,
    folder: Path = FOLDER,
    as_json: bool = False,
) -> int:
    """Run the fault `name`, or all, on one delivery; returns the exit status.

    `uploads` for each run; without it 100, a burst 2,000. Raises LabError when the fault does
    not exist or Terraform fails. Nothing stays but logs.
    """
    delivery = via + ("+buffer" if buffered else "")
    if name != "all" and name not in FAULTS:
        raise LabError(f"There is no fault {name!r}: write all, {', '.join(FAULTS)}.")
    chosen = list(FAULTS) if name == "all" else [name]

    console = Console(stderr=as_json, highlight=False)
    folder = folder.resolve()
    reports: list[Report] = []
    with stack.exclusive(folder):
        _forget(folder)
        try:
            show.heading(console, f"Terraform applies the module, delivery by {delivery}")
            with sites(folder, [delivery], partial(_apply, console)) as found:
                show.heading(console, "Faults")
                for one in chosen:
                    count = uploads or _UPLOADS.get(one, UPLOADS)
                    with show.progress(console, one) as tell:
                        reports.append(run(one, found[delivery], count, tell))
                    _tell_end(console, reports[-1])
        finally:
            _forget(folder)
    _show(console, reports)
    if as_json:
        told = [asdict(report) | {"holds": report.holds} for report in reports]
        json.dump({"reports": told}, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    return 0 if all(report.holds for report in reports) else 1


def _apply(console: Console, root: Path, environment: Mapping[str, str]) -> None:
    log = root.parent / "apply.log"
    with (
        closing(terraform.stream(root, environment, "apply", log)) as events,
        closing(show.follow(console, "planning", events)) as shown,
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
    show.heading(console, "What became of the uploads")
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
    show.note(
        console,
        "Before the replay: recorded, failed (messages in the failure queue), and uploads that "
        "were both, since an invoke may end badly after its write. After it: doubled and lost.",
    )


def _forget(folder: Path) -> None:
    stack.forget(folder)
    for made in ("module", "state"):
        shutil.rmtree(folder / made, ignore_errors=True)
