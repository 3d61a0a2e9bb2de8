"""Store one record in DynamoDB for every S3 event that this function is handed.

Environment: `TABLE_NAME` (its key is `objectId`), `TTL_SECONDS` (how long a record lives),
`AWS_LAMBDA_LOG_LEVEL` (INFO), `METRICS_NAMESPACE` (unset: no custom metrics, which cost money),
`RECORD_HOOK` and `RECORD_HOOK_CONCURRENCY` (see hooks.py; unset: no hook),
`AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, `AWS_USE_FIPS_ENDPOINT`,
`AWS_CA_BUNDLE`, and what Lambda sets itself: region and credentials.
"""

from __future__ import annotations

import os
import time
from functools import cache

import answer
import events
import logs
import records
from typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dynamodb

# Direct invokes leave throttling to Lambda's own retries: a burst must not burn the timeout.
DIRECT_PATIENCE_SECONDS = 3.0
# Of an invoke's time; the rest is for writing what the hook returned.
HOOK_SHARE = 0.75

cold_start = True


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Read the event, write its records, answer.

    `event`: an S3 notification, an EventBridge S3 event, either of them from SNS or in SQS messages
    (also through SNS), an `s3:TestEvent`, or tasks of an S3 Batch Operations job. Returns
    `batchItemFailures` to SQS, to a job a result for each task, to others success.
    Raises `answer.NotStoredError`, which names each record that is not in the table.
    """
    global cold_start
    started = time.monotonic()
    seconds = context.get_remaining_time_in_millis() / 1000 if context else 30.0
    # A part is left for logging, and half of that for answering.
    deadline = started + max(0.0, seconds * 0.95 - 0.25)
    log_end = (deadline + started + seconds) / 2

    if job := isinstance(event, dict) and "invocationSchemaVersion" in event:
        import batch_operations

        # Half of the time is for writing: whatever S3 does, some tasks come to their end.
        delivery = batch_operations.read(event, (started + deadline) / 2)
    else:
        delivery = events.read(event)
    new = (event for _, event in delivery.events)
    items, ids, sources = records.build(new, int(time.time()), _retention())
    skipped: list[str] = []
    reasons: dict[str, str] = {}
    hooked: dict[str, float] = {}
    writing = started
    if os.environ.get("RECORD_HOOK"):
        import hooks

        hook_end = started + HOOK_SHARE * (deadline - started)
        items, skipped, reasons = hooks.apply(items, sources, hook_end)
        writing = time.monotonic()
        hooked = {
            "skipped": len(skipped),
            "hookMilliseconds": round((writing - started) * 1000, 1),
        }
    patient = delivery.buffered or job
    patience = deadline if patient else min(deadline, writing + DIRECT_PATIENCE_SECONDS)
    reasons |= table().write(items, deadline, patience, new=job) if items else {}
    failures = answer.match(delivery, ids, reasons)

    lines = [failure._asdict() for failure in failures]
    logs.write_each("ERROR", "Record not stored", lines, log_end)
    if logs.enabled("DEBUG"):
        lines = [{"objectId": id_, "key": item["objectKey"]["S"]} for id_, item in items.items()]
        logs.write_each("DEBUG", "Record", lines, log_end)
    stored = [object_id for object_id in items if object_id not in reasons]
    read = len(delivery.events) + len(delivery.refusals)
    figures = {
        "received": read + delivery.ignored,
        "stored": len(stored),
        # A duplicate of what failed counts as failed.
        "duplicatesFolded": read - len(stored) - len(failures) - len(skipped),
        "ignored": delivery.ignored,
        "failed": len(failures),
        **hooked,
        "milliseconds": round((time.monotonic() - started) * 1000, 1),
    }
    about = {"coldStart": cold_start, "requestId": getattr(context, "aws_request_id", None)}
    logs.write("INFO", "Invoke done", **figures, **about, objectIds=stored[:25])
    logs.metrics(figures)
    cold_start = False
    if job:
        return batch_operations.answer(event, failures)
    return answer.to(delivery, failures, skipped)


@cache
def table() -> dynamodb.Table:
    """The table, with connections that outlive the invoke. Raises ValueError on bad settings."""
    # Not at the top: TLS is half of what all imports cost.
    import dynamodb
    import service

    env = os.environ
    if not env.get("TABLE_NAME"):
        raise ValueError("TABLE_NAME is not set; it names the event table")
    return dynamodb.Table(env["TABLE_NAME"], env["AWS_REGION"], service.endpoint(env))


def _retention() -> int:
    value = os.environ.get("TTL_SECONDS", "")
    # Ten digits are three centuries.
    if not value.isdecimal() or len(value) > 10:
        raise ValueError(f"TTL_SECONDS is {value!r}, not a whole number of at most ten digits")
    return int(value)


# Lambda lends an import a whole CPU or more, and an invoke at 256 MB a seventh of one.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    table()
    if os.environ.get("RECORD_HOOK"):
        import hooks

        hooks.prepare()
