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

State = Literal["written", "skipped", "there", "young", "absent", "failed"]


@dataclass(frozen=True)
class Selection:
    """Which versions: of keys with `prefix`, uploaded from `since` on and before `until`.

    In `bucket` and then in each of the `others`.

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
    others: Sequence[str] = ()

    @property
    def buckets(self) -> tuple[str, ...]:
        """All of them, in their order."""
        return (self.bucket, *self.others)

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

    `written`; `skipped`: by the function's hook; `there`: it had a record; `absent`: it has none,
    in a dry run; `young`: left to its event; `failed`: DynamoDB or the function refused this record
    for `reason`.
    """

    version: Version
    state: State
    reason: str | None = None


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
class Backfill:
    """Write what is missing from `start` on, `rate` records a second, `parallel` at a time.

    `retention` is in seconds. `passed` is called with each place up to which everything is done,
    until the first record that failed, so that a run that starts there leaves nothing out. With
    `send`, that writes the records.
    """

    s3: Any
    table: Table
    selection: Selection
    retention: int
    start: Place | None = None
    passed: Callable[[Place], None] = lambda place: None
    progress: ShowProgress = lambda what, done, total: None
    dry_run: bool = False
    rate: float | None = None
    parallel: int = 4
    page_size: int = bucket.PAGE
    send: Callable[[Version], Outcome] | None = None

    def __post_init__(self) -> None:
        """Starts nothing."""
        self._pace = _Pace(self.rate, self.table.stopped)
        # The records without a version id by bucket and key, once they were read.
        self._known: dict[tuple[str, str], list[Record]] | None = None

    def count(self) -> int:
        """How many versions are selected: one LIST request a thousand. Raises PipelineError."""
        found = 0
        for _, _, page in self._pages():
            found += sum(map(self.selection.has, page.versions))
            self.progress("object versions counted", found, 0)
        return found

    def run(self) -> Generator[Outcome]:
        """Yields outcomes as they come. Raises PipelineError.

        Closing it lets running writes finish and starts no other.
        """
        complete = True
        pool = ThreadPoolExecutor(self.parallel, thread_name_prefix="backfill")
        try:
            for name, prefix, page in self._pages():
                writing = []
                for outcome in self._looked_up(page):
                    if outcome.state != "absent" or self.dry_run:
                        yield outcome
                    else:
                        writing.append(pool.submit(self._write, outcome.version))
                for future in as_completed(writing):
                    if (written := future.result()) is not None:
                        complete = complete and written.state != "failed"
                        yield written
                if complete and page.whole_up_to and not self.dry_run:
                    self.passed(Place(prefix, page.whole_up_to, name))
        finally:
            self.table.stopped.set()
            pool.shutdown(cancel_futures=True)

    def _pages(self) -> Iterator[tuple[str, str, Page]]:
        """Bucket, prefix and page, from `start` on."""
        start, selection = self.start or Place("", ""), self.selection
        first = start.bucket or selection.bucket
        for name in selection.buckets[selection.buckets.index(first) :]:
            done = start if name == first else Place("", "")
            for prefix in prefixes(selection.filters, selection.prefix):
                if prefix >= done.prefix:
                    after = done.after if prefix == done.prefix else ""
                    for page in bucket.pages(self.s3, name, prefix, after, self.page_size):
                        yield name, prefix, page

    def _looked_up(self, page: Page) -> Iterator[Outcome]:
        """Which selected versions have a record: a read costs half of what a refused write does."""
        selection = self.selection
        wanted = {
            version: records.object_id(bucket.event_of(version))
            for version in page.versions
            if selection.has(version)
        }
        versioned = (object_id for version, object_id in wanted.items() if version.version_id)
        there = {item["objectId"]["S"] for item in self.table.get(versioned)}
        for version, object_id in wanted.items():
            if version.version_id:
                yield Outcome(version, "there" if object_id in there else "absent")
            elif any(
                matches(record, version)
                for record in self._unversioned()[version.bucket, version.key]
            ):
                yield Outcome(version, "there")
            elif version.modified > page.asked_at - selection.grace_seconds:
                yield Outcome(version, "young")
            else:
                yield Outcome(version, "absent")

    def _unversioned(self) -> dict[tuple[str, str], list[Record]]:
        if self._known is None:
            self._known = defaultdict(list)
            read = 0
            for page in self.table.scan(self.selection.prefix, consistent=True):
                read += len(page)
                self.progress("records read", read, 0)
                for record in filter(None, map(table.read, page)):
                    created = record.family == "ObjectCreated" and not record.version_id
                    if created and record.bucket in self.selection.buckets:
                        self._known[record.bucket, record.key].append(record)
        return self._known

    def _write(self, version: Version) -> Outcome | None:
        """Write the record of one version, as the function would; None where the run has ended."""
        if not self._pace.wait():
            return None
        if self.send is not None:
            return self.send(version)
        event = bucket.event_of(version)
        items, (identity,), _ = records.build([event], int(time.time()), self.retention)
        try:
            written = self.table.put_new(items[identity])
        except ClientError as error:
            message = error.response.get("Error", {}).get("Message")
            return Outcome(version, "failed", f"{aws.code(error)}: {message}")
        return Outcome(version, "written" if written else "there")
