"""What `pip install` of this repository brings."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline import paths
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


@pytest.mark.parametrize(("place", "work"), [("docs/start", ".work"), (None, "event-driven-lab")])
def test_what_is_installed_finds_the_lab_of_the_clone_that_it_is_run_in(
    tmp_path: Path, place: str | None, work: str
) -> None:
    installed = tmp_path / "site/pipeline"
    (installed / "_module").mkdir(parents=True)
    for file in ("__init__.py", "paths.py"):
        shutil.copy(ROOT / "pipeline" / file, installed)
    printed = subprocess.check_output(
        [sys.executable, "-c", "from pipeline.paths import LAB; print(LAB)"],
        cwd=tmp_path if place is None else ROOT / place,
        env={"PYTHONPATH": str(tmp_path / "site"), "XDG_STATE_HOME": str(tmp_path / "state")},
        text=True,
    )
    where = tmp_path / "state" if place is None else ROOT
    assert printed.strip() == str(where / work / "demo")


def test_two_copies_of_the_module_have_one_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.tf").touch()
    before = paths.fingerprint(tmp_path)
    copy = tmp_path / "_module"
    for name in ("modules", "lambda_src"):
        shutil.copytree(ROOT / name, copy / name)
    for file in (*ROOT.glob("*.tf"), ROOT / "prices.json"):
        shutil.copy(file, copy)
    monkeypatch.setattr(paths, "ROOT", copy)
    assert paths.fingerprint(tmp_path) == before
