"""What the workflows say of this repository is true; their syntax is for actionlint and zizmor."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.paths import ROOT
from tests.unit.docs.test_pages import TARGETS, environments, is_a_module

CI, RELEASE = (
    yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
    for name in ("ci", "release")
)
CELLS = [cell for job in ("test", "soak") for cell in CI[job]["strategy"]["matrix"]["include"]]
STEPS = [step for job in [*CI.values(), *RELEASE.values()] for step in job["steps"]]
COMMANDS = "\n".join(step.get("run", "") for step in STEPS)
# Named before they are there: the long floor, and the maintainers' tools.
COMING = {"soak"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_versions_are_both_ends_of_what_versions_tf_allows() -> None:
    text = (ROOT / "versions.tf").read_text()
    terraform, provider, below = re.findall(r">= ([\d.]+)|< (\d+)\.0", text)
    lowest, oldest = f"{terraform[0]}.0", f"{provider[0]}.0"
    newest = f"~> {int(below[1]) - 1}.0"
    ran = {(cell["terraform"], cell["provider"]) for cell in CELLS if "apply" in floors(cell)}
    assert ran == set(itertools.product((lowest, "latest"), (oldest, newest)))


def test_every_python_runs_on_every_system_and_all_floors_on_one() -> None:
    tox = (ROOT / "tox.ini").read_text()
    pythons = [f"3.{minor}" for minor in re.findall(r"^    py3(\d+)$", tox, re.M)]
    ran = {(cell["os"].partition("-")[0], cell["python"]) for cell in CELLS}
    assert ran == set(itertools.product(("ubuntu", "macos"), pythons))
    assert [cell["os"] for cell in CELLS if not floors(cell)] == ["ubuntu-latest"]


def test_every_command_that_a_workflow_runs_exists() -> None:
    assert set(re.findall(r"\bmake ([a-z]+)", COMMANDS)) <= TARGETS
    named = {floor for cell in CELLS for floor in floors(cell)} | {
        floor for names in re.findall(r"-e ([a-z,]+)", COMMANDS) for floor in names.split(",")
    }
    assert named - COMING <= environments()
    modules = set(re.findall(r"python3? -m (\w+)", COMMANDS))
    assert [name for name in modules - COMING if not is_a_module(name)] == []


def test_a_release_takes_its_own_part_of_the_changelog(tmp_path: Path) -> None:
    version = PROJECT["project"]["version"]
    parts = {"Unreleased": "Later.", version: "This.", "0.9.0": "Before."}
    changelog = "".join(f"## [{name}]\n\n{text}\n\n" for name, text in parts.items())
    assert _compare(tmp_path, f"v{version}", changelog) == 0
    assert (tmp_path / ".work/notes.md").read_text().strip() == "This."


@pytest.mark.parametrize("tag", ["v0.9.9", "v{version}.1"])
def test_a_tag_that_is_not_the_projects_version_is_refused(tmp_path: Path, tag: str) -> None:
    assert _compare(tmp_path, tag.format(**PROJECT["project"])) == 1


def test_a_release_whose_changelog_says_nothing_is_refused(tmp_path: Path) -> None:
    assert _compare(tmp_path, f"v{PROJECT['project']['version']}", "# Changelog\n") == 1


def test_every_workflow_is_linted() -> None:
    linted = re.findall(r"\.github/workflows/(\S+)", (ROOT / "tox.ini").read_text())
    assert sorted(linted) == sorted(file.name for file in (ROOT / ".github/workflows").iterdir())


def test_a_wheel_is_built_with_what_the_lock_holds() -> None:
    assert PROJECT["build-system"]["requires"] == PROJECT["dependency-groups"]["build"]


def floors(cell: dict[str, Any]) -> list[str]:
    return cell["floors"].split(",") if "floors" in cell else []


def _compare(folder: Path, tag: str, changelog: str | None = None) -> int:
    """The exit status of the release's step that compares, run for a tag in `folder`."""
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    if changelog is not None:
        (folder / "CHANGELOG.md").write_text(changelog)
    (step,) = [step for step in STEPS if step.get("name", "").startswith("Compare the tag")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "GITHUB_REF_NAME": tag}
    script = ["bash", "-e", "-c", step["run"]]
    return subprocess.run(script, cwd=folder, env=environment, check=False).returncode
