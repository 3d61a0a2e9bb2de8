"""`python -m lab load`: upload to a deployed pipeline, and tell how long records take."""

import json
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab import arrivals, load_plan, load_verdict, prices, show, stack
from lab.errors import LabError
from lab.load import Load, clients
from lab.load_figures import Spread, duration, spread
from lab.load_plan import Plan, Shape
from lab.load_verdict import Verdict, judge, remove
from lab.target import Target

UPLOADS = 100
FOLDER = stack.REPOSITORY / ".work" / "load"
# Beyond it, whoever runs this has to mean it.
_MANY = 10_000
# After Ctrl-C, for what is under way.
_GRACE_SECONDS = 5.0
_SHOWN = 5
_SUFFIXES = (".png", ".svg")


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line; `rate` None is a burst, `poll` None what suits."""

    uploads: int = UPLOADS
    rate: float | None = None
    size: str = "1KiB"
    keys: Shape = "plain"
    prefix: str | None = None
    seed: int | None = None
    parallel: int = 8
    timeout: float = 60.0
    poll: float | None = None
    clean: bool = False
    picture: Path | None = None
    yes: bool = False


@dataclass
class Report:
    """What `--json` prints; times are in milliseconds where their name ends so.

    `recorded` uploads have one record or more, `unseen` of them were not on the stream; `waiting`
    are in the failure queue, `lost` nowhere, `refused` by S3. `confirmed` were looked up in the
    table, too. `behind_ms` is how late uploads began. `kept` and `removed` count objects and
    records.
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
    uploaded: int = 0
    recorded: int = 0
    unseen: int = 0
    confirmed: int = 0
    waiting: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    latency_ms: dict[str, float] | None = None
    upload_ms: dict[str, float] | None = None
    behind_ms: dict[str, float] | None = None
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
        return not (self.refused or self.waiting or self.lost or self.doubled)


def run(found: Target, asked: Asked, *, as_json: bool = False) -> int:
    """Upload as asked and tell what came of it; returns the exit status.

    Raises LabError where it can't be tried; that and Ctrl-C once uploads began go on to the caller
    after all was told that was measured by then.
    """
    console = Console(stderr=as_json, highlight=False, emoji=False)
    plan = _plan(found, asked)
    through = clients(asked.parallel, **found.settings)
    poll = asked.poll or arrivals.poll_seconds(through.streams)
    pictures = _pictures(asked.picture, plan)
    load = Load(through, found, plan, poll)
    load_verdict.try_access(load)
    report = Report(
        load.bucket,
        load.table,
        _delivery(found),
        plan.folder,
        plan.uploads,
        plan.rate,
        asked.parallel,
        plan.seed,
        poll * 1000,
    )
    _announce(console, plan, load, asked)
    with load:
        ended = _drive(console, load, asked)
        if ended is not None and not load.sent:
            raise ended
        report.ended_by = None if ended is None else str(ended) or type(ended).__name__
        try:
            with show.progress(console, "table") as tell:
                verdict = judge(load, tell)
        except BaseException:
            show.note(console, f"Objects of this run stay: {show.printable(plan.folder)}")
            raise
    _fill(report, load, verdict)
    _show(console, report, asked)
    if pictures:
        _draw(console, report, load, verdict, pictures)
    try:
        _leave_or_remove(console, report, load, asked)
    finally:
        if as_json:
            # ASCII, for a terminal that takes a control character at its word.
            json.dump(asdict(report), sys.stdout, indent=2)
            sys.stdout.write("\n")
    if ended is not None:
        raise ended
    return 0 if report.holds else 1


def _plan(found: Target, asked: Asked) -> Plan:
    if asked.uploads > _MANY and not asked.yes:
        raise LabError(
            f"{asked.uploads:,} uploads are many: say --yes if they are meant, or take fewer."
        )
    run = f"{random.getrandbits(40):010x}"
    folder, suffix = load_plan.place(found.delivery, asked.prefix, run)
    seed = random.getrandbits(32) if asked.seed is None else asked.seed
    sizes = load_plan.sizes(asked.size)
    return Plan(asked.uploads, asked.rate, sizes, asked.keys, folder, suffix, seed)


