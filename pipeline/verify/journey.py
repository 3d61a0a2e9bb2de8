"""A probe's journey: from the upload to its record and its log line, and away again.

Each part returns a sentence of what it saw, or raises as the stages of `pipeline.verify.path` do.
"""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import failure_queue
from pipeline.deployed import stream as arrivals
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.handler import events
from pipeline.terminal import printable
from pipeline.verify import path, probe
from pipeline.verify.probe import Made, Probe

Tell = Callable[[str], None]
Item = Mapping[str, Mapping[str, str]]

_POLL_SECONDS = 0.1
# FilterLogEvents may be asked five times a second, by everybody in the account and region.
_LOG_POLL_SECONDS = 1.0
_CLOCK_SECONDS = 5
# A failing event comes to the failure queue at once only where Lambda does not wait to try again.
_FAILED_SECONDS = 3
# What the handler names in one line.
_NAMED = 25


@dataclass
class Journey:
    """The probe on its way; `since` is when S3 had taken it, in `time.monotonic()` seconds."""

    probe: Probe
    made: Made
    since: float
    stream: arrivals.Arrivals | None
    item: Item | None = None


def start(session: Session, chosen: Probe) -> Journey:
    """Bring the probe's event about."""
    stream = None
    s3 = session.client("s3")
    versioned = s3.get_bucket_versioning(Bucket=session.target.bucket_name).get("Status")
    if versioned != "Enabled" or chosen.family != "ObjectCreated":
        # The record's key depends on S3's sequencer: only the table's stream tells it.
        stream = arrivals.Arrivals(
            session.client("dynamodbstreams"), session.target.table_stream_arn
        )
        if not stream.images:
            raise NotCheckedError(
                "the bucket keeps no versions and the table's stream no new images, so that "
                "a probe's record can't be told: set `table.stream_view_type` to NEW_IMAGE"
            )
    made = probe.make(s3, session.target.bucket_name, chosen)
    return Journey(chosen, made, time.monotonic(), stream)


def record(session: Session, sent: Journey, seconds: float, tell: Tell) -> str:
    """Its record comes within `seconds`, with every attribute right."""
    looked = sent.since
    while (item := _look(session, sent)) is None:
        waited = time.monotonic() - sent.since
        tell(f"waiting for the record, {waited:.0f} s of {seconds:.0f}")
        if time.monotonic() - looked > _LOG_POLL_SECONDS:
            looked = time.monotonic()
            if reason := _failure(session, sent):
                raise FailingError(
                    f"The function could not store the record of {printable(sent.probe.key)}: "
                    f"{reason}. What the function writes and its role may do says more."
                )
        if waited > seconds:
            raise FailingError(
                f"No record of {printable(sent.probe.key)} within {seconds:.0f} s, although each "
                f"stage looks well{_last_words(session, sent)}: look in the log group "
                f"{session.target.log_group_name}, or wait longer with --timeout (S3 may take more "
                "than a minute)."
            )
        # Each look takes a read unit, and the table has five a second.
        time.sleep(min(1.0, _POLL_SECONDS + waited / 10))
    sent.item = item
    after = time.monotonic() - sent.since
    retention = int(path.variable(session, "TTL_SECONDS"))
    wrong = probe.differences(item, session.target.bucket_name, sent.probe, sent.made, retention)
    if wrong:
        raise FailingError(
            f"The record {item['objectId']['S']} is not right: {'; '.join(wrong)}. Is the "
            "function's package the module's own, and TTL_SECONDS as the stack sets it?"
        )
    right = f"all {len(item)} attributes right"
    return f"{item['objectId']['S']} came {after:.2f} s after the upload, {right}"


def _look(session: Session, sent: Journey) -> Item | None:
    if sent.stream is not None:
        images = (one.image for one in sent.stream.new() if one.image)
        return next((image for image in images if _is_ours(session, image, sent)), None)
    identity = probe.object_id(session.target.bucket_name, sent.probe, sent.made)
    answer = session.client("dynamodb").get_item(
        TableName=session.target.table_name, Key={"objectId": {"S": identity}}, ConsistentRead=True
    )
    item: Item | None = answer.get("Item")
    return item


def _is_ours(session: Session, item: Item, sent: Journey) -> bool:
    found = {name: next(iter(value.values())) for name, value in item.items()}
    told = found.get("bucket"), found.get("objectKey"), found.get("versionId", "")
    ours = session.target.bucket_name, sent.probe.key, sent.made.version_id
    return told == ours and found.get("eventName", "").startswith(sent.probe.family)


