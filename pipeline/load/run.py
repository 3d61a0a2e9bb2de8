"""Upload to a deployed pipeline as planned, and see when each record arrives on the table's stream.

Each upload is tried once, so that it makes one version and one event. It has arrived when its
record was read from the stream; where the bucket has no versions it is told by its key, otherwise
by the `objectId` that its version has.
"""

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import aws, stream
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.handler import events, records
from pipeline.load.plan import Plan

# Told what is being done, how much of it is, and of how much.
Progress = Callable[[str, int, int], None]

_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one account and region; `uploads` is S3's, and tries once."""

    uploads: Any
    s3: Any
    dynamodb: Any
    streams: Any
    sqs: Any


@dataclass(frozen=True)
class Sent:
    """One upload: its number and key, when it was due, began and was answered.

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


@dataclass
class Seen:
    """What the stream told: when each record came first, by `objectId`, and the ids of each key."""

    times: dict[str, float] = field(default_factory=dict)
    ids: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def clients(parallel: int, **settings: Any) -> Clients:
    """Clients that suit a run; `settings` are boto3's. Raises PipelineError."""
    once = Config(
        retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=parallel
    )
    patient = Config(retries={"mode": "standard", "total_max_attempts": 5})
    return Clients(
        aws.client("s3", once, **settings),
        aws.client("s3", patient, **settings),
        aws.client("dynamodb", patient, **settings),
        stream.client(**settings),
        aws.client("sqs", patient, **settings),
    )


class Load:
    """One run: `upload`, then `wait`; either may be interrupted.

    Within its block the stream is read, by a thread of its own. `sent` grows as uploads end.
    """

    def __init__(self, through: Clients, found: Target, plan: Plan, poll_seconds: float) -> None:
        """Raises PipelineError where names are absent or the stream can't tell what a run asks."""
        self.through = through
        self.plan = plan
        self._poll_seconds = poll_seconds
        self.bucket, self.table = found.bucket_name, found.table_name
        self.queue_url, self.buffer_url = found.failure_queue_url, found.buffer_queue_url
        self._arrivals = stream.Arrivals(through.streams, found.table_stream_arn)
        if not self.tells_keys:
            self._need_versions()
        self.sent: list[Sent] = []
        self.seen = Seen()
        self._stop = threading.Event()
        self._over = threading.Event()
        self._reading = threading.Thread(target=self._read, name="arrivals", daemon=True)
        self._broken: PipelineError | None = None

    def __enter__(self) -> "Load":
        """Begin to read the stream."""
        self._reading.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End that."""
        self._over.set()
        self._reading.join()

    @property
    def tells_keys(self) -> bool:
        """Whether the stream says of which key a record is."""
        return self._arrivals.images

    @property
    def taken(self) -> list[Sent]:
        """The uploads that S3 took."""
        return [one for one in self.sent if one.error is None]

    def upload(self, parallel: int, tell: Progress) -> None:
        """Upload all, `parallel` at a time at most; what is under way is waited for in any case.

        Raises PipelineError where S3 takes none at all, and where the stream can't be read any
        more.
        """
        numbers = itertools.count()
        pool = ThreadPoolExecutor(parallel, thread_name_prefix="upload")
        start = time.monotonic()
        working = {pool.submit(self._work, numbers, start, parallel) for _ in range(parallel)}
        try:
            while working:
                tell("uploaded", len(self.sent), self.plan.uploads)
                done, working = wait(working, _LOOK_SECONDS)
                for future in done:
                    future.result()
                self._check()
        finally:
            self._stop.set()
            pool.shutdown()
        if self.sent and not self.taken:
            with self._asking_bucket():
                raise self.sent[0].error or AssertionError

    def wait(self, seconds: float, tell: Progress) -> None:
        """Wait until each upload has its record, for `seconds` after the last one at most.

        Raises PipelineError.
        """
        taken = self.taken
        deadline = max((one.answered for one in taken), default=0.0) + seconds
        missing = taken
        while missing := [one for one in missing if self.arrived(one) is None]:
            self._check()
            tell("recorded", len(taken) - len(missing), len(taken))
            if time.monotonic() > deadline:
                return
            time.sleep(_LOOK_SECONDS)

    def arrived(self, one: Sent) -> float | None:
        """When its record was seen on the stream."""
        if one.object_id is not None:
            return self.seen.times.get(one.object_id)
        return min((self.seen.times[each] for each in self.ids(one)), default=None)

    def ids(self, one: Sent) -> set[str]:
        """The ids of its records, as far as they can be known."""
        seen = self.seen.ids.get(one.key, frozenset[str]())
        return {*seen} if one.object_id is None else {one.object_id, *seen}

    def _need_versions(self) -> None:
        """Raises PipelineError where records could not be told from others'."""
        with self._asking_bucket():
            versioning = self.through.s3.get_bucket_versioning(Bucket=self.bucket)
        if versioning.get("Status") != "Enabled":
            raise PipelineError(
                f"The stream of {self.table} tells neither keys nor versions of what is uploaded: "
                "set table.stream_view_type to NEW_IMAGE, or bucket.versioning to true."
            )

    def _asking_bucket(self) -> AbstractContextManager[None]:
        fix = "take bucket_name from the stack's outputs, and its account and region"
        return aws.asking(f"the bucket {self.bucket}", fix)

    def _work(self, numbers: "itertools.count[int]", start: float, parallel: int) -> None:
        # `next` of a count is one step for other threads.
        while (number := next(numbers)) < self.plan.uploads:
            due = self.plan.due(number)
            body = self.plan.body(number)
            pause = 0.0 if due is None else start + due - time.monotonic()
            if self._stop.wait(max(0.0, pause)):
                return
            self.sent.append(self._put(number, None if due is None else start + due, body))
            # Where all are refused, the rest will be.
            if len(self.sent) >= parallel and not any(one.error is None for one in self.sent):
                return

    def _put(self, number: int, due: float | None, body: bytes) -> Sent:
        key = self.plan.key(number)
        began = time.monotonic()
        try:
            answer = self.through.uploads.put_object(Bucket=self.bucket, Key=key, Body=body)
        except (ClientError, BotoCoreError) as error:
            return Sent(number, key, due, began, time.monotonic(), error=error)
        answered = time.monotonic()
        version = answer.get("VersionId")
        object_id = _object_id(self.bucket, key, version) if version not in (None, "null") else None
        return Sent(number, key, due, began, answered, object_id)

    def _read(self) -> None:
        try:
            while not self._over.is_set():
                for one in self._arrivals.new():
                    self._note(one)
                self._over.wait(self._poll_seconds)
        except PipelineError as error:
            self._broken = error

    def _note(self, one: stream.Arrival) -> None:
        if one.change == "REMOVE":
            return
        object_id = one.keys["objectId"]["S"]
        key = None if one.image is None else one.image.get("objectKey", {}).get("S", "")
        if key is not None and not key.startswith(self.plan.folder):
            return
        # Whoever finds the id looks for its time.
        self.seen.times.setdefault(object_id, one.seen)
        if key is not None:
            self.seen.ids[key].add(object_id)

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken


def _object_id(bucket: str, key: str, version: str) -> str:
    """The `objectId` of the record that a created version has."""
    return records.object_id(
        events.ObjectEvent(bucket, key, "ObjectCreated:Put", "", 0, version_id=version)
    )
