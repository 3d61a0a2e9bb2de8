"""Nothing that a plan calls deprecated gets through this floor."""

from pathlib import Path

import pytest

from pipeline.terraform import run as terraform
from tests.support.terraform.plans import plan_without_deprecations


@pytest.mark.parametrize(
    ("resource", "argument"),
    [
        ({"aws_s3_bucket": {"this": {"bucket": "some-bucket", "acl": "private"}}}, "acl"),
        (
            {
                "aws_iam_role": {
                    "this": {
                        "name": "some-role",
                        "assume_role_policy": "{}",
                        "managed_policy_arns": [],
                    }
                }
            },
            "managed_policy_arns",
        ),
    ],
    ids=["bucket", "role"],
)
def test_a_deprecated_argument_fails_the_plan_and_is_named(
    resource: dict[str, object], argument: str, reattached: dict[str, str], tmp_path: Path
) -> None:
    terraform.write_root(tmp_path, {"resource": resource})
    terraform.init(tmp_path, reattached)
    with pytest.raises(
        AssertionError, match=rf"main\.tf\.json:\d+: .*\b{argument}\b.*[Dd]eprecated"
    ):
        plan_without_deprecations(tmp_path, reattached)


def test_a_warning_of_the_modules_own_is_no_deprecation(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text("""
resource "terraform_data" "this" {
  input = 5
}

check "free_tier" {
  assert {
    condition     = terraform_data.this.input < 5
    error_message = "This costs a dollar."
  }
}
""")
    terraform.init(tmp_path, reattached)
    planned = plan_without_deprecations(tmp_path, reattached)
    assert list(planned.resource_changes) == ["terraform_data.this"]
