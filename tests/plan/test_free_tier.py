"""Settings that leave the always-free limits are named with their price, and refused on request."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tests.plan.conftest import LATER, Planned
from tools.module import copy_module

variables = pytest.mark.variables
refused = pytest.mark.refused
KEY = "arn:aws:kms:us-east-1:123456789012:key/0b5e3c4e-0000-4000-8000-000000000000"
BUFFER: dict[str, Any] = {"buffer": {}}
DRAINING: dict[str, Any] = {"buffer": {"drain": True}}
EVENTBRIDGE: dict[str, Any] = {"via": "eventbridge"}
SILENCE: dict[str, Any] = {"silence": {"enabled": True}}
HOOK = {
    "package": str(ROOT / "examples/enrich/enrich.zip"),
    "handler": "enrich.on_event",
    "read_objects": True,
}
REQUESTS = "20,000 requests a month are free, beyond them $0.03 per 10,000."
EVENTS = (
    "S3 sends every event of the bucket to EventBridge, whatever the filters, "
    "of which nothing is free: $1 per 1,000,000."
)


def case(name: str, *sentences: str, **values: Any) -> ParameterSet:
    return pytest.param(list(sentences), marks=variables(**values), id=name)


# Many settings in one scenario, since each scenario takes a second to plan.
@pytest.mark.parametrize(
    "sentences",
    [
        case("default"),
        case(
            "at-the-limits",
            free_tier="enforce",
            table={"write_units": 25, "read_units": 25},
            delivery=BUFFER | {"paused": True},
            dashboard={"create": True},
            function={
                "reserved_concurrency": 5,
                "log_retention_days": 365,
                "vpc": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]},
            },
            # Of an existing bucket nothing is logged.
            bucket={
                "create": False,
                "name": "theirs",
                "take_over_notifications": True,
                "access_log": {"bucket": "logs"},
            },
        ),
        case("ten-metrics", table={"object_index": True}, alarms=SILENCE),
        case(
            "direct",
            "table.write_units is 30: 5 units beyond the 25 that are free cost $2.37 a month.",
            "table.point_in_time_recovery is true, of which nothing is free: $0.20 per GB a month.",
            "function.tracing is Active: 100,000 traces a month are free, which 0.039 uploads "
            "a second use up; beyond them $5 per 1,000,000.",
            "function.hook.read_objects is true, and nothing of S3's requests is free: "
            "$0.0004 per 1,000 reads.",
            "backfill.create is true, and nothing of S3 Batch Operations is free: "
            "$0.25 for each job, $1 per 1,000,000 objects, "
            "and $0.0004 per 1,000 objects that the function asks S3 about.",
            "topic.subscriptions has deputy, phone by sms, of which nothing is free: "
            "the price varies by country.",
            "bucket.access_log is set, and nothing of S3's storage is free: "
            "$0.023 per GB of logs a month.",
            table={"write_units": 30, "point_in_time_recovery": True},
            function={"tracing": "Active", "hook": HOOK},
            topic={
                "subscriptions": {
                    "phone": {"protocol": "sms", "endpoint": "+4915112345678"},
                    "deputy": {"protocol": "sms", "endpoint": LATER},
                    "queue": {"protocol": "sqs", "endpoint": LATER},
                }
            },
            bucket={"access_log": {"bucket": LATER}},
            backfill={"create": True},
        ),
        case(
            "buffered",
            "table.read_units is 13, and table.object_index takes as many again: "
            "1 unit beyond the 25 that are free costs $0.09 a month.",
            "table.write_units is 15, and table.object_index takes as many again: "
            "5 units beyond the 25 that are free cost $2.37 a month.",
            "function.tracing is Active: 100,000 traces a month are free, which 0.039 batches "
            "a second use up; beyond them $5 per 1,000,000.",
            "alarms.health is enabled: a composite alarm costs $0.50 a month, of which nothing is "
            "free.",
            "encryption.mode is create: the key costs $1 a month, and as much again after each "
            f"of the first two rotations; {REQUESTS}",
            table={"write_units": 15, "read_units": 13, "object_index": True},
            delivery=BUFFER,
            function={"tracing": "Active"},
            alarms={"health": {"enabled": True}},
            encryption={"mode": "create"},
        ),
        case(
            "eventbridge",
            "table.billing_mode is PAY_PER_REQUEST, of which nothing is free: "
            "$0.625 per 1,000,000 writes, $0.125 per 1,000,000 reads.",
            f"delivery.via is eventbridge: {EVENTS}",
            "alarms watch 11 metrics: 1 beyond the 10 that are free costs $0.10 a month.",
            f"encryption.mode is given: the key is its owner's to pay; {REQUESTS}",
            table={"billing_mode": "PAY_PER_REQUEST", "write_units": 30},
            delivery=EVENTBRIDGE,
            # With a threshold of one's own, writes are watched on demand too.
            alarms=SILENCE | {"write_activity": {"threshold": 100}},
            encryption={"mode": "given", "kms_key_arn": KEY},
        ),
        case(
            "hand-over",
            "table.billing_mode is PAY_PER_REQUEST, of which nothing is free: "
            "$0.625 per 1,000,000 writes (two for each record with table.object_index), "
            "$0.125 per 1,000,000 reads.",
            f"delivery.handover is true: {EVENTS}",
            "alarms watch 12 metrics: 2 beyond the 10 that are free cost $0.20 a month.",
            f"encryption.mode is given: the key is its owner's to pay; {REQUESTS}",
            table={"billing_mode": "PAY_PER_REQUEST", "object_index": True},
            delivery=DRAINING | {"handover": True},
            alarms=SILENCE,
            encryption={"mode": "given", "kms_key_arn": LATER},
        ),
    ],
)
def test_each_setting_that_leaves_the_limits_is_named_with_its_price(
    planned: Planned, sentences: list[str]
) -> None:
    assert planned.outputs["free_tier_exceptions"] == sentences


COSTLY: dict[str, Any] = {
    "table": {"write_units": 33, "point_in_time_recovery": True},
    "function": {"tracing": "Active"},
}
COSTS = [
    "table.write_units is 33: 8 units beyond the 25 that are free cost $3.80 a month.",
    "table.point_in_time_recovery is true, of which nothing is free: $0.20 per GB a month.",
    "function.tracing is Active: 100,000 traces a month are free, which 0.039 uploads a second "
    "use up; beyond them $5 per 1,000,000.",
]


@refused(free_tier="enforce", **COSTLY)
def test_enforce_refuses_and_names_every_exception(refusal: str) -> None:
    for sentence in COSTS:
        assert sentence in refusal
    assert 'free_tier is "enforce"' in refusal
    assert 'or write free_tier = "warn"' in refusal


def test_a_plan_warns_with_the_same_sentences_and_goes_on(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    called = {"warned": COSTLY, "off": COSTLY | {"free_tier": "off"}, "default": {}}
    source = os.path.relpath(ROOT, tmp_path)
    module = {name: {"source": source, **values} for name, values in called.items()}
    terraform.write_root(tmp_path, {"module": module})
    terraform.init(tmp_path, reattached)
    # Anything but exit status 0 is an error.
    said = terraform.run(tmp_path, reattached, "plan", "-json", "-input=false").stdout
    messages = [json.loads(line) for line in said.splitlines()]
    (found,) = (message["diagnostic"] for message in messages if message["type"] == "diagnostic")
    assert found["severity"] == "warning"
    assert found["detail"].splitlines() == [
        "These settings leave AWS's always-free limits (prices of us-east-1, 2026-11-22):",
        *COSTS,
    ]


# As docs/reference/cost.md names them.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "notification": {},
    "notification through a buffer": {"delivery": BUFFER},
    "notification while a buffer drains": {"delivery": DRAINING},
    "EventBridge, both during a hand-over, or with `delivery.buckets`": {"delivery": EVENTBRIDGE},
    "EventBridge through a buffer": {"delivery": EVENTBRIDGE | BUFFER},
    "EventBridge, or both, while a buffer drains": {"delivery": EVENTBRIDGE | DRAINING},
    "one alarm more": {"alarms": SILENCE},
    "none": {"alarms": {"create": False}},
}


def test_prices_and_limits_are_those_of_the_table(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    """Without a free alarm, each delivery names what it watches: as many metrics as are planned."""
    copied = copy_module(tmp_path / "module")
    file = copied / "prices.json"
    table = json.loads(file.read_text())
    table["items"]["cloudwatch_alarms"] |= {"free": 0, "price": 1.5}
    table["items"]["eventbridge_events"] |= {"price": 0.333, "per": 1000}
    file.write_text(json.dumps(table))
    root = tmp_path / "root"
    called = {f"case{number}": values for number, values in enumerate(CONFIGURATIONS.values())}
    module = {name: {"source": "../module", **values} for name, values in called.items()}
    output = {name: {"value": f"${{module.{name}.free_tier_exceptions}}"} for name in called}
    terraform.write_root(root, {"module": module, "output": output})
    terraform.init(root, reattached)
    planned = terraform.plan(root, reattached)
    page = (ROOT / "docs/reference/cost.md").read_text()
    for (label, values), name in zip(CONFIGURATIONS.items(), called, strict=True):
        watched = sum(
            # One metric of its own, or those of its metric math.
            max(
                1, sum(bool(query["metric"]) for query in change["change"]["after"]["metric_query"])
            )
            for address, change in planned.resource_changes.items()
            if address.startswith(f"module.{name}.module.alarms.aws_cloudwatch_metric_alarm.")
        )
        expected = []
        if values.get("delivery", {}).get("via"):
            expected.append(
                "delivery.via is eventbridge: S3 sends every event of the bucket to EventBridge, "
                "whatever the filters, of which nothing is free: $0.333 per 1,000."
            )
        if watched:
            expected.append(
                f"alarms watch {watched} metrics: {watched} beyond the 0 that are free "
                f"cost ${watched * 1.5:.2f} a month."
            )
        assert planned.outputs[name] == expected, label
        if "alarms" not in values:
            assert f"| {label} | {watched} | {watched + 1} |" in page
