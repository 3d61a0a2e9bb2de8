"""A lab that was built by hand comes under Terraform without losing anything."""

import base64
import hashlib
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.accept.console_lab import FULL_ACCESS, ConsoleLab
from pipeline.emulator.process import ACCOUNT_ID, REGION
from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tests.support.poll import until
from tests.support.stacks.adopting import (
    EMAIL,
    LAB,
    OTHER,
    PENDING,
    SCALED,
    SCALED_UNITS,
    Adopted,
    records,
)
from tools.package import PACKAGE

ROLE = "module.pipeline.module.role.aws_iam_role.this"
TABLE = "module.pipeline.module.table.aws_dynamodb_table.this"
PERMISSION = "module.pipeline.module.function.aws_lambda_permission.bucket[0]"
SUBSCRIPTION = 'module.pipeline.module.topic.aws_sns_topic_subscription.email["{}"]'
ATTACHED = "aws_iam_role_policy_attachments_exclusive.lab"


def made_by_hand(lab: ConsoleLab, subscription: str) -> dict[str, str]:
    """What the console made: the id of each part, by its address without `module.pipeline`."""
    names, bucket = lab.names, lab.bucket
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{names['topic']}"
    settings = (
        "aws_s3_bucket",
        "aws_s3_bucket_versioning",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_notification",
    )
    alarms = ("write_activity", "write_throttle")
    inner = {
        "topic.aws_sns_topic.this[0]": topic,
        "topic.aws_sns_topic_policy.this[0]": topic,
        f'topic.aws_sns_topic_subscription.email["{EMAIL}"]': subscription,
        "table.aws_dynamodb_table.this": names["table"],
        "role.aws_iam_role.this": names["role"],
        "function.aws_lambda_function.this": names["function"],
        "function.aws_cloudwatch_log_group.this": f"/aws/lambda/{names['function']}",
        **{f"bucket.{kind}.this[0]": bucket for kind in settings},
        **{f'alarms.aws_cloudwatch_metric_alarm.this["{key}"]': names[key] for key in alarms},
    }
    return {ATTACHED: names["role"]} | {
        f"module.pipeline.module.{address}": identifier for address, identifier in inner.items()
    }


def imported(changes: Any) -> dict[str, str]:
    return {
        address: change["importing"]["id"]
        for address, change in changes.items()
        if change.get("importing")
    }


def ended(changes: Any) -> set[str]:
    """What a plan deletes, also to make it anew."""
    return {address for address, change in changes.items() if "delete" in change["actions"]}


def test_every_part_of_the_lab_is_imported(adopted: Adopted) -> None:
    expected = made_by_hand(LAB, adopted.subscription)
    expected[PERMISSION] = f"{LAB.names['function']}/{LAB.permission_sid(ACCOUNT_ID)}"
    assert imported(adopted.planned) == expected


def test_nothing_of_the_lab_is_deleted_or_replaced(adopted: Adopted) -> None:
    assert adopted.planned
    assert ended(adopted.planned) == set()


def test_the_plan_ends_with_the_line_that_the_page_shows(adopted: Adopted) -> None:
    counts = Counter(action for change in adopted.planned.values() for action in change["actions"])
    assert (
        f"Plan: {len(imported(adopted.planned))} to import, {counts['create']} to add, "
        f"{counts['update']} to change, {counts['delete']} to destroy."
    ) in (ROOT / "docs/start/adopt-console-lab.md").read_text()


def test_the_plan_names_the_full_access_policies_that_go(adopted: Adopted) -> None:
    change = adopted.planned[ATTACHED]
    assert sorted(change["before"]["policy_arns"]) == sorted(
        f"arn:aws:iam::aws:policy/{name}" for name in FULL_ACCESS
    )
    assert change["after"]["policy_arns"] == []


def test_no_upload_is_lost_while_the_lab_is_adopted(adopted: Adopted) -> None:
    recorded = {item["objectKey"]["S"]: item for item in adopted.items_after}
    assert len(adopted.uploaded) > 100
    assert set(adopted.uploaded) - set(recorded) - adopted.failed == set()
    # Both handlers were at work: the old one knows no event names.
    assert "eventName" not in recorded[adopted.uploaded[0]]
    assert "eventName" in recorded[adopted.uploaded[-1]]


