"""What a consumer does with the module beyond setting variables."""

import os
import shutil
from pathlib import Path

import pytest

from lab import terraform
from lab.errors import LabError
from lab.module import EXAMPLES, ROOT, copy_module, plan_anew


@pytest.mark.parametrize("example", [path.name for path in EXAMPLES])
def test_an_example_plans_with_nothing_but_terraform_on_the_path(
    example: str, environment: dict[str, str], tmp_path: Path
) -> None:
    only = tmp_path / "bin"
    only.mkdir()
    found = shutil.which("terraform")
    assert found
    (only / "terraform").symlink_to(Path(found).resolve())
    root = copy_module(tmp_path / "module") / "examples" / example
    plan_anew(root)
    bare = environment | {"PATH": str(only)}
    terraform.init(root, bare)
    planned = terraform.plan(root, bare)
    package = planned.resource_changes["module.pipeline.module.function.aws_lambda_function.this"]
    assert package["change"]["after"]["source_code_hash"]


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
    with pytest.raises(LabError, match=r'attribute\s"prefix"\sis\srequired'):
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
