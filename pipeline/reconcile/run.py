"""Find out what the table lacks of the bucket, tells twice, or tells of what is not there.

Changes nothing; of the failure queue's messages the receive counts only. The bucket is listed
first, then the table read, so that what is uploaded meanwhile can only be told too much. What does
not agree then is asked for once more before it is called missing or stale.

Memory: about 1 KB for each version below the listed prefixes and each record of the table, which a
few 100,000 are fine with.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.config import Config

from pipeline.deployed import aws, failure_queue
from pipeline.deployed import bucket as listing
from pipeline.deployed import table as table_records
from pipeline.deployed.bucket import Version
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.deployed.filters import Filter, prefixes, retention_seconds
from pipeline.deployed.table import Item, Record, Table
from pipeline.errors import PipelineError
from pipeline.handler import events, records
from pipeline.reconcile.compare import Comparison, Identity, Scope, compare
from pipeline.replay.run import Clients as QueueClients
from pipeline.replay.run import clients as queue_clients
from pipeline.replay.run import depth, replay

GRACE_SECONDS = 60.0

_PAUSE_SECONDS = 3.0

# What is being done, how much of it is done, and of how much in all: show.progress's.
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one account and region; `functions` is Lambda's."""

    s3: Any
    dynamodb: Any
    functions: Any
    queues: QueueClients


@dataclass(frozen=True)
class Pipeline:
    """The names that are compared, and what the filters take."""

    bucket: str
    table: str
    function: str
    failure_queue_url: str
    buffer_queue_url: str | None
    filters: Sequence[Filter]


@dataclass(frozen=True)
class Asked:
    """What to compare: keys with `prefix`, since a moment in epoch seconds if one is given.

    What was uploaded less than `grace_seconds` ago is waited for that long.
    """

    prefix: str = ""
    since: float | None = None
    grace_seconds: float = GRACE_SECONDS


@dataclass(frozen=True)
class Lying:
    """Where events may wait: which of the missing are in the failure queue, and how many messages.

    `hidden` is how many messages of the failure queue others have received, `buffered` how many
    are in the buffer, None without one; `unread` why a queue could not be asked.
    """

    failed: frozenset[Version] = frozenset()
    hidden: int = 0
    buffered: int | None = None
    unread: str | None = None


@dataclass(frozen=True)
class Finding:
    """The comparison, where the missing are, and what it took.

    Compared are uploads since `since` (epoch seconds), which is no longer ago than the `retention`
    (seconds). `versions` and `records` were read, and `strangers`, items that are no records.
    """

    comparison: Comparison
    lying: Lying
    since: float
    retention: int
    versions: int
    records: int
    strangers: int
    list_requests: int
    read_units: float


def clients(**settings: Any) -> Clients:
    """Clients that suit `reconcile`; `settings` are boto3's. Raises PipelineError."""
    patient = Config(retries={"mode": "standard", "total_max_attempts": 4})
    return Clients(
        listing.client(**settings),
        table_records.client(**settings),
        aws.client("lambda", patient, **settings),
        queue_clients(**settings),
    )


def reconcile(through: Clients, pipeline: Pipeline, asked: Asked, tell: Tell) -> Finding:
    """Compare bucket and table; raises PipelineError where one of them can't be read."""
    listed = prefixes(pipeline.filters, asked.prefix)
    retention = retention_seconds(through.functions, pipeline.function)
    run = _Run(through, pipeline, asked, listed, retention, tell)
    run.versions = dict(_list(run))
    table = Table(through.dynamodb, pipeline.table)
    for page in table.scan(asked.prefix):
        run.keep(page)
        tell("records read", len(run.records), 0)
    comparison = run.compared()
    if comparison.missing:
        _wait_for_young(run, table, comparison.missing)
        _read_again(run, table, run.compared().missing)
    if comparison.missing or comparison.gone():
        comparison = run.compared()
        _look_again(run, [*comparison.missing, *comparison.gone()])
        comparison = run.compared()
    lying = _where(run, comparison.missing) if comparison.missing else Lying()
    return Finding(
        comparison,
        lying,
        run.since(),
        retention,
        len(run.versions),
        len(run.records),
        run.strangers,
        run.list_requests,
        table.read_units,
    )


@dataclass
class _Run:
    """One comparison: what it is about, and what is known by now.

    `versions` are those that were listed, `later` those found when some were looked for again.
    """

    through: Clients
    pipeline: Pipeline
    asked: Asked
    prefixes: Sequence[str]
    retention: int
    tell: Tell
    versions: dict[Identity, Version] = field(default_factory=dict)
    later: dict[Identity, Version] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    strangers: int = 0
    list_requests: int = 0
    listed_at: float | None = None
    listed_on: float = 0.0

    def now(self) -> float:
        """S3's time, epoch seconds."""
        assert self.listed_at is not None  # noqa: S101  (a page came first)
        return self.listed_at + time.monotonic() - self.listed_on

    def since(self) -> float:
        """Records of older uploads may have expired by now."""
        return max(self.now() - self.retention, self.asked.since or 0)

    def compared(self) -> Comparison:
        """Compare what is known by now."""
        assert self.listed_at is not None  # noqa: S101
        scope = Scope(
            self.pipeline.bucket,
            self.pipeline.filters,
            self.since(),
            self.listed_at,
            narrowed=self.asked.since is not None,
        )
        return compare(scope, self.versions, self.records.values(), self.later)

    def keep(self, items: Iterable[Item]) -> None:
        """Note the records among a table's items."""
        for item in items:
            record = table_records.read(item)
            if record is None:
                self.strangers += 1
            else:
                self.records[record.object_id] = record


