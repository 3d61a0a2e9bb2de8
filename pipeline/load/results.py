"""What became of the uploads of a load run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched

from pipeline.deployed import aws, failure_queue, log
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.errors import PipelineError
from pipeline.load.run import Load, Upload
from pipeline.terminal import ShowProgress

# Read units that a table of five saves up in five minutes, and some left for others.
_CONFIRMED = 1000
_QUEUE_SECONDS = 1
_BATCH = 100
_CLOCK_SECONDS = 2.0


@dataclass(frozen=True)
class Results:
    """What became of the uploads that S3 took.

    `latency` is the time from S3's answer to the record on the stream, in seconds by number.
    `unseen` have a record that was not on the stream, `failed` a message in the failure queue,
    `lost` neither, `doubled` several records; of `unconfirmed` it is unknown, since `ended_by` kept
    the table from being read. `confirmed` of those on the stream were found in the table, too.
    `cold` are the numbers of those that met a cold start, as the function's log says, None where it
    can't be read. `notes` says what else is wrong.
    """

    latency: dict[int, float]
    unseen: list[Upload]
    failed: list[Upload]
    lost: list[Upload]
    doubled: list[Upload]
    unconfirmed: list[Upload]
    confirmed: int
    notes: list[str]
    ended_by: PipelineError | None
    cold: set[int] | None


def results_of(load: Load, progress: ShowProgress) -> Results:
    """What became of each upload by now."""
    taken = load.taken
    # A record may be seen before S3 has answered.
    latency = {
        upload.number: max(0.0, seen - upload.answered)
        for upload in taken
        if (seen := load.recorded_at(upload)) is not None
    }
    missing = [upload for upload in taken if upload.number not in latency]
    sample = [upload for upload in taken if upload.number in latency][:_CONFIRMED]
    stored, ended_by = _stored(load, [*missing, *sample], progress)
    absent = [upload for upload in missing if stored.get(upload.number) is False]
    # On the stream, but no longer in the table.
    gone = [upload for upload in sample if stored.get(upload.number) is False]
    notes: list[str] = []
    failed: set[str] = set()
    if absent:
        # The figures are worth printing without these.
        try:
            failed = _failed(load)
            buffer = load.found.buffer_queue_url
            if buffer is not None:
                with aws.asking(f"the buffer {buffer}", "take buffer_queue_url from the outputs"):
                    waiting = sum(failure_queue.depth(load.sqs, buffer))
                notes += [f"About {waiting} messages are in the buffer."] if waiting else []
        except PipelineError as error:
            notes.append(f"Not all queues could be read: {error}")
    if gone:
        notes.append(f"{len(gone)} of the lost had a record, which is no longer in the table.")
    return Results(
        latency,
        unseen=[upload for upload in missing if stored.get(upload.number)],
        failed=[upload for upload in absent if upload.key in failed],
        lost=[upload for upload in absent if upload.key not in failed] + gone,
        doubled=[upload for upload in taken if len(load.object_ids(upload)) > 1],
        unconfirmed=[upload for upload in missing if upload.number not in stored],
        confirmed=sum(bool(stored.get(upload.number)) for upload in sample),
        notes=notes,
        ended_by=ended_by,
        cold=_cold(load),
    )


def remove(load: Load, progress: ShowProgress) -> tuple[int, int]:
    """Delete all objects of the run, in all versions, and their records; returns how many of each.

    Raises PipelineError where that is refused; running it again goes on.
    """
    objects = 0
    with aws.asking(f"the bucket {load.bucket}", "delete the objects by hand"):
        # Listed, since an upload whose answer was lost may be there, too.
        pages = load.s3.get_paginator("list_object_versions").paginate(
            Bucket=load.bucket, Prefix=load.plan.folder
        )
        for page in pages:
            versions = [
                {"Key": version["Key"], "VersionId": version["VersionId"]}
                for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            ]
            if not versions:
                continue
            progress("objects removed", objects, len(load.sent))
            answer = load.s3.delete_objects(
                Bucket=load.bucket, Delete={"Objects": versions, "Quiet": True}
            )
            if refused := answer.get("Errors"):
                raise PipelineError(
                    f"The bucket {load.bucket} keeps {len(refused)} objects "
                    f"({refused[0].get('Code')}): delete what is in {load.plan.folder!r} by hand."
                )
            objects += len(versions)
    ids = set[str]().union(*map(load.object_ids, load.sent))
    for number, batch in enumerate(batched(sorted(ids), _BATCH)):
        progress("records removed", number * _BATCH, len(ids))
        load.table.delete(batch)
    return objects, len(ids)


def _stored(
    load: Load, uploads: Sequence[Upload], progress: ShowProgress
) -> tuple[dict[int, bool], PipelineError | None]:
    """By number, whether an upload has a record in the table; and what ended that early."""
    answers: dict[int, bool] = {}
    for batch in batched(uploads, _BATCH):
        progress("confirmed", sum(answers.values()), len(uploads))
        ids = {upload.number: load.object_ids(upload) for upload in batch}
        try:
            found = load.table.stored(set[str]().union(*ids.values()))
        except PipelineError as error:
            return answers, error
        answers |= {number: bool(own & found) for number, own in ids.items()}
    return answers, None


def _cold(load: Load) -> set[int] | None:
    since = time.time() - (time.monotonic() - min(upload.began for upload in load.sent))
    try:
        logs, group = aws.client("logs", **load.found.settings), load.found.log_group_name
        # Its clock may differ a little.
        found = log.events(logs, group, since - _CLOCK_SECONDS, "{ $.coldStart IS TRUE }")
    except (PipelineError, *aws.ERRORS):
        # The figures are worth printing without.
        return None
    lines = (log.document(event["message"]) for event in found)
    # The emulator does not know all patterns.
    cold = (line.get("objectIds") for line in lines if line.get("coldStart") is True)
    ids = {str(each) for found in cold if isinstance(found, list) for each in found}
    return {upload.number for upload in load.taken if ids & load.object_ids(upload)}


def _failed(load: Load) -> set[str]:
    """The keys of this run whose events are in the failure queue."""
    fix = "take failure_queue_url from the stack's outputs, and its account and region"
    with aws.asking(f"the failure queue {load.queue_url}", fix):
        messages = failure_queue.peek(load.sqs, load.queue_url, _QUEUE_SECONDS)
    return {
        key
        for message in messages
        if isinstance(message, FailedEvent)
        for _, key, _ in message.objects
        if key.startswith(load.plan.folder)
    }
