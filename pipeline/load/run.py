"""Upload to a deployed pipeline as planned, and see when each record arrives on the table's stream.

Each upload is tried once, so that it makes one version and one event. Its record is found on the
stream by the `objectId` of its version, or by its key where the bucket has no versions.
"""

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import aws, bucket, stream, table
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.handler import events, records
from pipeline.load.plan import Plan
from pipeline.terminal import ShowProgress

_CHECK_SECONDS = 0.1


@dataclass(frozen=True)
class Upload:
    """One upload: its number and key, when it was due, started and answered.

    Times are `time.monotonic()` seconds; `due` is None in a burst. `object_id` is its record's, or
    None where the bucket has no versions. `error` says why it failed; its object may be there all
    the same, where the answer was lost.
    """

    number: int
    key: str
    due: float | None
    began: float
    answered: float
    object_id: str | None = None
    error: Exception | None = None


class Load:
    """One run: `upload`, then `wait`; either may be interrupted.

    `reading` goes around both. `sent` grows as uploads end.
    """

    def __init__(
        self, found: Target, plan: Plan, parallel: int, poll_seconds: float | None
    ) -> None:
        """Raises PipelineError where an output is absent or the stream lacks what a run needs."""
        settings = found.settings
        once = Config(
            retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=parallel
        )
        self.found, self.plan, self.parallel = found, plan, parallel
        self.bucket, self.queue_url = found.bucket_name, found.failure_queue_url
        self.table = table.Table(table.client(**settings), found.table_name)
        self.s3, self.sqs = bucket.client(**settings), aws.client("sqs", **settings)
        self._uploads = aws.client("s3", once, **settings)
        streams = stream.client(**settings)
        self.poll_seconds = poll_seconds or stream.poll_seconds(streams)
        self._stream = stream.StreamReader(streams, found.table_stream_arn)
        if not self.has_keys and not self._has_versions():
            raise PipelineError(
                f"The stream of {self.table.name} has neither keys nor versions of what is "
                "uploaded: set table.stream_view_type to NEW_IMAGE, or bucket.versioning to true."
            )
        self.sent: list[Upload] = []
        # When each record was first seen, by `objectId`, and the ids of each key.
        self._times: dict[str, float] = {}
        self._ids: defaultdict[str, set[str]] = defaultdict(set)
        self._stop = threading.Event()
        self._over = threading.Event()
        self._failure: PipelineError | None = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read the stream in a thread within the block."""
        thread = threading.Thread(target=self._read, name="stream", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    @property
    def has_keys(self) -> bool:
        """Whether the stream has the key of each record."""
        return self._stream.images

    @property
    def taken(self) -> list[Upload]:
        """The uploads that S3 took."""
        return [upload for upload in self.sent if upload.error is None]

    def upload(self, progress: ShowProgress) -> None:
        """Make all uploads; running ones are waited for in any case.

        Raises PipelineError where S3 takes none at all, and when the stream can't be read any more.
        """
        numbers = itertools.count()
        pool = ThreadPoolExecutor(self.parallel, thread_name_prefix="upload")
        start = time.monotonic()
        working = {pool.submit(self._work, numbers, start) for _ in range(self.parallel)}
        try:
            while working:
                progress("uploaded", len(self.sent), self.plan.uploads)
                done, working = wait(working, _CHECK_SECONDS)
                for future in done:
                    future.result()
                self._check()
        finally:
            self._stop.set()
            pool.shutdown()
        if self.sent and not self.taken:
            with bucket.asking(self.bucket):
                raise self.sent[0].error or AssertionError

    def wait(self, seconds: float, progress: ShowProgress) -> None:
        """Wait until each upload has its record, for `seconds` after the last one at most.

        Raises PipelineError.
        """
        missing = taken = self.taken
        deadline = max((upload.answered for upload in taken), default=0.0) + seconds
        while missing := [upload for upload in missing if self.recorded_at(upload) is None]:
            self._check()
            progress("recorded", len(taken) - len(missing), len(taken))
            if time.monotonic() > deadline:
                return
            time.sleep(_CHECK_SECONDS)

    def recorded_at(self, upload: Upload) -> float | None:
        """When its record was seen on the stream."""
        if upload.object_id is not None:
            return self._times.get(upload.object_id)
        return min((self._times[each] for each in self.object_ids(upload)), default=None)

    def object_ids(self, upload: Upload) -> set[str]:
        """The `objectId`s of its records, as far as they are known."""
        seen = self._ids.get(upload.key, frozenset[str]())
        return {*seen} if upload.object_id is None else {upload.object_id, *seen}

    def _has_versions(self) -> bool:
        with bucket.asking(self.bucket):
            versioning = self.s3.get_bucket_versioning(Bucket=self.bucket)
        return bool(versioning.get("Status") == "Enabled")

    def _work(self, numbers: "itertools.count[int]", start: float) -> None:
        # `next` of a count is one step for other threads.
        while (number := next(numbers)) < self.plan.uploads:
            due = self.plan.due(number)
            body = self.plan.body(number)
            pause = 0.0 if due is None else start + due - time.monotonic()
            if self._stop.wait(max(0.0, pause)):
                return
            self.sent.append(self._put(number, None if due is None else start + due, body))
            # Where the first ones are all refused, the rest will be.
            if len(self.sent) >= self.parallel and not self.taken:
                return

    def _put(self, number: int, due: float | None, body: bytes) -> Upload:
        key = self.plan.key(number)
        began = time.monotonic()
        try:
            answer = self._uploads.put_object(Bucket=self.bucket, Key=key, Body=body)
        except (ClientError, BotoCoreError) as error:
            return Upload(number, key, due, began, time.monotonic(), error=error)
        answered = time.monotonic()
        version = answer.get("VersionId")
        object_id = None
        if version not in (None, "null"):
            event = events.ObjectEvent(
                self.bucket, key, "ObjectCreated:Put", "", 0, version_id=version
            )
            object_id = records.object_id(event)
        return Upload(number, key, due, began, answered, object_id)

    def _read(self) -> None:
        try:
            while not self._over.is_set():
                for change in self._stream.new():
                    self._note(change)
                self._over.wait(self.poll_seconds)
        except PipelineError as error:
            self._failure = error

    def _note(self, change: stream.StreamRecord) -> None:
        if change.change == "REMOVE":
            return
        object_id = change.keys["objectId"]["S"]
        key = None if change.image is None else change.image.get("objectKey", {}).get("S", "")
        if key is not None and not key.startswith(self.plan.folder):
            return
        # The time first: another thread that finds the id looks for its time.
        self._times.setdefault(object_id, change.seen)
        if key is not None:
            self._ids[key].add(object_id)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
