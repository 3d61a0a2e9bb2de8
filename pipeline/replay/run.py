"""Invoke the function with each event of the failure queue, and delete what is then in the table.

A message is deleted after its records were read from the table, never before. Whatever happens in
between (an error, Ctrl-C, `kill -9`, another replay at the same time), the message stays in the
queue, and the function writes the same record once more, which is harmless.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from pipeline.deployed import aws, failure_queue
from pipeline.deployed.documents import json_object, text
from pipeline.deployed.failure_queue import FailedEvent, Failure, InFlight, Unreadable
from pipeline.deployed.table import Table, ThrottledError, is_throttled
from pipeline.errors import PipelineError

_WAIT_SECONDS = 1
# A killed replay's messages become visible again within the time that it hid them for.
_COME_BACK_SECONDS = 5
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
# A function runs for 15 minutes at most; a retry within them would invoke it twice.
_INVOKE_SECONDS = 15 * 60 + 15
# Errors of this very event: no retry helps.
_UNFIT = {
    "InvalidRequestContentException",
    "RequestTooLargeException",
    "SerializedRequestEntityTooLargeException",
}
# Lambda's timeout, a change of the function, too many requests: they pass, as all 5xx do.
_PASSING = {408, 409, 429}


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one account and region; `functions` is Lambda's."""

    sqs: Any
    functions: Any
    dynamodb: Any


@dataclass(frozen=True)
class Outcome:
    """What became of one message.

    `done`: its records are in the table (or its event has none), and it was deleted. Otherwise it
    stays, for `reason`; in a dry run `reason` is None where it would be tried. `skipped` counts the
    records that the function's hook skipped.
    """

    message: Failure
    done: bool
    reason: str | None = None
    skipped: int = 0

    @property
    def records(self) -> int:
        """How many records its event has."""
        return len(self.message.object_ids) if isinstance(self.message, FailedEvent) else 0


def clients(parallel: int = 5, **settings: Any) -> Clients:
    """Clients for `replay`; `settings` are boto3's. Raises PipelineError."""
    pool = max(10, parallel)
    standard = Config(
        retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=pool
    )
    # Retried here, where the message is kept hidden meanwhile.
    once = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=pool,
        read_timeout=_INVOKE_SECONDS,
        tcp_keepalive=True,
    )
    return Clients(
        aws.client("sqs", standard, **settings),
        aws.client("lambda", once, **settings),
        aws.client("dynamodb", standard, **settings),
    )


def depth(through: Clients, queue_url: str) -> tuple[int, int]:
    """About how many messages are visible, and how many hidden. Raises PipelineError."""
    with _asking_queue(queue_url):
        return failure_queue.depth(through.sqs, queue_url)


