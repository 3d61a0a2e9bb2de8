"""Run faults, and print what became of the uploads in each."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline import terminal
from pipeline.errors import PipelineError
from pipeline.lab import apply as lab
from pipeline.lab import folder as work
from tools.faults.deployment import deployments
from tools.faults.faults import FAULTS
from tools.faults.run import Result, run_fault

# A wave of kills takes as many seconds as SQS hides a message.
_UPLOADS = {"burst": 2000, "worker-killed": 24}


def run(
    names: Sequence[str], delivery: str, uploads: int | None, folder: Path, as_json: bool
) -> int:
    """Run the faults of `names`, or `all`, on one delivery; returns the exit status.

    Leaves nothing but logs in `folder`. Raises PipelineError for an unknown fault, and when
    Terraform fails.
    """
    if unknown := [name for name in names if name != "all" and name not in FAULTS]:
        known = "".join(f"\n  {name}: {_summary(name)}" for name in FAULTS)
        raise PipelineError(f"There is no fault {unknown[0]!r}: write all, or some of{known}")
    chosen = list(FAULTS) if "all" in names else list(dict.fromkeys(names))
    console = Console(stderr=as_json, highlight=False)

    def apply(root: Path, environment: Mapping[str, str]) -> None:
        lab.run(root.parent, environment, console, {})

    results: list[Result] = []
    with work.exclusive(folder):
        work.forget(folder)
        try:
            terminal.heading(console, f"Terraform applies the module, delivery by {delivery}")
            with deployments(folder, [delivery], apply) as deployed:
                terminal.heading(console, "Faults")
                for name in chosen:
                    count = uploads or _UPLOADS.get(name, 100)
                    terminal.note(console, f"{name}: {_summary(name)}")
                    with terminal.progress(console, name) as progress:
                        results.append(run_fault(name, deployed[delivery], count, progress))
                    _print_result(console, results[-1])
        except KeyboardInterrupt:
            console.print("Interrupted: Terraform and the emulator ended; only logs are left.")
            raise
        finally:
            work.forget(folder)
    _print_table(console, results)
    if as_json:
        reports = [asdict(result) | {"ok": result.ok} for result in results]
        json.dump({"reports": reports}, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    return 0 if all(result.ok for result in results) else 1


def _summary(fault: str) -> str:
    return (FAULTS[fault].__doc__ or "").splitlines()[0]


def _print_result(console: Console, result: Result) -> None:
    verdict = "[bold green]ok[/]" if result.ok else "[bold red]failing[/]"
    console.print(
        f"  {verdict} {result.fault}, {result.uploads} uploads in {result.seconds:.1f} s",
        soft_wrap=True,
    )
    for problem in result.problems:
        console.print(f"        {escape(problem)}", soft_wrap=True)


def _print_table(console: Console, results: Sequence[Result]) -> None:
    terminal.heading(console, "What became of the uploads")
    # Narrow enough for 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("fault", no_wrap=True, style="cyan")
    for name in ("uploads", "recorded", "failed", "both", "replayed", "doubled", "lost", "seconds"):
        table.add_column(name, justify="right")
    for result in results:
        fault, _, *figures, _ = asdict(result).values()
        table.add_row(fault, *map(str, figures), style="" if result.ok else "red")
    console.print(table)
    terminal.note(
        console,
        "Before the replay, an upload has a record (recorded), a message in the failure queue "
        "(failed), or both: an invoke may fail after it has written. Then all messages are "
        "replayed. In the end each upload must have exactly one record: none doubled, none lost.",
    )
