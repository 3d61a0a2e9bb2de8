"""The HCL that the documentation shows, as configurations that Terraform can plan."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.paths import ROOT
from tools import docs, inputs

PAGES = [*docs.pages(), *sorted(ROOT.glob("examples/*/README.md"))]
VARIABLES = [variable.name for variable in inputs.variables(ROOT)]

_FENCED = re.compile(r"^( *)```hcl\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(
    r"^(?:data|import|locals|module|moved|output|provider|resource|variable)\b.*\{", re.MULTILINE
)
_TEST = re.compile(r"^(?:mock_provider|override_resource|run)\b.*\{", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_SETTING = re.compile(r"^([a-z_]+(?:\.[a-z_]+)*) = ")
# A placeholder for the module's address, and its version.
_SOURCE = re.compile(
    r'source( *)= "(?:…|[^"\n]*event-driven-integration[^"\n]*)"[^\n]*(?:\n *version *= [^\n]*)?'
)


@dataclass(frozen=True)
class Snippet:
    """What a page shows, and in which line of it."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def resources(self) -> int | None:
        """How many resources it makes, if its first line says so."""
        said = re.match(r"# (\d+) resources\n", self.text)
        return int(said[1]) if said else None

    def configuration(self, source: str) -> str:
        """As a whole configuration, in which the module is at `source`."""
        text = self.text
        if not _BLOCK.search(text):
            text = f'module "pipeline" {{\n  source = "…"\n{textwrap.indent(text, "  ")}}}\n'
        elif "module.pipeline" in text and 'module "pipeline"' not in text:
            text += 'module "pipeline" {\n  source = "…"\n}\n'
        return _SOURCE.sub(f'source = "{source}"', text)


def whole() -> list[Snippet]:
    """What can be planned: the blocks, and the settings and blocks in running text.

    Settings of one line belong together. What imports is left out: it needs what it imports. So is
    what belongs into a test file.
    """
    found = [snippet for page in PAGES for snippet in (*_fenced(page), *_inline(page))]
    return [
        snippet
        for snippet in found
        if "import {" not in snippet.text and not _TEST.search(snippet.text)
    ]


def roots_and_tests(page: Path) -> tuple[list[Snippet], list[Snippet]]:
    """The blocks of a page that tells how to test a root: configurations, and parts of tests."""
    fenced = list(_fenced(page))
    tests = [snippet for snippet in fenced if _TEST.search(snippet.text)]
    return [snippet for snippet in fenced if snippet not in tests], tests


def settings() -> Iterator[tuple[Snippet, list[str]]]:
    """Every setting that running text names, with its path: `delivery.via = "eventbridge"`."""
    for page in PAGES:
        for line, span in _spans(page):
            if match := _SETTING.match(span):
                yield Snippet(page, line, span), match[1].split(".")


def _fenced(page: Path) -> Iterator[Snippet]:
    text = page.read_text()
    for match in _FENCED.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Snippet(page, line, textwrap.dedent(match[2]))


def _inline(page: Path) -> Iterator[Snippet]:
    together: dict[int, dict[str, str]] = {}
    for line, span in _spans(page):
        if _BLOCK.match(span):
            yield Snippet(page, line, f"{span}\n")
        elif (match := _SETTING.match(span)) and match[1] in VARIABLES:
            known = together.setdefault(line, {})
            if match[1] in known:
                yield _settings_of(page, line, known)
                known.clear()
            known[match[1]] = span
    for line, known in together.items():
        yield _settings_of(page, line, known)


def _settings_of(page: Path, line: int, known: dict[str, str]) -> Snippet:
    return Snippet(page, line, "".join(f"{span}\n" for span in known.values()))


def _spans(page: Path) -> Iterator[tuple[int, str]]:
    """The code in running text, with its line; none of the tables that are made of the HCL."""
    fenced = generated = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        generated = (generated or line.startswith("<!-- BEGIN")) and not line.startswith("<!-- END")
        if not (fenced or generated):
            yield from ((number, span) for span in _SPAN.findall(line))
