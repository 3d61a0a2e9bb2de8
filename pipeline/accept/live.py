"""Change a live pipeline's delivery, step by step, while uploads go on."""

import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from pipeline.accept.trial import RECORD_SECONDS, Trial
from pipeline.accept.uploads import uploading
from pipeline.deployed import bucket, failure_queue, table
from pipeline.deployed.session import FailingError

# As the documentation tells operators to: both sources deliver during a handover, and a buffer is
# drained before it goes.
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("direct", {}),
    ("through a buffer", {"buffer": {}}),
    ("handing over to the rule", {"buffer": {}, "handover": True}),
    ("by rule, through a buffer", {"via": "eventbridge", "buffer": {}}),
    ("by rule, draining", {"via": "eventbridge", "buffer": {"drain": True}}),
    ("by rule, direct", {"via": "eventbridge"}),
]
# After these the documentation says to wait.
_SETTLED = {"handing over to the rule", "by rule, draining"}
_SETTLED_SECONDS = 600.0
_PAUSE_SECONDS = 0.5
ROOT = "live"


def root(
    delivery: Mapping[str, Any],
    source: str = "../",
    provider: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A root module with one pipeline, by that delivery; `more` are other variables."""
    return {
        "provider": {"aws": provider or {}},
        "module": {"pipeline": {"source": source, "delivery": delivery, **more}},
        "output": {"pipeline": {"value": "${module.pipeline}"}},
    }


def change(trial: Trial) -> str:
    """No upload is lost or recorded twice while delivery changes."""
    box = trial.sandbox

    def apply(delivery: Mapping[str, Any]) -> dict[str, Any]:
        more = {"name_prefix": f"{box.prefix}{ROOT}-", "bucket": {"force_destroy": True}}
        configuration = root(delivery, box.source(ROOT), box.provider, **more)
        return dict(box.apply(ROOT, configuration)["pipeline"])

    (_, first), *steps = STEPS
    outputs = apply(first)
    session, folder = box.session(outputs, ROOT), f"while-{time.time_ns()}"
    s3, sqs = session.client("s3"), session.client("sqs")

    def upload(number: int) -> str:
        key = f"{folder}/{number:05}"
        s3.put_object(Bucket=outputs["bucket_name"], Key=key, Body=b"x")
        box.uploaded[trial.check.id] += 1
        return key

    with uploading(upload, _PAUSE_SECONDS) as uploads:
        for name, delivery in steps:
            outputs = apply(delivery)
            if name in _SETTLED:
                box.pause(_SETTLED_SECONDS)
            if (delivery.get("buffer") or {}).get("drain"):
                trial.until(
                    partial(_drained, sqs, outputs["buffer_queue_url"]),
                    RECORD_SECONDS,
                    "the buffer's last message",
                )
    rows = table.Table(session.client("dynamodb"), outputs["table_name"])

    def found() -> Counter[str]:
        items = (item for page in rows.scan(consistent=True) for item in page)
        return Counter(item["objectKey"]["S"] for item in items)

    trial.until(
        lambda: set(uploads.keys) <= found().keys(), RECORD_SECONDS, "the last upload's record"
    )
    for key, number in found().items():
        # A client that got no answer uploads again: another version.
        versions, _ = bucket.look(s3, outputs["bucket_name"], key) if number > 1 else ([None], 0)
        if number > len(versions):
            raise FailingError(f"{key} has {number} records of {len(versions)} uploads")
    return f"{len(uploads.keys)} uploads in {len(steps)} changes, each with one record"


def _drained(sqs: Any, url: str) -> bool:
    return failure_queue.depth(sqs, url) == (0, 0)
