"""`pipeline reconcile`: compare the bucket with the table, and name what does not agree."""

import json
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline import terminal, times
from pipeline.deployed.bucket import Version
from pipeline.deployed.filters import filters_of
from pipeline.deployed.table import Record
from pipeline.deployed.target import Target
from pipeline.lab import folder
from pipeline.reconcile.compare import Stale
from pipeline.reconcile.run import GRACE_SECONDS, Asked, Finding, Pipeline, clients, reconcile

# The rest is in --json.
_LINES = 20


def run(
    found: Target,
    *,
    prefix: str = "",
    since: str | None = None,
    grace: str | None = None,
    as_json: bool = False,
) -> int:
    """Compare and tell; returns the exit status. Raises PipelineError."""
    console = Console(stderr=as_json, highlight=False, emoji=False)
    pipeline = pipeline_of(found)
    asked = Asked(
        prefix,
        None if since is None else times.moment(since, time.time(), "--since"),
        GRACE_SECONDS if grace is None else times.seconds(grace, "--grace"),
    )
    through = clients(**found.settings)
    with (
        terminal.progress(console, "reconcile") as tell,
        terminal.interruptible("Ending. Nothing was changed; run it again to compare."),
    ):
        finding = reconcile(through, pipeline, asked, tell)
    _tell(console, found, pipeline, asked, finding)
    if as_json:
        # ASCII, for a terminal that takes a control character at its word.
        json.dump(_document(pipeline, asked, finding), sys.stdout, indent=2)
        sys.stdout.write("\n")
    return 0 if finding.comparison.agrees else 1


def pipeline_of(found: Target) -> Pipeline:
    """The names that a comparison needs. Raises PipelineError where one is absent."""
    return Pipeline(
        found.bucket_name,
        found.table_name,
        found.function_name,
        found.failure_queue_url,
        found.buffer_queue_url,
        filters_of(found),
    )


def _tell(
    console: Console, found: Target, pipeline: Pipeline, asked: Asked, finding: Finding
) -> None:
    compared = finding.comparison
    terminal.heading(console, f"{terminal.printable(pipeline.bucket)} and {pipeline.table}")
    terminal.fields(console, _figures(finding))
    if found.outputs.get("delivery") is None:
        terminal.note(
            console, f"{found.origin} gives no delivery: every creation was taken to be delivered."
        )
    if asked.since is not None and asked.since < finding.since:
        terminal.note(
            console,
            f"Records live for {finding.retention / 3600:g} h: what is older than that was not "
            "compared, whatever --since says.",
        )
    if compared.unjudged:
        terminal.note(
            console,
            f"{compared.unjudged} uploads without a record can't be judged: delivery.filters take "
            "some ways of creation only, and a listing does not tell Put, Post and Copy apart.",
        )
    missing = [_missing_line(finding, one) for one in compared.missing]
    _list(console, "missing", missing)
    _list(console, "doubled", map(_doubled_line, compared.doubled))
    _list(console, "stale", map(_stale_line, compared.stale))
    if compared.agrees:
        terminal.note(console, "All agree: nothing is missing, doubled or stale.")
        return
    _advise(console, found, asked, finding)


def _figures(finding: Finding) -> dict[str, object]:
    """The figures by name; those that are 0 and mostly are, left out."""
    compared = finding.comparison
    figures: dict[str, object] = {
        "compared since": times.iso(finding.since),
        "object versions": finding.versions,
        "expected in the table": compared.expected,
        "agreeing": compared.agreeing,
        "missing": len(compared.missing),
        "doubled": len(compared.doubled),
        "stale": len(compared.stale),
        "records": finding.records,
    }
    rare = {
        "versions: older than compared": compared.outside,
        "versions: not taken by a filter": compared.ignored,
        "versions: not to be judged": compared.unjudged,
        "records: expired, not yet deleted": compared.expired,
        "records: of overwritten objects": compared.superseded,
        "records: removed, and that is told": compared.removed,
        "records: newer than the listing": compared.late,
        "records: older than compared": compared.early,
        "records: of other events": compared.other_events,
        "records: of other buckets": compared.other_buckets,
        "items that are no records": finding.strangers,
    }
    figures |= {name: value for name, value in rare.items() if value}
    took = f"{finding.list_requests} LIST requests, {finding.read_units:g} read units"
    return figures | {"it took": took}


def _missing_line(finding: Finding, version: Version) -> str:
    return f"{_named(version)}, uploaded {times.iso(version.modified)}: {_place(finding, version)}"


