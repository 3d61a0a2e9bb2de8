"""Upload without a pause while a live stack changes its delivery, one way after the other."""

import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.terraform import run as terraform
from tests.support import stack
from tests.support.clients import client
from tests.support.poll import until
from tools.module import copy_module

# As the documentation tells operators to change it: both ways open while one takes over from the
# other, and a buffer drained before it goes.
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("direct", {}),
    ("through a buffer", {"buffer": {}}),
    ("handing over to the rule", {"buffer": {}, "handover": True}),
    ("by rule, through a buffer", {"via": "eventbridge", "buffer": {}}),
    ("by rule, draining", {"via": "eventbridge", "buffer": {"drain": True}}),
    ("by rule, direct", {"via": "eventbridge"}),
    ("straight back", {}),
]
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
    s3, dynamodb, sqs = (client(name, account) for name in ("s3", "dynamodb", "sqs"))
    changed: dict[str, dict[str, str]] = {}
    uploaded: list[str] = []
    stop = threading.Event()
    bucket = ""

    def upload() -> None:
        for number in itertools.count():
            key = f"while/{number:05}"
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
            uploaded.append(key)
            if stop.wait(_PAUSE_SECONDS):
                return

    uploading = threading.Thread(target=upload)
    for name, delivery in STEPS:
        terraform.write_root(place, _root(delivery))
        if not uploading.is_alive():
            terraform.init(place, environment)
        changed[name] = stack.apply(place, environment)
        outputs = stack.outputs(place)["pipeline"]
        if not uploading.is_alive():
            bucket = outputs["bucket_name"]
            uploading.start()
        if name == "by rule, draining":
            _await_empty(sqs, outputs["buffer_queue_url"])
    stop.set()
    uploading.join()

    def records() -> Counter[str]:
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=outputs["table_name"], ConsistentRead=True
        )
        return Counter(item["objectKey"]["S"] for page in pages for item in page["Items"])

    # What never comes is the report's to tell.
    with contextlib.suppress(AssertionError):
        until(lambda: len(records()) >= len(uploaded), seconds=60)
    return Report(uploaded, records(), changed)


def _root(delivery: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "provider": {"aws": {}},
        "module": {"pipeline": {"source": "../", "delivery": delivery}},
        "output": {"pipeline": {"value": "${module.pipeline}"}},
    }


def _depth(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def _await_empty(sqs: Any, url: str) -> None:
    until(lambda: _depth(sqs, url) == 0, seconds=60)
