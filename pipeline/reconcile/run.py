"""Compare a deployed pipeline's buckets with its table.

Changes nothing but receive counts of the failure queue's messages. They are listed first, then
the table is scanned, so that an upload meanwhile can only leave a record too many. What does not
agree is read once more before it is reported.

Memory: about 1 KB for each version below the listed prefixes and each record of the table, which is
fine up to a few 100,000.
"""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from pipeline.deployed import aws, bucket, failure_queue, filters, table
from pipeline.deployed.bucket import Version
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.deployed.table import Item, Record, Table
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.handler import events, records
from pipeline.reconcile.compare import Comparison, Identity, Scope, compare
from pipeline.replay import run as replaying
from pipeline.terminal import ShowProgress

_PAUSE_SECONDS = 3.0


@dataclass
class Queues:
    """Where the events of missing records may be: `failed` are those in the failure queue.

    `hidden` is how many messages of the failure queue others have received, `buffered` how many
    messages the buffer has, None without one; `unread` says why a queue could not be read.
    """

    failed: set[Version] = field(default_factory=set)
    hidden: int = 0
    buffered: int | None = None
    unread: str | None = None


@dataclass
class Reconciliation:
    """One comparison: what it is about, what was read so far, and its result.

    Compared are keys with `prefix` in `buckets`, uploaded since `since` (epoch seconds) if that is
    given, and since `compared_since` in any case, `retention` seconds ago. `hook` is what the
    function calls for each event, None where it stores them all. `versions` are those that were
    listed, `later` those found when some were looked for again, `strangers` items that are no
    records.
    """

    found: Target
    buckets: Sequence[str]
    prefix: str
    since: float | None
    grace_seconds: float
    progress: ShowProgress
    versions: dict[Identity, Version] = field(default_factory=dict)
    later: dict[Identity, Version] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    strangers: int = 0
    list_requests: int = 0
    # S3's time and this machine's, when the listing began.
    listed_at: float = 0.0
    listed_on: float = 0.0
    compared_since: float = 0.0
    comparison: Comparison = field(default_factory=Comparison)
    queues: Queues = field(default_factory=Queues)

    def __post_init__(self) -> None:
        """Raises PipelineError where an output is absent, or the function can't be read."""
        found, settings = self.found, self.found.settings
        # Read first, so that a missing output is reported before AWS is asked.
        function, _ = found.function_name, found.failure_queue_url
        self.filters = filters.filters_of(found)
        self.prefixes = filters.prefixes(self.filters, self.prefix)
        self.s3 = bucket.client(**settings)
        self.table = Table(table.client(**settings), found.table_name)
        functions = aws.client("lambda", **settings)
        self.retention = filters.retention_seconds(functions, function)
        self.hook = filters.hook_of(functions, function)

    def now(self) -> float:
        """S3's time, epoch seconds."""
        return self.listed_at + time.monotonic() - self.listed_on

    def compare(self) -> None:
        """Compare what was read so far."""
        # Records of older uploads may have expired by now.
        self.compared_since = max(self.now() - self.retention, self.since or 0)
        scope = Scope(
            self.buckets,
            self.filters,
            self.compared_since,
            self.listed_at,
            narrowed=self.since is not None,
        )
        self.comparison = compare(scope, self.versions, self.records.values(), self.later)

    def scan(self, *, consistent: bool = False) -> None:
        """Read all records."""
        self.strangers = 0
        for page in self.table.scan(self.prefix, consistent=consistent):
            self._keep(page)
            self.progress("records read", len(self.records), 0)

    def get(self, versions: Iterable[Version], *, consistent: bool = False) -> None:
        """Read the records of these versions."""
        ids = {self.object_id(version) for version in versions}
        self._keep(self.table.get(ids, consistent=consistent))

    def object_id(self, version: Version) -> str:
        """The `objectId` of the version's record."""
        return records.object_id(bucket.event_of(version))

    def _keep(self, items: Iterable[Item]) -> None:
        for item in items:
            record = table.read(item)
            if record is None:
                self.strangers += 1
            else:
                self.records[record.object_id] = record


def reconcile(
    found: Target,
    *,
    prefix: str,
    since: float | None,
    grace_seconds: float,
    progress: ShowProgress,
    only: str | None = None,
) -> Reconciliation:
    """Compare the keys with `prefix`, uploaded since an epoch time if one is given.

    In all buckets, or in `only` that one. Records of uploads in the last `grace_seconds` are waited
    for. Raises PipelineError where bucket or table can't be read, or the failure queue's name is
    absent.
    """
    run = Reconciliation(found, found.buckets(only), prefix, since, grace_seconds, progress)
    run.versions = dict(_list(run))
    run.scan()
    run.compare()
    if run.comparison.missing:
        _wait_for_young(run)
        run.compare()
        _read_again(run)
        run.compare()
    missing, gone = run.comparison.missing, run.comparison.gone()
    if missing or gone:
        _look_again(run, [*missing, *gone])
        run.compare()
    if run.comparison.missing:
        _look_in_queues(run)
    return run


