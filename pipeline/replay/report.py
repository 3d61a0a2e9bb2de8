"""Print what `pipeline replay` shows and does."""

import shlex
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import terminal, times
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.target import Target
from pipeline.program import command_line
from pipeline.replay.choice import ID_LENGTH, Choice
from pipeline.replay.run import Outcome, clients, depth, replay

# A narrower terminal shows a block a message instead of a table.
_TABLE_WIDTH = 110
# The whole reason is in --json, and in the function's log.
_REASON_LENGTH = 300
_LINE_WIDTH = 100_000
_FOLDED = ("bucket", "key", "reason")


@dataclass
class Report:
    """What `--json` prints: how many messages are `done` and `stayed`, and each message.

    `without_record` of those done hold no event of an object, such as S3's test events, and
    `skipped` of them only events that the function's hook skipped. `hidden` is
    about how many others had received at the end, `unmatched` the given ids and keys
    that no message matched, `ended_by` why it ended early.
    """

    failure_queue_url: str
    dry_run: bool
    hidden: int
    done: int = 0
    without_record: int = 0
    skipped: int = 0
    stayed: int = 0
    unmatched: list[str] = field(default_factory=list)
    ended_by: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)


def run(found: Target, choice: Choice, *, dry_run: bool, parallel: int, as_json: bool) -> int:
    """Replay what was chosen, or show it; returns the exit status.

    Raises PipelineError and KeyboardInterrupt, after it printed what was replayed by then.
    """
    console = terminal.console(stderr=as_json)
    # Read first, so that a missing output is reported before AWS is asked.
    queue_url, function, table = found.failure_queue_url, found.function_name, found.table_name
    through = clients(parallel, **found.settings)
    only_show = dry_run or not choice
    waiting, hidden = depth(through, queue_url)
    report = Report(queue_url, only_show, hidden)
    listed: list[Failure] = []
    # How many messages match ids or keys is unknown.
    expected = waiting if choice.all or not choice else 0

    def waits(number: int) -> bool:
        if choice.complete:
            return False
        progress(
            f"replayed, waiting for {number} that others received", report.done + report.stayed, 0
        )
        return True

    outcomes = replay(
        through,
        queue_url=queue_url,
        function_name=function,
        table_name=table,
        chosen=choice.takes,
        dry_run=only_show,
        parallel=parallel,
        waits=waits,
    )
    try:
        with (
            terminal.progress(console, "failure queue") as progress,
            terminal.interruptible("Ending, once the running invokes have finished."),
            closing(outcomes),
        ):
            what = "read" if only_show else "replayed"
            progress(what, 0, expected)
            for number, outcome in enumerate(outcomes, start=1):
                if as_json:
                    report.messages.append(_as_json(outcome, only_show))
                if only_show:
                    listed.append(outcome.message)
                elif outcome.done:
                    report.done += 1
                    report.without_record += not outcome.records
                    report.skipped += outcome.records == outcome.skipped > 0
                else:
                    report.stayed += 1
                    terminal.problems(console, "stayed", [_stayed_line(outcome)], 1)
                progress(what, number, max(number, expected) if expected else 0)
        if hidden and not only_show:
            _, report.hidden = depth(through, queue_url)
        report.unmatched = choice.unmatched
    except BaseException as error:
        report.ended_by = str(error) or type(error).__name__
        raise
    finally:
        if not only_show:
            _print_result(console, report, table)
        elif report.ended_by is None:
            _print_messages(console, listed, hidden)
            if listed and not choice:
                _print_commands(console, found, listed[0])
        for given in report.unmatched:
            terminal.note(
                console,
                f"No message matches {terminal.printable(given)}: it was replayed, or another "
                "replay has it.",
            )
        if as_json:
            terminal.print_json(asdict(report))
    return 1 if report.stayed or report.unmatched else 0


