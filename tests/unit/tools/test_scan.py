"""The security scan accepts no skipped check without its reason."""

from pathlib import Path

import pytest

from pipeline.paths import ROOT
from tools import scan

TOPIC = """
resource "aws_sns_topic" "this" {{
  # {skip}
  name = "topic"
}}
"""


@pytest.mark.parametrize(
    "skip",
    [
        "checkov:skip=CKV_AWS_26",
        "checkov:skip=CKV_AWS_26:",
        "checkov:skip=CKV_AWS_26: ",
        "checkov:skip=CKV_AWS_26:TODO",
        "checkov:skip=CKV_AWS_26:As above.",
        "checkov:skip= CKV_AWS_26,CKV_AWS_27",
        "bridgecrew:skip=CKV_AWS_26:",
        "cortex:skip=CKV_AWS_26",
    ],
)
def test_a_skip_without_a_reason_fails_the_scan_and_is_named(
    skip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "modules/sns").mkdir(parents=True)
    (tmp_path / "modules/sns/main.tf").write_text(TOPIC.format(skip=skip))
    assert scan.run(tmp_path) == 1
    assert "modules/sns/main.tf:3: CKV_AWS_26" in capsys.readouterr().out


def test_a_skip_with_a_reason_is_accepted(tmp_path: Path) -> None:
    skip = "checkov:skip=CKV_AWS_26:A customer-managed key costs a dollar a month."
    (tmp_path / "main.tf").write_text(TOPIC.format(skip=skip))
    assert scan.skips_without_reason(tmp_path) == []


def test_every_skip_of_the_module_has_its_reason() -> None:
    assert ":skip=" in "".join(file.read_text() for file in ROOT.glob("modules/*/*.tf"))
    assert scan.skips_without_reason() == []
