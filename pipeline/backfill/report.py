"""Print what `pipeline backfill` writes, and keep how far it got."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from pipeline import terminal
from pipeline.backfill.checkpoint import Checkpoint
from pipeline.backfill.invoke import sender
from pipeline.backfill.run import Backfill, Outcome, Selection, State
from pipeline.deployed import aws, bucket, table
from pipeline.deployed.filters import hook_of, retention_seconds
from pipeline.deployed.target import Target

# The rest is in --json.
_LINES = 20
# Of the table's write units; the rest is for new events.
_SHARE = 0.8


@dataclass
class Report:
    """What `--json` prints: how many versions there were, and what became of them.

    `hook` is what the function calls for each event, `resumed_after` the key after which it went
    on, `ended_by` why it ended early; `failed` has the versions whose records could not be written,
    `buckets` what became of how many, by bucket.
    """

    bucket: str
    table: str
    dry_run: bool
    hook: str | None = None
    resumed_after: str | None = None
    to_look_at: int = 0
    written: int = 0
    skipped: int = 0
    there: int = 0
    absent: int = 0
    young: int = 0
    unversioned: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    ended_by: str | None = None
    failed: list[dict[str, Any]] = field(default_factory=list)
    buckets: dict[str, dict[str, int]] = field(default_factory=dict)


def run(
    found: Target,
    selection: Selection,
    options: Mapping[str, Any],
    *,
    folder: Path,
    rate: float | None,
    parallel: int,
    restart: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Write what is missing; returns the exit status.

    Goes on where a run with the same `options` ended, by its checkpoint in `folder`. Raises
    PipelineError and KeyboardInterrupt, after it printed what was written by then.
    """
    console = terminal.console(stderr=as_json)
    records = table.Table(table.client(parallel, **found.settings), found.table_name)
    functions = aws.client("lambda", **found.settings)
    retention = retention_seconds(functions, found.function_name)
    described = records.description()
    work = {
        **options,
        "buckets": selection.buckets,
        # Not its name: a table may be created again.
        "table": described.get("TableId") or described.get("TableArn"),
        "filters": [
            [rule.prefix, rule.suffix, sorted(rule.operations)] for rule in selection.filters
        ],
    }
    saved = Checkpoint(folder, work)
    start = None if restart or dry_run else saved.load()
    hook = hook_of(functions, found.function_name)
    send = None
    report = Report(selection.bucket, records.name, dry_run, hook)
    report.buckets = {name: dict.fromkeys(get_args(State), 0) for name in selection.buckets}
    if hook is not None:
        send = sender(found.function_name, parallel, **found.settings)
        terminal.note(
            console, f"The function writes the records, since it adds what {hook} returns."
        )
    if start is not None:
        report.resumed_after = start.after
        terminal.note(
            console,
            f"Going on after {terminal.printable(start.after)}, where the last run ended; "
            "--restart starts from the first key.",
        )
    # A table on demand has 0 units.
    units = described.get("ProvisionedThroughput", {}).get("WriteCapacityUnits", 0)
    backfill = Backfill(
        bucket.client(**found.settings),
        records,
        selection,
        retention,
        start,
        saved.save,
        dry_run=dry_run,
        rate=rate or units * _SHARE or None,
        parallel=parallel,
        send=send,
    )
    with terminal.progress(console, "backfill") as progress:
        backfill.progress = progress
        report.to_look_at = backfill.count()
    try:
        with (
            terminal.progress(console, "backfill") as progress,
            terminal.interruptible("Ending, once the running writes have finished."),
            closing(backfill.run()) as outcomes,
        ):
            backfill.progress, began = progress, time.monotonic()
            for number, outcome in enumerate(outcomes, start=1):
                _count(console, report, outcome)
                per_second = number / max(time.monotonic() - began, 0.001)
                total = max(report.to_look_at, number)
                progress(_pace(report.written, per_second, total - number), number, total)
        if not dry_run:
            saved.remove()
    except BaseException as error:
        report.ended_by = str(error) or type(error).__name__
        raise
    finally:
        report.read_units, report.write_units = records.read_units, records.write_units
        _print(console, report)
        if as_json:
            terminal.print_json(asdict(report))
    return 1 if report.failed else 0


def _count(console: Console, report: Report, outcome: Outcome) -> None:
    version = outcome.version
    report.buckets[version.bucket][outcome.state] += 1
    report.unversioned += not version.version_id and outcome.state in ("written", "absent")
    if outcome.state == "failed":
        failed = {
            "bucket": version.bucket,
            "key": version.key,
            "version_id": version.version_id or None,
        }
        report.failed.append(failed | {"reason": outcome.reason})
        if len(report.failed) <= _LINES:
            name = (
                version.key if len(report.buckets) == 1 else f"s3://{version.bucket}/{version.key}"
            )
            line = f"{name} ({version.version_id or 'null'}): {outcome.reason}"
            terminal.problems(console, "failed", [line], 1)
    else:
        setattr(report, outcome.state, getattr(report, outcome.state) + 1)


def _pace(written: int, per_second: float, left: int) -> str:
    """The progress as text: `looked at, 120 written, 4.0/s, 3 min left`."""
    seconds = left / per_second
    lasts = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return f"looked at, {written} written, {per_second:.1f}/s, {lasts} left"


def _print(console: Console, report: Report) -> None:
    figures: dict[str, object] = {
        # As text, so that it is shown even if it is 0.
        "object versions": str(report.to_look_at),
        "would be written" if report.dry_run else "written": (
            report.absent if report.dry_run else report.written
        ),
        "skipped by the hook": report.skipped,
        "had a record": report.there,
        "too young": report.young,
        "failed": len(report.failed),
        "cost": f"{report.read_units:g} read units, {report.write_units:g} write units",
    }
    buckets = ", ".join(map(terminal.printable, report.buckets))
    terminal.heading(console, f"{buckets} into {report.table}")
    terminal.fields(console, {name: value for name, value in figures.items() if value != 0})
    if len(report.buckets) > 1:
        states = [
            state for state in get_args(State) if any(of[state] for of in report.buckets.values())
        ]
        rows = [
            (terminal.printable(name), *(str(of[state]) for state in states))
            for name, of in report.buckets.items()
        ]
        terminal.table(console, ("bucket", *states), rows)
    notes = []
    if len(report.failed) > _LINES:
        notes.append(f"and {len(report.failed) - _LINES} more failed (--json has all)")
    if report.unversioned:
        notes.append(
            f"{report.unversioned} of them have no version id: their objectId differs from their "
            "event's, so an event that still comes leaves a second record."
        )
    if report.young:
        notes.append(
            f"{report.young} without a version id are too young and left to their events; run it "
            "again later."
        )
    if report.ended_by is not None:
        notes.append(
            "It ended early; running writes may have finished. Run the same again: it goes on "
            "where this ended, and nothing is written twice."
        )
    elif not (report.dry_run or report.failed or report.young):
        skipped = ", or was skipped by the hook" if report.skipped else ""
        notes.append(f"Every object that was looked at has its record{skipped}.")
    for note in notes:
        terminal.note(console, note)
