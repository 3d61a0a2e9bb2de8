"""One table of limits and prices, and no page that says otherwise."""

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline import prices
from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.prices import money
from tools.inputs import attributes, blocks

PRICES = prices.load()
ITEMS = PRICES.items
MILLION = Decimal(1_000_000)
# What a reader sees, however the lines are broken.
COST = " ".join((ROOT / "docs/reference/cost.md").read_text().split())
README = " ".join((ROOT / "README.md").read_text().split())


def rate(item: str) -> str:
    """How many a second use the free amount up."""
    return f"{free(item) / PRICES.seconds_a_month:.3f}"


def free(item: str) -> Decimal:
    amount = ITEMS[item].free
    assert amount is not None
    return amount


def price(item: str, count: Decimal | int = 1) -> Decimal:
    """What `count` of an item cost beyond its free amount; for a month, where it is hourly."""
    found = ITEMS[item]
    assert found.price is not None
    hours = PRICES.hours_a_month if found.hourly else 1
    return found.price * count * hours / found.per


def cents(dollars: Decimal) -> str:
    return f"${dollars:.2f}"


def default(variable: str, attribute: str) -> Decimal:
    """The default of an attribute of a variable."""
    found = {each.name: each for each in attributes(blocks(ROOT, "variable")[variable]["type"], [])}
    return Decimal(str(found[attribute].default))


@pytest.mark.parametrize("key", ITEMS)
def test_every_item_is_whole_and_has_its_source(key: str) -> None:
    item = ITEMS[key]
    assert item.source.startswith("https://aws.amazon.com/")
    assert "/pricing/" in item.source or item.source.endswith("-pricing/")
    assert item.service
    assert item.unit
    assert date.fromisoformat(item.date) <= date.fromisoformat(PRICES.date)
    assert item.per > 0
    assert item.free is None or item.free > 0
    assert item.price > 0 if item.price is not None else item.note


def test_only_these_prices_were_not_found_in_awss_price_list() -> None:
    assert {key for key, item in ITEMS.items() if not item.offer} == {
        *("cloudwatch_composites", "s3_batch_jobs", "s3_batch_objects", "sns_sms", "xray_traces")
    }


def test_items_of_one_pool_share_one_amount() -> None:
    pools: dict[str, set[Decimal | None]] = {}
    for item in ITEMS.values():
        if item.pool:
            pools.setdefault(item.pool, set()).add(item.free)
    assert pools == {"Lambda GB-seconds": {Decimal(400_000)}, "CloudWatch Logs GB": {Decimal(5)}}


def test_terraform_names_no_item_that_is_not_there() -> None:
    text = (ROOT / "free_tier.tf").read_text()
    named = set(re.findall(r"local\.(?:items|money|amounts\.free|amounts\.per)\.(\w+)", text))
    assert "xray_traces" in named
    assert named <= set(ITEMS)


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [("5", "$5"), ("3.0", "$3"), ("0.1", "$0.10"), ("0.625", "$0.625"), ("1234.5", "$1,234.50")],
)
def test_money_has_cents_at_least_unless_it_is_whole(dollars: str, expected: str) -> None:
    assert money(Decimal(dollars)) == expected


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"items": {"x": {"price": 1}}}'])
def test_what_is_no_table_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(PipelineError, match=r"prices\.json is no table of prices"):
        prices.load(file)


def test_a_changed_price_changes_the_table(tmp_path: Path) -> None:
    read = json.loads(prices.FILE.read_text())
    read["items"]["sqs_requests"] |= {"price": 0.5, "free": None}
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(read))
    row = (
        "| [SQS](https://aws.amazon.com/sqs/pricing/) | requests | nothing | $0.50 per 1,000,000 "
        f"| {ITEMS['sqs_requests'].date} |"
    )
    assert row in prices.table(prices.load(file)).splitlines()
    assert row not in prices.table(PRICES).splitlines()


MEMORY_GB = default("function", "memory_mb") / 1024
RECEIVING = 5 * PRICES.seconds_a_month / 20  # five pollers that wait 20 seconds each
# Of a month: what is kept counts beside what is taken in.
KEPT = default("function", "log_retention_days") * 86400 / PRICES.seconds_a_month
LEFT = free("sqs_requests") - RECEIVING
SAVED = price("lambda_requests", MILLION)
IN_TENS = price("sqs_requests", MILLION * (1 + Decimal(2) / 10))
ONE_BY_ONE = price("sqs_requests", MILLION * 3)


