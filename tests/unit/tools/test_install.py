"""What `pip install` of this repository brings."""

import tomllib

from pipeline.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_it_needs_what_the_group_of_its_name_has() -> None:
    assert PROJECT["project"]["dependencies"] == PROJECT["dependency-groups"]["pipeline"]


def test_it_takes_the_whole_module_along_and_the_runbook_that_the_page_shows() -> None:
    taken = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert set(taken) == {
        *(file.name for file in ROOT.glob("*.tf")),
        "prices.json",
        "docs/operate/runbook.md",
        "modules",
        "lambda_src",
        "examples/adopt-console-lab",
    }
    assert all(target == f"pipeline/_module/{source}" for source, target in taken.items())
