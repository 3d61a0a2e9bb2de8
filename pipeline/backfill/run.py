"""Write records of objects that were uploaded before the pipeline was there, or that it missed.

A record is never overwritten: each is written under the condition that no other has its `objectId`,
which for a version with an id is the same as its event's. So this can be interrupted, killed, run
again and run twice at a time. For a version without an id ("null") the event's `objectId` needs a
sequencer, which no listing has: the table is scanned once, and what has a record is left out.

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
from pipeline.deployed import aws, bucket, table
from pipeline.deployed.bucket import Page, Version
from pipeline.deployed.filters import Filter, judge, prefixes
from pipeline.deployed.table import Record, Table
from pipeline.handler import records
from pipeline.reconcile.compare import matches
from pipeline.terminal import ShowProgress

State = Literal["written", "there", "young", "absent", "failed"]


@dataclass(frozen=True)
class Selection:
    """Which versions: of keys with `prefix`, uploaded from `since` on and before `until`.

    Times are epoch seconds; `current` leaves out versions that a newer one or a delete marker
    hides. Versions without an id that are younger than `grace_seconds` are left to their events.
    """

    bucket: str
    filters: Sequence[Filter]
    prefix: str = ""
    since: float | None = None
    until: float | None = None
    current: bool = False
    grace_seconds: float = 60.0

    def has(self, version: Version) -> bool:
        """Whether it is selected, as far as the listing shows."""
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


def count(s3: Any, selection: Selection, start: Place | None, progress: ShowProgress) -> int:
    """How many versions are selected from `start` on: one LIST request a thousand."""
    found = 0
    for _, page in _pages(s3, selection, start, bucket.PAGE):
        found += sum(map(selection.has, page.versions))
        progress("object versions counted", found, 0)
    return found


def backfill(
    s3: Any,
    table: Table,
    selection: Selection,
    *,
    retention: int,
    start: Place | None = None,
    passed: Callable[[Place], None] = lambda place: None,
    progress: ShowProgress = lambda what, done, total: None,
    dry_run: bool = False,
    rate: float | None = None,
    parallel: int = 4,
    page_size: int = bucket.PAGE,
) -> Generator[Outcome]:
    """Write what is missing from `start` on, `rate` records a second; yields outcomes as they come.

    `retention` is in seconds. `passed` is called with each place up to which everything is done,
    until the first record that failed, so that a run that starts there leaves nothing out. Closing
    it lets running writes finish and starts no other. Raises PipelineError.
    """
    run = _Run(table, selection, retention, progress, _Pace(rate, table.stopped))
    complete = True
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="backfill")
    try:
        for prefix, page in _pages(s3, selection, start, page_size):
            writing = []
            for outcome in _looked_up(run, page):
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
    """Spaces out writes, so many a second."""

    def __init__(self, rate: float | None, stopped: threading.Event) -> None:
        self._between = 0.0 if rate is None else 1 / rate
        self._stopped = stopped
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> bool:
        """Wait until the next write may start; False when none may any more."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._between
        return not self._stopped.wait(turn - time.monotonic())


@dataclass
class _Run:
    """One backfill; `known` are the records without a version id by key, once they were read."""

    table: Table
    selection: Selection
    retention: int
    progress: ShowProgress
    pace: _Pace
    known: dict[str, list[Record]] | None = None


def _pages(
    s3: Any, selection: Selection, start: Place | None, page_size: int
) -> Iterator[tuple[str, Page]]:
    for prefix in prefixes(selection.filters, selection.prefix):
        if start is not None and prefix < start.prefix:
            continue
        after = start.after if start is not None and prefix == start.prefix else ""
        for page in bucket.pages(s3, selection.bucket, prefix, after, page_size):
            yield prefix, page


def _looked_up(run: _Run, page: Page) -> Iterator[Outcome]:
    """Which selected versions have a record: a read costs half of what a refused write does."""
    selection = run.selection
    wanted = {
        version: records.object_id(bucket.event_of(selection.bucket, version))
        for version in page.versions
        if selection.has(version)
    }
    versioned = (object_id for version, object_id in wanted.items() if version.version_id)
    there = {item["objectId"]["S"] for item in run.table.get(versioned)}
    for version, object_id in wanted.items():
        if version.version_id:
            yield Outcome(version, "there" if object_id in there else "absent")
        elif any(matches(record, version) for record in _known(run)[version.key]):
            yield Outcome(version, "there")
        elif version.modified > page.asked_at - selection.grace_seconds:
            yield Outcome(version, "young")
        else:
            yield Outcome(version, "absent")


def _known(run: _Run) -> dict[str, list[Record]]:
    if run.known is None:
        run.known = defaultdict(list)
        read = 0
        for page in run.table.scan(run.selection.prefix, consistent=True):
            read += len(page)
            run.progress("records read", read, 0)
            for record in filter(None, map(table.read, page)):
                created = record.family == "ObjectCreated" and not record.version_id
                if created and record.bucket == run.selection.bucket:
                    run.known[record.key].append(record)
    return run.known


def _write(run: _Run, version: Version) -> Outcome | None:
    """Write the record of one version, as the function would; None where the run has ended."""
    if not run.pace.wait():
        return None
    event = bucket.event_of(run.selection.bucket, version)
    items, (identity,) = records.build([event], int(time.time()), run.retention)
    try:
        written = run.table.put_new(items[identity])
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message")
        return Outcome(version, "failed", f"{aws.code(error)}: {message}")
    return Outcome(version, "written" if written else "there")
