"""Each line of the threat table points at HCL that is there, and no statement is left out."""

import re
from collections.abc import Iterator

from pipeline.paths import ROOT

PAGE = ROOT / "docs/reference/threats.md"
SID = re.compile(r'^\s*sid\s*= "(\w+)"', re.MULTILINE)
WHERE = re.compile(r"\[([\w/.]+\.tf)\]\((?:\.\./)+([\w/.]+\.tf)\)((?: `[\w.]+`,?)+)")


def rows() -> Iterator[str]:
    """The last cell of each row that names a threat."""
    for line in PAGE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| who could do what"):
            yield line.strip("| ").split(" | ")[-1]


def pointed_at() -> Iterator[tuple[str, str]]:
    """File and name of everything that a row points at."""
    for cell in rows():
        for file, target, names in WHERE.findall(cell):
            assert file == target
            for name in re.findall(r"`([\w.]+)`", names):
                yield file, name


def is_there(file: str, name: str) -> bool:
    text = (ROOT / file).read_text()
    if "." in name:
        kind, label = name.split(".")
        return f'resource "{kind}" "{label}" {{' in text
    return name in SID.findall(text) or re.search(rf"^\s+{name} = {{$", text, re.M) is not None


def test_every_threat_names_a_line_of_hcl() -> None:
    assert [cell for cell in rows() if not WHERE.search(cell)] == []


def test_every_file_resource_and_statement_that_is_named_exists() -> None:
    named = set(pointed_at())
    assert len(named) > 20
    assert sorted(where for where in named if not is_there(*where)) == []


def test_every_statement_of_a_policy_is_in_the_table() -> None:
    statements = {
        (str(file.relative_to(ROOT)), sid)
        for file in ROOT.glob("modules/*/*.tf")
        for sid in SID.findall(file.read_text())
    }
    assert sorted(statements - set(pointed_at())) == []


def test_every_way_in_that_is_a_resource_of_its_own_is_in_the_table() -> None:
    doors = {
        (str(file.relative_to(ROOT)), f"aws_lambda_permission.{label}")
        for file in ROOT.glob("modules/*/*.tf")
        for label in re.findall(
            r'^resource "aws_lambda_permission" "(\w+)"', file.read_text(), re.M
        )
    }
    assert doors
    assert doors <= set(pointed_at())
