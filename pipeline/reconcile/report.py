"""Print how a pipeline's buckets and table compare."""

import shlex
from typing import Any

from rich.console import Console

from pipeline import terminal, times
from pipeline.deployed.bucket import Version
from pipeline.deployed.table import Record
from pipeline.deployed.target import Target
from pipeline.program import command_line
from pipeline.reconcile.run import Queues, Reconciliation, reconcile

# The rest is in --json.
_LINES = 20


def run(
    found: Target,
    *,
    prefix: str,
    since: float | None,
    grace_seconds: float,
    as_json: bool,
    only: str | None = None,
) -> int:
    """Compare and print; returns the exit status. Raises PipelineError."""
    console = terminal.console(stderr=as_json)
    with (
        terminal.progress(console, "reconcile") as progress,
        terminal.interruptible("Ending. Nothing was changed; run it again to compare."),
    ):
        result = reconcile(
            found,
            prefix=prefix,
            since=since,
            grace_seconds=grace_seconds,
            progress=progress,
            only=only,
        )
    _print(console, result)
    if as_json:
        terminal.print_json(_document(result))
    return 0 if result.comparison.agrees else 1


def _print(console: Console, result: Reconciliation) -> None:
    found, since = result.found, result.since
    compared = result.comparison
    buckets = ", ".join(map(terminal.printable, result.buckets))
    terminal.heading(console, f"{buckets} and {found.table_name}")
    terminal.fields(console, _figures(result))
    if len(result.buckets) > 1:
        _print_by_bucket(console, result)
    if found.outputs.get("delivery") is None:
        terminal.note(
            console,
            f"{found.origin} gives no delivery: every creation is taken to be delivered.",
        )
    if since is not None and since < result.compared_since:
        terminal.note(
            console,
            f"Records live for {result.retention / 3600:g} h: older uploads were not compared, "
            "whatever --since says.",
        )
    if compared.unjudged:
        terminal.note(
            console,
            f"{compared.unjudged} uploads without a record can't be judged: delivery.filters take "
            "some kinds of creation only, and a listing does not show Put, Post or Copy.",
        )
    # A key may be in several buckets.
    name = _name if len(result.buckets) == 1 else _full_name
    missing = [
        f"{name(version)}, uploaded {times.local(version.modified)}: "
        f"{_event_of(version, result.queues)}"
        for version in compared.missing
    ]
    doubled = [
        f"{name(twins[0])}: {len(twins)} records, {' '.join(each.object_id for each in twins)}"
        for twins in compared.doubled
    ]
    stale = [
        f"{name(each.record)}, of {times.local(each.record.timestamp)} in record "
        f"{each.record.object_id}: {each.why}"
        for each in compared.stale
    ]
    terminal.problems(console, _what_is_missing(result), missing, _LINES)
    terminal.problems(console, "doubled", doubled, _LINES)
    terminal.problems(console, "stale", stale, _LINES)
    if compared.agrees:
        terminal.note(console, "All agree: nothing is missing, doubled or stale.")
    else:
        _advise(console, result)


def _figures(result: Reconciliation) -> dict[str, object]:
    """The figures by name; those that are 0 and mostly are, left out."""
    compared = result.comparison
    rare = {
        "versions: older than compared": compared.outside,
        "versions: not taken by a filter": compared.ignored,
        "versions: not to be judged": compared.unjudged,
        "records: expired, not yet deleted": compared.expired,
        "records: of overwritten objects": compared.superseded,
        "records: of objects whose removal has a record": compared.removed,
        "records: newer than the listing": compared.late,
        "records: older than compared": compared.early,
        "records: of other events": compared.other_events,
        "records: of other buckets": compared.other_buckets,
        "items that are no records": result.strangers,
    }
    return {
        "compared since": times.local(result.compared_since),
        "object versions": len(result.versions),
        "expected in the table": compared.expected,
        "agreeing": compared.agreeing,
        _what_is_missing(result): len(compared.missing),
        "doubled": len(compared.doubled),
        "stale": len(compared.stale),
        "records": len(result.records),
        **{name: number for name, number in rare.items() if number},
        "cost": f"{result.list_requests} LIST requests, {result.table.read_units:g} read units",
    }