def log_line(session: Session, sent: Journey, identity: str, seconds: float, tell: Tell) -> str:
    """The function names the record `identity` in its log within `seconds`."""
    group = session.target.log_group_name
    level = session.function().get("LoggingConfig", {}).get("ApplicationLogLevel", "INFO")
    if level not in ("TRACE", "DEBUG", "INFO"):
        raise NotCheckedError(f"the function logs from {level} on, and names records at INFO")
    began = time.monotonic()
    while True:
        for line in _lines(session, sent, f'"{identity}"'):
            if identity in (_parsed(line).get("objectIds") or ()):
                request = _parsed(line).get("requestId")
                return f"{group} names it in the invoke {request}"
        waited = time.monotonic() - began
        tell(f"waiting for the log line, {waited:.0f} s of {seconds:.0f}")
        if waited > seconds:
            break
        time.sleep(_POLL_SECONDS if waited < 1 else _LOG_POLL_SECONDS)
    batches = [_parsed(line) for line in _lines(session, sent, '"Invoke done"')]
    if any((one.get("stored") or 0) > _NAMED for one in batches):
        raise NotCheckedError(f"invokes stored more than the {_NAMED} records that a line names")
    raise FailingError(
        f"No line of the log group {group} names the record within {seconds:.0f} s: see that the "
        "function's role may write to it, and that the function logs there."
    )


def _failure(session: Session, sent: Journey) -> str | None:
    """Why the function says that it could not store the probe's record, if it does."""
    # Who may not read logs waits longer, and that is all.
    with contextlib.suppress(ClientError, BotoCoreError):
        for line in _lines(session, sent, f'"{sent.probe.mark}"'):
            told = _parsed(line)
            if told.get("level") == "ERROR" and told.get("reason"):
                return printable(str(told["reason"]), 300)
    return None


def _last_words(session: Session, sent: Journey) -> str:
    """The last complaint in the log since the upload, as the end of a clause."""
    with contextlib.suppress(ClientError, BotoCoreError):
        lines = [line for line in _lines(session, sent, "ERROR") if line.strip()]
        if lines:
            return f" (the function's log says: {printable(lines[-1].strip(), 300)})"
    return ""


def _lines(session: Session, sent: Journey, pattern: str) -> list[str]:
    """The function's log lines since the upload. Raises ClientError."""
    pages = session.client("logs").get_paginator("filter_log_events")
    # S3's clock, in whole seconds, and Lambda's may differ a bit.
    since = int(sent.made.at.timestamp() - _CLOCK_SECONDS) * 1000
    found = pages.paginate(
        logGroupName=session.target.log_group_name, filterPattern=pattern, startTime=since
    )
    return [event["message"] for page in found for event in page["events"]]


def _parsed(line: str) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def clean_up(session: Session, sent: Journey) -> str:
    """Nothing of it stays in bucket, table and failure queue, as far as it came there."""
    found = session.target
    probe.remove(session.client("s3"), found.bucket_name, sent.probe, sent.made.versions)
    identity = (
        sent.item["objectId"]["S"]
        if sent.item is not None
        else probe.object_id(found.bucket_name, sent.probe, sent.made)
    )
    if identity is not None:
        session.client("dynamodb").delete_item(
            TableName=found.table_name, Key={"objectId": {"S": identity}}
        )
    if sent.item is not None:
        return "object and record of the probe are deleted" + _second_event(session)
    removed = _removed_failure(session, sent)
    if removed:
        return "the probe's object and failed event are deleted"
    return (
        "the probe's object is deleted; its event may still come to the table, where its ttl takes "
        "it, or to the failure queue: `pipeline replay` takes it from there"
    )


def _removed_failure(session: Session, sent: Journey) -> int:
    """Take this probe's event, and nothing else, off the failure queue, if it comes there soon."""

    def ours(message: FailedEvent) -> bool:
        found = events.read(message.event)
        return bool(found.events and not found.refusals) and all(
            probe.is_event_of(event, session.target.bucket_name, sent.probe, sent.made)
            for _, event in found.events
        )

    deadline = time.monotonic() + _FAILED_SECONDS
    sqs, url = session.client("sqs"), session.target.failure_queue_url
    while time.monotonic() < deadline:
        if any(failure_queue.depth(sqs, url)):
            removed, _ = failure_queue.take(sqs, url, ours)
            if removed:
                return removed
        time.sleep(_POLL_SECONDS)
    return 0


def _second_event(session: Session) -> str:
    """Where deleting is an event too."""
    filters = session.target.delivery.get("filters") or []
    told = any("ObjectRemoved" in event for one in filters for event in one["events"])
    return "; the deletion has a record of its own, until its ttl" if told else ""
