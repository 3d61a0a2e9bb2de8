"""Uploads, invocations and failed events as the page gets them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.console.board.uploads import Upload
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.invokes import Invoke

_MAX_REASON = 2000


def upload_json(upload: Upload) -> dict[str, Any]:
    """An upload as the page has it."""
    return asdict(upload) | {"stages": upload.stages}


def invoke_json(invoke: Invoke) -> dict[str, Any]:
    """An invocation as the page has it."""
    return asdict(invoke) | {"failing": invoke.failing, "reason": invoke.reason[:_MAX_REASON]}


def failure_json(failure: Failure) -> dict[str, Any]:
    """A message of the failure queue as the page has it."""
    event = failure if isinstance(failure, FailedEvent) else None
    reasons = [failure.reason or "", *(event.refusals if event else ())]
    return {
        "id": failure.message_id,
        "failed_at": failure.failed_at,
        "how": event.how if event else "unreadable",
        "reason": "; ".join(filter(None, reasons))[:_MAX_REASON],
        "attempts": event.attempts if event else None,
        "objects": list(map(list, event.objects)) if event else [],
        "request": event.request_id if event else None,
        "objectIds": list(event.object_ids) if event else [],
    }


def failed_at(failure: Mapping[str, Any]) -> float:
    """When an event of the page's failure queue failed, in epoch seconds; 0 if nobody knows."""
    return failure["failed_at"] or 0.0


def recorded_at(item: Mapping[str, Mapping[str, str]]) -> float:
    """When a record was written, in epoch seconds; 0 where it does not say."""
    try:
        return float(item["timestamp"]["N"])
    except (KeyError, ValueError):
        return 0.0
