"""What the documentation tells people to run exists, and every alarm has its page."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from lab.cli import app
from lab.module import ROOT

PAGES = sorted(
    page for where in ("*", "docs/**/*", "examples/*/*") for page in ROOT.glob(f"{where}.md")
)
SPAN = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^\s*(?:\S*python -m )?lab ([a-z]+[^`]*)$")


def commands_in(page: Path) -> Iterator[list[str]]:
    """The words of each command of ours in a page's code."""
    text = page.read_text()
    for code in [*SPAN.findall(text), *text.splitlines()]:
        if match := COMMAND.match(code):
            yield shlex.split(match[1], comments=True)


def test_every_alarm_has_its_paragraph_in_the_runbook() -> None:
    definitions = (ROOT / "modules/alarms/definitions.tf").read_text()
    alarms = set(re.findall(r'^\s+name\s+= "(\w+)"$', definitions, re.M))
    assert len(alarms) == 11
    runbook = (ROOT / "docs/runbook.md").read_text()
    paragraphs = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", runbook, re.M | re.S))
    assert alarms <= set(paragraphs)
    for alarm in alarms:
        for part in "**Means:**", "**Look:**", "**Do:**":
            assert part in paragraphs[alarm], alarm


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for words in commands_in(page):
        assert words[0] in commands, words
        known = {option for given in commands[words[0]].params for option in given.opts}
        for word in words[1:]:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
