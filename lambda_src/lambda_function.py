"""Store one record in DynamoDB for every S3 event this function is handed.

Environment: `TABLE_NAME` (table whose key is `objectId`), `TTL_SECONDS` (how long a record lives),
`AWS_LAMBDA_LOG_LEVEL` (default INFO), `METRICS_NAMESPACE` (off unless set: CloudWatch bills custom
metrics), `AWS_ENDPOINT_URL_DYNAMODB` or `AWS_ENDPOINT_URL`, `AWS_USE_FIPS_ENDPOINT`,
`AWS_CA_BUNDLE`, and what Lambda sets itself: region and credentials.
"""

from __future__ import annotations

import os
import time
from functools import cache

import answer
import dynamodb
import events
import logs
import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Direct invokes leave throttling to Lambda's own retries: a burst must not burn the timeout.
DIRECT_PATIENCE_SECONDS = 3.0

cold_start = True


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Read the event, write its records, answer.

    `event` is an S3 notification, an EventBridge S3 event, either of them in SQS messages (also
    through SNS), or an `s3:TestEvent`. Returns `batchItemFailures` to SQS, the success answer to
    anybody else. Raises `answer.NotStoredError`, which names each record that is not in the table.
    """
    started = time.monotonic()
    deadline = started + _seconds_to_work(context)

    delivery = events.read(event)
    found = (one for _, one in delivery.events)
    items, ids = records.build(found, int(time.time()), _retention())
    patience = deadline if delivery.buffered else min(deadline, started + DIRECT_PATIENCE_SECONDS)
    reasons = _table().write(items, dynamodb.Limits(deadline, patience))

    failures = answer.match(delivery, ids, reasons)
    _report(delivery, items, failures, started, context)
    return answer.to(delivery, failures)


def _seconds_to_work(context: Any) -> float:
    """What the invoke may still take, less what it needs at its end to log and answer."""
    if context is None:
        return 25.0
    return max(0.0, float(context.get_remaining_time_in_millis()) / 1000 * 0.95 - 0.25)


def _retention() -> int:
    value = os.environ.get("TTL_SECONDS", "")
    if not value.isdecimal():
        raise ValueError(f"TTL_SECONDS is {value!r}; set it to a whole number of seconds")
    return int(value)


def _table() -> dynamodb.Table:
    name = os.environ.get("TABLE_NAME", "")
    if not name:
        raise ValueError("TABLE_NAME is not set; set it to the name of the event table")
    return _table_at(name, os.environ["AWS_REGION"], dynamodb.endpoint(os.environ))


@cache
def _table_at(name: str, region: str, endpoint: str) -> dynamodb.Table:
    return dynamodb.Table(name, region, endpoint)


def _report(
    delivery: events.Delivery,
    items: dict[str, records.Item],
    failures: list[answer.Failure],
    started: float,
    context: Any,
) -> None:
    global cold_start
    for failure in failures:
        logs.write("ERROR", "Record not stored", **failure._asdict())
    if logs.enabled("DEBUG"):
        for object_id, item in items.items():
            logs.write("DEBUG", "Record", objectId=object_id, key=item["objectKey"]["S"])
    failed = {failure.objectId for failure in failures}
    stored = [object_id for object_id in items if object_id not in failed]
    figures = {
        "received": len(delivery.events) + len(delivery.refusals) + delivery.ignored,
        "stored": len(stored),
        "duplicatesFolded": len(delivery.events) - len(items),
        "ignored": delivery.ignored,
        "failed": len(failures),
        "milliseconds": round((time.monotonic() - started) * 1000, 1),
    }
    about = {"coldStart": cold_start, "requestId": getattr(context, "aws_request_id", None)}
    logs.write("INFO", "Invoke done", **figures, **about, objectIds=stored[:25])
    logs.metrics(figures)
    cold_start = False
