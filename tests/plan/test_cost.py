"""`pipeline cost` of a real plan agrees with the module's own outputs."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from pipeline import prices
from pipeline.cost import bill
from pipeline.cost import plan as plan_json
from pipeline.cost.module_usage import Assumed
from pipeline.cost.plan import Plan
from pipeline.cost.usage import usage_of
from pipeline.paths import ROOT
from pipeline.terraform import run as terraform

PRICES = prices.load()
KEY = "arn:aws:kms:us-east-1:123456789012:key/0b5e3c4e-0000-4000-8000-000000000000"
BUFFER: dict[str, Any] = {"buffer": {}}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "buffered": {"delivery": BUFFER},
    "paused": {"delivery": BUFFER | {"paused": True}, "free_tier": "enforce"},
    "eventbridge": {"delivery": {"via": "eventbridge"}, "alarms": {"silence": {"enabled": True}}},
    "buckets": {"delivery": {"buckets": ["one", "two"], "accounts": ["210987654321"]}},
    "handover": {"delivery": {"buffer": {"drain": True}, "handover": True}},
    "on-demand": {
        "table": {
            "billing_mode": "PAY_PER_REQUEST",
            "object_index": True,
            "point_in_time_recovery": True,
        }
    },
    "large": {"table": {"write_units": 15, "read_units": 13, "object_index": True}},
    "encrypted": {"encryption": {"mode": "create"}, "delivery": BUFFER},
    "given": {"encryption": {"mode": "given", "kms_key_arn": KEY}},
    "watched": {
        "function": {"tracing": "Active"},
        "dashboard": {"create": True},
        "alarm_emails": ["ops@example.com"],
        "topic": {
            "subscriptions": {"phone": {"protocol": "sms", "endpoint": "+4915112345678"}},
        },
    },
}
# Which item each sentence of `free_tier_exceptions` is about.
ABOUT = {
    "table.write_units": "dynamodb_write_units",
    "table.read_units": "dynamodb_read_units",
    "table.billing_mode": "dynamodb_writes",
    "table.point_in_time_recovery": "dynamodb_recovery",
    "function.tracing": "xray_traces",
    "delivery.via": "eventbridge_events",
    "delivery.handover": "eventbridge_events",
    "delivery.buckets": "eventbridge_events",
    "alarms watch": "cloudwatch_alarms",
    "encryption.mode is create": "kms_keys",
    "encryption.mode is given": "kms_requests",
    "topic.subscriptions": "sns_sms",
}
# So few that nothing ends that is free at all.
FEW = Decimal(1000)
# Uploads alone can use up any amount of these.
BY_USE = {"xray_traces", "kms_requests"}


@pytest.fixture(scope="module")
def raw(reattached: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One plan of all configurations, as `terraform show -json` prints it."""
    folder = tmp_path_factory.mktemp("costs")
    source = os.path.relpath(ROOT, folder)
    terraform.write_root(
        folder,
        {
            "module": {
                name: {"source": source, "name_prefix": f"{name}-", **values}
                for name, values in CONFIGURATIONS.items()
            },
            "output": {
                name: {"value": f"${{module.{name}.free_tier_exceptions}}"}
                for name in CONFIGURATIONS
            },
        },
    )
    terraform.init(folder, reattached)
    return dict(terraform.plan(folder, reattached))


def only(raw: Mapping[str, Any], *names: str) -> Plan:
    """The same plan as if the root called these alone."""
    root = raw["planned_values"]["root_module"]
    wanted = {f"module.{name}" for name in names}
    children = [child for child in root["child_modules"] if child["address"] in wanted]
    assert len(children) == len(wanted)
    planned = {"root_module": {"child_modules": children}}
    return plan_json.read({**raw, "planned_values": planned}, "the plan")