def _print_result(console: Console, report: Report, table_name: str) -> None:
    if not (report.done or report.stayed or report.unmatched or report.ended_by):
        terminal.note(console, "The failure queue is empty." + _elsewhere(report.hidden))
        return
    notes = ["Nothing was replayed."]
    if report.done:
        notes = [
            f"{_messages(report.done)} replayed: {_became(report, table_name)}, and the queue no "
            "longer has them."
        ]
    if report.stayed:
        notes[0] += f" {_messages(report.stayed)} stayed."
    if report.ended_by is not None:
        notes.append(
            "It ended early. The invokes that were running may have stored their records; all "
            "other messages are in the queue, and running this again is safe."
        )
    elif report.hidden:
        notes.append(_elsewhere(report.hidden).strip())
    for note in notes:
        terminal.note(console, note)


def _became(report: Report, table_name: str) -> str:
    stored = report.done - report.without_record - report.skipped
    rest = [f"{report.without_record} held no event of an object"] * bool(report.without_record)
    rest += [f"the hook skipped {report.skipped}"] * bool(report.skipped)
    if not stored:
        return ", ".join(rest)
    in_table = f"the records are in the table {table_name}"
    return f"{in_table} ({', '.join(rest)})" if rest else in_table


def _stayed_line(outcome: Outcome) -> str:
    row = _row(outcome.message)
    # Why it stays now, not why it came to the queue.
    reason = terminal.printable(outcome.reason or "no reason given", _REASON_LENGTH)
    return f"{row['id']}  {row['bucket']}  {row['key']}: {reason}"


def _print_messages(console: Console, messages: Sequence[Failure], hidden: int) -> None:
    if not messages:
        terminal.note(console, "The failure queue is empty." + _elsewhere(hidden))
        return
    rows = [_row(message) for message in messages]
    if console.is_terminal and console.width < _TABLE_WIDTH:
        for row in rows:
            terminal.heading(console, row.pop("id"))
            terminal.fields(console, row)
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in rows[0]:
            table.add_column(name, no_wrap=name not in _FOLDED, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row.values()))
        if not console.is_terminal:
            # A line each, whatever its length, for grep.
            console.width = _LINE_WIDTH
        console.print(table)
    terminal.note(console, f"{_messages(len(rows))}." + _elsewhere(hidden))


def _print_commands(console: Console, found: Target, message: Failure) -> None:
    for options, purpose in {
        ("--all",): "replays every message",
        ("--message", message.message_id[:ID_LENGTH]): "replays one message, or several",
        ("--key", "folder/*"): "replays the events of some objects",
    }.items():
        words = shlex.join(["replay", *found.flags, *options])
        terminal.command(console, f"{command_line()} {words}", purpose)


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def _elsewhere(hidden: int) -> str:
    if not hidden:
        return ""
    return f" About {hidden} more are hidden: others received them, look again in some minutes."


def _row(message: Failure) -> dict[str, str]:
    """The cells of one message, by column."""
    known = message if isinstance(message, FailedEvent) else None
    objects = known.objects if known else ()
    bucket, key, _ = objects[0] if objects else ("-", "-", "")
    more = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
    reasons = [message.reason or "", *(known.refusals if known else ())]
    when = message.failed_at
    return {
        "id": terminal.printable(message.message_id[:ID_LENGTH]),
        "when": "-" if when is None else times.local(when),
        "from": known.how if known else "-",
        "attempts": "-" if known is None or known.attempts is None else str(known.attempts),
        "bucket": terminal.printable(bucket),
        "key": terminal.printable(key) + more,
        "reason": terminal.printable(next(filter(None, reasons), "-"), _REASON_LENGTH),
    }


def _as_json(outcome: Outcome, only_show: bool) -> dict[str, Any]:
    """One message: `reason` is why it came to the queue, `stayed_for` why it stays."""
    message = outcome.message
    known = message if isinstance(message, FailedEvent) else None
    return {
        "message_id": message.message_id,
        "failed_at": None if message.failed_at is None else times.iso(message.failed_at),
        "from": known.how if known else None,
        "attempts": known.attempts if known else None,
        "reason": message.reason,
        "objects": [
            {"bucket": bucket, "key": key, "event": name}
            for bucket, key, name in (known.objects if known else ())
        ],
        "object_ids": list(known.object_ids) if known else [],
        "refusals": list(known.refusals) if known else [],
        "done": outcome.done,
        "stayed_for": None if only_show else outcome.reason,
    }
