"""Every piece of HCL in README and docs plans as it stands, but for the module's address."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tests.plan.conftest import errors_in
from tests.support.terraform import snippets
from tests.support.terraform.snippets import Snippet

SNIPPETS = snippets.whole()
PACKAGE = ROOT / "examples/bring-your-own-handler/checksums.zip"
# By text, since pages repeat each other; named so that Terraform's own message tells the place.
FOLDERS = {snippet.text: re.sub(r"\W+", "-", str(snippet)) for snippet in reversed(SNIPPETS)}


@dataclass(frozen=True)
class Planned:
    """Of each snippet's folder: how many resources would be made, and what Terraform refused.

    `unplaced` are errors that name no snippet's file.
    """

    created: Mapping[str, int]
    refused: Mapping[str, list[str]]
    unplaced: list[str]


@pytest.fixture(scope="session")
def every_snippet(reattached: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """All in one root, a module each: names in one are nothing to the others."""
    root = tmp_path_factory.mktemp("snippets")
    for text, folder in FOLDERS.items():
        (root / folder).mkdir()
        source = os.path.relpath(ROOT, root / folder)
        (root / folder / "main.tf").write_text(Snippet(ROOT, 0, text).configuration(source))
        for package in re.findall(r"\$\{path\.module\}/([\w.-]+\.zip)", text):
            own = next(ROOT.glob(f"examples/*/{package}"), PACKAGE)
            shutil.copy(own, root / folder / package)
    calls = {folder: {"source": f"./{folder}"} for folder in FOLDERS.values()}
    terraform.write_root(root, {"module": calls})
    terraform.init(root, reattached)
    done = terraform.run(root, reattached, "plan", "-json", "-input=false", expected=(0, 1))
    created = dict.fromkeys(FOLDERS.values(), 0)
    refused: dict[str, list[str]] = {folder: [] for folder in FOLDERS.values()}
    unplaced: list[str] = []
    for file, text in errors_in(done.stdout):
        refused.get(file.partition("/")[0], unplaced).append(text)
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message["type"] == "planned_change" and message["change"]["action"] == "create":
            address = re.match(r"module\.([\w-]+)\.", message["change"]["resource"]["addr"])
            assert address
            created[address[1]] += 1
    return Planned(created, refused, unplaced)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_a_snippet_of_the_documentation_plans(every_snippet: Planned, snippet: Snippet) -> None:
    folder = FOLDERS[snippet.text]
    assert every_snippet.refused[folder] == []
    assert every_snippet.unplaced == []
    # Nothing is planned at all where another one is refused.
    if not any(every_snippet.refused.values()):
        created = every_snippet.created[folder]
        assert created > 0
        assert snippet.resources in (None, created)
