"""Print records: those that are in the table, and those that come."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.text import Text

from pipeline import terminal, times
from pipeline.deployed.follow import Reader, follow
from pipeline.deployed.new_records import NewRecords
from pipeline.deployed.session import Session, connect
from pipeline.deployed.table import Record, Table, added, document, read, sentence
from pipeline.deployed.target import Target

_POLL_SECONDS = 1.0
_EMULATOR_POLL_SECONDS = 0.1


def run(target: Target, prefix: str, since: str | None, *, following: bool, as_json: bool) -> None:
    """Print the records of keys with a prefix whose event came since then, and those to come.

    Raises PipelineError.
    """
    began = None if since is None else times.moment(since, time.time(), "--since")
    session, console = connect(target), terminal.console()
    # Opened before the table is read, so that no record is missed.
    written = NewRecords(session) if following else None
    shown = 0

    def wanted(record: Record) -> bool:
        return record.key.startswith(prefix) and (began is None or record.timestamp >= began)

    def show(record: Record, more: Mapping[str, Any]) -> None:
        nonlocal shown
        shown += 1
        if as_json:
            terminal.print_json_line(document(record, more))
            return
        size = "-" if record.size is None else f"{record.size:,} B"
        key = target.shown(record.bucket, record.key)
        head = Text(f"{times.local(record.timestamp)}  {size:>12}")
        terminal.entry(console, head, sentence(key, record, more))

    with terminal.last_line(lambda: f"{shown} record{'s' * (shown != 1)}."):
        there: dict[Record, dict[str, Any]] = {}
        if not following or since is not None:
            there = _read(session, prefix, wanted)
            for record in sorted(there, key=lambda each: (each.timestamp, each.key)):
                show(record, there[record])
        if written is not None:
            reader = Reader(written.new, _EMULATOR_POLL_SECONDS, _POLL_SECONDS)
            for records in follow(session, [reader], terminal.wait):
                for record, more in records:
                    if wanted(record) and record not in there:
                        show(record, more)
                # What was written while the table was read came at once.
                there = {}


def _read(
    session: Session, prefix: str, wanted: Callable[[Record], bool]
) -> dict[Record, dict[str, Any]]:
    table = Table(session.client("dynamodb"), session.target.table_name)
    return {
        record: added(item)
        for items in table.scan(prefix, whole=True)
        for item in items
        if (record := read(item)) is not None and wanted(record)
    }
