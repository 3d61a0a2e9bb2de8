"""What the security scan skips, it says why."""

from pathlib import Path

import pytest

from pipeline.paths import ROOT
from tools import scan, skips

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
    skip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "modules/sns").mkdir(parents=True)
    (tmp_path / "modules/sns/main.tf").write_text(TOPIC.format(skip=skip))
    monkeypatch.setattr(skips, "ROOT", tmp_path)
    assert scan.run() == 1
    assert "modules/sns/main.tf:3: CKV_AWS_26" in capsys.readouterr().out


def test_a_skip_with_a_reason_is_let_through(tmp_path: Path) -> None:
    skip = "checkov:skip=CKV_AWS_26:A key of one's own costs a dollar a month."
    (tmp_path / "main.tf").write_text(TOPIC.format(skip=skip))
    assert skips.without_reason(tmp_path) == []


def test_every_skip_of_the_module_has_its_reason() -> None:
    found = [
        line for file in ROOT.rglob("modules/**/*.tf") for line in file.open() if ":skip=" in line
    ]
    assert found
    assert skips.without_reason() == []
