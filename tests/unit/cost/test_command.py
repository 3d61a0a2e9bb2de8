"""What `python -m pipeline cost` prints, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import prices
from tests.support.terraform.cost_plans import buffered, pipeline, plan, resource

REPOSITORY = Path(__file__).parents[3]
PRICES = prices.load()


def cost(*arguments: str, given: Any = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "cost", *arguments],
        cwd=REPOSITORY,
        input=json.dumps(given) if given else "",
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_prints_items_total_and_where_free_ends() -> None:
    done = cost("-", "--uploads", "2000000", "--size", "0", given=plan(pipeline()))
    assert done.returncode == 0
    assert done.stderr == ""
    said = " ".join(done.stdout.split())
    assert "A month of the standard input 0.772 uploads a second (2,000,000 a month)" in said
    assert "Lambda: requests 2,000,000 1,000,000 1,000,000 $0.20" in said
    assert "S3: uploads (PUT) 2,000,000 - 2,000,000 $10.00" in said
    assert "together $10.20" in said
    assert "0.386 uploads a second: Lambda requests (the first to end)" in said
    assert f"Prices of {PRICES.region}, {PRICES.date}." in said
    assert "Free amounts are the account's" in said
    assert "S3 has none." in said


def test_json_has_the_same_figures() -> None:
    done = cost("-", "--uploads", "2000000", "--json", given=plan(pipeline(), buffered("module.b")))
    document = json.loads(done.stdout)
    assert document["pipelines"] == ["module.pipeline", "module.b"]
    assert document["assumed"]["uploads"] == 2_000_000
    items = {item["item"]: item for item in document["items"]}
    assert items["lambda_requests"] == {
        "item": "lambda_requests",
        "what": "Lambda: requests",
        "quantity": 4_000_000,
        "free": 1_000_000,
        "billed": 3_000_000,
        "dollars": 0.6,
        "note": None,
    }
    assert items["s3_puts"]["free"] is None
    assert document["dollars"] == pytest.approx(sum(item["dollars"] for item in document["items"]))
    assert document["free_until"][0]["items"] == ["sqs_requests"]
    assert document["free_until"][0]["uploads_a_second"] == 0.045267


def test_what_has_no_price_is_named_and_left_out() -> None:
    sms: dict[str, Any] = {"topic__aws_sns_topic_subscription__this": {"protocol": "sms"}}
    more = [resource("aws_nat_gateway.a"), resource("aws_sqs_queue.q")]
    done = cost("-", "--rate", "0", given=plan(pipeline(**sms), resources=more))
    said = " ".join(done.stdout.split())
    assert "SNS: SMS 30 - 30 ?" in said
    assert "SNS, SMS: the price varies by country." in said
    assert "Not priced, since the table has no price for it: 1 aws_nat_gateway." in said
    assert "billed by a usage that no plan shows: 1 aws_sqs_queue." in said
    assert "together $0.00" in said


def test_another_region_is_told() -> None:
    queue = resource("aws_sqs_queue.q", arn="arn:aws:sqs:eu-north-1:123456789012:q")
    done = cost("-", given=plan(pipeline(), resources=[queue]))
    assert "It is in eu-north-1, and the prices are us-east-1's" in done.stdout


def test_a_module_of_any_name_does_nothing_to_the_terminal() -> None:
    done = cost("-", given=plan(buffered('module.p["[red]\x1b[31m"]', enabled=False)))
    assert 'module.p["[red]\\x1b[31m"] is paused' in done.stdout


@pytest.mark.parametrize(("limit", "status"), [("5.00", 0), ("4.99", 1), ("0", 1)])
def test_a_limit_decides_the_exit_status(limit: str, status: int) -> None:
    arguments = ["--uploads", "1000000", "--size", "0", "--limit", limit]
    done = cost("-", *arguments, given=plan(pipeline()))
    assert done.returncode == status
    assert ("That is more than the limit of" in done.stdout) is bool(status)
    assert cost("-", *arguments, "--json", given=plan(pipeline())).returncode == status


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rate", "1", "--uploads", "1"], "--rate and --uploads both set"),
        (["--size", "big"], "--size 'big' is no size: write bytes, or 100KB"),
        (["--size=-1"], "--size '-1' is no size"),
        (["/nonexistent/plan.json"], "The file /nonexistent/plan.json can't be read (No such"),
        (["."], "The file . can't be read (Is a directory)"),
        (["a.json", "--stack", "b"], "A plan and --stack both name what to price"),
        (["--stack", "/nonexistent"], "/nonexistent is no folder"),
        (["-"], "The standard input is empty: run `terraform plan"),
    ],
)
def test_what_can_not_be_priced_is_said_in_one_sentence(
    arguments: list[str], sentence: str
) -> None:
    done = cost(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip().splitlines()[-1].startswith(sentence)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--rate=-1", "--rate=nan", "--batch=0", "--limit=nan"])
def test_nonsense_is_refused(option: str) -> None:
    done = cost("-", option, given=plan(pipeline()))
    assert done.returncode == 2
    assert f"Invalid value for '{option.partition('=')[0]}'" in done.stderr
