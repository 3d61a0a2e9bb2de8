"""Faults on purpose, and the proof that no upload is lost or counted twice under any of them.

A fault run uploads while something is broken, mends it, replays the failure queue, and reports what
became of each upload.
"""

import contextlib
import json
import random
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched, cycle
from typing import Any

from pipeline.deployed import failure_queue
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.lab.observe import NotSeenError
from tools.faults.counts import Tally, Upload
from tools.faults.endpoint import Fault, Hold, Request, refuses, throttle
from tools.faults.scene import POISON, Progress, Scene
from tools.faults.site import TIMEOUT_SECONDS, Site

# Held back and killed together.
_WAVE = 4
_AHEAD = 100
# Longer than an invoke, as it has to be; the module's own is six times as long and more.
_VISIBILITY_SECONDS = TIMEOUT_SECONDS + 1
# Two, so that what is refused for good needs not be waited for; as many as the module's default
# where all of it is to get through in the end.
_FEW_RECEIVES = 2
RECEIVES = {"worker-killed": 5, "throttled": 5, "emulator-restarted": 5}

Running = Generator[None]


@dataclass(frozen=True)
class Report:
    """What became of the uploads of one run.

    Before the replay `recorded` of them had a record, `in_failure_queue` messages lay there, and
    `both` uploads had one of each, which is no fault: an invoke may end badly after its write.
    Then `replayed` messages went through. `doubled` counts records and messages beyond an upload's
    first, `lost` uploads that had neither, or have no record at the end. `problems` says in
    sentences what should not be.
    """

    fault: str
    delivery: str
    uploads: int
    recorded: int
    in_failure_queue: int
    both: int
    replayed: int
    doubled: int
    lost: int
    seconds: float
    problems: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, nothing doubled, and all else went as it should."""
        return not (self.problems or self.lost or self.doubled)


def run(
    fault: str, site: Site, count: int, progress: Progress = lambda what, done, total: None
) -> Report:
    """Run one fault on `count` uploads; whatever happens, the fault is mended at the end.

    The failure queue has to be empty. Raises KeyError for a fault that does not exist, and
    PipelineError where the pipeline can't be used.
    """
    began = time.monotonic()
    scene = Scene(site, count, f"{fault}/{random.getrandbits(48):x}/", progress)
    with _hurried(site, RECEIVES.get(fault, _FEW_RECEIVES)):
        try:
            with FAULTS[fault](scene):
                scene.settle()
                before = scene.counts()
        except NotSeenError as error:
            scene.problems.append(f"the run broke off: {error}")
            before = scene.counts()
        finally:
            site.proxy.rule = lambda request: None
        replayed = scene.replay()
        if left := scene.failed():
            scene.problems.append(f"{left} messages are left in the failure queue")
        after = scene.counts()
    return judge(fault, scene, before, after, replayed, time.monotonic() - began)


def judge(
    fault: str, scene: Scene, before: Tally, after: Tally, replayed: int, seconds: float
) -> Report:
    """The report of a run from what was counted `before` and `after` the replay."""
    lost = [
        one
        for one in scene.uploads
        if not after.records[one] or not (before.records[one] or before.messages[one])
    ]
    doubled = sum(
        max(0, counts[one] - 1)
        for counts in (before.messages, after.records)
        for one in scene.uploads
    )
    return Report(
        fault,
        scene.names.delivery,
        uploads=len(scene.uploads),
        recorded=sum(1 for one in scene.uploads if before.records[one]),
        in_failure_queue=before.messages.total() + before.strangers,
        both=sum(1 for one in scene.uploads if before.records[one] and before.messages[one]),
        replayed=replayed,
        doubled=doubled,
        lost=len(lost),
        seconds=round(seconds, 1),
        problems=(*scene.problems, *_named("are lost", lost), *_problems(scene, before, after)),
    )


@contextlib.contextmanager
def worker_killed(scene: Scene) -> Running:
    """Each invoke's worker process is killed (-9) while DynamoDB holds its write.

    In turns the write never is carried out, was before, or is after.
    """
    killed = 0
    for wave in batched(range(scene.count), _WAVE):
        keys = [scene.key(one) for one in wave]
        missing = set(keys)
        never, before, after = holds = Hold(), Hold(stored=True), Hold()
        turns = cycle(holds)

        def rule(
            request: Request, missing: set[str] = missing, turns: Iterator[Hold] = turns
        ) -> Fault | None:
            first = missing.intersection(request.keys)
            missing.difference_update(first)
            return next(turns) if first else None

        def arrived(keys: list[str] = keys, missing: set[str] = missing) -> int:
            return len(keys) - len(missing)

        scene.site.proxy.rule = rule
        try:
            scene.upload(keys)
            scene.wait("writes at the proxy", arrived, len(keys))
            killed += scene.kill_workers()
        finally:
            never.release(carry_out=False)
            before.release()
            after.release()
        # Else the next kill might hit a message for the second time, and then its queue gives up.
        scene.wait("recorded", scene.delivered, len(scene.uploads))
    if not killed:
        scene.problems.append("no worker process was found to kill")
    yield


@contextlib.contextmanager
def poison(scene: Scene) -> Running:
    """DynamoDB refuses the items of some keys, and so every batch that holds one."""
    scene.site.proxy.rule = refuses(POISON)
    asked = len(scene.site.proxy.requests)
    with scene.paused():
        scene.upload(scene.key(one, POISON if one % 3 == 1 else "") for one in range(scene.count))
    yield
    batches = [one.keys for one in scene.site.proxy.requests[asked:]]
    mixed = [keys for keys in batches if 0 < sum(POISON in key for key in keys) < len(keys)]
    if scene.names.buffer_queue_url and not mixed:
        scene.problems.append("no batch held poison and healthy items side by side")


@contextlib.contextmanager
def throttled(scene: Scene) -> Running:
    """DynamoDB throttles in bursts for 2 s, and every fourth item longer than an invoke lasts."""
    began: list[float] = []

    def rule(request: Request) -> Fault | None:
        now = time.monotonic()
        began.append(now)
        since = now - began[0]
        stubborn = any("stubborn" in key for key in request.keys)
        burst = since < 2 and since % 0.5 < 0.35
        return throttle if burst or (stubborn and since < 3.5) else None

    scene.site.proxy.rule = rule
    scene.either = True
    scene.upload(scene.key(one, "" if one % 4 else "stubborn") for one in range(scene.count))
    yield


@contextlib.contextmanager
def table_deleted(scene: Scene) -> Running:
    """The table is gone, and is made again as it was."""
    dynamodb, table = scene.site.client("dynamodb"), scene.names.table
    definition = _definition(dynamodb, table)
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    dynamodb.delete_table(TableName=table)
    dynamodb.get_waiter("table_not_exists").wait(TableName=table)
    try:
        scene.upload(map(scene.key, range(scene.count)), refused=True)
        scene.wait("in the failure queue", scene.failed, scene.count)
    finally:
        dynamodb.create_table(**definition)
        dynamodb.get_waiter("table_exists").wait(TableName=table)
        if "AttributeName" in ttl:
            wanted = {"Enabled": True, "AttributeName": ttl["AttributeName"]}
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
    yield


@contextlib.contextmanager
def permission_lost(scene: Scene) -> Running:
    """The function's role loses the right to write to the table, and gets it back."""
    iam, role = scene.site.client("iam"), scene.names.role
    before = _policies_that_write(iam, role)
    if not before:
        scene.problems.append("the role had no statement that lets it write")
    for name, document in before.items():
        less = [one for one in document["Statement"] if not _lets_write(one)]
        _put_policy(iam, role, name, {**document, "Statement": less})
    try:
        scene.upload(map(scene.key, range(scene.count)), refused=True)
        yield
    finally:
        for name, document in before.items():
            _put_policy(iam, role, name, document)


