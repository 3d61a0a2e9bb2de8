"""Whatever the module sets was compared with the upgrade guide of provider 6."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab.hcl import parse
from lab.module import MODULES, ROOT

ROW = re.compile(r"^\| (data )?`(aws_\w+)` \| (.*?) \| (.+?) \|$", re.MULTILINE)
# Terraform's own, whatever the provider.
META = {"count", "for_each", "depends_on", "lifecycle"}


def arguments(body: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The arguments that a block sets, those of inner blocks after the block's name and a dot."""
    for name, value in body.items():
        if name in META or name.startswith("__"):
            continue
        if name == "dynamic":
            for dynamic in value:
                for block, inside in dynamic.items():
                    yield from arguments({block: inside["content"]}, before)
        elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            yield f"{before}{name}"
            for block in value:
                yield from arguments(block, f"{before}{name}.")
        else:
            yield f"{before}{name}"


def in_the_hcl() -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for folder in [ROOT, *MODULES]:
        for file in folder.glob("*.tf"):
            parsed = parse(file)
            for kind in ("resource", "data"):
                for block in parsed.get(kind, []):
                    for type_, labels in block.items():
                        for body in labels.values():
                            found.setdefault((kind, type_), set()).update(arguments(body))
    return found


def in_the_table() -> dict[tuple[str, str], set[str]]:
    page = (ROOT / "docs/compatibility.md").read_text()
    return {
        ("data" if data else "resource", type_): set(re.findall(r"`([\w.]+)`", named))
        for data, type_, named, _verdict in ROW.findall(page)
    }


def test_every_argument_that_the_module_sets_was_looked_at() -> None:
    assert in_the_table() == in_the_hcl()
