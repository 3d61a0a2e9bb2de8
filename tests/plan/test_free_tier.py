"""Settings that leave the always-free limits are named with their price, and refused on request."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from lab import terraform
from lab.module import ROOT, copy_module
from tests.plan.conftest import LATER, Planned

variables = pytest.mark.variables
refused = pytest.mark.refused
KEY = "arn:aws:kms:us-east-1:123456789012:key/0b5e3c4e-0000-4000-8000-000000000000"
BUFFER: dict[str, Any] = {"buffer": {}}
DRAINING: dict[str, Any] = {"buffer": {"drain": True}}
EVENTBRIDGE: dict[str, Any] = {"via": "eventbridge"}
SILENCE: dict[str, Any] = {"silence": {"enabled": True}}
REQUESTS = "20,000 requests a month are free, beyond them $0.03 per 10,000."
EVENTS = (
    "S3 sends every event of the bucket to EventBridge, whatever the filters, "
    "of which nothing is free: $1 per 1,000,000."
)


def case(*sentences: str, **values: Any) -> ParameterSet:
    name = sentences[0].partition(",")[0].partition(":")[0] if sentences else json.dumps(values)
    return pytest.param(list(sentences), marks=variables(**values), id=name)


@pytest.mark.parametrize(
    "sentences",
    [
        case(),
        case(table={"write_units": 25, "read_units": 25}),
        case(table={"object_index": True}),
        case(delivery=BUFFER),
        case(delivery=BUFFER | {"paused": True}),
        case(delivery=DRAINING, alarms=SILENCE),
        case(dashboard={"create": True}),
        case(
            function={
                "reserved_concurrency": 5,
                "log_retention_days": 365,
                "vpc": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]},
            }
        ),
        case(
            bucket={
                "create": False,
                "name": "theirs",
                "take_over_notifications": True,
                "access_log": {"bucket": "logs"},
            }
        ),
        case(free_tier="enforce"),
        case(
            "table.write_units is 30: 5 units beyond the 25 that are free cost $2.37 a month.",
            table={"write_units": 30},
        ),
        case(
            "table.read_units is 26: 1 unit beyond the 25 that are free costs $0.09 a month.",
            table={"read_units": 26},
        ),
        case(
            "table.write_units is 15, and table.object_index takes as many again: "
            "5 units beyond the 25 that are free cost $2.37 a month.",
            table={"write_units": 15, "object_index": True},
        ),
        case(
            "table.billing_mode is PAY_PER_REQUEST, of which nothing is free: "
            "$0.625 per 1,000,000 writes, $0.125 per 1,000,000 reads.",
            table={"billing_mode": "PAY_PER_REQUEST", "write_units": 30},
        ),
        case(
            "table.billing_mode is PAY_PER_REQUEST, of which nothing is free: "
            "$0.625 per 1,000,000 writes (two for each record with table.object_index), "
            "$0.125 per 1,000,000 reads.",
            table={"billing_mode": "PAY_PER_REQUEST", "object_index": True},
        ),
        case(
            "table.point_in_time_recovery is true, of which nothing is free: $0.20 per GB a month.",
            table={"point_in_time_recovery": True},
        ),
        case(
            "function.tracing is Active: 100,000 traces a month are free, which 0.039 uploads "
            "a second use up; beyond them $5 per 1,000,000.",
            function={"tracing": "Active"},
        ),
        case(
            "function.tracing is Active: 100,000 traces a month are free, which 0.039 batches "
            "a second use up; beyond them $5 per 1,000,000.",
            function={"tracing": "Active"},
            delivery=BUFFER,
        ),
        case(f"delivery.via is eventbridge: {EVENTS}", delivery=EVENTBRIDGE),
        case(f"delivery.handover is true: {EVENTS}", delivery={"handover": True}),
        case(
            f"delivery.via is eventbridge: {EVENTS}",
            "alarms watch 11 metrics: 1 beyond the 10 that are free costs $0.10 a month.",
            delivery=EVENTBRIDGE,
            alarms=SILENCE,
        ),
        case(
            f"delivery.handover is true: {EVENTS}",
            "alarms watch 12 metrics: 2 beyond the 10 that are free cost $0.20 a month.",
            delivery=DRAINING | {"handover": True},
            alarms=SILENCE,
        ),
        case(
            "encryption.mode is create: the key costs $1 a month, and as much again after each "
            f"of the first two rotations; {REQUESTS}",
            encryption={"mode": "create"},
        ),
        case(
            f"encryption.mode is given: the key is its owner's to pay; {REQUESTS}",
            encryption={"mode": "given", "kms_key_arn": KEY},
        ),
        case(
            f"encryption.mode is given: the key is its owner's to pay; {REQUESTS}",
            encryption={"mode": "given", "kms_key_arn": LATER},
        ),
        case(
            "topic.subscriptions has deputy, phone by sms, of which nothing is free: "
            "the price varies by country.",
            topic={
                "subscriptions": {
                    "phone": {"protocol": "sms", "endpoint": "+4915112345678"},
                    "deputy": {"protocol": "sms", "endpoint": LATER},
                    "queue": {"protocol": "sqs", "endpoint": LATER},
                }
            },
        ),
        case(
            "bucket.access_log is set, and nothing of S3's storage is free: "
            "$0.023 per GB of logs a month.",
            bucket={"access_log": {"bucket": LATER}},
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


def warnings(folder: Path, environment: dict[str, str]) -> list[str]:
    """What a plan of `folder` warns of; fails when the plan does."""
    terraform.init(folder, environment)
    said = terraform.run(folder, environment, "plan", "-json", "-input=false").stdout
    messages = [json.loads(line) for line in said.splitlines()]
    found = [message["diagnostic"] for message in messages if message["type"] == "diagnostic"]
    assert {diagnostic["severity"] for diagnostic in found} <= {"warning"}
    return [diagnostic["detail"] for diagnostic in found]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            COSTLY,
            [
                "\n".join(
                    [
                        "These settings leave AWS's always-free limits (prices of us-east-1, "
                        "2026-11-22):",
                        *COSTS,
                    ]
                )
            ],
        ),
        (COSTLY | {"free_tier": "off"}, []),
        ({}, []),
    ],
    ids=["warn", "off", "default"],
)
def test_a_plan_warns_with_the_same_sentences_and_goes_on(
    values: dict[str, Any], expected: list[str], reattached: dict[str, str], tmp_path: Path
) -> None:
    source = os.path.relpath(ROOT, tmp_path)
    terraform.write_root(tmp_path, {"module": {"pipeline": {"source": source, **values}}})
    assert warnings(tmp_path, reattached) == expected


# As docs/cost.md names them.
WAYS: dict[str, dict[str, Any]] = {
    "notification": {},
    "notification through a buffer": {"delivery": BUFFER},
    "notification while a buffer drains": {"delivery": DRAINING},
    "EventBridge, or both during a hand-over": {"delivery": EVENTBRIDGE},
    "EventBridge through a buffer": {"delivery": EVENTBRIDGE | BUFFER},
    "EventBridge, or both, while a buffer drains": {"delivery": EVENTBRIDGE | DRAINING},
    "one alarm more": {"alarms": SILENCE},
    "none": {"alarms": {"create": False}},
}


def test_prices_and_limits_are_those_of_the_table(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    """Without a free alarm, every way names what it watches: as many metrics as are planned."""
    copied = copy_module(tmp_path / "module")
    file = copied / "prices.json"
    table = json.loads(file.read_text())
    table["items"]["cloudwatch_alarms"] |= {"free": 0, "price": 1.5}
    table["items"]["eventbridge_events"] |= {"price": 0.333, "per": 1000}
    file.write_text(json.dumps(table))
    root = tmp_path / "root"
    called = {f"way{number}": values for number, values in enumerate(WAYS.values())}
    module = {name: {"source": "../module", **values} for name, values in called.items()}
    output = {name: {"value": f"${{module.{name}.free_tier_exceptions}}"} for name in called}
    terraform.write_root(root, {"module": module, "output": output})
    terraform.init(root, reattached)
    planned = terraform.plan(root, reattached)
    told = (ROOT / "docs/cost.md").read_text()
    for (way, values), name in zip(WAYS.items(), called, strict=True):
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
        assert planned.outputs[name] == expected, way
        if "alarms" not in values:
            assert f"| {way} | {watched} | {watched + 1} |" in told
