"""`python -m pipeline backfill`: write records of objects that have none."""

import json
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline import terminal, times
from pipeline.backfill import checkpoint
from pipeline.backfill.run import GRACE_SECONDS, PARALLEL, Asked, Outcome, backfill, count, rate_of
from pipeline.deployed import aws
from pipeline.deployed import bucket as listing
from pipeline.deployed import table as table_records
from pipeline.deployed.filters import filters_of, retention_seconds
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

# The rest is in --json.
_LINES = 20


@dataclass(frozen=True)
class Options:
    """What was asked for: times as they were typed, `rate` in records a second."""

    prefix: str = ""
    since: str | None = None
    until: str | None = None
    grace: str | None = None
    current: bool = False
    rate: float | None = None
    parallel: int = PARALLEL
    restart: bool = False
    dry_run: bool = False


@dataclass
class Report:
    """What `--json` prints: how many versions were looked at, and what became of them.

    `resumed_after` is the key after which it went on, `ended_by` why it ended early; `failed` has
    the versions that could not be written.
    """

    bucket: str
    table: str
    dry_run: bool
    resumed_after: str | None = None
    to_look_at: int = 0
    written: int = 0
    there: int = 0
    absent: int = 0
    young: int = 0
    unversioned: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    ended_by: str | None = None
    failed: list[dict[str, Any]] = field(default_factory=list)


def run(found: Target, options: Options, folder: Path, *, as_json: bool = False) -> int:
    """Write what is missing; returns the exit status. Raises PipelineError.

    Ctrl-C goes on to the caller, once it was said how far it got.
    """
    console = Console(stderr=as_json, highlight=False, emoji=False)
    asked = _asked(found, options)
    s3 = listing.client(**found.settings)
    table = table_records.Table(
        table_records.client(options.parallel, **found.settings), found.table_name
    )
    functions = aws.client("lambda", **found.settings)
    retention = retention_seconds(functions, found.function_name)
    described = table.description()
    saved = checkpoint.of(folder, _about(asked, options, described))
    start = None if options.restart or options.dry_run else saved.load()
    report = Report(asked.bucket, table.name, options.dry_run)
    if start is not None:
        report.resumed_after = start.after
        terminal.note(
            console,
            f"Going on after {terminal.printable(start.after)}, where the last run ended; "
            "--restart "
            "begins anew.",
        )
    rate = options.rate or rate_of(described)
    with terminal.progress(console, "backfill") as tell:
        report.to_look_at = count(s3, asked, start, tell)
    try:
        with (
            terminal.progress(console, "backfill") as tell,
            terminal.interruptible("Ending, once the writes that are under way are through."),
        ):
            outcomes = backfill(
                s3,
                table,
                asked,
                retention=retention,
                start=start,
                passed=saved.save,
                tell=tell,
                dry_run=options.dry_run,
                rate=rate,
                parallel=options.parallel,
            )
            began = time.monotonic()
            with closing(outcomes):
                for number, outcome in enumerate(outcomes, start=1):
                    _note(report, outcome)
                    _tell_failed(console, report, outcome)
                    per_second = number / max(time.monotonic() - began, 0.001)
                    total = max(report.to_look_at, number)
                    tell(_pace(report.written, per_second, total - number), number, total)
        if not options.dry_run:
            saved.remove()
    except BaseException as error:
        report.ended_by = str(error) if isinstance(error, PipelineError) else type(error).__name__
        raise
    finally:
        report.read_units, report.write_units = table.read_units, table.write_units
        _sum_up(console, report)
        if as_json:
            # ASCII, for a terminal that takes a control character at its word.
            json.dump(asdict(report), sys.stdout, indent=2)
            sys.stdout.write("\n")
    return 1 if report.failed else 0


def _asked(found: Target, options: Options) -> Asked:
    now = time.time()
    since, until = (
        None if text is None else times.moment(text, now, option)
        for text, option in ((options.since, "--since"), (options.until, "--until"))
    )
    return Asked(
        found.bucket_name,
        filters_of(found),
        options.prefix,
        since,
        until,
        options.current,
        GRACE_SECONDS if options.grace is None else times.seconds(options.grace, "--grace"),
    )


def _about(asked: Asked, options: Options, described: Any) -> dict[str, Any]:
    """What a checkpoint is good for: this very work, and not a table made anew by the same name."""
    return {
        "bucket": asked.bucket,
        "table": described.get("TableId") or described.get("TableArn"),
        "filters": [[one.prefix, one.suffix, sorted(one.ways)] for one in asked.filters],
        "prefix": options.prefix,
        "since": options.since,
        "until": options.until,
        "current": options.current,
    }


def _note(report: Report, outcome: Outcome) -> None:
    version = outcome.version
    report.unversioned += not version.version_id and outcome.state in ("written", "absent")
    if outcome.state == "failed":
        failed = {"key": version.key, "version_id": version.version_id or None}
        report.failed.append(failed | {"reason": outcome.reason})
    else:
        setattr(report, outcome.state, getattr(report, outcome.state) + 1)


def _tell_failed(console: Console, report: Report, outcome: Outcome) -> None:
    if outcome.state == "failed" and len(report.failed) <= _LINES:
        version = outcome.version
        line = terminal.printable(
            f"{version.key} ({version.version_id or 'null'}): {outcome.reason}"
        )
        console.print(Text.assemble(("  failed  ", "red"), line), soft_wrap=True)


def _pace(written: int, per_second: float, left: int) -> str:
    """What to say of the progress: `looked at, 120 written, 4.0/s, 3 min left`."""
    seconds = left / per_second
    lasts = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return f"looked at, {written} written, {per_second:.1f}/s, {lasts} left"


def _sum_up(console: Console, report: Report) -> None:
    figures: dict[str, object] = {
        "object versions": str(report.to_look_at),
        "would be written" if report.dry_run else "written": (
            report.absent if report.dry_run else report.written
        ),
        "had a record": report.there,
        "too young": report.young,
        "failed": len(report.failed),
        "it took": f"{report.read_units:g} read units, {report.write_units:g} write units",
    }
    terminal.heading(console, f"{terminal.printable(report.bucket)} into {report.table}")
    terminal.fields(console, {name: value for name, value in figures.items() if value != 0})
    if len(report.failed) > _LINES:
        terminal.note(console, f"and {len(report.failed) - _LINES} more failed (--json has all)")
    if report.unversioned:
        terminal.note(
            console,
            f"{report.unversioned} of them have no version id: their objectId is not the one that "
            "an event would give, so that an event which still comes leaves a second record.",
        )
    if report.young:
        terminal.note(
            console,
            f"{report.young} without a version id are left to their events, being too young; run "
            "it again later.",
        )
    if report.ended_by is not None:
        terminal.note(
            console,
            "It ended early; those under way may be in, too. Run the same again: it goes on where "
            "this ended, and nothing is written twice.",
        )
    elif not (report.dry_run or report.failed or report.young):
        terminal.note(console, "Every object that was looked at has its record.")