def replay(
    through: Clients,
    *,
    queue_url: str,
    function_name: str,
    table_name: str,
    chosen: Callable[[Failure], bool] = lambda message: True,
    dry_run: bool = False,
    parallel: int = 5,
    patience_seconds: float = 30.0,
    waits: Callable[[int], bool] = lambda hidden: True,
) -> Generator[Outcome]:
    """Replay the `chosen` messages of the failure queue, each once; yields outcomes as they come.

    Nothing happens before the first is asked for. Ends when the queue is empty. Where others have
    received messages, and `waits(their number)` is true, it first waits until those that a killed
    replay hid are visible again. `parallel` invokes run at a time; a new account has ten in all.
    Every message that stays, or is not chosen, is hidden until the end, then visible. A dry run
    needs the queue only, waits for nothing, and changes nothing but receive counts.
    Memory: an id and a receipt handle for each message that stays.

    Closing it (as an exception in the caller's loop does) ends the waiting, lets running invokes
    finish and makes the rest visible. Raises PipelineError where queue, function or table can't be
    used, and when no invoke succeeded for `patience_seconds`; what was not replayed by then is in
    the queue.
    """
    with _asking_queue(queue_url):
        held = failure_queue.in_flight(through.sqs, queue_url)
    stopped = threading.Event()
    table = Table(through.dynamodb, table_name, patience_seconds, stopped=stopped)
    run = _Run(through, held, function_name, table, patience_seconds, stopped)
    if not dry_run:
        # Before anything is touched: without its table the function fails on every event.
        with _asking_function(run):
            through.functions.invoke(FunctionName=function_name, InvocationType="DryRun")
        table.stored(["no-such-record"])

    working: set[Future[Outcome]] = set()
    more = True
    with held:
        pool = ThreadPoolExecutor(parallel, thread_name_prefix="replay")
        try:
            while more or working:
                # Only as many as can start now: one that waited might become visible meanwhile.
                if more and len(working) < parallel:
                    with _asking_queue(queue_url):
                        at_most = min(10, parallel - len(working))
                        received = held.receive(at_most, _WAIT_SECONDS)
                    more = bool(received)
                    for message in filter(chosen, _new(run, received)):
                        if isinstance(message, Unreadable):
                            yield Outcome(message, done=False, reason=message.reason)
                        elif dry_run:
                            yield Outcome(message, done=False)
                        else:
                            held.working.add(message.message_id)
                            working.add(pool.submit(_replay_message, run, message))
                look_only = more and len(working) < parallel
                done, working = wait(working, 0 if look_only else None, FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    held.working.discard(outcome.message.message_id)
                    if outcome.done:
                        del held.handles[outcome.message.message_id]
                    yield outcome
                if not (more or working or dry_run):
                    more = _may_come_back(run, waits)
        finally:
            stopped.set()
            pool.shutdown()


@dataclass
class _Run:
    """What the workers of one replay share.

    `started`, and `progress`, when an invoke last succeeded, are `time.monotonic()` seconds.
    """

    through: Clients
    held: InFlight
    function_name: str
    table: Table
    patience_seconds: float
    stopped: threading.Event
    started: float = field(default_factory=time.monotonic)
    progress: float = field(default_factory=time.monotonic)


def _asking_queue(queue_url: str) -> AbstractContextManager[None]:
    fix = "take failure_queue_url from the stack's outputs, and its account and region"
    return aws.asking(f"the failure queue {queue_url}", fix)


def _asking_function(run: _Run) -> AbstractContextManager[None]:
    fix = "take function_name from the stack's outputs, and its account and region"
    return aws.asking(f"the function {run.function_name}", fix)


def _new(run: _Run, received: Sequence[Failure]) -> list[Failure]:
    """The messages that this run had not received before."""
    held = run.held
    known = [message for message in received if message.message_id in held.handles]
    new = [message for message in received if message.message_id not in held.handles]
    held.handles |= {message.message_id: message.receipt_handle for message in received}
    for message in known:
        # Visible again because this run takes longer than they were hidden. As the time doubles,
        # the queue is empty at some point; after a kill they stay hidden for up to twice the run.
        held.hide(message, 2 * (time.monotonic() - run.started))
    return new


def _may_come_back(run: _Run, waits: Callable[[int], bool]) -> bool:
    """Whether messages that others received may be a killed replay's, soon visible again."""
    if time.monotonic() - run.started > run.held.seconds + _COME_BACK_SECONDS:
        return False
    _, hidden = depth(run.through, run.held.queue_url)
    hidden -= len(run.held.handles)
    return hidden > 0 and waits(hidden)


def _replay_message(run: _Run, message: FailedEvent) -> Outcome:
    reason, skipped = _invoke(run, message)
    skipped &= set(message.object_ids)
    reason = reason or _unconfirmed(run, message, skipped)
    if reason is None:
        with _asking_queue(run.held.queue_url):
            run.through.sqs.delete_message(
                QueueUrl=run.held.queue_url, ReceiptHandle=run.held.handles[message.message_id]
            )
    return Outcome(message, done=reason is None, reason=reason, skipped=len(skipped))


def _invoke(run: _Run, message: FailedEvent) -> tuple[str | None, set[str]]:
    """Invoke the function with the event; why that failed, if it did, and the skipped records.

    Raises PipelineError.
    """
    try:
        payload = json.dumps(message.event).encode()
    except RecursionError:
        return "the event is nested too deeply to be sent", set()
    started = time.monotonic()
    with _asking_function(run):
        for attempt in count():
            try:
                answer = run.through.functions.invoke(
                    FunctionName=run.function_name, Payload=payload
                )
                body = answer["Payload"].read()
                reason = _refusal(answer.get("FunctionError"), body)
            except (ClientError, *aws.UNREACHED) as error:
                reason = f"{aws.code(error)}: {error}"
                if aws.code(error) in _UNFIT:
                    return reason, set()
                if not _passes(error):
                    raise
                if time.monotonic() - max(started, run.progress) > run.patience_seconds:
                    raise PipelineError(
                        f"The function {run.function_name} took no event for "
                        f"{run.patience_seconds:.0f} s ({reason}): give it concurrency if it is "
                        "paused, wait if it is busy, then replay again; what was not replayed is "
                        "still in the failure queue."
                    ) from error
            else:
                run.progress = time.monotonic()
                # A throttled table is not the event's fault; this replay may be the cause.
                busy = reason and is_throttled(reason)
                if not busy or run.progress - started > run.patience_seconds:
                    return reason, _skipped(body)
            span = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 10))
            if run.stopped.wait(span * random.uniform(0.5, 1)):  # noqa: S311  (nothing secret)
                return f"the replay ended before it succeeded: {reason}", set()
            run.held.hide(message)
    raise AssertionError("unreachable")


def _skipped(body: bytes) -> set[str]:
    """The `objectId`s that the function's hook skipped, by its answer."""
    names = (json_object(body) or {}).get("skipped")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _refusal(function_error: str | None, body: bytes) -> str | None:
    """Why the function failed on an event, by its answer."""
    answer = json_object(body) or {}
    if function_error:
        parts = filter(None, map(answer.get, ("errorType", "errorMessage")))
        return ": ".join(map(text, parts)) or function_error
    if left := answer.get("batchItemFailures"):
        return f"the function returned messages of the batch as failed: {text(left)}"
    return None


def _passes(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in _PASSING or status >= 500


def _unconfirmed(run: _Run, message: FailedEvent, skipped: set[str]) -> str | None:
    """Why it is unknown whether every record of the event is stored; None if all others are."""
    expected = [object_id for object_id in message.object_ids if object_id not in skipped]
    try:
        stored = run.table.stored(expected)
    except ThrottledError as error:
        return str(error)
    missing = [object_id for object_id in expected if object_id not in stored]
    if missing:
        return (
            f"the function succeeded, but {len(missing)} of {len(message.object_ids)} records are "
            f"not in the table {run.table.name}, the first is {missing[0]}"
        )
    if message.refusals:
        return (
            "the function succeeded, but whether it stored a record that can't be read here is "
            f"unknown: {message.refusals[0]}"
        )
    return None