@pytest.mark.parametrize(
    "figure",
    [
        f"those of [`prices.json`](../../prices.json), for {PRICES.region} on {PRICES.date}",
        f"A month has {PRICES.hours_a_month} hours",
        f"and {PRICES.seconds_a_month / 86400:.0f} days",
        f"{money(price('s3_puts', 1000))} per 1,000 uploads and {money(price('s3_storage'))} for a",
        # By default
        f"| one an upload | {free('lambda_requests'):,} | **{rate('lambda_requests')} uploads a",
        f"arm64, {default('function', 'memory_mb')} MB | {free('lambda_arm64'):,} GB-seconds | "
        f"{free('lambda_arm64') / MEMORY_GB / MILLION:.1f} seconds for each of 1,000,000 uploads",
        f"{default('table', 'write_units')} write and {default('table', 'read_units')} read units "
        f"| {free('dynamodb_write_units')} and {free('dynamodb_read_units')} | "
        f"{default('table', 'write_units')} records a second",
        f"alarm metrics | {free('cloudwatch_alarms')} |",
        f"kept {default('function', 'log_retention_days')} days | {free('cloudwatch_ingestion')} GB"
        f" | {free('cloudwatch_ingestion') / (1 + KEPT):.1f} KB for each of 1,000,000 uploads",
        f"| {free('sns_emails'):,} | |",
        f"a message for each lost event | {free('sqs_requests'):,} requests |",
        f"1,000,000 uploads cost {cents(SAVED)} for requests, "
        f"{cents(price('lambda_arm64', MILLION * MEMORY_GB / 100))} for each 10 ms",
        f"and {cents(price('s3_puts', MILLION))} for S3's own side",
        # What leaves the free limits
        f"| {free('dynamodb_write_units')} each; `table.object_index` takes as many again | "
        f"{cents(price('dynamodb_write_units'))} a write unit, "
        f"{cents(price('dynamodb_read_units'))} a read unit a month |",
        f"{money(price('dynamodb_writes', MILLION))} per 1,000,000 writes, twice that",
        f"{money(price('dynamodb_reads', MILLION))} per 1,000,000 reads |",
        f"{money(price('dynamodb_recovery'))} per GB a month |",
        f"{free('xray_traces'):,} traces, which {rate('xray_traces')} uploads a second use up | "
        f"{money(price('xray_traces', MILLION))} per 1,000,000 |",
        f"{money(price('eventbridge_events', MILLION))} per 1,000,000 events of the bucket",
        f"| {free('cloudwatch_alarms')} metrics | {money(price('cloudwatch_alarms'))} a metric a",
        f"| `alarms.health` | nothing | {money(price('cloudwatch_composites'))} a month, beside",
        f"nothing of the key, {free('kms_requests'):,} requests | {money(price('kms_keys'))} a "
        f"month, {money(price('kms_keys', 2))} after a year and {money(price('kms_keys', 3))} "
        f"after two, since the key rotates yearly; {money(price('kms_requests', 10_000))} per",
        f"| {free('kms_requests'):,} requests | {money(price('kms_requests', 10_000))} per 10,000;",
        f"{money(price('s3_storage'))} per GB of logs a month",
        # What a buffer changes
        f"SQS's {free('sqs_requests'):,} free requests",
        f"makes {RECEIVING:,.0f} requests a month",
        f"What is left are {LEFT:,.0f} requests",
        f"{LEFT / 3 / PRICES.seconds_a_month:.3f} uploads a second, in batches of ten more",
        f"cost {cents(IN_TENS)} (in tens) to {cents(ONE_BY_ONE)} (one by one) for SQS, "
        f"and save at most {cents(SAVED)} of Lambda's requests",
        # What costs nothing
        f"then {money(price('cloudwatch_dashboards'))} a month",
        f"out of the same {free('cloudwatch_insights')} GB",
        f"over HTTPS {free('sns_https'):,} are free, then "
        f"{money(price('sns_https', MILLION))} per 1,000,000",
    ],
)
def test_what_the_page_says_follows_from_the_table(figure: str) -> None:
    assert figure in COST


def test_a_buffer_costs_more_than_it_saves_and_idles_for_free() -> None:
    assert free("sqs_requests") > RECEIVING
    assert SAVED < IN_TENS < ONE_BY_ONE


def test_lambdas_requests_are_the_first_to_end() -> None:
    by_units = default("table", "write_units") * PRICES.seconds_a_month
    assert free("lambda_requests") < by_units
    assert default("table", "write_units") <= free("dynamodb_write_units")


@pytest.mark.parametrize(
    "figure",
    [
        f"up to {free('lambda_requests'):,} uploads a month ({rate('lambda_requests')} a",
        f"{money(price('s3_puts', 1000))} per 1,000 uploads",
        f"{PRICES.region}'s prices of {PRICES.date}",
    ],
)
def test_what_the_readme_says_follows_from_the_table(figure: str) -> None:
    assert figure in README
