"""Write records of objects that were in the bucket before the pipeline, or that it missed.

A record that is there is never overwritten: each is written under the condition that none has its
`objectId`, which for a version with an id is the event's own. So this can be interrupted, killed,
run again and run twice at a time. Of a version without an id ("null") the event's `objectId` needs
a sequencer, which no listing has: the table is read once, and what has a record is left out.

Memory: a page of the listing; with versions without an id, also about 1 KB for each record.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from pipeline.backfill.checkpoint import Place
from pipeline.deployed import aws
from pipeline.deployed import bucket as listing
from pipeline.deployed import table as table_records
from pipeline.deployed.bucket import Version
from pipeline.deployed.filters import Filter, judge, prefixes
from pipeline.deployed.table import Record, Table
from pipeline.handler import records
from pipeline.reconcile.compare import tells_of

PARALLEL = 4
GRACE_SECONDS = 60.0
# What is left goes to new events.
_SHARE = 0.8

State = Literal["written", "there", "young", "absent", "failed"]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Asked:
    """Which versions: of keys with `prefix`, uploaded from `since` on and before `until`.

    Times are epoch seconds; `current` leaves out what a newer version or a delete marker hides.
    Versions without an id that are younger than `grace_seconds` are left to their events.
    """

    bucket: str
    filters: Sequence[Filter]
    prefix: str = ""
    since: float | None = None
    until: float | None = None
    current: bool = False
    grace_seconds: float = GRACE_SECONDS

    def wants(self, version: Version) -> bool:
        """Whether it is one of them, as far as the listing tells."""
        return (
            (self.since is None or version.modified >= self.since)
            and (self.until is None or version.modified < self.until)
            and (version.latest or not self.current)
            and judge(self.filters, version.key, version.etag) != "ignored"
        )


@dataclass(frozen=True)
class Outcome:
    """What became of one version.

    `written`; `there`: it had a record; `absent`: it has none, in a dry run; `young`: left to its
    event; `failed`: DynamoDB refused this record for `reason`.
    """

    version: Version
    state: State
    reason: str | None = None


def rate_of(description: Any) -> float | None:
    """Records a second that leave a fifth of the table's write units to new events.

    `description` is DescribeTable's; None for a table on demand.
    """
    units = description.get("ProvisionedThroughput", {}).get("WriteCapacityUnits", 0)
    return units * _SHARE or None


def count(s3: Any, asked: Asked, start: Place | None, tell: Tell) -> int:
    """How many versions there are to look at from `start` on: one LIST request a thousand."""
    found = 0
    for _, page in _pages(s3, asked, start, listing.PAGE):
        found += sum(map(asked.wants, page.versions))
        tell("object versions counted", found, 0)
    return found


def backfill(
    s3: Any,
    table: Table,
    asked: Asked,
    *,
    retention: int,
    start: Place | None = None,
    passed: Callable[[Place], None] = lambda place: None,
    tell: Tell = lambda what, done, total: None,
    dry_run: bool = False,
    rate: float | None = None,
    parallel: int = PARALLEL,
    page_size: int = listing.PAGE,
) -> Generator[Outcome]:
    """Write what is missing from `start` on, `rate` records a second; yields outcomes as they come.

    `retention` is in seconds. `passed` is called with each place up to which everything is done,
    until the first record that failed, so that whoever starts there leaves nothing out. Closing it
    lets the writes that are under way finish and begins no other. Raises PipelineError.
    """
    run = _Run(table, asked, retention, tell, _Pace(rate, table.stopped), dry_run)
    complete = True
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="backfill")
    try:
        for prefix, page in _pages(s3, asked, start, page_size):
            wanted = [one for one in page.versions if asked.wants(one)]
            writing = []
            for outcome in _looked_up(run, wanted, page.asked_at):
                if outcome.state != "absent" or dry_run:
                    yield outcome
                else:
                    writing.append(pool.submit(_write, run, outcome.version))
            for future in as_completed(writing):
                if (written := future.result()) is not None:
                    complete = complete and written.state != "failed"
                    yield written
            if complete and page.whole_up_to and not dry_run:
                passed(Place(prefix, page.whole_up_to))
    finally:
        table.stopped.set()
        pool.shutdown(cancel_futures=True)


class _Pace:
    """Gives out turns, so many a second."""

    def __init__(self, rate: float | None, stopped: threading.Event) -> None:
        self._between = 0.0 if rate is None else 1 / rate
        self._stopped = stopped
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> bool:
        """Wait for a turn; False where there are no more."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._between
        return not self._stopped.wait(turn - time.monotonic())


@dataclass
class _Run:
    """One backfill; `known` are the records without a version id by key, once they were read."""

    table: Table
    asked: Asked
    retention: int
    tell: Tell
    pace: _Pace
    dry_run: bool
    known: dict[str, list[Record]] | None = None


def _pages(
    s3: Any, asked: Asked, start: Place | None, page_size: int
) -> Iterator[tuple[str, listing.Page]]:
    for prefix in prefixes(asked.filters, asked.prefix):
        if start is None or prefix > start.prefix:
            after = ""
        elif prefix == start.prefix:
            after = start.after
        else:
            continue
        for page in listing.pages(s3, asked.bucket, prefix, after, page_size):
            yield prefix, page


def _looked_up(run: _Run, wanted: Sequence[Version], now: float) -> Iterator[Outcome]:
    """Who has a record: a read costs half of what a refused write does."""
    ids = {one: records.object_id(listing.event_of(run.asked.bucket, one)) for one in wanted}
    versioned = (ids[one] for one in wanted if one.version_id)
    there = {item["objectId"]["S"] for item in run.table.get(versioned)}
    for one in wanted:
        if one.version_id:
            yield Outcome(one, "there" if ids[one] in there else "absent")
        elif any(tells_of(record, one) for record in _known(run)[one.key]):
            yield Outcome(one, "there")
        elif one.modified > now - run.asked.grace_seconds:
            yield Outcome(one, "young")
        else:
            yield Outcome(one, "absent")


def _known(run: _Run) -> dict[str, list[Record]]:
    if run.known is None:
        run.known = defaultdict(list)
        read = 0
        for page in run.table.scan(run.asked.prefix, consistent=True):
            read += len(page)
            run.tell("records read", read, 0)
            for record in filter(None, map(table_records.read, page)):
                ours = record.bucket == run.asked.bucket and record.family == "ObjectCreated"
                if ours and not record.version_id:
                    run.known[record.key].append(record)
    return run.known


def _write(run: _Run, version: Version) -> Outcome | None:
    """Write the record of one version, as the function would; None where the run has ended."""
    if not run.pace.wait():
        return None
    event = listing.event_of(run.asked.bucket, version)
    items, (identity,) = records.build([event], int(time.time()), run.retention)
    try:
        written = run.table.put_new(items[identity])
    except ClientError as error:
        said = error.response.get("Error", {}).get("Message")
        return Outcome(version, "failed", f"{aws.code(error)}: {said}")
    return Outcome(version, "written" if written else "there")