def _list(run: _Run) -> Iterator[tuple[Identity, Version]]:
    """All versions below the prefixes, now."""
    found = 0
    for prefix in run.prefixes:
        for page in listing.pages(run.through.s3, run.pipeline.bucket, prefix):
            run.list_requests += 1
            if run.listed_at is None:
                run.listed_at, run.listed_on = page.asked_at, time.monotonic()
            found += len(page.versions)
            run.tell("object versions listed", found, 0)
            yield from listing.by_identity(page.versions).items()


def _wait_for_young(run: _Run, table: Table, missing: Sequence[Version]) -> None:
    """Give the events of what was just uploaded the time that they are granted."""
    while young := {one: left for one in missing if (left := _granted(run, one)) > 0}:
        left = max(young.values())
        run.tell(f"young uploads without a record, waiting {left:.0f} s", len(young), 0)
        time.sleep(min(_PAUSE_SECONDS, left))
        # Those without a version id would take a scan each time.
        run.keep(table.get({_object_id(run, one) for one in young if one.version_id}))
        missing = [one for one in missing if _object_id(run, one) not in run.records]


def _granted(run: _Run, version: Version) -> float:
    """For how many seconds more its event may be under way."""
    assert run.listed_at is not None  # noqa: S101
    # When an upload in parts ended is not to be seen: just before it was listed, at the latest.
    uploaded = run.listed_at if version.multipart else version.modified
    return uploaded + run.asked.grace_seconds - run.now()


def _read_again(run: _Run, table: Table, missing: Sequence[Version]) -> None:
    """Read consistently what may have been written behind the scan's back."""
    if not missing:
        return
    run.tell("uploads without a record, asked for again", len(missing), 0)
    # Whichever costs less: a unit for each, or the whole table at twice of what it took before.
    if all(one.version_id for one in missing) and len(missing) <= 2 * table.read_units:
        run.keep(table.get({_object_id(run, one) for one in missing}, consistent=True))
        return
    run.strangers = 0
    for page in table.scan(run.asked.prefix, consistent=True):
        run.keep(page)


def _object_id(run: _Run, version: Version) -> str:
    return records.object_id(listing.event_of(run.pipeline.bucket, version))


def _look_again(run: _Run, doubtful: Sequence[Version | Record]) -> None:
    """See whether what is missing is still there, and what is gone has come."""
    keys = {one.key for one in doubtful}
    inside = {key for key in keys if key.startswith(tuple(run.prefixes))}
    if len(inside) > run.list_requests:
        now_there = {identity: one for identity, one in _list(run) if one.key in inside}
        keys -= inside
    else:
        now_there = {}
    for number, key in enumerate(keys):
        run.tell("keys looked for again", number, len(keys))
        found, requests = listing.look(run.through.s3, run.pipeline.bucket, key)
        run.list_requests += requests
        now_there |= listing.by_identity(found)
    for one in doubtful:
        identity = one.key, one.version_id
        # Of what was deleted or overwritten meanwhile, nobody can tell any more.
        if _upload(run.versions.get(identity)) != _upload(now_there.get(identity)):
            run.versions.pop(identity, None)
    run.later |= now_there


def _upload(version: Version | None) -> tuple[int, str] | None:
    return None if version is None else (version.modified, version.etag)


def _where(run: _Run, missing: Sequence[Version]) -> Lying:
    """Look for the events of the missing.

    A queue that can't be asked makes them no less missing.
    """
    queues, pipeline = run.through.queues, run.pipeline
    lying = Lying()
    try:
        if pipeline.buffer_queue_url is not None:
            with aws.asking(f"the buffer {pipeline.buffer_queue_url}", "see that it is there"):
                buffered = sum(failure_queue.depth(queues.sqs, pipeline.buffer_queue_url))
            lying = replace(lying, buffered=buffered)
        _, hidden = depth(queues, pipeline.failure_queue_url)
        failed = set(_failed(run))
    except PipelineError as error:
        return replace(lying, unread=str(error))
    here = frozenset(one for one in missing if _mark(one) in failed)
    return replace(lying, failed=here, hidden=hidden)


def _failed(run: _Run) -> Iterator[tuple[str, str, str]]:
    """The uploads whose events lie in the failure queue."""
    outcomes = replay(
        run.through.queues,
        queue_url=run.pipeline.failure_queue_url,
        function_name=run.pipeline.function,
        table_name=run.pipeline.table,
        dry_run=True,
    )
    with closing(outcomes):
        for number, outcome in enumerate(outcomes, start=1):
            run.tell("failed events read", number, 0)
            if not isinstance(outcome.message, FailedEvent):
                continue
            for _, event in events.read(outcome.message.event).events:
                if event.bucket == run.pipeline.bucket and event.name.startswith("ObjectCreated"):
                    yield event.key, event.version_id, "" if event.version_id else event.etag


def _mark(version: Version) -> tuple[str, str, str]:
    return version.key, version.version_id, "" if version.version_id else version.etag
