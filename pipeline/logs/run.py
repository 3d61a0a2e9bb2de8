"""Print the function's invokes as its log has them."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline import terminal, times
from pipeline.deployed.follow import Reader, follow
from pipeline.deployed.invokes import LEVELS, Invoke
from pipeline.deployed.log import LogReader, invokes_of
from pipeline.deployed.session import Session, connect
from pipeline.deployed.table import Table, read
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

# AWS takes five FilterLogEvents a second of an account.
_POLL_SECONDS = 2.0
_EMULATOR_POLL_SECONDS = 0.3
# Keys shown of an invoke: each costs half a read unit.
_KEYS = 3
# A table that is throttled is left alone.
_PATIENCE_SECONDS = 1.0
_COLOURS = {"WARN": "yellow", "ERROR": "bold red", "FATAL": "bold red"}


def run(target: Target, level: str, since: str, *, following: bool, as_json: bool) -> None:
    """Print the invokes since then of at least this level; with `following` also those to come.

    Raises PipelineError.
    """
    reader = LogReader(times.moment(since, time.time(), "--since"))
    console, session = terminal.console(), connect(target)
    count = failing = 0
    found: Iterable[list[Invoke]] = (
        follow(session, [Reader(reader.new, _EMULATOR_POLL_SECONDS, _POLL_SECONDS)], terminal.wait)
        if following
        else [list(reader.new(session, last=True))]
    )

    def summary() -> str:
        of_level = "" if level == LEVELS[0] else f" of level {level} or above"
        return f"{count} invoke{'s' * (count != 1)}{of_level} since {since}, {failing} failed."

    with terminal.last_line(summary):
        for invokes in found:
            chosen = [each for each in invokes if LEVELS.index(each.level) >= LEVELS.index(level)]
            keys = _keys(session, chosen)
            for invoke in chosen:
                _print(console, invoke, keys, as_json=as_json)
                count, failing = count + 1, failing + invoke.failing


def by_request(target: Target, request: str, since: str, *, as_json: bool) -> int:
    """Print the invoke with this request id, and its lines; returns the exit status."""
    if not re.fullmatch(r"[\w-]{8,100}", request, re.ASCII):
        raise PipelineError(
            f"--request is {request!r:.120}: give an invoke's request id, as `--json` prints it."
        )
    began = times.moment(since, time.time(), "--since")
    console, session = terminal.console(), connect(target)
    found = invokes_of(session, request, began)
    keys = _keys(session, found)
    for invoke in found:
        _print(console, invoke, keys, as_json=as_json, lines=True)
    if not found:
        terminal.aside(f"No line since {since} names {request}: look further back with --since.")
    return int(not found)


def _keys(session: Session, invokes: Sequence[Invoke]) -> dict[str, str]:
    """Keys of the first stored records of each, by `objectId`; none where the table gives none."""
    wanted = [object_id for each in invokes for object_id in each.object_ids[:_KEYS]]
    if not wanted:
        return {}
    try:
        table = Table(session.client("dynamodb"), session.target.table_name, _PATIENCE_SECONDS)
        records = [read(item) for item in table.get(dict.fromkeys(wanted))]
    except PipelineError:
        # The ids are shown instead: the log is what was asked for.
        return {}
    return {record.object_id: record.key for record in records if record is not None}


def _print(
    console: Console,
    invoke: Invoke,
    keys: Mapping[str, str],
    *,
    as_json: bool,
    lines: bool = False,
) -> None:
    if as_json:
        terminal.print_json_line(_document(invoke, keys, lines=lines))
        return
    took = invoke.milliseconds if invoke.reported is None else invoke.reported
    head = Text(times.local_ms(invoke.at))
    head.append(f"  {invoke.level:5}", style=_COLOURS.get(invoke.level, "green"))
    head.append(f"  {'-' if took is None else format(took, ',.0f'):>6} ms", style="cyan")
    terminal.entry(console, head, _sentence(invoke, keys))
    if lines:
        for at, level, text in invoke.lines:
            terminal.entry(console, Text(f"  {times.local_ms(at)}  {level:5}", style="dim"), text)


def _sentence(invoke: Invoke, keys: Mapping[str, str]) -> str:
    """What an invoke did: the keys of its records, why it failed, and what is unusual of it."""
    parts = []
    if invoke.object_ids:
        shown = [keys.get(each, f"objectId {each}") for each in invoke.object_ids[:_KEYS]]
        more = (invoke.stored or len(invoke.object_ids)) - len(shown)
        parts.append(", ".join(shown) + (f" and {more} more" if more > 0 else ""))
    for failed in invoke.not_stored[:_KEYS]:
        parts.append(f"{failed.key or 'an event without key'}: {failed.reason}")
    if (more := len(invoke.not_stored) - _KEYS) > 0:
        parts.append(f"and {more} more that failed")
    if not invoke.not_stored and invoke.reason:
        parts.append(invoke.reason)
    if invoke.attempts > 1:
        parts.append(f"attempt {invoke.attempts}")
    if invoke.cold_start:
        parts.append("cold start")
    return "; ".join(parts) or (
        "nothing to store" if invoke.stored == 0 else f"request {invoke.request}"
    )


def _document(invoke: Invoke, keys: Mapping[str, str], *, lines: bool) -> dict[str, Any]:
    document = {
        "time": times.iso_ms(invoke.at),
        "level": invoke.level,
        "requestId": invoke.request,
        "milliseconds": invoke.milliseconds,
        "reportedMilliseconds": invoke.reported,
        "coldStart": invoke.cold_start,
        "attempts": invoke.attempts,
        "received": invoke.received,
        "stored": invoke.stored,
        "failed": invoke.failed,
        "failing": invoke.failing,
        "reason": invoke.reason or None,
        "keys": [keys[each] for each in invoke.object_ids if each in keys],
        "objectIds": invoke.object_ids,
        "notStored": [
            {"key": each.key, "objectId": each.object_id, "reason": each.reason}
            for each in invoke.not_stored
        ],
    }
    if lines:
        document["lines"] = [
            {"time": times.iso_ms(at), "level": level, "text": text}
            for at, level, text in invoke.lines
        ]
    return document
