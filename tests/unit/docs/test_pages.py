"""What the documentation names exists: commands, options, files, headings, an alarm's paragraph."""

import configparser
import itertools
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import tools.__main__ as tools
from pipeline import cli
from pipeline.paths import ROOT

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/*/*.md", "modules/*/*.md")
    for path in ROOT.glob(pattern)
)
COMMANDS = {
    "pipeline": typer.main.get_command(cli.app).commands,  # type: ignore[attr-defined]
    "tools": typer.main.get_command(tools.app).commands,  # type: ignore[attr-defined]
}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
FOLDERS = {
    *("bench", "docs", "examples", "lambda_src", "modules"),
    *("pipeline", "requirements", "tests", "tools"),
}
NAMES = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")} | {
    path.name for path in ROOT.iterdir()
}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def environments() -> set[str]:
    """What `tox -e` knows."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "tox.ini")
    own = {section.partition(":")[2] for section in config if section.startswith("testenv:")}
    return own | set(config["tox"]["env_list"].split(", "))


def prose_and_code(page: Path) -> tuple[str, list[str]]:
    """A page's text outside its blocks of code, and the lines inside them."""
    parts = re.split(r"^ *```.*$", page.read_text(), flags=re.MULTILINE)
    return "\n".join(parts[::2]), [line for block in parts[1::2] for line in block.splitlines()]


def code_in(page: Path) -> list[str]:
    """Each span of code, and each line of a block."""
    prose, lines = prose_and_code(page)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)] + lines


def commands_in(page: Path) -> Iterator[list[str]]:
    """The words of each command in a page's code, without what stands before and after it."""
    for code in code_in(page):
        for part in re.split(r"&&|;|\|", code):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:  # no command: an apostrophe, or half of a JSON
                continue
            while words and (words[0] == "$" or re.match(r"[A-Z_]+=", words[0])):
                words.pop(0)
            if words:
                yield words


def of_ours(words: list[str]) -> list[str]:
    """A command of `pipeline` or `tools`, as what `make demo` runs is; nothing of other ones."""
    if words[:2] == ["make", "demo"]:
        arguments = shlex.split(words[2].removeprefix("ARGS=")) if words[2:] else []
        return ["pipeline", "lab", "demo", *arguments]
    if "python" in words[0] and words[1:2] == ["-m"] and words[2:3][0] in COMMANDS:
        return words[2:]
    program = words[0] == "pipeline" and re.fullmatch("[a-z]+", "".join(words[1:2]))
    return words if program else []


def of_tox(words: list[str]) -> list[str]:
    """What follows `tox` in a command, or `make test`'s arguments."""
    if words[:2] == ["make", "test"]:
        return shlex.split(words[2].removeprefix("ARGS=")) if words[2:] else []
    return words[1:] if words[0] == "tox" else []


def unknown(command: list[str]) -> list[str]:
    """The words of a command of ours that its program does not know: its name or its options."""
    program, *words = command
    commands = COMMANDS[program]
    if words[:1] == ["lab"]:
        commands = commands["lab"].commands
        words.pop(0)
    if not words or words[0] in {"…", "COMMAND"} or words[0].startswith("-"):
        return []
    name = words.pop(0)
    if name not in commands:
        return [name]
    known = {option for given in commands[name].params for option in given.opts} | {"--help"}
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    return [f"{name} {option}" for option in options if option not in known]


def is_a_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    others = {"pip", "tox", "venv"}
    return name in others or path.with_suffix(".py").exists() or (path / "__main__.py").exists()


def leads_nowhere(word: str, alone: bool) -> bool:
    """Whether a word of code looks like a path in this repository, and is none."""
    path = re.sub(r":\d+$|\.$", "", word.removeprefix("./"))
    if path.partition("/")[0] in FOLDERS and re.fullmatch(r"[\w./*-]+/[\w./*-]*", path):
        return not list(ROOT.glob(path.rstrip("/")))
    return bool(
        alone and re.fullmatch(r"[\w.-]+\.(?:py|tf|toml|ini|md)", path) and path not in NAMES
    )


@every_page
def test_every_command_of_ours_that_a_page_names_exists_with_its_options(page: Path) -> None:
    commands = filter(None, map(of_ours, commands_in(page)))
    assert [word for command in commands for word in unknown(command)] == []


@every_page
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    made = [words[1] for words in commands_in(page) if words[0] == "make" and words[1:]]
    assert set(made) <= TARGETS


@every_page
def test_every_tox_environment_that_a_page_names_exists(page: Path) -> None:
    named = {
        name
        for words in commands_in(page)
        for option, names in itertools.pairwise(of_tox(words))
        if option == "-e"
        for name in names.split(",")
    }
    assert named <= environments()


@every_page
def test_every_python_module_that_a_page_runs_exists(page: Path) -> None:
    run = [words[2] for words in commands_in(page) if "python" in words[0] and words[1:2] == ["-m"]]
    assert [name for name in run if not is_a_module(name)] == []


@every_page
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    words = [
        (word, word == code)
        for code in code_in(page)
        for word in re.split(r"[\s'\"()\[\],=]+", code)
    ]
    assert [word for word, alone in words if leads_nowhere(word, alone)] == []


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose_and_code(page)[0], re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        anchors.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
        found[anchor] += 1
    return anchors


def dead(page: Path, target: str) -> bool:
    """Whether a link of a page, but for those into the web, leads to no file or no heading."""
    if re.match(r"[a-z]+:", target):
        return False
    file, _, anchor = target.partition("#")
    linked = (page.parent / file) if file else page
    if not linked.exists():
        return True
    return bool(anchor and linked.suffix == ".md" and anchor not in headings(linked))


@every_page
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose_and_code(page)[0])
    assert [target for target in links if dead(page, target)] == []


def test_the_index_of_docs_lists_every_page_once() -> None:
    index = ROOT / "docs/README.md"
    listed = [index.parent / target for target in re.findall(r"\]\(([^)]+)\)", index.read_text())]
    pages = [page for page in PAGES if page.is_relative_to(index.parent) and page != index]
    assert sorted(listed) == sorted(pages)


def test_the_readme_has_at_most_240_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 240


@every_page
def test_lines_are_short_enough_to_diff_but_for_tables_and_pictures(page: Path) -> None:
    lines = prose_and_code(page)[0].splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "!["))] == []


def test_the_architecture_page_shows_who_may_import_whom() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    assert "\n".join(layers) in (ROOT / "docs/architecture.md").read_text()


def test_every_alarm_has_its_paragraph_in_the_runbook() -> None:
    definitions = (ROOT / "modules/alarms/definitions.tf").read_text()
    alarms = set(re.findall(r'^\s+name\s+= "(\w+)"$', definitions, re.M))
    assert len(alarms) == 12
    runbook = (ROOT / "docs/operate/runbook.md").read_text()
    paragraphs = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", runbook, re.M | re.S))
    assert alarms <= set(paragraphs)
    for alarm in alarms:
        for part in "**Means:**", "**Look:**", "**Do:**":
            assert part in paragraphs[alarm], alarm
