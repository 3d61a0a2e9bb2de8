"""What became of the uploads of a load run, and their removal."""

import itertools
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipeline.deployed import aws, failure_queue
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.errors import PipelineError
from pipeline.load.run import Load, Progress, Sent

# As many as five read units a second have saved up in five minutes, and some left for others.
_CONFIRMED = 1000
_QUEUE_SECONDS = 1
# What BatchGetItem, BatchWriteItem and DeleteObjects take.
_READ_BATCH = 100
_WRITE_BATCH = 25
_DELETE_BATCH = 1000
_THROTTLED = re.compile("Throttling|ThroughputExceeded|RequestLimitExceeded")
_PAUSES = (0.1, 0.5, 1.0, 2.0)
_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class Verdict:
    """What became of the uploads that S3 took.

    `latency` is each one's time from S3's answer to the record on the stream, in seconds by number.
    `unseen` are stored, though the stream did not tell, `waiting` lie in the failure queue, `lost`
    are in neither, `doubled` have several records. `confirmed` of those on the stream were looked
    up in the table once more. `trouble` says what else is wrong.
    """

    latency: dict[int, float]
    unseen: list[Sent]
    waiting: list[Sent]
    lost: list[Sent]
    doubled: list[Sent]
    confirmed: int
    trouble: list[str]


def try_access(load: Load) -> None:
    """Raises PipelineError where the table can't be asked: better known before all is uploaded."""
    _look_up(load, ["no-such-record"])


def judge(load: Load, tell: Progress) -> Verdict:
    """What became of each upload by now. Raises PipelineError where the table can't be read."""
    taken = load.taken
    # Where the answer came after the record, nobody waited.
    latency = {
        one.number: max(0.0, seen - one.answered)
        for one in taken
        if (seen := load.arrived(one)) is not None
    }
    missing = [one for one in taken if one.number not in latency]
    sample = [one for one in taken if one.number in latency][:_CONFIRMED]
    stored = _stored(load, [*missing, *sample], tell)
    lost = [one for one in missing if one.number not in stored]
    # Seen, and yet no more there.
    gone = [one for one in sample if one.number not in stored]
    trouble: list[str] = []
    failed: set[str] = set()
    if lost:
        # What was measured is worth telling without these.
        try:
            failed = _failed(load)
            trouble += _in_the_buffer(load)
        except PipelineError as error:
            trouble.append(f"Not all queues could be looked into: {error}")
    if gone:
        trouble.append(f"{len(gone)} of the lost had a record, which is no longer in the table.")
    return Verdict(
        latency,
        unseen=[one for one in missing if one.number in stored],
        waiting=[one for one in lost if one.key in failed],
        lost=[one for one in lost if one.key not in failed] + gone,
        doubled=[one for one in taken if len(load.ids(one)) > 1],
        confirmed=len(sample) - len(gone),
        trouble=trouble,
    )


def remove(load: Load, tell: Progress) -> tuple[int, int]:
    """Delete all objects of the run, in all versions, and their records; returns how many of each.

    Raises PipelineError where that is refused; running it again goes on.
    """
    s3, bucket = load.through.s3, load.bucket
    objects = 0
    with aws.asking(f"the bucket {bucket}", "delete the objects by hand"):
        # Listed, not remembered: one whose answer was lost is there, too.
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=load.plan.folder
        )
        versions = (
            {"Key": one["Key"], "VersionId": one["VersionId"]}
            for page in pages
            for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        )
        for batch in itertools.batched(versions, _DELETE_BATCH):
            tell("objects removed", objects, len(load.sent))
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            if refused := answer.get("Errors"):
                raise PipelineError(
                    f"The bucket {bucket} keeps {len(refused)} objects ({refused[0].get('Code')}): "
                    f"delete what is in {load.plan.folder!r} by hand."
                )
            objects += len(batch)
    ids = set[str]().union(*map(load.ids, load.sent))
    with aws.asking(f"the table {load.table}", "its records go by themselves, by their ttl"):
        for number, some in enumerate(itertools.batched(sorted(ids), _WRITE_BATCH)):
            tell("records removed", number * _WRITE_BATCH, len(ids))
            _delete(load, some)
    return objects, len(ids)


def _stored(load: Load, asked: Sequence[Sent], tell: Progress) -> set[int]:
    """The numbers of those that have a record in the table. Raises PipelineError."""
    numbers = {object_id: one.number for one in asked for object_id in load.ids(one)}
    found: set[str] = set()
    for batch in itertools.batched(numbers, _READ_BATCH):
        tell("confirmed", len(found), len(numbers))
        found |= _look_up(load, batch)
    return {numbers[object_id] for object_id in found}


def _look_up(load: Load, object_ids: Iterable[str]) -> set[str]:
    keys = [{"objectId": {"S": one}} for one in object_ids]
    found: set[str] = set()
    fix = "take table_name from the stack's outputs, and its account and region"
    pauses = itertools.chain(_PAUSES, itertools.repeat(_LONGEST_PAUSE_SECONDS))
    while keys:
        asked = {"Keys": keys, "ProjectionExpression": "objectId", "ConsistentRead": True}
        with aws.asking(f"the table {load.table}", fix):
            try:
                answer = load.through.dynamodb.batch_get_item(RequestItems={load.table: asked})
            except ClientError as error:
                # Read units that are used up come back.
                if not _THROTTLED.search(aws.code(error)):
                    raise
                answer = {"UnprocessedKeys": {load.table: asked}}
        items = answer.get("Responses", {}).get(load.table, ())
        found |= {item["objectId"]["S"] for item in items}
        left: dict[str, Any] = answer.get("UnprocessedKeys") or {}
        keys = left.get(load.table, {}).get("Keys", [])
        if keys:
            time.sleep(next(pauses))
    return found


def _delete(load: Load, object_ids: Iterable[str]) -> None:
    asked = [{"DeleteRequest": {"Key": {"objectId": {"S": one}}}} for one in object_ids]
    pauses = itertools.chain(_PAUSES, itertools.repeat(_LONGEST_PAUSE_SECONDS))
    while asked:
        try:
            answer = load.through.dynamodb.batch_write_item(RequestItems={load.table: asked})
        except ClientError as error:
            if not _THROTTLED.search(aws.code(error)):
                raise
        else:
            asked = (answer.get("UnprocessedItems") or {}).get(load.table, [])
        if asked:
            time.sleep(next(pauses))


def _failed(load: Load) -> set[str]:
    """The keys of this run that lie in the failure queue, which keeps its messages."""
    fix = "take failure_queue_url from the stack's outputs, and its account and region"
    with aws.asking(f"the failure queue {load.queue_url}", fix):
        lying = failure_queue.peek(load.through.sqs, load.queue_url, _QUEUE_SECONDS)
    return {
        key
        for message in lying
        if isinstance(message, FailedEvent)
        for _, key, _ in message.objects
        if key.startswith(load.plan.folder)
    }


def _in_the_buffer(load: Load) -> list[str]:
    if load.buffer_url is None:
        return []
    with aws.asking(f"the buffer {load.buffer_url}", "take buffer_queue_url from the outputs"):
        number = sum(failure_queue.depth(load.through.sqs, load.buffer_url))
    return [f"About {number} messages still wait in the buffer."] if number else []
