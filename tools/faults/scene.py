"""What a fault run does to a pipeline and sees of it: upload, wait, kill, send again, count."""

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from pipeline.deployed import failure_queue
from pipeline.lab.observe import NotSeenError
from pipeline.replay.run import Clients, replay
from tools.faults import counts
from tools.faults.counts import Tally, Upload
from tools.faults.endpoint import Request
from tools.faults.site import Pipeline, Site

# In the key of an upload that DynamoDB is to refuse; no part of a run's own name.
POISON = "refused-"

# A worker process for each that runs at the same time.
_AT_ONCE = 4
# Without any change for so long, nothing more is expected to come.
_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.1

# Called with what is going on, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass
class Scene:
    """One run while it goes on, of `count` uploads whose keys begin with `prefix`.

    `uploads` were made so far; `refused` of them belong in the failure queue. `either` means that
    any may be recorded or end there, as it happens. `problems` are sentences.
    """

    site: Site
    count: int
    prefix: str
    progress: Progress
    uploads: list[Upload] = field(default_factory=list)
    refused: set[Upload] = field(default_factory=set)
    either: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def names(self) -> Pipeline:
        """The pipeline's names."""
        return self.site.pipeline

    def key(self, number: int, mark: str = "") -> str:
        """The key of an upload, in characters that each kind of event spells differently."""
        return f"{self.prefix}{mark}{number:05}/größe 100%+ä.txt"

    def upload(self, keys: Iterable[str], *, refused: bool = False) -> None:
        """Upload objects of different contents; with `refused` they belong in the failure queue."""
        s3 = self.site.client("s3")

        def put(key: str) -> Upload:
            body = f"{key} {random.getrandbits(64)}".encode()
            answer = s3.put_object(Bucket=self.names.bucket, Key=key, Body=body)
            return Upload(key, answer["ETag"].strip('"'))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for one in pool.map(put, keys):
                self.uploads.append(one)
                if refused or POISON in one.key:
                    self.refused.add(one)
                self.progress("uploaded", len(self.uploads), self.count)

    def failed(self) -> int:
        """How many messages the failure queue holds."""
        return sum(failure_queue.depth(self.site.client("sqs"), self.names.failure_queue_url))

    def buffered(self) -> int:
        """How many messages the buffer holds; 0 where there is none."""
        url = self.names.buffer_queue_url
        return sum(failure_queue.depth(self.site.client("sqs"), url)) if url else 0

    def recorded(self) -> int:
        """How many records this run has."""
        dynamodb = self.site.client("dynamodb")
        return sum(1 for _ in counts.scan(dynamodb, self.names.table, self.prefix))

    def delivered(self) -> int:
        """How many records this run has, 0 as long as anything is in the buffer."""
        return 0 if self.buffered() else self.recorded()

    def counts(self) -> Tally:
        """What has become of this run's uploads by now."""
        return counts.take(
            self.site.client("dynamodb"),
            self.site.client("sqs"),
            self.names.table,
            self.names.failure_queue_url,
            self.prefix,
        )

    def wait(self, what: str, count: Callable[[], int], expected: int) -> None:
        """Wait until `count` reaches `expected`.

        Raises NotSeenError once it has not changed for long.
        """
        before, changed = -1, time.monotonic()
        while (now := count()) < expected:
            self.progress(what, now, expected)
            if now != before:
                before, changed = now, time.monotonic()
            elif time.monotonic() - changed > _PATIENCE_SECONDS:
                raise NotSeenError(
                    f"{now} of {expected} {what}, and no more in {_PATIENCE_SECONDS:.0f} s"
                )
            time.sleep(_POLL_SECONDS)

    def settle(self) -> None:
        """Wait until each upload has a record or a message, or until no more of them get one."""
        uploads = len(self.uploads)
        empty = uploads + 1

        def accounted() -> int:
            found = min(self.recorded() + self.failed(), uploads)
            if found < uploads or self.buffered():
                return found
            return empty if self.counts().accounts_for(self.uploads) else uploads

        # Whoever counts says what is missing.
        with contextlib.suppress(NotSeenError):
            self.wait("recorded or in the failure queue", accounted, empty)

    def requested(self, asked: Iterable[Request]) -> int:
        """How many of the uploads' keys these requests want written."""
        return len({one.key for one in self.uploads}.intersection(_keys(asked)))

    def kill_workers(self) -> int:
        """`kill -9` every process that runs the function now; returns how many."""
        mark = f"/ministack-lambda-{self.names.function}-"
        shown = subprocess.run(
            ["ps", "-ww", "-A", "-o", "pid=", "-o", "ppid=", "-o", "command="],
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.split(None, 2) for line in shown.stdout.splitlines()]
        emulator = str(self.site.power.running.pid)
        found = [int(row[0]) for row in rows if row[1] == emulator and mark in row[-1]]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return len(found)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No message leaves the buffer in the block, so that they go in full batches after it."""
        if self.names.buffer_queue_url is None:
            yield
            return
        functions = self.site.client("lambda")
        found = functions.list_event_source_mappings(FunctionName=self.names.function)
        (mapping,) = found["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
            self.wait("in the buffer", self.buffered, len(self.uploads))
        finally:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def send_again(self, events: Sequence[Any], *, asynchronously: bool = False) -> None:
        """Deliver events as they were delivered: through the buffer, or by invoking."""
        bodies = [json.dumps(event) for event in events]
        functions, sqs = self.site.client("lambda"), self.site.client("sqs")
        if url := self.names.buffer_queue_url:
            for batch in batched(bodies, 10):
                entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
                sqs.send_message_batch(QueueUrl=url, Entries=entries)
            return
        how = "Event" if asynchronously else "RequestResponse"

        def invoke(body: str) -> None:
            answer = functions.invoke(
                FunctionName=self.names.function, InvocationType=how, Payload=body
            )
            if "FunctionError" in answer:
                self.problems.append(f"a duplicate was refused: {answer['Payload'].read()!r:.200}")

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(invoke, bodies))

    def replay(self) -> int:
        """Replay the failure queue; how many messages went through. Raises PipelineError."""
        done = 0
        for outcome in replay(
            Clients(*map(self.site.client, ("sqs", "lambda", "dynamodb"))),
            queue_url=self.names.failure_queue_url,
            function_name=self.names.function,
            table_name=self.names.table,
            parallel=_AT_ONCE,
        ):
            done += outcome.done
            if not outcome.done:
                self.problems.append(f"a message could not be replayed: {outcome.reason}")
            self.progress("replayed", done, len(self.uploads))
        return done


def _keys(asked: Iterable[Request]) -> set[str]:
    return {key for request in asked for key in request.keys}
