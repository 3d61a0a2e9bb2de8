"""`python -m pipeline replay`: show what lies in the failure queue, and put it through again."""

import json
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import terminal
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.lab import folder
from pipeline.replay.run import PARALLEL, Outcome, clients, depth, replay

# As many characters of an id as are shown tell messages apart.
_ID_LENGTH = 8
# Below it a table of seven columns is no longer one.
_TABLE_WIDTH = 100
# The whole reason is in --json, and in the function's log.
_REASON_LENGTH = 300
_COLUMNS = ("id", "when", "from", "attempts", "bucket", "key", "reason")
_FOLDED = ("bucket", "key", "reason")


@dataclass(frozen=True)
class Choice:
    """Which messages to replay: every one, or those by id, and those of objects by key.

    Ids may be cut to their first 8 characters; keys are patterns of fnmatch, or literal.
    """

    every: bool = False
    messages: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises PipelineError where it contradicts itself."""
        if self.every and (self.messages or self.keys):
            raise PipelineError("--all leaves nothing to choose: drop it, or --message and --key.")
        for one in self.messages:
            if len(one) < _ID_LENGTH:
                raise PipelineError(
                    f"--message {one!r} is too short: give the id, or its first {_ID_LENGTH} "
                    "characters."
                )

    def __bool__(self) -> bool:
        """Whether anything was chosen."""
        return self.every or bool(self.messages or self.keys)

    def why(self, message: Failure) -> set[str]:
        """Which of `messages` and `keys` choose this one."""
        ids = {one for one in self.messages if message.message_id.startswith(one)}
        objects = message.objects if isinstance(message, FailedEvent) else ()
        return ids | {
            glob
            for glob in self.keys
            for _, key, _ in objects
            if key == glob or fnmatchcase(key, glob)
        }


@dataclass
class Report:
    """What `--json` prints: how many are `done` and `stayed`, and each message.

    `hidden` is about how many others held when it ended, `unmatched` what of the choice was not in
    the queue, `ended_by` why it ended early.
    """

    failure_queue_url: str
    dry_run: bool
    hidden: int
    done: int = 0
    stayed: int = 0
    unmatched: list[str] = field(default_factory=list)
    ended_by: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)


def run(
    found: Target,
    choice: Choice,
    *,
    dry_run: bool = False,
    parallel: int = PARALLEL,
    as_json: bool = False,
) -> int:
    """Replay what was chosen, or show it; returns the exit status. Raises PipelineError.

    Ctrl-C goes on to the caller, once it was said what is in.
    """
    console = Console(stderr=as_json, highlight=False, emoji=False)
    # Before anything is asked: an absent one is told first.
    queue_url, function, table = found.failure_queue_url, found.function_name, found.table_name
    through = clients(parallel, **found.settings)
    only_show = dry_run or not choice
    waiting, hidden = depth(through, queue_url)
    report = Report(queue_url, only_show, hidden)
    matched: set[str] = set()
    listed: list[Failure] = []

    def chosen(message: Failure) -> bool:
        why = choice.why(message)
        matched.update(why)
        return choice.every or not choice or bool(why)

    def waits(number: int) -> bool:
        # Of a key nobody knows how many events there are.
        if not choice.every and not choice.keys and matched.issuperset(choice.messages):
            return False
        tell(f"replayed, waiting for {number} that others hold", report.done + report.stayed, 0)
        return True

    what = "read" if only_show else "replayed"
    # Of a part nobody knows how large it is.
    expected = waiting if choice.every or not choice else 0
    outcomes = replay(
        through,
        queue_url=queue_url,
        function_name=function,
        table_name=table,
        chosen=chosen,
        dry_run=only_show,
        parallel=parallel,
        waits=waits,
    )
    try:
        with (
            terminal.progress(console, "failure queue") as tell,
            terminal.interruptible(_ENDING),
            closing(outcomes),
        ):
            tell(what, 0, expected)
            for number, outcome in enumerate(outcomes, start=1):
                if as_json:
                    report.messages.append(_told(outcome, only_show))
                if only_show:
                    listed.append(outcome.message)
                elif outcome.done:
                    report.done += 1
                else:
                    report.stayed += 1
                    _tell_stayed(console, outcome)
                tell(what, number, max(number, expected) if expected else 0)
        if hidden and not only_show:
            _, report.hidden = depth(through, queue_url)
        report.unmatched = [one for one in (*choice.messages, *choice.keys) if one not in matched]
    except BaseException as error:
        report.ended_by = str(error) if isinstance(error, PipelineError) else type(error).__name__
        raise
    finally:
        if not only_show:
            _sum_up(console, report, table)
        elif report.ended_by is None:
            _show(console, listed, hidden)
            if listed and not choice:
                _tell_how(console, found, listed[0])
        for one in report.unmatched:
            terminal.note(
                console,
                f"Nothing in the queue matches {terminal.printable(one)}: it was replayed, or "
                "another replay holds it.",
            )
        if as_json:
            # ASCII, for a terminal that takes a control character at its word.
            json.dump(asdict(report), sys.stdout, indent=2)
            sys.stdout.write("\n")
    return 1 if report.stayed or report.unmatched else 0


# Events that are in the function are waited for.
_ENDING = "Ending, once the function has answered for the events that it has."


def _sum_up(console: Console, report: Report, table_name: str) -> None:
    if not report.done + report.stayed and not report.unmatched and report.ended_by is None:
        terminal.note(console, "The failure queue is empty." + _elsewhere(report.hidden))
        return
    told = "Nothing was replayed."
    if report.done:
        told = (
            f"{_messages(report.done)} replayed: the records are in the table {table_name}, and "
            "the queue no longer has them."
        )
    terminal.note(console, told + (f" {_messages(report.stayed)} stayed." if report.stayed else ""))
    if report.ended_by is not None:
        terminal.note(
            console,
            "It ended early. Those that were in the function may be in, too; all others are in the "
            "queue, and running this again is safe.",
        )
    elif report.hidden:
        terminal.note(console, _elsewhere(report.hidden).strip())


def _tell_stayed(console: Console, outcome: Outcome) -> None:
    row = _row(outcome.message)
    # The reason of now, not the one that brought it here.
    reason = terminal.printable(outcome.reason or "no reason given", _REASON_LENGTH)
    line = f"{row['id']}  {row['bucket']}  {row['key']}: {reason}"
    console.print(Text.assemble(("  stayed  ", "red"), line), soft_wrap=True)


def _show(console: Console, listed: Sequence[Failure], hidden: int) -> None:
    if not listed:
        terminal.note(console, "Nothing to show." + _elsewhere(hidden))
        return
    rows = [_row(message) for message in listed]
    if not console.is_terminal:
        # A line each, whatever its length, for grep.
        widths = {name: max(cell_len(row[name]) for row in [*rows, _HEADER]) for name in _COLUMNS}
        for row in [_HEADER, *rows]:
            cells = (set_cell_size(row[name], widths[name]) for name in _COLUMNS)
            console.print(Text("  ".join(cells).rstrip()), soft_wrap=True)
    elif console.width < _TABLE_WIDTH:
        for row in rows:
            terminal.heading(console, row.pop("id"))
            terminal.fields(console, row)
    else:
        table = Table(box=None, pad_edge=False)
        for name in _COLUMNS:
            folded = name in _FOLDED
            table.add_column(name, no_wrap=not folded, overflow="fold" if folded else "ellipsis")
        for row in rows:
            table.add_row(*(Text(row[name]) for name in _COLUMNS))
        console.print(table)
    terminal.note(console, f"{_messages(len(rows))}." + _elsewhere(hidden))


def _tell_how(console: Console, found: Target, one: Failure) -> None:
    line = " ".join([folder.command("replay", folder.FOLDER), *map(shlex.quote, found.flags)])
    for chosen, why in {
        "--all": "replays everything",
        f"--message {shlex.quote(one.message_id[:_ID_LENGTH])}": "replays one, or several",
        "--key 'folder/*'": "replays the events of some objects",
    }.items():
        console.print(Text(f"  {line} {chosen}", style="green"), soft_wrap=True)
        console.print(Text(f"      {why}", style="dim"), soft_wrap=True)


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def _elsewhere(hidden: int) -> str:
    if not hidden:
        return ""
    return f" About {hidden} more are hidden: others received them, look again in some minutes."


_HEADER = {name: name for name in _COLUMNS}


def _row(message: Failure) -> dict[str, str]:
    """The cells of one message, by column."""
    known = message if isinstance(message, FailedEvent) else None
    objects = known.objects if known else ()
    bucket, key, _ = objects[0] if objects else ("-", "-", "")
    more = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
    reasons = [message.reason or "", *(known.refusals if known else ())]
    return {
        "id": terminal.printable(message.message_id[:_ID_LENGTH]),
        "when": _moment(message.failed_at),
        "from": known.how if known else "-",
        "attempts": "-" if known is None or known.attempts is None else str(known.attempts),
        "bucket": terminal.printable(bucket),
        "key": terminal.printable(key) + more,
        "reason": terminal.printable(next(filter(None, reasons), "-"), _REASON_LENGTH),
    }


def _told(outcome: Outcome, only_show: bool) -> dict[str, Any]:
    """One message as JSON: `reason` is why it came to the queue, `stayed_for` why it stays."""
    message = outcome.message
    known = message if isinstance(message, FailedEvent) else None
    return {
        "message_id": message.message_id,
        "failed_at": message.failed_at,
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


def _moment(epoch: float | None) -> str:
    return "-" if epoch is None else f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%MZ}"