def _print_by_bucket(console: Console, result: Reconciliation) -> None:
    figures = {name: result.comparison.of(name) for name in result.buckets}
    header = ("bucket", *next(iter(figures.values())))
    rows = [(terminal.printable(name), *map(str, of.values())) for name, of in figures.items()]
    terminal.table(console, header, rows)


def _what_is_missing(result: Reconciliation) -> str:
    # A hook's skip leaves no trace.
    return "missing" if result.hook is None else "missing or skipped"


def _event_of(version: Version, queues: Queues) -> str:
    """Where its event may be."""
    if version in queues.failed:
        return "its event is in the failure queue"
    if queues.unread:
        return "whether its event is in a queue is unknown"
    places = []
    if queues.buffered:
        places.append(f"one of about {queues.buffered} in the buffer")
    if queues.hidden:
        places.append(f"one of about {queues.hidden} in the failure queue that others received")
    return f"its event may be {' or '.join(places)}" if places else "its event is in no queue"


def _name(item: Version | Record) -> str:
    return f"{item.key} (version {item.version_id})" if item.version_id else item.key


def _full_name(item: Version | Record) -> str:
    return f"s3://{item.bucket}/{_name(item)}"


def _advise(console: Console, result: Reconciliation) -> None:
    """Print what to run, as it is to be typed."""
    queues, compared = result.queues, result.comparison

    def command(*words: str, purpose: str) -> None:
        line = shlex.join([words[0], *result.found.flags, *words[1:]])
        terminal.command(console, f"{command_line()} {line}", purpose)

    if queues.unread:
        terminal.note(console, f"The queues could not be read: {queues.unread}")
    if queues.failed:
        command("replay", "--all", purpose="replays the failed events")
    lost = [version.modified for version in compared.missing if version not in queues.failed]
    if lost:
        within = ["--prefix", result.prefix] if result.prefix else []
        if len(result.buckets) < len(result.found.buckets()):
            within += ["--bucket", *result.buckets]
        since = times.iso(min(lost))
        command("backfill", *within, "--since", since, purpose="writes the missing records")
        if result.hook is not None:
            terminal.note(
                console,
                f"What {result.hook} skips has no record either, and backfill skips it too.",
            )
        terminal.note(
            console, "Events may also wait inside Lambda for up to six hours, where none shows."
        )
    if compared.doubled or compared.stale:
        terminal.note(
            console,
            "Nothing here deletes records: doubled and stale ones expire by themselves, or delete "
            "them by their objectId.",
        )


def _document(result: Reconciliation) -> dict[str, Any]:
    """What `--json` prints."""
    compared, queues = result.comparison, result.queues
    counted = {name: value for name, value in vars(compared).items() if isinstance(value, int)}
    return {
        "bucket": result.buckets[0],
        "table": result.table.name,
        "prefix": result.prefix,
        "hook": result.hook,
        "since": times.iso(result.compared_since),
        "agrees": compared.agrees,
        "buckets": {
            name: {
                "versions": sum(version.bucket == name for version in result.versions.values()),
                **compared.of(name),
            }
            for name in result.buckets
        },
        "figures": {
            **counted,
            "versions": len(result.versions),
            "records": len(result.records),
            "strangers": result.strangers,
            "list_requests": result.list_requests,
            "read_units": result.table.read_units,
        },
        "buffered": queues.buffered,
        "queues_unread": queues.unread,
        "missing": [
            {
                **_identity(version),
                "uploaded": times.iso(version.modified),
                "size": version.size,
                "etag": version.etag,
                "in_failure_queue": version in queues.failed,
            }
            for version in compared.missing
        ],
        "doubled": [
            {**_identity(twins[0]), "object_ids": [record.object_id for record in twins]}
            for twins in compared.doubled
        ],
        "stale": [
            {
                **_identity(stale.record),
                "object_id": stale.record.object_id,
                "time": times.iso(stale.record.timestamp),
                "why": stale.why,
            }
            for stale in compared.stale
        ],
    }


def _identity(item: Version | Record) -> dict[str, str | None]:
    return {"bucket": item.bucket, "key": item.key, "version_id": item.version_id or None}
