"""Tags, and the names that an account has once, where several providers meet in one root."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tools.module import copy_module

# What IAM and CloudWatch have once in an account, whatever the region.
GLOBAL_NAMES = {"aws_iam_role": "name", "aws_cloudwatch_dashboard": "dashboard_name"}


@pytest.fixture(scope="module")
def two_regions(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What is planned by address: a pipeline without tags, and one in a region with default_tags.

    Not with the shared provider, which has one configuration for all its aliases.
    """
    folder = tmp_path_factory.mktemp("regions")
    call = {"source": os.path.relpath(ROOT, folder), "dashboard": {"create": True}}
    call["backfill"] = {"create": True}
    prefixed = {"providers": {"aws": "aws.eu"}, "name_prefix": "${each.key}-"}
    default_tags = {"tags": {"environment": "prod"}}
    tagged = {"alias": "eu", "region": "eu-central-1", "default_tags": default_tags}
    terraform.write_root(
        folder,
        {
            "provider": {"aws": [{"region": "us-east-1"}, tagged]},
            "module": {
                "us": call | {"count": 1},
                "eu": call | prefixed | {"for_each": '${toset(["eu"])}'},
            },
        },
    )
    terraform.init(folder, environment)
    changes = terraform.plan(folder, environment).resource_changes
    return {
        address: change["change"]["after"] | {"type": change["type"]}
        for address, change in changes.items()
        if change["mode"] == "managed"
    }


def test_with_a_prefix_in_the_second_region_no_name_of_the_account_is_there_twice(
    two_regions: dict[str, dict[str, Any]],
) -> None:
    names = Counter(
        (values["type"], values[GLOBAL_NAMES[values["type"]]])
        for values in two_regions.values()
        if values["type"] in GLOBAL_NAMES
    )
    # Two roles each, and a dashboard.
    assert len(names) == 2 * 3
    assert set(names.values()) == {1}


@pytest.mark.parametrize(
    ("call", "tags"), [("us", {"Environment": "Lab"}), ("eu", {"environment": "prod"})]
)
def test_the_labs_tag_gives_way_to_the_default_tags_of_the_pipelines_own_provider(
    call: str, tags: dict[str, str], two_regions: dict[str, dict[str, Any]]
) -> None:
    found = {
        address: values["tags_all"]
        for address, values in two_regions.items()
        if address.startswith(f"module.{call}[") and "tags_all" in values
    }
    assert found
    assert {address: each for address, each in found.items() if each != tags} == {}


# The provider's default_tags, the variable, and what the module then sets; None: refused.
LAB = {"Environment": "Lab"}
CASES: list[tuple[dict[str, str], dict[str, str] | None, dict[str, str] | None]] = [
    ({"Team": "data"}, None, LAB),
    ({"Environment": "prod"}, None, {}),
    ({"ENVIRONMENT": "prod"}, None, {}),
    ({"Team": "data"}, {}, {}),
    ({"environment": "prod", "Team": "data"}, {"Team": "ops"}, {"Team": "ops"}),
    ({"TEAM": "data"}, {"Team": "data"}, None),
]


def test_given_tags_are_taken_as_they_are_and_keys_that_differ_in_case_refused(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    root = copy_module(tmp_path / "module")
    (root / "provider.tf.json").write_text('{"provider": {"aws": {}}}')
    runs: dict[str, Any] = {}
    for number, (default_tags, given, expected) in enumerate(CASES):
        run: dict[str, Any] = {
            "command": "plan",
            "plan_options": {"target": ["module.table"]},
            "variables": {"tags": given},
            "override_data": {
                "target": "data.aws_default_tags.current",
                "values": {"tags": default_tags},
            },
        }
        if expected is None:
            run["expect_failures"] = ["var.tags"]
        else:
            condition = f"${{jsonencode(local.tags) == jsonencode({json.dumps(expected)})}}"
            run["assert"] = {"condition": condition, "error_message": "${jsonencode(local.tags)}"}
        runs[f"case_{number}"] = run
    test = {"mock_provider": {"aws": {"source": "./tests/mocks"}}, "run": runs}
    (root / "tags.tftest.json").write_text(json.dumps(test))
    terraform.init(root, reattached)
    done = terraform.run(root, reattached, "test", "-no-color", expected=(0, 1))
    assert re.search(rf"Success! {len(CASES)} passed, 0 failed\.", done.stdout), done.stdout


@pytest.mark.refused(tags={"Team": "a", "TEAM": "b"})
def test_a_key_that_is_there_twice_is_refused(refusal: str) -> None:
    assert "TEAM, Team" in refusal
