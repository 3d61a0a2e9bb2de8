"""What a fault does to a pipeline and sees of it: upload, wait, kill, send again, count."""

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

import psutil

from pipeline.deployed import failure_queue
from pipeline.deployed.target import Target
from pipeline.lab.observe import NotSeenError
from pipeline.replay.run import Clients, replay
from tools.faults import counts
from tools.faults.counts import Counts, Upload
from tools.faults.deployment import Deployment
from tools.faults.proxy import FaultProxy

# In the key of an upload that DynamoDB refuses.
POISON = "refused-"

# Each invoke that runs is a worker process.
_PARALLEL = 4
_POLL_SECONDS = 0.1

# Called with what is going on, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass
class Trial:
    """A run of a fault: `count` uploads with the key `prefix`.

    `uploads` were made so far; `refused` of them belong in the failure queue. With `either` any
    upload may be recorded or end there. `problems` are sentences. Without any change for
    `patience_seconds`, nothing more is expected.
    """

    deployment: Deployment
    count: int
    prefix: str
    progress: Progress
    uploads: list[Upload] = field(default_factory=list)
    refused: set[Upload] = field(default_factory=set)
    either: bool = False
    problems: list[str] = field(default_factory=list)
    patience_seconds: float = 20.0

    @property
    def pipeline(self) -> Target:
        """The pipeline's names."""
        return self.deployment.pipeline

    @property
    def proxy(self) -> FaultProxy:
        """What stands before the table."""
        return self.deployment.proxy

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return self.deployment.client(service)

    def key(self, number: int, mark: str = "") -> str:
        """The key of an upload, in characters that each kind of event encodes differently."""
        return f"{self.prefix}{mark}{number:05}/größe 100%+ä.txt"

    def upload(self, keys: Iterable[str], *, refused: bool = False) -> None:
        """Upload objects of different contents; with `refused` they belong in the failure queue."""
        s3 = self.client("s3")

        def put(key: str) -> Upload:
            body = f"{key} {random.getrandbits(64)}".encode()
            answer = s3.put_object(Bucket=self.pipeline.bucket_name, Key=key, Body=body)
            return Upload(key, answer["ETag"].strip('"'))

        with ThreadPoolExecutor(_PARALLEL) as pool:
            for upload in pool.map(put, keys):
                self.uploads.append(upload)
                if refused or POISON in upload.key:
                    self.refused.add(upload)
                self.progress("uploaded", len(self.uploads), self.count)

    def failed(self) -> int:
        """How many messages the failure queue holds."""
        return self._depth(self.pipeline.failure_queue_url)

    def buffered(self) -> int:
        """How many messages the buffer holds; 0 where there is none."""
        url = self.pipeline.buffer_queue_url
        return self._depth(url) if url else 0

    def _depth(self, url: str) -> int:
        return sum(failure_queue.depth(self.client("sqs"), url))

    def recorded(self) -> int:
        """How many records this run has."""
        table = self.pipeline.table_name
        return sum(1 for _ in counts.scan(self.client("dynamodb"), table, self.prefix))

    def delivered(self) -> int:
        """How many records this run has, 0 as long as the buffer holds a message."""
        return 0 if self.buffered() else self.recorded()

    def counts(self) -> Counts:
        """What has become of this run's uploads by now."""
        table, queue_url = self.pipeline.table_name, self.pipeline.failure_queue_url
        dynamodb, sqs = self.client("dynamodb"), self.client("sqs")
        return counts.count(dynamodb, sqs, table, queue_url, self.prefix)

    def wait(self, what: str, count: Callable[[], int], expected: int) -> None:
        """Wait until `count` reaches `expected`.

        Raises NotSeenError once it has not changed for long.
        """
        before, changed = -1, time.monotonic()
        while (now := count()) < expected:
            self.progress(what, now, expected)
            if now != before:
                before, changed = now, time.monotonic()
            elif time.monotonic() - changed > self.patience_seconds:
                raise NotSeenError(
                    f"{now} of {expected} {what}, and no more in {self.patience_seconds:.0f} s"
                )
            time.sleep(_POLL_SECONDS)

    def settle(self) -> None:
        """Wait until each upload has a record or a message, or until no more of them get one."""
        uploads = len(self.uploads)
        all_found = uploads + 1

        def found() -> int:
            some = min(self.recorded() + self.failed(), uploads)
            if some < uploads or self.buffered():
                return some
            now = self.counts()
            complete = all(now.records[each] or now.messages[each] for each in self.uploads)
            return all_found if complete else uploads

        # The counts will show what is missing.
        with contextlib.suppress(NotSeenError):
            self.wait("recorded or in the failure queue", found, all_found)

    def kill_workers(self) -> int:
        """Send SIGKILL to every process that runs the function now; returns how many."""
        mark = f"/ministack-lambda-{self.pipeline.function_name}-"
        killed = 0
        for process in psutil.Process(self.deployment.emulator.running.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(mark in argument for argument in process.cmdline()):
                    process.kill()
                    killed += 1
        return killed

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No message leaves the buffer during the block, so that full batches leave it later."""
        if self.pipeline.buffer_queue_url is None:
            yield
            return
        functions = self.client("lambda")
        answer = functions.list_event_source_mappings(FunctionName=self.pipeline.function_name)
        (mapping,) = answer["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
            self.wait("in the buffer", self.buffered, len(self.uploads))
        finally:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def send_again(self, events: Sequence[Any], *, asynchronously: bool = False) -> None:
        """Deliver events again as they were delivered: through the buffer, or by an invoke."""
        bodies = [json.dumps(event) for event in events]
        functions, sqs = self.client("lambda"), self.client("sqs")
        if url := self.pipeline.buffer_queue_url:
            for batch in batched(bodies, 10):
                entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
                sqs.send_message_batch(QueueUrl=url, Entries=entries)
            return
        kind = "Event" if asynchronously else "RequestResponse"

        def invoke(body: str) -> None:
            name = self.pipeline.function_name
            answer = functions.invoke(FunctionName=name, InvocationType=kind, Payload=body)
            if "FunctionError" in answer:
                self.problems.append(f"a duplicate was refused: {answer['Payload'].read()!r:.200}")

        with ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(invoke, bodies))

    def replay(self) -> int:
        """Replay the failure queue; returns how many messages went through."""
        done = 0
        for outcome in replay(
            Clients(*map(self.client, ("sqs", "lambda", "dynamodb"))),
            queue_url=self.pipeline.failure_queue_url,
            function_name=self.pipeline.function_name,
            table_name=self.pipeline.table_name,
            parallel=_PARALLEL,
        ):
            done += outcome.done
            if not outcome.done:
                self.problems.append(f"a message could not be replayed: {outcome.reason}")
            self.progress("replayed", done, len(self.uploads))
        return done
