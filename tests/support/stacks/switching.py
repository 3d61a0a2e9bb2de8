"""Upload without a pause while a live stack changes its delivery, step by step."""

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.accept import live
from pipeline.accept.uploads import uploading
from pipeline.deployed import failure_queue
from pipeline.terraform import run as terraform
from tests.support.aws.clients import client, items
from tests.support.poll import until
from tests.support.stacks import stack
from tools.module import copy_module

# On the emulator, where a change counts at once, straight back as well.
STEPS: list[tuple[str, dict[str, Any]]] = [*live.STEPS, ("straight back", {})]
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Report:
    """`changed` has the action by address of each step; `records` counts them by key."""

    uploaded: list[str]
    records: Counter[str]
    changed: Mapping[str, Mapping[str, str]]


def run(folder: Path, environment: Mapping[str, str], account: Mapping[str, str]) -> Report:
    """Apply each step while uploads go on; `account` is what clients need to reach it."""
    place = copy_module(folder) / "root"
    s3, sqs = client("s3", account), client("sqs", account)

    def apply(delivery: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        terraform.write_root(place, live.root(delivery))
        changes = stack.apply(place, environment)
        outputs = stack.outputs(place)["pipeline"]
        if (delivery.get("buffer") or {}).get("drain"):
            url = outputs["buffer_queue_url"]
            until(lambda: failure_queue.depth(sqs, url) == (0, 0))
        return changes, outputs

    def upload(number: int) -> str:
        key = f"while/{number:05}"
        s3.put_object(Bucket=outputs["bucket_name"], Key=key, Body=b"x")
        return key

    def records() -> Counter[str]:
        return Counter(item["objectKey"]["S"] for item in items(outputs["table_name"], account))

    (first, delivery), *steps = STEPS
    terraform.write_root(place, live.root(delivery))
    terraform.init(place, environment)
    changes, outputs = apply(delivery)
    changed = {first: changes}
    with uploading(upload, _PAUSE_SECONDS) as uploads:
        for name, delivery in steps:
            changed[name], outputs = apply(delivery)
    # The report shows what never comes.
    with contextlib.suppress(AssertionError):
        until(lambda: len(records()) >= len(uploads.keys))
    return Report(uploads.keys, records(), changed)
