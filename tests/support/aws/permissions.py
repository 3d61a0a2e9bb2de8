"""The page on permissions as data, and policies in the same shape, so that both compare."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.paths import ROOT

PAGE = ROOT / "docs/reference/permissions.md"


@dataclass(frozen=True)
class Permission:
    """An action on a resource: for which principal (none in a role's policy), and the conditions.

    A condition is its operator, its key, and the values of which one must match.
    """

    effect: str
    action: str
    resource: str
    who: str = ""
    conditions: frozenset[tuple[str, str, frozenset[str]]] = frozenset()


def table(name: str) -> list[dict[str, str]]:
    """The rows of the table between the markers `BEGIN <name>` and `END <name>`, by header."""
    (text,) = re.findall(rf"<!-- BEGIN {name} -->\n(.*?)<!-- END {name} -->", _page(), re.DOTALL)
    return _rows(text)


def words() -> set[str]:
    """The words that the page explains for its column `when`."""
    (text,) = re.findall(r"## When a line is there\n(.*?)\n\n\*\*", _page(), re.DOTALL)
    return {row["word"] for row in _rows(text)}


def written(row: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Permission]:
    """The permissions in a row of a table; `names` has the ARN, account or region for each word.

    Several stand in either with `and` between them.
    """

    def meant(text: str) -> str:
        literal = re.fullmatch(r"`(.+)`", text)
        return literal[1].replace("<region>", names["region"]) if literal else names[text]

    def all_of(words: str) -> list[str]:
        each = [meant(word) for word in words.split(" and ")] if words else [""]
        return " and ".join(each).split(" and ")

    conditions = frozenset(
        (operator, key, frozenset(meant(value) for value in values.split(" or ")))
        for operator, key, values in (
            _condition(text) for text in row["condition"].split("<br>") if text
        )
    )
    for action in row["action"].split():
        for resource in all_of(row["resource"]):
            for who in all_of(row.get("who", "")):
                yield Permission(row["effect"], meant(action), resource, who, conditions)


def given(statement: Mapping[str, Any]) -> Iterator[Permission]:
    """The permissions in a statement of a policy."""
    conditions = frozenset(
        (operator, key, frozenset(_list(values)))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )
    principal = statement.get("Principal", "")
    principals = principal.values() if isinstance(principal, Mapping) else [principal]
    assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys()
    for action in _list(statement["Action"]):
        for resource in _list(statement.get("Resource", "")):
            for whoever in principals:
                for who in _list(whoever):
                    yield Permission(statement["Effect"], action, resource, who, conditions)


def _page() -> str:
    return PAGE.read_text(encoding="utf-8")


def _rows(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _condition(text: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"`(\w+)` `([\w:]+)`: (.+)", text)
    assert found, text
    return found[1], found[2], found[3]


def _list(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
