"""What a consumer does with the module beyond setting variables."""

import os
import shutil
from pathlib import Path

import pytest

from lab import terraform
from lab.errors import LabError
from lab.module import EXAMPLES, ROOT, copy_module


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
    with pytest.raises(LabError, match='attribute "prefix" is required'):
        terraform.plan(tmp_path, reattached)