@contextlib.contextmanager
def emulator_restarted(scene: Scene) -> Running:
    """The emulator stops and starts again: between retries, or when the failure queue holds all.

    The latter where delivery is direct: ministack's own retries don't outlive it.
    """
    proxy, buffered = scene.site.proxy, scene.names.buffer_queue_url is not None
    proxy.rule = refuses("")
    asked = len(proxy.requests)
    scene.upload(map(scene.key, range(scene.count)), refused=not buffered)
    if buffered:
        scene.wait("tried", lambda: scene.requested(proxy.requests[asked:]), scene.count)
    else:
        scene.wait("in the failure queue", scene.failed, scene.count)
    scene.site.power.restart()
    proxy.rule = lambda request: None
    yield


@contextlib.contextmanager
def duplicates(scene: Scene) -> Running:
    """Each event comes four times and more, in any order; half of the keys have two versions."""
    scene.site.proxy.rule = refuses("")
    half = [scene.key(one) for one in range((scene.count + 1) // 2)]
    scene.upload(half, refused=True)
    scene.upload(half[: scene.count - len(half)], refused=True)
    scene.wait("in the failure queue", scene.failed, scene.count)
    scene.site.proxy.rule = lambda request: None
    lying = failure_queue.peek(scene.site.client("sqs"), scene.names.failure_queue_url)
    events = [one.event for one in lying if isinstance(one, FailedEvent)]
    for turn in range(3):
        random.shuffle(events)
        scene.send_again(events, asynchronously=turn == 0)
    # The replay is the fourth time: the failure queue still has them all.
    scene.either = True
    scene.wait("recorded", scene.delivered, scene.count)
    yield


@contextlib.contextmanager
def burst(scene: Scene) -> Running:
    """Many uploads as fast as they go, one in twenty of which DynamoDB refuses.

    At most `_AHEAD` have come to no end yet, since each that goes direct takes a process.
    """
    scene.site.proxy.rule = refuses(POISON)
    # A small machine does not start so many processes within an invoke's time.
    scene.either = True
    for part in batched(range(scene.count), _AHEAD):
        scene.upload(scene.key(one, POISON if one % 20 == 7 else "") for one in part)
        scene.settle()
    yield


FAULTS: dict[str, Callable[[Scene], contextlib.AbstractContextManager[None]]] = {
    "worker-killed": worker_killed,
    "poison": poison,
    "throttled": throttled,
    "table-deleted": table_deleted,
    "permission-lost": permission_lost,
    "emulator-restarted": emulator_restarted,
    "duplicates": duplicates,
    "burst": burst,
}


def _problems(scene: Scene, before: Tally, after: Tally) -> Iterator[str]:
    doubled = [one for one in scene.uploads if after.records[one] > 1 or before.messages[one] > 1]
    yield from _named("are counted twice", doubled)
    changed = [name for name in before.items if before.items[name] != after.items.get(name)]
    yield from _named("changed in the replay", changed)
    if not scene.either:
        healthy = [one for one in scene.uploads if one not in scene.refused]
        strays = [one for one in healthy if before.messages[one] and not before.records[one]]
        yield from _named("failed though nothing was wrong with them", strays)
        passed = [one for one in scene.refused if before.records[one]]
        yield from _named("are recorded though they were refused", passed)
    known = set(scene.uploads)
    foreign = sum(number for one, number in before.messages.items() if one not in known)
    if foreign or before.strangers:
        yield f"{foreign + before.strangers} messages in the failure queue are of no upload"


def _named(what: str, found: Sequence[Upload | str]) -> Iterator[str]:
    if found:
        names = [one.key if isinstance(one, Upload) else one for one in found[:3]]
        yield f"{len(found)} {what}: {', '.join(names)}{', ...' * (len(found) > 3)}"


@contextlib.contextmanager
def _hurried(site: Site, receives: int) -> Iterator[None]:
    """What fails in the buffer comes back after seconds, and goes on after so many `receives`."""
    url, sqs = site.pipeline.buffer_queue_url, site.client("sqs")
    if url is None:
        yield
        return
    names = ["VisibilityTimeout", "RedrivePolicy"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    redrive = {**json.loads(before["RedrivePolicy"]), "maxReceiveCount": receives}
    wanted = {"VisibilityTimeout": str(_VISIBILITY_SECONDS), "RedrivePolicy": json.dumps(redrive)}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=wanted)
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def _definition(dynamodb: Any, table: str) -> dict[str, Any]:
    """What CreateTable needs to make a table as it is."""
    found = dynamodb.describe_table(TableName=table)["Table"]
    names = ("TableName", "AttributeDefinitions", "KeySchema", "StreamSpecification")
    definition = {name: found[name] for name in names if found.get(name)}
    definition["BillingMode"] = found.get("BillingModeSummary", {}).get(
        "BillingMode", "PROVISIONED"
    )
    if definition["BillingMode"] == "PROVISIONED":
        units = found["ProvisionedThroughput"]
        sizes = {name: units[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits")}
        definition["ProvisionedThroughput"] = sizes
    return definition


def _policies_that_write(iam: Any, role: str) -> dict[str, Any]:
    """The role's inline policies that let it write items, by name."""
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in names
    }
    return {
        name: document
        for name, document in documents.items()
        if any(map(_lets_write, document["Statement"]))
    }


def _lets_write(statement: Any) -> bool:
    return bool(re.search(r"dynamodb:(PutItem|BatchWriteItem|\*)", json.dumps(statement)))


def _put_policy(iam: Any, role: str, name: str, document: Any) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
