"""What a consumer does with the module beyond setting variables."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tools import inputs
from tools.module import EXAMPLES, copy_module, use_samples


@pytest.fixture(scope="module")
def every_example(
    reattached: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """The planned resources of all examples by address, in one root: starting costs the most."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "bin").mkdir()
    found = shutil.which("terraform")
    assert found
    (folder / "bin" / "terraform").symlink_to(Path(found).resolve())
    bare = reattached | {"PATH": str(folder / "bin")}
    root = copy_module(folder / "module") / "root"
    calls: dict[str, Any] = {}
    for example in EXAMPLES:
        use_samples(root.parent / "examples" / example.name)
        values = root.parent / "examples" / example.name / "terraform.tfvars"
        given = inputs.parse(values) if values.exists() else {}
        calls[example.name] = {"source": f"../examples/{example.name}", **given}
    # Another account's root: here it is planned as this account's own.
    calls["theirs"] = {
        "source": "../examples/two-accounts/theirs",
        "pipeline_account": "210987654321",
    }
    terraform.write_root(root, {"module": calls})
    terraform.init(root, bare)
    return dict(terraform.plan(root, bare).resource_changes)


@pytest.mark.parametrize("example", [path.name for path in EXAMPLES])
def test_an_example_plans_with_nothing_but_terraform_on_the_path(
    example: str, every_example: dict[str, dict[str, Any]]
) -> None:
    packages = [
        change["change"]["after"]["source_code_hash"]
        for address, change in every_example.items()
        if address.startswith(f"module.{example}.") and change["type"] == "aws_lambda_function"
    ]
    assert packages
    assert all(packages)


@pytest.mark.parametrize("chat", ["slack", "teams"])
def test_a_chat_channel_gets_the_topic_and_may_read_alarms_alone(
    chat: str, every_example: dict[str, dict[str, Any]]
) -> None:
    def change(address: str) -> Any:
        return every_example[f"module.alarms-to-{chat}.{address}"]["change"]

    channel = change(f"aws_chatbot_{chat}_channel_configuration.alarms")["after_unknown"]
    assert channel["guardrail_policy_arns"]
    assert channel["sns_topic_arns"]
    (statement,) = json.loads(change("aws_iam_policy.channel")["after"]["policy"])["Statement"]
    read = {"cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"}
    assert (statement["Effect"], set(statement["Action"])) == ("Allow", read)
    trust = json.loads(change("aws_iam_role.channel")["after"]["assume_role_policy"])["Statement"]
    assert [each["Principal"] for each in trust] == [{"Service": "chatbot.amazonaws.com"}]


def test_pagerduty_gets_the_alarm_over_all_alone(
    every_example: dict[str, dict[str, Any]],
) -> None:
    def after(address: str) -> Any:
        return every_example[f"module.alarms-to-pagerduty.module.pipeline.{address}"]["change"][
            "after"
        ]

    subscription = after('module.topic.aws_sns_topic_subscription.this["pagerduty"]')
    health = after("module.alarms.aws_cloudwatch_composite_alarm.health[0]")
    assert json.loads(subscription["filter_policy"]) == {"AlarmName": [health["alarm_name"]]}


def test_a_rule_of_the_other_account_sends_what_the_pipelines_rule_takes(
    every_example: dict[str, dict[str, Any]],
) -> None:
    def after(address: str) -> dict[str, Any]:
        found: dict[str, Any] = every_example[address]["change"]["after"]
        return found

    def pattern(address: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(after(address)["event_pattern"])
        return {**found, "detail": {**found["detail"], "bucket": {}}}

    theirs, ours = (f"module.{name}" for name in ("theirs", "two-accounts.module.pipeline"))
    sent = pattern(f"{theirs}.aws_cloudwatch_event_rule.forward")
    assert sent == pattern(f"{ours}.module.rule.aws_cloudwatch_event_rule.this[0]")
    bus = "arn:aws:events:us-east-1:210987654321:event-bus/default"
    assert after(f"{theirs}.aws_cloudwatch_event_target.forward")["arn"] == bus
    (may,) = json.loads(after(f"{theirs}.aws_iam_role_policy.forward")["policy"])["Statement"]
    assert (may["Action"], may["Resource"]) == (
        "events:PutEvents",
        bus,
    )


def test_a_dependency_on_the_whole_module_defers_only_the_default_bucket_name(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    source = os.path.relpath(ROOT, tmp_path)
    terraform.write_root(
        tmp_path,
        {
            "resource": {"terraform_data": {"first": {"input": "x"}}},
            "module": {
                "default": {"source": source, "depends_on": ["terraform_data.first"]},
                "named": {
                    "source": source,
                    "depends_on": ["terraform_data.first"],
                    "bucket": {"name": "given"},
                },
            },
        },
    )
    terraform.init(tmp_path, reattached)
    changes = terraform.plan(tmp_path, reattached).resource_changes
    address = "module.{}.module.bucket.aws_s3_bucket.this[0]"
    assert changes[address.format("default")]["change"]["after_unknown"]["bucket"] is True
    assert changes[address.format("named")]["change"]["after"]["bucket"] == "given"
    table = changes["module.default.module.table.aws_dynamodb_table.this"]["change"]["after"]
    assert table["name"] == "S3ObjectEvents"


def test_a_misspelt_attribute_of_a_filter_is_an_error(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    source = os.path.relpath(ROOT, tmp_path)
    filters = [{"prefixx": "in/", "suffix": ""}]
    terraform.write_root(
        tmp_path, {"module": {"p": {"source": source, "delivery": {"filters": filters}}}}
    )
    terraform.init(tmp_path, reattached)
    with pytest.raises(PipelineError, match=r'attribute\s"prefix"\sis\srequired'):
        terraform.plan(tmp_path, reattached)


@pytest.mark.parametrize("mode", ["service", "create"])
def test_a_teams_own_settings_may_name_table_and_topic(
    mode: str, reattached: dict[str, str], tmp_path: Path
) -> None:
    # Each is a circle as soon as table or topic wait for a variable that names them.
    policy = (
        '${jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "Read", Effect = "Allow", '
        'Action = "dynamodb:GetItem", Resource = module.pipeline.table_arn }] })}'
    )
    queue = "arn:aws:sqs:us-east-1:123456789012:of"
    terraform.write_root(
        tmp_path,
        {
            "resource": {
                "terraform_data": {
                    "subscriber": {"input": f"{queue}-${{module.pipeline.table_name}}"}
                }
            },
            "module": {
                "pipeline": {
                    "source": os.path.relpath(ROOT, tmp_path),
                    "encryption": {"mode": mode},
                    "function": {
                        "policy_json": policy,
                        "environment": {"TOPIC": "${module.pipeline.topic_arn}"},
                    },
                    "topic": {
                        "subscriptions": {
                            "reader": {
                                "protocol": "sqs",
                                "endpoint": "${terraform_data.subscriber.output}",
                            }
                        }
                    },
                }
            },
        },
    )
    terraform.init(tmp_path, reattached)
    changes = terraform.plan(tmp_path, reattached).resource_changes
    assert 'module.pipeline.module.topic.aws_sns_topic_subscription.this["reader"]' in changes
