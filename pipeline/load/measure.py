"""`python -m pipeline load`: upload to a deployed pipeline, and tell how long records take."""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipeline import prices, terminal
from pipeline.deployed import stream
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.load import plan as load_plan
from pipeline.load import report as load_report
from pipeline.load import verdict as load_verdict
from pipeline.load.figures import spread
from pipeline.load.plan import Plan, Shape
from pipeline.load.report import Report
from pipeline.load.run import Load, clients
from pipeline.load.verdict import Verdict, judge, remove
from pipeline.paths import WORK

UPLOADS = 100
FOLDER = WORK / "load"
# Beyond it, whoever runs this has to mean it.
_MANY = 10_000
# After Ctrl-C, for what is under way.
_GRACE_SECONDS = 5.0
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


def run(found: Target, asked: Asked, *, as_json: bool = False) -> int:
    """Upload as asked and tell what came of it; returns the exit status.

    Raises PipelineError where it can't be tried; that and Ctrl-C once uploads began go on to the
    caller after all was told that was measured by then.
    """
    console = Console(stderr=as_json, highlight=False, emoji=False)
    plan = _plan(found, asked)
    through = clients(asked.parallel, **found.settings)
    poll = asked.poll or stream.poll_seconds(through.streams)
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
        asked.timeout,
    )
    _announce(console, plan, load, asked)
    with load:
        ended = _drive(console, load, asked)
        if ended is not None and not load.taken:
            raise ended
        report.ended_by = None if ended is None else str(ended) or type(ended).__name__
        try:
            with terminal.progress(console, "table") as tell:
                verdict = judge(load, tell)
        except BaseException:
            _tell_left(console, load)
            raise
    load_report.fill(report, load, verdict)
    load_report.tell(console, report)
    try:
        _leave_or_remove(console, report, load, asked)
        _draw(console, report, load, verdict, pictures)
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
        raise PipelineError(
            f"{asked.uploads:,} uploads are many: say --yes if they are meant, or take fewer."
        )
    run = f"{random.getrandbits(40):010x}"
    folder, suffix = load_plan.place(found.delivery, asked.prefix, run)
    seed = random.getrandbits(32) if asked.seed is None else asked.seed
    sizes = load_plan.sizes(asked.size)
    return Plan(asked.uploads, asked.rate, sizes, asked.keys, folder, suffix, seed)


def _pictures(asked: Path | None, plan: Plan) -> list[Path]:
    """Where pictures go, in folders that are there. Raises PipelineError."""
    if asked is not None and asked.suffix not in _SUFFIXES:
        raise PipelineError(
            f"--picture {asked} is neither .png nor .svg: let it end with one of them."
        )
    run = plan.folder.rstrip("/").rpartition("load-")[2]
    paths = [FOLDER / f"{run}{suffix}" for suffix in _SUFFIXES] if asked is None else [asked]
    try:
        paths[0].parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(
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
    terminal.heading(console, f"{_some(plan.uploads, 'upload')} to {load.bucket}, {pace}")
    dollars = load_plan.price(plan)
    twice = ", twice with --clean" if asked.clean else ""
    terminal.note(
        console,
        f"In AWS that is about {prices.money(dollars)} of S3 requests and "
        f"{_some(plan.uploads, 'write unit')}{twice}. "
        f"Keys begin with {terminal.printable(plan.folder)}",
    )


def _drive(console: Console, load: Load, asked: Asked) -> KeyboardInterrupt | PipelineError | None:
    """Upload and wait for the records; what ended that early, if anything did."""
    try:
        with terminal.progress(console, "load") as tell:
            load.upload(asked.parallel, tell)
            load.wait(asked.timeout, tell)
    except PipelineError as error:
        return error
    except KeyboardInterrupt as interruption:
        terminal.note(
            console, f"Interrupted: {len(load.sent)} of {load.plan.uploads} were uploaded."
        )
        try:
            with terminal.progress(console, "load") as tell:
                load.wait(min(asked.timeout, _GRACE_SECONDS), tell)
        except (KeyboardInterrupt, PipelineError):
            pass
        return interruption
    return None


def _draw(
    console: Console, report: Report, load: Load, verdict: Verdict, paths: Sequence[Path]
) -> None:
    from pipeline.load import picture as load_picture

    first = min(one.began for one in load.sent)
    missing = [*verdict.lost, *verdict.waiting]
    bad = {
        "lost": len(report.lost),
        "in the failure queue": len(report.in_failure_queue),
        "doubled": len(report.doubled),
        "refused": len(report.refused),
    }
    ends = [f"{number:,} {name}" for name, number in bad.items() if number] or ["none lost"]
    if report.records_per_second:
        ends.append(f"{report.records_per_second:,.0f} records a second")
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
        latency=spread(verdict.latency.values()),
        poll=report.poll_ms / 1000,
    )
    try:
        load_picture.draw(picture, paths)
    except OSError as error:
        report.notes.append(f"No picture: {error}")
        terminal.note(console, report.notes[-1])
        return
    report.pictures = [str(path) for path in paths]
    terminal.heading(console, "Picture")
    for path in paths:
        console.print(Text(f"  {path}", style="green"), soft_wrap=True)


def _leave_or_remove(console: Console, report: Report, load: Load, asked: Asked) -> None:
    if asked.clean:
        try:
            with terminal.progress(console, "clean") as tell:
                objects, records = remove(load, tell)
        except BaseException:
            _tell_left(console, load)
            raise
        report.removed = {"objects": objects, "records": records}
        terminal.note(
            console, f"Removed {_some(objects, 'object')} and {_some(records, 'record')}."
        )
        if report.lost or report.in_failure_queue:
            terminal.note(console, "Records that come later than this stay, and so do messages.")
        return
    report.kept = {"objects": report.uploaded, "records": report.recorded}
    terminal.note(
        console,
        f"Left: {_some(report.uploaded, 'object')} and {_some(report.recorded, 'record')}; with "
        "--clean they are removed at the end.",
    )


def _tell_left(console: Console, load: Load) -> None:
    folder = terminal.printable(load.plan.folder)
    terminal.note(console, f"Not all is removed: see s3://{load.bucket}/{folder}")


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
