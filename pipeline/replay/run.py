"""Put what failed through the function again, and take it off the failure queue once it is stored.

A message is deleted after its records were seen in the table, never before. Whatever happens in
between (an error, Ctrl-C, `kill -9`, another replay at the same time) it stays or comes back, and
the function writes the same record once more: twice is harmless, never is impossible.
"""

import contextlib
import json
import random
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import batched, count
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from pipeline.deployed import aws, failure_queue
from pipeline.deployed.failure_queue import FailedEvent, Failure, Hold, Unreadable
from pipeline.errors import PipelineError

# New accounts run ten invokes at once in all; half of them are left for new events.
PARALLEL = 5
PATIENCE_SECONDS = 30.0

_WAIT_SECONDS = 1
# Messages that a killed replay held come back within the time that it held them for.
_COME_BACK_SECONDS = 5
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
# A function runs for 15 minutes at most; asking again meanwhile would invoke it twice.
_INVOKE_SECONDS = 15 * 60 + 15
# What BatchGetItem takes.
_READ_BATCH = 100
_THROTTLED = re.compile("throttled|Throttling|ThroughputExceeded|RequestLimitExceeded")
# Of this event, whoever waits.
_UNFIT = {
    "InvalidRequestContentException",
    "RequestTooLargeException",
    "SerializedRequestEntityTooLargeException",
}
# Timeout, state of the function, too many requests: over by itself, like all that is Lambda's.
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

    `done`: its records are in the table (or it asked for none), and it is off the queue. Otherwise
    it stays, for `reason`; in a dry run there is none where it would be tried.
    """

    message: Failure
    done: bool
    reason: str | None = None


def clients(parallel: int = PARALLEL, **settings: Any) -> Clients:
    """Clients that suit `replay`; `settings` are boto3's, region and credentials the environment's.

    Raises PipelineError where no region or profile is to be found.
    """
    pool = max(10, parallel)
    patient = Config(
        retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=pool
    )
    # Retried here, with the message kept hidden meanwhile, and nowhere else.
    once = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=pool,
        read_timeout=_INVOKE_SECONDS,
        tcp_keepalive=True,
    )
    return Clients(
        aws.client("sqs", patient, **settings),
        aws.client("lambda", once, **settings),
        aws.client("dynamodb", patient, **settings),
    )


def depth(through: Clients, queue_url: str) -> tuple[int, int]:
    """About how many messages are to be had, and how many are hidden: others received them.

    Raises PipelineError where the queue can't be asked.
    """
    names = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
    with _asking_queue(queue_url):
        answer = through.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[*names])
    waiting, hidden = (int(answer["Attributes"][name]) for name in names)
    return waiting, hidden


def everything(message: Failure) -> bool:
    """Chooses each message."""
    return True


def always(hidden: int) -> bool:
    """Waits for those that are hidden, however many."""
    return True


def replay(
    through: Clients,
    *,
    queue_url: str,
    function_name: str,
    table_name: str,
    chosen: Callable[[Failure], bool] = everything,
    dry_run: bool = False,
    parallel: int = PARALLEL,
    patience_seconds: float = PATIENCE_SECONDS,
    waits: Callable[[int], bool] = always,
) -> Generator[Outcome]:
    """Replay the `chosen` messages of the failure queue, each once; yields outcomes as they come.

    Nothing happens before the first is asked for. Ends when the queue gives no more; if others hold
    some, and `waits` of their number says so, not before those that a killed replay held are back.
    `parallel` events are in the function at a time. Every message that stays is hidden until the
    end, then shown again; so are those not chosen. A dry run needs the queue only, waits for none,
    and changes nothing but their receive counts. Memory: an id and a receipt handle for each
    message that stays.

    Closing it (as an exception in the caller's loop does) ends the waiting, lets running invokes
    finish and shows the rest again. Raises PipelineError where queue, function or table can't be
    used, and when the function took no event at all for `patience_seconds`; what was not replayed
    by then is in the queue.
    """
    with _asking_queue(queue_url):
        held = failure_queue.hold(through.sqs, queue_url)
    run = _Run(through, held, function_name, table_name, patience_seconds)
    if not dry_run:
        _try_access(run)

    working: set[Future[Outcome]] = set()
    more = True
    with held:
        pool = ThreadPoolExecutor(parallel, thread_name_prefix="replay")
        try:
            while more or working:
                # As many as start at once: one that waits for its turn might come back meanwhile.
                if more and len(working) < parallel:
                    received = _receive(run, min(10, parallel - len(working)))
                    more = bool(received)
                    for message in filter(chosen, _new(run, received)):
                        if isinstance(message, Unreadable):
                            yield Outcome(message, done=False, reason=message.reason)
                        elif dry_run:
                            yield Outcome(message, done=False)
                        else:
                            held.working.add(message.message_id)
                            working.add(pool.submit(_replay_one, run, message))
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
            run.stopped.set()
            pool.shutdown()


@dataclass
class _Run:
    """One replay: what it works on, and what its workers tell each other.

    `started` is when it began, `progress` when the function last took an event, in
    `time.monotonic()` seconds.
    """

    through: Clients
    held: Hold
    function_name: str
    table_name: str
    patience_seconds: float
    started: float = field(default_factory=time.monotonic)
    progress: float = field(default_factory=time.monotonic)
    stopped: threading.Event = field(default_factory=threading.Event)


def _asking_queue(queue_url: str) -> contextlib.AbstractContextManager[None]:
    fix = "take failure_queue_url from the stack's outputs, and its account and region"
    return aws.asking(f"the failure queue {queue_url}", fix)


def _asking_function(run: _Run) -> contextlib.AbstractContextManager[None]:
    fix = "take function_name from the stack's outputs, and its account and region"
    return aws.asking(f"the function {run.function_name}", fix)


def _asking_table(run: _Run) -> contextlib.AbstractContextManager[None]:
    fix = "take table_name from the stack's outputs, and its account and region"
    return aws.asking(f"the table {run.table_name}", fix)


def _receive(run: _Run, at_most: int) -> list[Failure]:
    with _asking_queue(run.held.queue_url):
        return run.held.receive(at_most, _WAIT_SECONDS)


def _new(run: _Run, received: Sequence[Failure]) -> list[Failure]:
    """Those of them that this run had not received before."""
    held = run.held
    known = [one for one in received if one.message_id in held.handles]
    new = [one for one in received if one.message_id not in held.handles]
    held.handles |= {one.message_id: one.receipt_handle for one in received}
    for message in known:
        # Back because this run takes longer than they are hidden. With doubling that, the queue is
        # empty some time, and they are in nobody's way; after a kill they stay away for twice as
        # long as the run took.
        held.hide(message, 2 * (time.monotonic() - run.started))
    return new


def _may_come_back(run: _Run, waits: Callable[[int], bool]) -> bool:
    """Whether messages that others hold may be a killed replay's, which come back soon."""
    if time.monotonic() - run.started > run.held.seconds + _COME_BACK_SECONDS:
        return False
    _, hidden = depth(run.through, run.held.queue_url)
    hidden -= len(run.held.handles)
    return hidden > 0 and waits(hidden)


def _try_access(run: _Run) -> None:
    """Raises PipelineError before anything is touched, where no message could ever be replayed."""
    with _asking_function(run):
        run.through.functions.invoke(FunctionName=run.function_name, InvocationType="DryRun")
    # Without its table the function fails on each event, as if the events were to blame.
    _missing(run, ["no-such-record"])


def _replay_one(run: _Run, message: FailedEvent) -> Outcome:
    reason = _invoke(run, message)
    if reason is None:
        reason = _unconfirmed(run, message)
    if reason is None:
        with _asking_queue(run.held.queue_url):
            run.through.sqs.delete_message(
                QueueUrl=run.held.queue_url, ReceiptHandle=run.held.handles[message.message_id]
            )
    return Outcome(message, done=reason is None, reason=reason)


def _invoke(run: _Run, message: FailedEvent) -> str | None:
    """Hand the event to the function; None if it took it, otherwise why not.

    Raises PipelineError.
    """
    try:
        payload = json.dumps(message.event).encode()
    except RecursionError:
        return "the event is nested too deeply to be sent"
    started = time.monotonic()
    with _asking_function(run):
        for attempt in count():
            try:
                answer = run.through.functions.invoke(
                    FunctionName=run.function_name, Payload=payload
                )
                reason = _refusal(answer.get("FunctionError"), answer["Payload"].read())
            except (ClientError, *aws.UNREACHED) as error:
                reason = f"{aws.code(error)}: {error}"
                if aws.code(error) in _UNFIT:
                    return reason
                if not _passes(error):
                    raise
                if time.monotonic() - max(started, run.progress) > run.patience_seconds:
                    raise PipelineError(_nothing_taken(run, reason)) from error
            else:
                run.progress = time.monotonic()
                # A table that is busy, with this replay perhaps, says nothing of the event.
                busy = reason and _THROTTLED.search(reason)
                if not busy or run.progress - started > run.patience_seconds:
                    return reason
            if run.stopped.wait(_pause(attempt)):
                return f"the replay ended before it got through: {reason}"
            run.held.hide(message)
    raise AssertionError("unreachable")


def _refusal(function_error: str | None, body: bytes) -> str | None:
    """Why the function did not take an event, from its answer."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    answer = document if isinstance(document, dict) else {}
    if function_error:
        said = filter(None, map(answer.get, ("errorType", "errorMessage")))
        return ": ".join(map(str, said)) or function_error
    if left := answer.get("batchItemFailures"):
        return f"the function gave messages of the batch back: {left!s:.500}"
    return None


def _passes(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in _PASSING or status >= 500


def _nothing_taken(run: _Run, reason: str) -> str:
    return (
        f"The function {run.function_name} took no event for {run.patience_seconds:.0f} s "
        f"({reason}): give it concurrency if it is paused, wait if it is busy, then replay again; "
        "what was not replayed is still in the failure queue."
    )


def _unconfirmed(run: _Run, message: FailedEvent) -> str | None:
    """Why it can't be said that every record of the event is stored; None if it is."""
    missing = _missing(run, message.object_ids)
    if missing:
        return (
            f"the function answered well, but {len(missing)} of {len(message.object_ids)} records "
            f"were not to be seen in the table {run.table_name}, the first is {missing[0]}"
        )
    if message.refusals:
        return (
            "the function answered well, but whether it stored a record that can't be read here "
            f"is unknown: {message.refusals[0]}"
        )
    return None


def _missing(run: _Run, object_ids: Sequence[str]) -> list[str]:
    """Those that are not in the table, or could not be read for want of capacity."""
    found: set[str] = set()
    deadline = time.monotonic() + run.patience_seconds
    for batch in batched(object_ids, _READ_BATCH):
        asked: Mapping[str, Any] = {
            run.table_name: {
                "Keys": [{"objectId": {"S": one}} for one in batch],
                "ProjectionExpression": "objectId",
                "ConsistentRead": True,
            }
        }
        for attempt in count():
            with _asking_table(run):
                try:
                    answer = run.through.dynamodb.batch_get_item(RequestItems=asked)
                except ClientError as error:
                    if not _THROTTLED.search(aws.code(error)):
                        raise
                    answer = {"UnprocessedKeys": asked}
            items = answer.get("Responses", {}).get(run.table_name, [])
            found |= {item["objectId"]["S"] for item in items}
            asked = answer.get("UnprocessedKeys")
            if not asked or time.monotonic() > deadline or run.stopped.wait(_pause(attempt)):
                break
    return [one for one in object_ids if one not in found]


def _pause(attempt: int) -> float:
    """Seconds to wait after that many attempts before: a random part of a growing span."""
    span = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 10))
    return span * random.uniform(0.5, 1)  # noqa: S311  (nothing secret)