def _place(finding: Finding, version: Version) -> str:
    """Where its event may be."""
    lying = finding.lying
    if version in lying.failed:
        return "its event is in the failure queue"
    if lying.unread:
        return "whether its event waits in a queue is unknown"
    waits = []
    if lying.buffered:
        waits.append(f"its event may be one of about {lying.buffered} in the buffer")
    if lying.hidden:
        waits.append(f"or one of about {lying.hidden} in the failure queue that others received")
    return " ".join(waits).removeprefix("or ") or "its event is in no queue"


def _doubled_line(twins: Sequence[Record]) -> str:
    ids = " ".join(one.object_id for one in twins)
    return f"{_named(twins[0])}: {len(twins)} records, {ids}"


def _stale_line(stale: Stale) -> str:
    record = stale.record
    when = times.iso(record.timestamp)
    return f"{_named(record)}, told of {when} in record {record.object_id}: {stale.why}"


def _named(one: Version | Record) -> str:
    version = f" (version {one.version_id})" if one.version_id else ""
    return f"{one.key}{version}"


def _list(console: Console, kind: str, lines: Iterable[str]) -> None:
    every = list(lines)
    for line in every[:_LINES]:
        console.print(
            Text.assemble((f"  {kind}  ", "red"), terminal.printable(line)), soft_wrap=True
        )
    if len(every) > _LINES:
        terminal.note(console, f"and {len(every) - _LINES} more {kind} (--json has all)")


def _advise(console: Console, found: Target, asked: Asked, finding: Finding) -> None:
    """What to run, as it is to be typed."""
    missing = finding.comparison.missing
    if finding.lying.unread:
        terminal.note(console, f"The queues could not be asked: {finding.lying.unread}")
    if finding.lying.failed:
        _command(console, found, "replay", ["--all"], "puts the failed events through again")
    lost = [one for one in missing if one not in finding.lying.failed]
    if lost:
        options = ["--since", times.iso(min(one.modified for one in lost))]
        if asked.prefix:
            options = ["--prefix", asked.prefix, *options]
        _command(console, found, "backfill", options, "writes the records that are missing")
        terminal.note(
            console,
            "Events may also wait inside Lambda, unseen: for six hours at most.",
        )
    if finding.comparison.doubled or finding.comparison.stale:
        terminal.note(
            console,
            "Nothing here deletes records: doubled and stale ones expire by themselves, or delete "
            "them by their objectId.",
        )


def _command(console: Console, found: Target, name: str, options: list[str], why: str) -> None:
    words = [folder.command(name, folder.FOLDER), *map(shlex.quote, [*found.flags, *options])]
    console.print(Text(f"  {terminal.printable(' '.join(words))}", style="green"), soft_wrap=True)
    console.print(Text(f"      {why}", style="dim"), soft_wrap=True)


def _document(pipeline: Pipeline, asked: Asked, finding: Finding) -> dict[str, Any]:
    """What `--json` prints."""
    compared, lying = finding.comparison, finding.lying
    counted = {name: value for name, value in vars(compared).items() if isinstance(value, int)}
    return {
        "bucket": pipeline.bucket,
        "table": pipeline.table,
        "prefix": asked.prefix,
        "since": times.iso(finding.since),
        "agrees": compared.agrees,
        "figures": {
            **counted,
            "versions": finding.versions,
            "records": finding.records,
            "strangers": finding.strangers,
            "list_requests": finding.list_requests,
            "read_units": finding.read_units,
        },
        "buffered": lying.buffered,
        "queues_unread": lying.unread,
        "missing": [
            {**_of_version(one), "in_failure_queue": one in lying.failed}
            for one in compared.missing
        ],
        "doubled": [
            {
                "key": twins[0].key,
                "version_id": twins[0].version_id or None,
                "object_ids": [one.object_id for one in twins],
            }
            for twins in compared.doubled
        ],
        "stale": [
            {
                "key": one.record.key,
                "version_id": one.record.version_id or None,
                "object_id": one.record.object_id,
                "time": times.iso(one.record.timestamp),
                "why": one.why,
            }
            for one in compared.stale
        ],
    }


def _of_version(version: Version) -> dict[str, Any]:
    return {
        "key": version.key,
        "version_id": version.version_id or None,
        "uploaded": times.iso(version.modified),
        "size": version.size,
        "etag": version.etag,
    }
