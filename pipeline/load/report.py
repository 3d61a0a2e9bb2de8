"""What a load run tells: its figures, for programs and for people."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import terminal
from pipeline.load.figures import duration, spread
from pipeline.load.run import Load
from pipeline.load.verdict import Verdict

# Of each kind; the rest is in --json.
_SHOWN = 5


@dataclass
class Report:
    """What `--json` prints; times are in milliseconds where their name ends so.

    `recorded` uploads have one record or more, `unseen` of them were not on the stream; others are
    `in_failure_queue`, `lost` (in neither), or were `refused` by S3. `confirmed` of those on the
    stream were looked up in the table, too. `upload_ms` is until S3 took an upload, `latency_ms`
    from there to its record, `behind_ms` how late it began, `total_ms` from when it was due (in a
    burst, began) to its record. `kept` and `removed` count objects and records.
    """

    bucket: str
    table: str
    delivery: str
    folder: str
    uploads: int
    rate: float | None
    parallel: int
    seed: int
    poll_ms: float
    timeout_seconds: float
    uploaded: int = 0
    recorded: int = 0
    unseen: int = 0
    confirmed: int = 0
    in_failure_queue: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    latency_ms: dict[str, float] | None = None
    upload_ms: dict[str, float] | None = None
    behind_ms: dict[str, float] | None = None
    total_ms: dict[str, float] | None = None
    uploads_per_second: float | None = None
    records_per_second: float | None = None
    kept: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ended_by: str | None = None

    @property
    def holds(self) -> bool:
        """Whether each upload was taken and has one record."""
        return not (self.refused or self.in_failure_queue or self.lost or self.doubled)


def fill(report: Report, load: Load, verdict: Verdict) -> None:
    """Put the figures of a run into its report."""
    taken = load.taken
    report.uploaded = len(taken)
    report.recorded = len(taken) - len(verdict.waiting) - len(verdict.lost)
    report.unseen, report.confirmed = len(verdict.unseen), verdict.confirmed
    report.in_failure_queue, report.lost, report.doubled = (
        sorted(one.key for one in some) for some in (verdict.waiting, verdict.lost, verdict.doubled)
    )
    report.refused = {one.key: str(one.error) for one in load.sent if one.error is not None}
    report.latency_ms = _milliseconds(verdict.latency.values())
    report.upload_ms = _milliseconds(one.answered - one.began for one in taken)
    report.behind_ms = _milliseconds(
        one.began - one.due for one in load.sent if one.due is not None
    )
    report.total_ms = _milliseconds(
        seen - (one.began if one.due is None else one.due)
        for one in taken
        if (seen := load.arrived(one)) is not None
    )
    first = min(one.began for one in load.sent)
    report.uploads_per_second = _rate(first, [one.answered for one in taken])
    times = [seen for one in taken if (seen := load.arrived(one)) is not None]
    report.records_per_second = _rate(first, times)
    report.notes = list(verdict.trouble)
    if not load.tells_keys:
        report.notes.append("The stream tells no keys: a doubled record would not show.")
    began = [one.began for one in load.sent]
    if load.plan.rate and len(began) > 1 and report.ended_by is None:
        kept_up = (len(began) - 1) / (max(began) - min(began))
        if kept_up < 0.95 * load.plan.rate:
            report.notes.append(
                f"This machine began {kept_up:.1f} uploads a second, not {load.plan.rate:g}: raise "
                "--parallel, or ask for less."
            )


def _milliseconds(seconds: Iterable[float]) -> dict[str, float] | None:
    found = spread(seconds)
    if found is None:
        return None
    return {name: round(value * 1000, 1) for name, value in asdict(found).items()}


def _rate(first: float, times: Sequence[float]) -> float | None:
    """How many a second, from the first upload's beginning to the last of these."""
    return round(len(times) / (max(times) - first), 1) if times else None


def tell(console: Console, report: Report) -> None:
    """Print the report for people."""
    _tell_times(console, report)
    _tell_counts(console, report)
    _tell_reasons(console, report)


def _tell_times(console: Console, report: Report) -> None:
    terminal.heading(console, "How long it took")
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 2))
    table.add_column(no_wrap=True)
    for name in ("p50", "p90", "p99", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for label, figures in {
        "an upload began late by": report.behind_ms,
        "until S3 took it": report.upload_ms,
        "from there to its record": report.latency_ms,
        "in all": report.total_ms,
    }.items():
        if figures is not None:
            values = [duration(figure / 1000) for figure in figures.values()]
            table.add_row(f"  {label}", *values, style="bold" if "record" in label else "")
    console.print(table)
    terminal.note(
        console,
        f"A record is there when it was read from the table's stream, every {report.poll_ms:g} ms.",
    )


def _tell_counts(console: Console, report: Report) -> None:
    terminal.heading(console, "What became of the uploads")
    rates = {"uploaded": report.uploads_per_second, "recorded": report.records_per_second}
    for name, number in {
        "uploaded": report.uploaded,
        "refused by S3": len(report.refused),
        "recorded": report.recorded,
        "in the failure queue": len(report.in_failure_queue),
        "lost": len(report.lost),
        "doubled": len(report.doubled),
    }.items():
        bad = number and name not in rates
        line = Text(f"  {name:20} {number:7,}", style="red" if bad else "")
        if rate := rates.get(name):
            line.append(f"   {rate:,.1f} a second")
        console.print(line, soft_wrap=True)


def _tell_reasons(console: Console, report: Report) -> None:
    for name, keys in {
        "lost": report.lost,
        "in the failure queue": report.in_failure_queue,
        "doubled": report.doubled,
        "refused": [f"{key}: {reason}" for key, reason in report.refused.items()],
    }.items():
        for key in keys[:_SHOWN]:
            console.print(Text(f"  {name}  {terminal.printable(key)}", style="red"), soft_wrap=True)
        if len(keys) > _SHOWN:
            terminal.note(console, f"… and {len(keys) - _SHOWN} more; --json names them all.")
    if report.unseen:
        terminal.note(console, f"{report.unseen} of the recorded were not on the stream in time.")
    if report.lost and report.ended_by is None:
        terminal.note(
            console,
            f"Lost is what has no record {report.timeout_seconds:g} s after the last upload and is "
            "not in the failure queue either. It may be tried still: Lambda tries three times in "
            "about three minutes, and for up to six hours when it is throttled.",
        )
    if report.in_failure_queue:
        terminal.note(console, "What is in the failure queue is put through again by lab replay.")
    for one in report.notes:
        terminal.note(console, one)
    if report.ended_by is not None:
        terminal.note(console, "It ended early: the figures are of what was done by then.")
