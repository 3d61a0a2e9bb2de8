"""The version and the repository's address stand in several places, and are one."""

import re
import tomllib

from pipeline.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_newest_release_of_the_changelog_is_the_projects_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    named = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", changelog, re.MULTILINE)
    assert named[0] == PROJECT["version"]


def test_what_the_readme_shows_to_paste_is_the_projects_address_and_version() -> None:
    readme = (ROOT / "README.md").read_text()
    address, version = PROJECT["urls"]["Repository"], PROJECT["version"]
    owner, name = address.removeprefix("https://github.com/").split("/")
    sources = re.findall(r'^ +source += "(.+)"(?:\n +version = "(.+)")?$', readme, re.MULTILINE)
    registry = f"{owner}/{name.removeprefix('terraform-aws-')}/aws"
    assert set(sources) == {(f"git::{address}.git?ref=v{version}", ""), (registry, version)}
