"""What documentation and examples write of the module is what the module knows.

Terraform drops an attribute that an object type lacks silently, so that no plan shows it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import ROOT
from tests.support.terraform import snippets
from tests.support.terraform.snippets import Snippet
from tools import inputs
from tools.inputs import Attribute
from tools.module import EXAMPLES

KNOWN = {
    name: inputs.attributes(body["type"], [])
    for name, body in inputs.blocks(ROOT, "variable").items()
}


def names(attributes: tuple[Attribute, ...]) -> Iterator[str]:
    for attribute in attributes:
        yield attribute.name
        yield from names(attribute.inner)


def unknown(value: Any, attributes: tuple[Attribute, ...], where: str) -> Iterator[str]:
    """The paths in `value` that the type with these attributes does not have."""
    if isinstance(value, list):
        for each in value:
            yield from unknown(each, attributes, where)
    elif isinstance(value, dict) and attributes:
        inner = {attribute.name: attribute for attribute in attributes}
        for name, given in value.items():
            path = f"{where}.{name}"
            if name not in inner:
                yield path
            elif inner[name].type.startswith("map("):
                for key, each in given.items():
                    yield from unknown(each, inner[name].inner, f"{path}.{key}")
            else:
                yield from unknown(given, inner[name].inner, path)


def misnamed(parsed: Mapping[str, Any], source: str) -> list[str]:
    """What calls of the module at `source` set, and the module does not know."""
    found: list[str] = []
    for block in parsed.get("module", []):
        for call in block.values():
            if call["source"] != source:
                continue
            for name, value in call.items():
                if name in KNOWN:
                    found += unknown(value, KNOWN[name], name)
                elif name not in ("source", "providers", "depends_on", "count", "for_each"):
                    found.append(name)
    return found


@pytest.mark.parametrize("snippet", snippets.whole(), ids=str)
def test_a_snippet_sets_nothing_that_the_module_does_not_know(
    snippet: Snippet, tmp_path: Path
) -> None:
    file = tmp_path / "main.tf"
    file.write_text(snippet.configuration("../../"))
    assert misnamed(inputs.parse(file), "../../") == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_sets_nothing_that_the_module_does_not_know(example: Path) -> None:
    for file in example.glob("*.tf"):
        assert misnamed(inputs.parse(file), "../../") == []


def test_a_setting_in_running_text_is_one_of_the_modules() -> None:
    everywhere = {name for attributes in KNOWN.values() for name in names(attributes)}
    for snippet, (first, *rest) in snippets.settings():
        if first in KNOWN:
            nested: Any = None
            for name in reversed(rest):
                nested = {name: nested}
            assert list(unknown(nested, KNOWN[first], first)) == [], snippet
        else:
            assert first in everywhere, snippet


def test_a_misspelt_attribute_is_found(tmp_path: Path) -> None:
    file = tmp_path / "main.tf"
    text = 'delivery = { filters = [{ prefix = "", sufix = "" }], bufer = {} }\nbuckett = {}\n'
    file.write_text(Snippet(ROOT, 1, text).configuration("../../"))
    found = misnamed(inputs.parse(file), "../../")
    assert sorted(found) == ["buckett", "delivery.bufer", "delivery.filters.sufix"]
