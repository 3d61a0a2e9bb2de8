"""One key for everything, made here or given, and what its policy must say."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tests.plan.conftest import LATER, Planned

variables = pytest.mark.variables
ACCOUNT, REGION = "123456789012", "us-east-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
BUCKET_ARN = f"arn:aws:s3:::event-driven-lab-{ACCOUNT}-{REGION}"

CREATE: dict[str, Any] = {"mode": "create"}
GIVEN: dict[str, Any] = {"mode": "given", "kms_key_arn": KEY}
EVERYTHING: dict[str, Any] = {"via": "eventbridge", "buffer": {}}

# Where each resource names its key.
NAMES_KEY = {
    "topic.aws_sns_topic.this[0]": "kms_master_key_id",
    "queues.aws_sqs_queue.failures": "kms_master_key_id",
    "queues.aws_sqs_queue.buffer[0]": "kms_master_key_id",
    "function.aws_cloudwatch_log_group.this": "kms_key_id",
}
TABLE = "table.aws_dynamodb_table.this"
BUCKET = "bucket.aws_s3_bucket_server_side_encryption_configuration.this[0]"


@variables(delivery=EVERYTHING)
def test_by_default_nothing_has_a_key_of_ones_own(planned: Planned) -> None:
    assert not [address for address in planned.resources if "aws_kms" in address]
    for address, attribute in NAMES_KEY.items():
        assert planned.resources[address].get(attribute) is None, address
    assert planned.resources[TABLE]["server_side_encryption"][0]["enabled"] is False
    role = planned.policy("role.aws_iam_role_policy.pipeline")
    assert not {"OpenTableAndQueues", "SealMessages"} & role.keys()


@variables(delivery=EVERYTHING, encryption=GIVEN)
def test_a_given_key_encrypts_bucket_table_topic_queues_and_logs(planned: Planned) -> None:
    for address, attribute in NAMES_KEY.items():
        assert planned.resources[address][attribute] == KEY, address
    assert planned.resources[TABLE]["server_side_encryption"] == [
        {"enabled": True, "kms_key_arn": KEY}
    ]
    (rule,) = planned.resources[BUCKET]["rule"]
    assert rule["bucket_key_enabled"] is True
    assert rule["apply_server_side_encryption_by_default"] == [
        {"sse_algorithm": "aws:kms", "kms_master_key_id": KEY}
    ]
    assert not [address for address in planned.resources if "aws_kms" in address]


@variables(delivery=EVERYTHING, encryption=GIVEN)
def test_the_role_uses_the_key_through_table_and_queues_only(planned: Planned) -> None:
    role = planned.policy("role.aws_iam_role_policy.pipeline")
    opens, seals = role["OpenTableAndQueues"], role["SealMessages"]
    assert opens["Resource"] == seals["Resource"] == KEY
    via = opens["Condition"]["StringEquals"]["kms:ViaService"]
    assert sorted(via) == [f"{name}.{REGION}.amazonaws.com" for name in ("dynamodb", "sqs")]
    assert seals["Condition"]["StringEquals"]["kms:ViaService"] == f"sqs.{REGION}.amazonaws.com"


@variables(name_prefix="acme-", delivery=EVERYTHING, encryption=CREATE)
def test_one_key_is_made_rotated_and_named(planned: Planned) -> None:
    key = planned.resources["key.aws_kms_key.this[0]"]
    assert key["enable_key_rotation"] is True
    assert key["tags"] == {"Environment": "Lab"}
    assert (
        planned.resources["key.aws_kms_alias.this[0]"]["name"] == "alias/acme-S3ToDynamoProcessor"
    )
    for address, attribute in NAMES_KEY.items():
        assert planned.unknown[address][attribute] is True, address
    assert planned.resources[TABLE]["server_side_encryption"][0]["enabled"] is True
    assert planned.unknown[TABLE]["server_side_encryption"] == [{"kms_key_arn": True}]
    (rule,) = planned.unknown[BUCKET]["rule"]
    assert rule["apply_server_side_encryption_by_default"] == [{"kms_master_key_id": True}]


@variables(delivery=EVERYTHING, encryption=CREATE)
def test_the_keys_policy_is_the_statements_and_its_account(planned: Planned) -> None:
    policy = planned.policy("key.aws_kms_key_policy.this[0]")
    account = policy.pop("AccountAdministers")
    assert account["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert list(policy.values()) == planned.outputs["kms_policy_statements"]


@variables(delivery=EVERYTHING, encryption=GIVEN)
def test_each_service_may_use_the_key_for_this_pipeline_alone(planned: Planned) -> None:
    statements = planned.outputs["kms_policy_statements"]
    services = {
        found["Principal"]["Service"]: found
        for found in statements
        if "Service" in found["Principal"]
    }
    conditions = {name.split(".")[0]: found.get("Condition") for name, found in services.items()}
    of_account = {"aws:SourceAccount": ACCOUNT}
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/S3ToDynamoProcessor"
    assert conditions == {
        "logs": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": group}},
        "cloudwatch": {
            "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"},
            "StringEquals": of_account,
        },
        "s3": {"ArnEquals": {"aws:SourceArn": BUCKET_ARN}, "StringEquals": of_account},
        "events": None,
    }
    assert f"logs.{REGION}.amazonaws.com" in services
    (everybody,) = [found for found in statements if found["Principal"] == {"AWS": "*"}]
    condition = everybody["Condition"]
    assert condition["StringEquals"] == {
        "kms:CallerAccount": ACCOUNT,
        "kms:ViaService": f"s3.{REGION}.amazonaws.com",
    }
    contexts = condition["ArnLike"]["kms:EncryptionContext:aws:s3:arn"]
    assert sorted(contexts) == [BUCKET_ARN, f"{BUCKET_ARN}/*"]


@pytest.mark.parametrize(
    "absent",
    [
        pytest.param(absent, marks=variables(encryption=GIVEN, **values), id=name)
        for name, values, absent in (
            ("no rule, no buffer", {}, {"PipelineBucketToBuffer", "PipelineRuleToQueues"}),
            (
                "existing bucket",
                {
                    "bucket": {"create": False, "name": "theirs"},
                    "delivery": EVERYTHING,
                },
                {"PipelineBucketToBuffer", "PipelineObjectsOfBucket"},
            ),
            (
                "existing topic",
                {
                    "topic": {"create": False, "arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:shared"},
                    "delivery": EVERYTHING,
                },
                {"PipelineAlarmsToTopic"},
            ),
        )
    ],
)
def test_who_does_not_need_the_key_is_not_let_in(planned: Planned, absent: set[str]) -> None:
    everything = {
        "PipelineAlarmsToTopic",
        "PipelineBucketToBuffer",
        "PipelineLogs",
        "PipelineObjectsOfBucket",
        "PipelineRuleToQueues",
        "PipelineThroughIam",
    }
    found = {statement["Sid"] for statement in planned.outputs["kms_policy_statements"]}
    assert found == everything - absent


def test_what_services_use_the_key_through_comes_after_its_policy_and_goes_before_it(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    call = {"source": os.path.relpath(ROOT, tmp_path), "encryption": CREATE, "delivery": EVERYTHING}
    terraform.write_root(tmp_path, {"module": {"pipeline": call}})
    terraform.init(tmp_path, reattached)
    graph = terraform.run(tmp_path, reattached, "graph").stdout
    waits: dict[str, set[str]] = {}
    for later, earlier in re.findall(r'"module\.pipeline\.module\.(\S+)" -> "(\S+)"', graph):
        waits.setdefault(later, set()).add(earlier.removeprefix("module.pipeline.module."))

    def waits_for_the_policy(address: str) -> bool:
        return address == "key.aws_kms_key_policy.this" or any(
            waits_for_the_policy(earlier) for earlier in waits.get(address, ())
        )

    through = ["bucket.aws_s3_bucket.this", "function.aws_cloudwatch_log_group.this"]
    through += ["queues.aws_sqs_queue.failures", "queues.aws_sqs_queue.buffer"]
    assert [address for address in through if not waits_for_the_policy(address)] == []


@variables(delivery=EVERYTHING, encryption={"mode": "given", "kms_key_arn": LATER})
def test_a_given_key_may_be_known_only_after_apply(planned: Planned) -> None:
    for address, attribute in NAMES_KEY.items():
        assert planned.unknown[address][attribute] is True, address


def test_a_key_of_the_same_root_takes_its_statements_from_the_module(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    source = os.path.relpath(ROOT, tmp_path)
    policy = (
        '${jsonencode({ Version = "2012-10-17", Statement = concat('
        '[{ Sid = "Owner", Effect = "Allow", Action = "kms:*", Resource = "*", '
        f'Principal = {{ AWS = "arn:aws:iam::{ACCOUNT}:root" }} }}], '
        "module.pipeline.kms_policy_statements) })}"
    )
    terraform.write_root(
        tmp_path,
        {
            "resource": {"aws_kms_key": {"ours": {"policy": policy}}},
            "module": {
                "pipeline": {
                    "source": source,
                    "delivery": EVERYTHING,
                    "encryption": {"mode": "given", "kms_key_arn": "${aws_kms_key.ours.arn}"},
                }
            },
        },
    )
    terraform.init(tmp_path, reattached)
    changes = terraform.plan(tmp_path, reattached).resource_changes
    planned = changes["aws_kms_key.ours"]["change"]["after"]["policy"]
    assert "PipelineRuleToQueues" in planned
    failures = changes["module.pipeline.module.queues.aws_sqs_queue.failures"]["change"]
    assert failures["after_unknown"]["kms_master_key_id"] is True