def costs(plan: Plan, uploads: Decimal = FEW) -> dict[str, bill.Cost]:
    used = usage_of(plan, Assumed(uploads), PRICES)
    assert not used.unpriced
    return {cost.key: cost for cost in bill.costs(used.uses, uploads, PRICES)}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_costs_is_what_leaves_the_free_limits(name: str, raw: dict[str, Any]) -> None:
    sentences = raw["planned_values"]["outputs"][name]["value"]
    named = {ABOUT[start] for text in sentences for start in ABOUT if text.startswith(start)}
    assert bool(named) == bool(sentences)
    found = costs(only(raw, name))
    beyond = {key for key, cost in found.items() if cost.billed and cost.item.service != "S3"}
    # What uploads alone use up is free as long as they are few.
    assert beyond == named - BY_USE
    assert named <= set(found)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_fixed_costs_are_those_of_the_sentences(name: str, raw: dict[str, Any]) -> None:
    found = costs(only(raw, name), Decimal(0))
    for sentence in raw["planned_values"]["outputs"][name]["value"]:
        for start in ("table.write_units", "table.read_units", "alarms watch"):
            if sentence.startswith(start):
                dollars = found[ABOUT[start]].dollars
                assert dollars is not None
                assert f"{bill.money(dollars)} a month" in sentence
        if watched := re.match(r"alarms watch (\d+) metrics", sentence):
            assert found["cloudwatch_alarms"].quantity == int(watched[1])


@pytest.mark.parametrize(
    ("name", "metrics"),
    [("default", 9), ("buffered", 8), ("eventbridge", 11), ("handover", 12), ("on-demand", 8)],
)
def test_alarms_count_as_many_metrics_as_the_page_says(
    name: str, metrics: int, raw: dict[str, Any]
) -> None:
    assert costs(only(raw, name))["cloudwatch_alarms"].quantity == metrics


def test_uploads_are_spread_over_the_buckets(raw: dict[str, Any]) -> None:
    used = usage_of(only(raw, "buckets"), Assumed(FEW), PRICES)
    each = {use.item: use.per_upload for use in used.uses}
    assert f"{each['eventbridge_events']:.3f}" == "0.667"
    assert f"{each['lambda_requests']:.3f}" == "1.000"
    assert "module.buckets: uploads are counted as evenly spread over 3 buckets." in used.notes


def test_a_buffer_ends_its_free_requests_where_the_page_says(raw: dict[str, Any]) -> None:
    def first(name: str) -> tuple[str, str]:
        used = usage_of(only(raw, name), Assumed(FEW), PRICES).uses
        end = bill.free_until(lambda _: used, PRICES)[0]
        return end.what, f"{end.uploads / PRICES.seconds_a_month:.3f}"

    assert {name: first(name) for name in ("default", "buffered", "paused")} == {
        "default": ("Lambda requests", "0.386"),
        "buffered": ("SQS requests", "0.045"),
        # One request an upload, as nobody reads.
        "paused": ("SQS requests", "0.386"),
    }


def test_pipelines_of_one_root_share_what_is_free(raw: dict[str, Any]) -> None:
    plan = only(raw, "default", "buffered")
    assert list(plan.pipelines) == ["module.buffered", "module.default"]
    alone = costs(only(raw, "default"))["cloudwatch_alarms"]
    together = costs(plan)["cloudwatch_alarms"]
    assert alone.billed == 0
    assert [together.quantity, together.free, together.billed] == [17, 10, 7]


def test_every_attribute_that_counts_is_known_at_plan(raw: dict[str, Any]) -> None:
    for name in CONFIGURATIONS:
        notes = usage_of(only(raw, name), Assumed(FEW), PRICES).notes
        assert [note for note in notes if "only after apply" in note] == []


def test_without_a_plan_the_module_is_priced_as_the_page_shows() -> None:
    page = (ROOT / "docs/reference/cost.md").read_text()
    shown = re.search(r"```text\n\$ python -m pipeline (cost .*)\n([^`]*)```", page)
    assert shown
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *shown[1].split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip("\n") == shown[2].strip("\n")
