"""Each thing that was checked in the plan and not run has an id of its own."""

import re

from pipeline.paths import ROOT

PAGE = (ROOT / "docs/reference/limits.md").read_text()
TITLE = "## Checked in the plan, not run\n"


def rows() -> list[list[str]]:
    section = PAGE.partition(TITLE)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert lines[:2] == ["| id | what |", "|---|---|"]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_each_line_has_a_kebab_case_id_and_one_text() -> None:
    assert len(rows()) > 20
    wrong = [row for row in rows() if len(row) != 2 or not re.fullmatch(r"`[a-z][a-z-]+`", row[0])]
    assert wrong == []


def test_no_id_is_there_twice() -> None:
    ids = [identity for identity, _ in rows()]
    assert sorted(ids) == sorted(set(ids))
