"""The faults: each breaks something around the uploads of a trial, and repairs it."""

import json
import random
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from itertools import batched, cycle

from pipeline.deployed import failure_queue
from pipeline.deployed.failure_queue import FailedEvent
from tools.faults.endpoint import Delay, Fault, Request, refuses, throttle
from tools.faults.trial import POISON, Trial

# Uploads that are delayed and killed together.
_WAVE = 4
# Uploads of a burst that may have neither record nor message yet.
_AHEAD = 100

Running = Generator[None]


@contextmanager
def worker_killed(trial: Trial) -> Running:
    """Each invoke's worker process is killed (-9) while DynamoDB delays its write.

    In turns the write is never carried out, was carried out before, or is after.
    """
    killed = 0
    for wave in batched(range(trial.count), _WAVE):
        killed += _kill_while_writing(trial, list(map(trial.key, wave)))
        # Else the next kill might hit a message for the second time, and then its queue gives up.
        trial.wait("recorded", trial.delivered, len(trial.uploads))
    if not killed:
        trial.problems.append("no worker process was found to kill")
    yield


def _kill_while_writing(trial: Trial, keys: list[str]) -> int:
    missing = set(keys)
    never, before, after = delays = Delay(), Delay(stored=True), Delay()
    turns = cycle(delays)

    def rule(request: Request) -> Fault | None:
        first = missing.intersection(request.keys)
        missing.difference_update(first)
        return next(turns) if first else None

    trial.proxy.rule = rule
    try:
        trial.upload(keys)
        trial.wait("writes at the proxy", lambda: len(keys) - len(missing), len(keys))
        return trial.kill_workers()
    finally:
        never.release(carry_out=False)
        before.release()
        after.release()


@contextmanager
def poison(trial: Trial) -> Running:
    """DynamoDB refuses the items of some keys, and so every batch that holds such an item."""
    trial.proxy.rule = refuses(POISON)
    earlier = len(trial.proxy.requests)
    with trial.paused():
        trial.upload(trial.key(n, POISON if n % 3 == 1 else "") for n in range(trial.count))
    yield
    batches = [request.keys for request in trial.proxy.requests[earlier:]]
    mixed = [keys for keys in batches if 0 < sum(POISON in key for key in keys) < len(keys)]
    if trial.pipeline.buffer_queue_url and not mixed:
        trial.problems.append("no batch held refused and accepted items")


@contextmanager
def throttled(trial: Trial) -> Running:
    """DynamoDB throttles in bursts for 2 s, and every fourth item longer than an invoke lasts."""
    began: list[float] = []

    def rule(request: Request) -> Fault | None:
        now = time.monotonic()
        began.append(now)
        since = now - began[0]
        stubborn = any("stubborn" in key for key in request.keys)
        burst = since < 2 and since % 0.5 < 0.35
        return throttle if burst or (stubborn and since < 3.5) else None

    trial.proxy.rule = rule
    trial.either = True
    trial.upload(trial.key(n, "" if n % 4 else "stubborn") for n in range(trial.count))
    yield


@contextmanager
def table_deleted(trial: Trial) -> Running:
    """The table is deleted, and created again."""
    dynamodb, table = trial.client("dynamodb"), trial.pipeline.table_name
    described = dynamodb.describe_table(TableName=table)["Table"]
    names = ("AttributeDefinitions", "KeySchema", "StreamSpecification")
    same = {name: described[name] for name in names if name in described}
    dynamodb.delete_table(TableName=table)
    dynamodb.get_waiter("table_not_exists").wait(TableName=table)
    try:
        trial.upload(map(trial.key, range(trial.count)), refused=True)
        trial.wait("in the failure queue", trial.failed, trial.count)
    finally:
        dynamodb.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **same)
        dynamodb.get_waiter("table_exists").wait(TableName=table)
    yield


@contextmanager
def permission_lost(trial: Trial) -> Running:
    """The function's role loses the right to write to the table, and gets it back."""
    iam, role = trial.client("iam"), trial.pipeline.outputs["role_name"]
    actions = ["dynamodb:PutItem", "dynamodb:BatchWriteItem"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": actions, "Resource": "*"}],
    }
    iam.put_role_policy(
        RoleName=role, PolicyName="permission-lost", PolicyDocument=json.dumps(policy)
    )
    try:
        trial.upload(map(trial.key, range(trial.count)), refused=True)
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="permission-lost")


@contextmanager
def emulator_restarted(trial: Trial) -> Running:
    """The emulator restarts: between retries, or with every event in the failure queue.

    The latter where delivery is direct: ministack forgets its own retries when it ends.
    """
    buffered = trial.pipeline.buffer_queue_url is not None
    trial.proxy.rule = refuses("")
    earlier = len(trial.proxy.requests)
    trial.upload(map(trial.key, range(trial.count)), refused=not buffered)
    if buffered:
        requests = trial.proxy.requests
        trial.wait(
            "tried",
            lambda: len({key for request in requests[earlier:] for key in request.keys}),
            trial.count,
        )
    else:
        trial.wait("in the failure queue", trial.failed, trial.count)
    trial.deployment.emulator.restart()
    trial.proxy.rule = lambda request: None
    yield


@contextmanager
def duplicates(trial: Trial) -> Running:
    """Each event comes four times and more, in any order; half of the keys have two versions."""
    trial.proxy.rule = refuses("")
    half = [trial.key(number) for number in range((trial.count + 1) // 2)]
    trial.upload(half, refused=True)
    trial.upload(half[: trial.count - len(half)], refused=True)
    trial.wait("in the failure queue", trial.failed, trial.count)
    trial.proxy.rule = lambda request: None
    messages = failure_queue.peek(trial.client("sqs"), trial.pipeline.failure_queue_url)
    events = [message.event for message in messages if isinstance(message, FailedEvent)]
    for turn in range(3):
        random.shuffle(events)
        trial.send_again(events, asynchronously=turn == 0)
    # The replay is the fourth time: the failure queue still has them all.
    trial.either = True
    trial.wait("recorded", trial.delivered, trial.count)
    yield


@contextmanager
def burst(trial: Trial) -> Running:
    """Many uploads as fast as possible, one in twenty of which DynamoDB refuses.

    At most `_AHEAD` are under way, since each that is delivered directly takes a process.
    """
    trial.proxy.rule = refuses(POISON)
    # A small machine does not start so many processes within an invoke's time.
    trial.either = True
    for part in batched(range(trial.count), _AHEAD):
        trial.upload(trial.key(n, POISON if n % 20 == 7 else "") for n in part)
        trial.settle()
    yield


FAULTS: dict[str, Callable[[Trial], AbstractContextManager[None]]] = {
    "worker-killed": worker_killed,
    "poison": poison,
    "throttled": throttled,
    "table-deleted": table_deleted,
    "permission-lost": permission_lost,
    "emulator-restarted": emulator_restarted,
    "duplicates": duplicates,
    "burst": burst,
}