def _list(run: Reconciliation) -> Iterator[tuple[Identity, Version]]:
    """All versions below the prefixes, now."""
    listed = 0
    for name, prefix in itertools.product(run.buckets, run.prefixes):
        for page in bucket.pages(run.s3, name, prefix):
            run.list_requests += 1
            if not run.listed_at:
                run.listed_at, run.listed_on = page.asked_at, time.monotonic()
            listed += len(page.versions)
            run.progress("object versions listed", listed, 0)
            yield from bucket.by_identity(page.versions).items()


def _wait_for_young(run: Reconciliation) -> None:
    """Wait for the records of new uploads."""
    missing = run.comparison.missing
    while young := {version: left for version in missing if (left := _grace(run, version)) > 0}:
        left = max(young.values())
        run.progress(f"young uploads without a record, waiting {left:.0f} s", len(young), 0)
        time.sleep(min(_PAUSE_SECONDS, left))
        # Those without a version id would take a scan each time.
        run.get(version for version in young if version.version_id)
        missing = [version for version in missing if run.object_id(version) not in run.records]


def _grace(run: Reconciliation, version: Version) -> float:
    """For how many seconds more its record is waited for."""
    # When an upload in parts ended is unknown: just before it was listed, at the latest.
    uploaded = run.listed_at if version.multipart else version.modified
    return uploaded + run.grace_seconds - run.now()


def _read_again(run: Reconciliation) -> None:
    """Read consistently what may have been written while the table was scanned."""
    missing = run.comparison.missing
    if not missing:
        return
    run.progress("uploads without a record, read again", len(missing), 0)
    # Whichever costs less: a unit for each, or the whole table at twice of what it took before.
    versioned = all(version.version_id for version in missing)
    if versioned and len(missing) <= 2 * run.table.read_units:
        run.get(missing, consistent=True)
    else:
        run.scan(consistent=True)


def _look_again(run: Reconciliation, doubtful: Sequence[Version | Record]) -> None:
    """See whether what is missing is still there, and what is gone has come."""
    keys = {(item.bucket, item.key) for item in doubtful}
    inside = {each for each in keys if each[1].startswith(tuple(run.prefixes))}
    if len(inside) > run.list_requests:
        now_there = {
            identity: found for identity, found in _list(run) if (found.bucket, found.key) in inside
        }
        keys -= inside
    else:
        now_there = {}
    for number, (name, key) in enumerate(keys):
        run.progress("keys looked for again", number, len(keys))
        found, requests = bucket.look(run.s3, name, key)
        run.list_requests += requests
        now_there |= bucket.by_identity(found)
    for item in doubtful:
        identity = item.bucket, item.key, item.version_id
        # What was deleted or overwritten meanwhile can no longer be judged.
        if _upload(run.versions.get(identity)) != _upload(now_there.get(identity)):
            run.versions.pop(identity, None)
    run.later |= now_there


def _upload(version: Version | None) -> tuple[int, str] | None:
    return None if version is None else (version.modified, version.etag)


def _look_in_queues(run: Reconciliation) -> None:
    """Look for the events of the missing; they stay missing where a queue can't be read."""
    buffer, failures = run.found.buffer_queue_url, run.found.failure_queue_url
    through = replaying.clients(**run.found.settings)
    try:
        if buffer is not None:
            with aws.asking(f"the buffer {buffer}", "see that it is there"):
                run.queues.buffered = sum(failure_queue.depth(through.sqs, buffer))
        _, run.queues.hidden = replaying.depth(through, failures)
        failed = set(_failed(run, through))
    except PipelineError as error:
        run.queues.unread = str(error)
    else:
        run.queues.failed = {
            version for version in run.comparison.missing if _event_key(version) in failed
        }


def _failed(run: Reconciliation, through: replaying.Clients) -> Iterator[tuple[str, ...]]:
    """The uploads whose events are in the failure queue."""
    outcomes = replaying.replay(
        through,
        queue_url=run.found.failure_queue_url,
        function_name=run.found.function_name,
        table_name=run.found.table_name,
        dry_run=True,
    )
    with closing(outcomes):
        for number, outcome in enumerate(outcomes, start=1):
            run.progress("failed events read", number, 0)
            if not isinstance(outcome.message, FailedEvent):
                continue
            for _, event in events.read(outcome.message.event).events:
                if event.bucket in run.buckets and event.name.startswith("ObjectCreated"):
                    yield _event_key(event)


def _event_key(upload: Version | events.ObjectEvent) -> tuple[str, ...]:
    """What an event and a version of one upload have in common."""
    etag = "" if upload.version_id else upload.etag
    return upload.bucket, upload.key, upload.version_id, etag