def test_records_and_objects_from_before_are_still_there(adopted: Adopted) -> None:
    assert adopted.items_before
    assert all(item in adopted.items_after for item in adopted.items_before)
    s3 = adopted.client("s3")
    for key, etag in adopted.etags.items():
        found = s3.get_object(Bucket=LAB.bucket, Key=key)
        assert (found["ETag"], found["Body"].read()) == (etag, key.encode())


def test_the_role_may_do_what_the_module_grants_and_nothing_else(adopted: Adopted) -> None:
    iam, role = adopted.client("iam"), LAB.names["role"]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["pipeline"]


def test_the_function_runs_the_modules_package(adopted: Adopted) -> None:
    name = LAB.names["function"]
    function = adopted.client("lambda").get_function_configuration(FunctionName=name)
    digest = hashlib.sha256(PACKAGE.read_bytes()).digest()
    assert function["CodeSha256"] == base64.b64encode(digest).decode()


def test_the_subscription_and_the_permission_stay_as_they_were(adopted: Adopted) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{LAB.names['topic']}"
    found = adopted.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [subscription["SubscriptionArn"] for subscription in found] == [adopted.subscription]
    assert adopted.planned[PERMISSION]["actions"] == ["no-op"]


def test_a_second_plan_changes_nothing(adopted: Adopted) -> None:
    assert adopted.second_plan == {}


def test_a_lab_that_terraform_forgets_still_works(adopted: Adopted, tmp_path: Path) -> None:
    state = tmp_path / "terraform.tfstate"
    shutil.copy(adopted.root / "terraform.tfstate", state)
    given = f"-state={state}"
    command = ("state", "rm", given, "module.pipeline", ATTACHED)
    terraform.run(adopted.root, adopted.environment, *command)
    left = terraform.run(adopted.root, adopted.environment, "state", "list", given).stdout.split()
    assert [address for address in left if not address.startswith("data.")] == []
    adopted.client("s3").put_object(Bucket=LAB.bucket, Key="after/a b.txt", Body=b"x")
    until(
        lambda: any(
            item["objectKey"]["S"] == "after/a b.txt" for item in records(LAB, adopted.account)
        )
    )


def test_a_lab_with_a_service_role_and_a_table_on_demand_is_imported_whole(
    adopted: Adopted,
) -> None:
    names = OTHER.names
    expected = made_by_hand(OTHER, adopted.other_subscription) | {
        "module.pipeline.module.bucket.aws_s3_bucket_policy.this[0]": OTHER.bucket,
        "module.pipeline.module.bucket.aws_s3_bucket_lifecycle_configuration.this[0]": OTHER.bucket,
        "module.pipeline.module.function.aws_lambda_function_event_invoke_config.this": names[
            "function"
        ],
    }
    assert imported(adopted.other) == expected
    assert ended(adopted.other) == set()
    assert adopted.other[ROLE]["after"]["path"] == "/service-role/"
    table = adopted.other[TABLE]
    assert (table["before"]["billing_mode"], table["after"]["billing_mode"]) == (
        "PAY_PER_REQUEST",
        "PROVISIONED",
    )


def test_a_pending_subscription_is_requested_again(adopted: Adopted) -> None:
    assert adopted.other[SUBSCRIPTION.format(PENDING)]["actions"] == ["create"]


def test_a_permission_that_is_not_imported_gets_a_second(adopted: Adopted) -> None:
    assert adopted.other[PERMISSION]["actions"] == ["create"]


@pytest.mark.parametrize("address", [ROLE, PERMISSION], ids=["role", "permission"])
def test_a_forgotten_path_or_a_permission_without_an_account_shows_as_a_replacement(
    adopted: Adopted, address: str
) -> None:
    assert set(adopted.careless[address]["actions"]) == {"delete", "create"}
    assert ended(adopted.careless) == {ROLE, PERMISSION}


def test_a_table_changes_from_the_scaled_units_to_the_configured(adopted: Adopted) -> None:
    table = adopted.careless[TABLE]
    assert table["importing"]["id"] == SCALED
    assert table["actions"] == ["update"]
    for units in ("write_capacity", "read_capacity"):
        assert (table["before"][units], table["after"][units]) == (SCALED_UNITS, 5)
    assert not [address for address in adopted.careless if "aws_appautoscaling" in address]


def test_what_is_not_there_stops_the_plan(adopted: Adopted) -> None:
    assert "Cannot import non-existent remote object" in adopted.mistaken
