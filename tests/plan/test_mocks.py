"""A caller's own `terraform test` passes with the mock values that the module brings."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tests.support.terraform import snippets
from tools.module import copy_module

PAGE = ROOT / "docs/start/testing-your-root.md"
# Everything that makes a data source or a resource of its own, or looks at another one's ARN.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "buffer": {"delivery": {"buffer": {}}},
    "eventbridge": {"delivery": {"via": "eventbridge"}},
    "handover": {"delivery": {"via": "eventbridge", "handover": True, "buffer": {"drain": True}}},
    "key": {"encryption": {"mode": "create"}},
    "existing_bucket": {
        "bucket": {"create": False, "name": "theirs"},
        "delivery": {"via": "eventbridge"},
    },
    "dashboard": {"dashboard": {"create": True}},
    "everything": {
        "alarm_emails": ["ops@example.com"],
        "backfill": {"create": True},
        "bucket": {"access_log": {"bucket": "logs"}},
        "dashboard": {"create": True},
        "delivery": {"via": "eventbridge", "buffer": {}},
        "encryption": {"mode": "create"},
        "function": {
            "tracing": "Active",
            "vpc": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]},
            "hook": {
                "package": str(ROOT / "examples/enrich/enrich.zip"),
                "handler": "enrich.on_event",
                "read_objects": True,
            },
        },
        "table": {"object_index": True, "point_in_time_recovery": True},
    },
}


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a caller gets; Terraform copies it, as it does with what comes from git."""
    return copy_module(tmp_path_factory.mktemp("mocks") / "module")


def run_tests(root: Path, environment: Mapping[str, str]) -> int:
    """`terraform test` in `root`; how many runs passed. Raises PipelineError when one did not."""
    terraform.init(root, environment)
    done = terraform.run(root, environment, "test", "-no-color")
    passed = re.search(r"Success! (\d+) passed, 0 failed\.", done.stdout)
    assert passed, done.stdout
    return int(passed[1])


def test_every_variant_of_the_module_plans_and_applies_with_the_mocks(
    module: Path, reattached: dict[str, str], tmp_path: Path
) -> None:
    calls = {
        # What a setting costs is a warning, which fails a run.
        name: {"source": str(module), "free_tier": "off", **values}
        for name, values in VARIANTS.items()
    }
    terraform.write_root(tmp_path, {"provider": {"aws": {}}, "module": calls})
    looks = {"_arn": "arn:aws:", "_url": "https://"}
    asserts = [
        {
            "condition": f"${{alltrue([for name, value in module.{name} : "
            f'value == null ? true : startswith(value, "{begin}") if endswith(name, "{end}")])}}',
            "error_message": f"An output {end} of {name} does not begin with {begin}.",
        }
        for name in VARIANTS
        for end, begin in looks.items()
    ]
    test = {
        "mock_provider": {"aws": {"source": ".terraform/modules/default/tests/mocks"}},
        "run": {"planned": {"command": "plan"}, "applied": {"assert": asserts}},
    }
    (tmp_path / "variants.tftest.json").write_text(json.dumps(test), encoding="utf-8")
    assert run_tests(tmp_path, reattached) == 2


def test_the_example_of_a_callers_test_passes(module: Path, reattached: dict[str, str]) -> None:
    root = module / "examples/consumer-test"
    runs = re.findall(r"^run ", (root / "tests/pipeline.tftest.hcl").read_text(), re.MULTILINE)
    assert run_tests(root, reattached) == len(runs) > 0


def test_what_the_page_on_testing_shows_passes(
    module: Path, reattached: dict[str, str], tmp_path: Path
) -> None:
    (root,), (test, override) = snippets.roots_and_tests(PAGE)
    (tmp_path / "main.tf").write_text(root.configuration(str(module)))
    (tmp_path / "pipeline.tftest.hcl").write_text(test.text)
    # As the first test has it, and what the value of one's own changes.
    mock = test.text.partition("run ")[0]
    applied = 'run "applies" {\n assert {\n  error_message = "not overridden"\n  condition = '
    applied += 'module.pipeline.bucket_name == "orders-uploads"\n }\n}\n'
    (tmp_path / "override.tftest.hcl").write_text(mock + override.text + applied)
    assert run_tests(tmp_path, reattached) == 3