def _pictures(asked: Path | None, plan: Plan) -> list[Path]:
    """Where pictures go, in folders that are there. Raises LabError."""
    if asked is not None and asked.suffix not in _SUFFIXES:
        raise LabError(f"--picture {asked} is neither .png nor .svg: let it end with one of them.")
    run = plan.folder.rstrip("/").rpartition("load-")[2]
    paths = [FOLDER / f"{run}{suffix}" for suffix in _SUFFIXES] if asked is None else [asked]
    try:
        paths[0].parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"No folder can be made for {paths[0]} ({error.strerror}): name another file with "
            "--picture."
        ) from error
    return paths


def _delivery(found: Target) -> str:
    told = found.delivery
    return f"{told.get('via', 'unknown')}, {'buffered' if told.get('buffered') else 'direct'}"


def _announce(console: Console, plan: Plan, load: Load, asked: Asked) -> None:
    pace = (
        f"as fast as they go, {asked.parallel} at a time"
        if plan.rate is None
        else f"{plan.rate:g} a second"
    )
    show.heading(console, f"{plan.uploads:,} uploads to {load.bucket}, {pace}")
    dollars = load_plan.price(plan)
    twice = " (twice that, since --clean removes them again)" if asked.clean else ""
    show.note(
        console,
        f"In AWS that is about {prices.money(dollars)} of S3 requests, and {plan.uploads:,} write "
        f"units{twice}. Their keys begin with {show.printable(plan.folder)}",
    )


def _drive(console: Console, load: Load, asked: Asked) -> KeyboardInterrupt | LabError | None:
    """Upload and wait for the records; what ended that early, if anything did."""
    try:
        with show.progress(console, "load") as tell:
            load.upload(asked.parallel, tell)
            load.wait(asked.timeout, tell)
    except LabError as error:
        return error
    except KeyboardInterrupt as interruption:
        show.note(console, f"Interrupted: {len(load.sent)} of {load.plan.uploads} were uploaded.")
        try:
            with show.progress(console, "load") as tell:
                load.wait(min(asked.timeout, _GRACE_SECONDS), tell)
        except (KeyboardInterrupt, LabError):
            pass
        return interruption
    return None


def _fill(report: Report, load: Load, verdict: Verdict) -> None:
    taken = load.taken
    report.uploaded = len(taken)
    report.recorded = len(taken) - len(verdict.waiting) - len(verdict.lost)
    report.unseen, report.confirmed = len(verdict.unseen), verdict.confirmed
    report.waiting, report.lost, report.doubled = (
        sorted(one.key for one in some) for some in (verdict.waiting, verdict.lost, verdict.doubled)
    )
    report.refused = {one.key: str(one.error) for one in load.sent if one.error is not None}
    report.latency_ms = _milliseconds(verdict.latency.values())
    report.upload_ms = _milliseconds(one.answered - one.began for one in taken)
    report.behind_ms = _milliseconds(
        one.began - one.due for one in load.sent if one.due is not None
    )
    first = min(one.began for one in load.sent)
    report.uploads_per_second = _rate(first, [one.answered for one in taken])
    times = [seen for one in taken if (seen := load.arrived(one)) is not None]
    report.records_per_second = _rate(first, times)
    report.notes = list(verdict.trouble)
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


