"""A stack of 1.0.0 is upgraded to this module: everything that holds data stays, uploads go on.

When one of these fails, consumers lose something by an upgrade: add a `moved` block or keep the
argument. What has to go all the same is a line of the changelog, of the upgrade notes and here.
"""

import base64
import hashlib
import re
from collections import Counter

import pytest

from pipeline.accept.deliveries import Delivery
from pipeline.paths import ROOT
from tests.support.stacks.deliveries import params
from tests.support.stacks.upgrading import (
    ENOUGH,
    INSTANCES,
    PHASES,
    REPRESENTATIVE,
    Upgraded,
    ended,
)
from tools.package import PACKAGE

# What is deleted or replaced on the way from 1.0.0, as the changelog says: addresses without the
# consumer's part.
DELETED: frozenset[str] = frozenset()

every_instance = pytest.mark.parametrize("instance", params(INSTANCES, REPRESENTATIVE))


def inside(address: str, instance: Delivery) -> str:
    """An address without what the consumer calls this instance; empty outside of it."""
    _, _, found = address.partition(f"module.{instance.name}.")
    return found


@every_instance
def test_nothing_is_deleted_or_replaced_but_what_the_changelog_names(
    upgraded: Upgraded, instance: Delivery
) -> None:
    gone = {inside(address, instance): what for address, what in ended(upgraded.planned).items()}
    assert {address: what for address, what in gone.items() if address not in {"", *DELETED}} == {}


@every_instance
def test_everything_that_holds_data_is_kept(upgraded: Upgraded, instance: Delivery) -> None:
    kept = Counter(
        change["type"]
        for address, change in upgraded.planned.items()
        if inside(address, instance) and change["change"]["actions"] in (["no-op"], ["update"])
    )
    held = {
        "aws_s3_bucket": 1,
        "aws_dynamodb_table": 1,
        "aws_sqs_queue": 2 if instance.buffered else 1,
        "aws_lambda_function": 1,
        "aws_cloudwatch_log_group": 1,
        "aws_iam_role": 1,
        "aws_sns_topic": 1,
        "aws_sns_topic_subscription": 1,
        "aws_kms_key": 1 if instance.customer_key else 0,
    }
    assert {type_: kept[type_] for type_ in held} == held


@every_instance
def test_names_arns_and_urls_stay_as_they_were(upgraded: Upgraded, instance: Delivery) -> None:
    before, after = (
        {name: value for name, value in outputs.items() if name.endswith(("_name", "_arn", "_url"))}
        for outputs in (
            upgraded.outputs_before[instance.name],
            upgraded.outputs_after[instance.name],
        )
    )
    assert before
    assert {name: after.get(name) for name in before} == before


@every_instance
def test_no_upload_is_lost_or_counted_twice(upgraded: Upgraded, instance: Delivery) -> None:
    uploads = Counter(key.partition("/")[0] for key in upgraded.uploaded)
    assert [phase for phase in PHASES if uploads[phase] < ENOUGH] == []
    records = Counter(item["objectKey"]["S"] for item in upgraded.items_after[instance.name])
    assert records == dict.fromkeys(upgraded.uploaded, 1)


@every_instance
def test_records_from_before_are_still_there(upgraded: Upgraded, instance: Delivery) -> None:
    before = upgraded.items_before[instance.name]
    assert len(before) >= ENOUGH
    after = upgraded.items_after[instance.name]
    assert [item for item in before if item not in after] == []


def test_a_second_plan_changes_nothing(upgraded: Upgraded) -> None:
    assert upgraded.second_plan == ""


@every_instance
def test_the_function_gets_the_new_package(upgraded: Upgraded, instance: Delivery) -> None:
    _, _, release = (ROOT / "CHANGELOG.md").read_text().partition("## [1.0.0]")
    named = re.search(r"SHA-256 of `lambda_src/dist/lambda\.zip`: `([0-9a-f]{64})`", release)
    assert named
    before, after = upgraded.code_before[instance.name], upgraded.code_after[instance.name]
    assert base64.b64decode(before).hex() == named[1]
    assert base64.b64decode(after) == hashlib.sha256(PACKAGE.read_bytes()).digest()
