"""Run a load test and print what it measures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline import prices, terminal
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.load.figures import duration, figures_of, problems
from pipeline.load.plan import Plan
from pipeline.load.results import Results, remove, results_of
from pipeline.load.run import Load
from pipeline.paths import WORK

FOLDER = WORK / "load"
# Of each kind; the rest is in --json.
_LINES = 5
# After Ctrl-C, for records that are under way.
_GRACE_SECONDS = 5.0
_SUFFIXES = (".png", ".svg")


def run(
    found: Target,
    plan: Plan,
    *,
    parallel: int,
    timeout: float,
    poll: float | None,
    clean: bool,
    picture: Path | None,
    as_json: bool,
) -> int:
    """Upload as planned and print the figures; returns the exit status.

    Raises PipelineError and KeyboardInterrupt, once uploads began only after it printed what was
    measured by then.
    """
    console = terminal.console(stderr=as_json)
    pictures = _pictures(picture, plan)
    load = Load(found, plan, parallel, poll)
    # Better known before all is uploaded, where the table can't be read.
    load.table.stored(["no-such-record"])
    _announce(console, load, clean)
    with load.reading():
        ended = _upload(console, load, timeout)
        if ended is not None and not load.taken:
            raise ended
        try:
            with terminal.progress(console, "table") as progress:
                results = results_of(load, progress)
            # The figures are worth printing without the rest.
            ended = ended or results.ended_by
        except BaseException:
            _print_left(console, load)
            raise
    figures = figures_of(load, results, timeout, ended)
    _print(console, figures)
    try:
        if clean:
            _remove(console, figures, load)
        else:
            figures["kept"] = {"objects": figures["uploaded"], "records": figures["recorded"]}
            terminal.note(
                console,
                f"Left: {_some(len(load.taken), 'object')} and "
                f"{_some(figures['recorded'], 'record')}; --clean removes them at the end.",
            )
        _draw(console, figures, load, results, pictures)
    finally:
        if as_json:
            terminal.print_json(figures)
    if ended is not None:
        raise ended
    return 1 if any(problems(figures).values()) else 0


def _pictures(given: Path | None, plan: Plan) -> list[Path]:
    """Where pictures go, in folders that are there. Raises PipelineError."""
    if given is not None and given.suffix not in _SUFFIXES:
        raise PipelineError(
            f"--picture {given} is neither .png nor .svg: let it end with one of them."
        )
    run_id = plan.folder.rstrip("/").rpartition("load-")[2]
    paths = [FOLDER / f"{run_id}{suffix}" for suffix in _SUFFIXES] if given is None else [given]
    try:
        paths[0].parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(
            f"No folder can be made for {paths[0]} ({error.strerror}): name another file with "
            "--picture."
        ) from error
    return paths


def _announce(console: Console, load: Load, clean: bool) -> None:
    plan, item = load.plan, prices.load().items["s3_puts"]
    dollars = (item.price or 0) * plan.uploads / item.per
    pace = (
        f"as fast as they go, {load.parallel} at a time"
        if plan.rate is None
        else f"{plan.rate:g} a second"
    )
    terminal.heading(console, f"{_some(plan.uploads, 'upload')} to {load.bucket}, {pace}")
    twice = ", twice with --clean" if clean else ""
    terminal.note(
        console,
        f"In AWS that is about {prices.money(dollars)} of S3 requests and "
        f"{_some(plan.uploads, 'write unit')}{twice}. "
        f"The key prefix is {terminal.printable(plan.folder)}",
    )


def _upload(
    console: Console, load: Load, timeout: float
) -> KeyboardInterrupt | PipelineError | None:
    """Upload and wait for the records; what ended that early, if anything did."""
    try:
        with terminal.progress(console, "load") as progress:
            load.upload(progress)
            load.wait(timeout, progress)
    except PipelineError as error:
        return error
    except KeyboardInterrupt as interruption:
        terminal.note(
            console, f"Interrupted: {len(load.sent)} of {load.plan.uploads} were uploaded."
        )
        try:
            with terminal.progress(console, "load") as progress:
                load.wait(min(timeout, _GRACE_SECONDS), progress)
        except (KeyboardInterrupt, PipelineError):
            pass
        return interruption
    return None


def _remove(console: Console, figures: dict[str, Any], load: Load) -> None:
    try:
        with terminal.progress(console, "clean") as progress:
            objects, records = remove(load, progress)
    except BaseException:
        _print_left(console, load)
        raise
    figures["removed"] = {"objects": objects, "records": records}
    terminal.note(console, f"Removed {_some(objects, 'object')} and {_some(records, 'record')}.")
    if figures["lost"] or figures["in_failure_queue"]:
        terminal.note(console, "Records that come later than this stay, and so do messages.")


def _draw(
    console: Console, figures: dict[str, Any], load: Load, results: Results, paths: Sequence[Path]
) -> None:
    # matplotlib takes a second to import.
    from pipeline.load import picture

    try:
        picture.draw(load, results, figures, paths)
    except OSError as error:
        figures["notes"].append(f"No picture: {error}")
        terminal.note(console, figures["notes"][-1])
        return
    figures["pictures"] = [str(path) for path in paths]
    terminal.heading(console, "Picture")
    for path in paths:
        console.print(Text(f"  {path}", style="green"), soft_wrap=True)


def _print(console: Console, figures: dict[str, Any]) -> None:
    terminal.heading(console, "How long it took")
    spreads = {
        label: spread
        for label, spread in {
            "an upload started late by": figures["behind_ms"],
            "until S3 took it": figures["upload_ms"],
            "from there to its record": figures["latency_ms"],
            "the same, cold starts": figures["cold_ms"],
            "the same, all others": figures["warm_ms"],
            "in all": figures["total_ms"],
        }.items()
        if spread is not None
    }
    rows = [
        (label, *(duration(value / 1000) for value in spread.values()))
        for label, spread in spreads.items()
    ]
    styles = ["bold" if "record" in label else "" for label in spreads]
    terminal.table(console, ("", "p50", "p90", "p99", "max"), rows, styles)
    if figures["cold_starts"]:
        terminal.note(
            console,
            f"{_some(figures['cold_starts'], 'upload')} met a cold start: the function was loaded "
            "for it first. A second run has fewer.",
        )
    terminal.note(
        console,
        "A record counts from when it was read from the table's stream, every "
        f"{figures['poll_ms']:g} ms.",
    )
    terminal.heading(console, "What became of the uploads")
    rates = {"uploaded": figures["uploads_per_second"], "recorded": figures["records_per_second"]}
    for name, number in {
        "uploaded": figures["uploaded"],
        "recorded": figures["recorded"],
        **{name: len(keys) for name, keys in problems(figures).items()},
    }.items():
        bad = number and name not in rates
        line = Text(f"  {name:20} {number:7,}", style="red" if bad else "")
        if rate := rates.get(name):
            line.append(f"   {rate:,.1f} a second")
        console.print(line, soft_wrap=True)
    for name, keys in problems(figures).items():
        terminal.problems(console, name, keys, _LINES)
    if figures["unseen"]:
        terminal.note(
            console, f"{figures['unseen']} of the recorded were not on the stream in time."
        )
    if figures["lost"] and figures["ended_by"] is None:
        terminal.note(
            console,
            f"Lost is what has no record {figures['timeout_seconds']:g} s after the last upload "
            "and is not in the failure queue either. A retry may still succeed: Lambda tries three "
            "times in about three minutes, and for up to six hours when it is throttled.",
        )
    if figures["in_failure_queue"]:
        terminal.note(console, "`pipeline replay` replays what is in the failure queue.")
    for note in figures["notes"]:
        terminal.note(console, note)
    if figures["ended_by"] is not None:
        terminal.note(console, "It ended early: the figures are of what was done by then.")


def _print_left(console: Console, load: Load) -> None:
    folder = terminal.printable(load.plan.folder)
    terminal.note(console, f"Not all is removed: see s3://{load.bucket}/{folder}")


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