def _show(console: Console, report: Report, asked: Asked) -> None:
    show.heading(console, "How long it took")
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 2))
    table.add_column(no_wrap=True)
    for name in ("p50", "p90", "p99", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for label, figures in {
        "until S3 took an upload": report.upload_ms,
        "from there to its record": report.latency_ms,
        "uploads began late by": report.behind_ms,
    }.items():
        if figures is not None:
            values = [duration(figure / 1000) for figure in figures.values()]
            table.add_row(f"  {label}", *values, style="bold" if "record" in label else "")
    console.print(table)
    show.note(
        console,
        f"A record is there when it was read from the table's stream, every {report.poll_ms:g} ms.",
    )
    show.heading(console, "What became of the uploads")
    rates = {"uploaded": report.uploads_per_second, "recorded": report.records_per_second}
    for name, number in {
        "uploaded": report.uploaded,
        "refused by S3": len(report.refused),
        "recorded": report.recorded,
        "in the failure queue": len(report.waiting),
        "lost": len(report.lost),
        "doubled": len(report.doubled),
    }.items():
        bad = number and name not in rates
        line = Text(f"  {name:20} {number:7,}", style="red" if bad else "")
        if rate := rates.get(name):
            line.append(f"   {rate:,.1f} a second")
        console.print(line, soft_wrap=True)
    for name, keys in {
        "lost": report.lost,
        "in the failure queue": report.waiting,
        "doubled": report.doubled,
        "refused": [f"{key}: {reason}" for key, reason in report.refused.items()],
    }.items():
        for key in keys[:_SHOWN]:
            console.print(Text(f"  {name}  {show.printable(key)}", style="red"), soft_wrap=True)
        if len(keys) > _SHOWN:
            show.note(console, f"… and {len(keys) - _SHOWN} more; --json names them all.")
    if report.unseen:
        show.note(console, f"{report.unseen} of the recorded were not on the stream in time.")
    if report.lost and report.ended_by is None:
        show.note(
            console,
            f"Lost is what has no record {asked.timeout:g} s after the last upload and is not in "
            "the failure queue. Lambda may be trying it still: it tries three times in about three "
            "minutes, for up to six hours when it is throttled.",
        )
    if report.waiting:
        show.note(console, "What is in the failure queue is put through again by lab replay.")
    for one in report.notes:
        show.note(console, one)
    if report.ended_by is not None:
        show.note(console, "It ended early: the figures are of what was done by then.")


def _draw(
    console: Console, report: Report, load: Load, verdict: Verdict, paths: Sequence[Path]
) -> None:
    from lab import load_picture

    first = min(one.began for one in load.sent)
    missing = [*verdict.lost, *verdict.waiting]
    bad = {
        "lost": len(report.lost),
        "in the failure queue": len(report.waiting),
        "doubled": len(report.doubled),
        "refused": len(report.refused),
    }
    ends = [f"{number:,} {name}" for name, number in bad.items() if number] or ["none lost"]
    found: Spread | None = spread(verdict.latency.values())
    rate = "a burst" if load.plan.rate is None else f"{load.plan.rate:g} a second"
    picture = load_picture.Picture(
        title=f"{report.uploaded:,} uploads by {report.delivery}: {', '.join(ends)}",
        subtitle=(
            f"{rate}, {report.parallel} at a time; from S3's answer until the record was read from "
            f"the table's stream, every {report.poll_ms:g} ms"
        ),
        answered=[one.answered - first for one in load.taken],
        recorded=[
            (one.answered - first, verdict.latency[one.number])
            for one in load.taken
            if one.number in verdict.latency
        ],
        missing=[one.answered - first for one in missing],
        latency=found,
    )
    try:
        load_picture.draw(picture, paths)
    except OSError as error:
        report.notes.append(f"No picture: {error}")
        show.note(console, report.notes[-1])
        return
    report.pictures = [str(path) for path in paths]
    show.heading(console, "Picture")
    for path in paths:
        console.print(Text(f"  {path}", style="green"), soft_wrap=True)


def _leave_or_remove(console: Console, report: Report, load: Load, asked: Asked) -> None:
    if asked.clean:
        with show.progress(console, "clean") as tell:
            objects, records = remove(load, tell)
        report.removed = {"objects": objects, "records": records}
        show.note(console, f"Removed {objects:,} objects and their records.")
        if report.lost or report.waiting:
            show.note(console, "Records that come later than this stay, and so do messages.")
        return
    report.kept = {"objects": report.uploaded, "records": report.recorded}
    show.note(
        console,
        f"{report.uploaded:,} objects and {report.recorded:,} records stay; with --clean they are "
        "removed at the end.",
    )
