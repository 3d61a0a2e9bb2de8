"""Where HCL does not fit the provider that tests/fixtures/provider-6.json describes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.hcl import Block, Instance, Read, Use


@dataclass(frozen=True, order=True)
class Misfit:
    """What is wrong with which argument, block or attribute: `aws_type.block.name`."""

    path: str
    what: str
    file: str


def misfits(use: Use, schema: Mapping[str, Any]) -> list[Misfit]:
    """All that 6.x lacks, newly requires, has as another type, or calls deprecated."""
    found: set[Misfit] = set()
    for instance in use.instances:
        described = schema[instance.kind].get(instance.type)
        if described is None:
            found.add(Misfit(instance.type, "unknown", instance.file))
        else:
            found.update(_of_block(instance.block, described, instance.type, instance, use))
    for read in use.reads:
        found.update(_of_read(read, schema[read.kind].get(read.type, {})))
    return sorted(found)


def _of_block(
    block: Block, described: Mapping[str, Any], path: str, instance: Instance, use: Use
) -> Iterator[Misfit]:
    arguments, blocks = described.get("arguments", {}), described.get("blocks", {})
    deprecated = described.get("deprecated", {})
    for name, what in _of_names(block, described):
        yield Misfit(f"{path}.{name}", what, instance.file)
    for name in {*block.arguments, *block.blocks} & set(deprecated):
        yield Misfit(f"{path}.{name}", f"deprecated: {deprecated[name]}", instance.file)
    for name, value in block.arguments.items():
        expected = arguments.get(name, "any")
        given = use.type_of(value, instance.file)
        if given is not None and not _fits(value, expected, given, use, instance.file):
            yield Misfit(f"{path}.{name}", f"{expected}, not {given}", instance.file)
    for name, given_blocks in block.blocks.items():
        for inner in given_blocks if name in blocks else ():
            yield from _of_block(inner, blocks[name], f"{path}.{name}", instance, use)


def _of_names(block: Block, described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    arguments, blocks = described.get("arguments", {}), described.get("blocks", {})
    for name in block.arguments.keys() - arguments.keys():
        yield name, "a block" if name in blocks else "unknown"
    for name in block.blocks.keys() - blocks.keys():
        yield name, "no block" if name in arguments else "unknown"
    for name, given in block.blocks.items():
        if name in blocks and len(given) > 1 and not blocks[name].get("many"):
            yield name, "only once"
    for name in set(described.get("required", [])) - block.arguments.keys() - block.blocks.keys():
        yield name, "required"


def _fits(value: object, expected: str, given: str | None, use: Use, file: str) -> bool:
    """Whether a value fits; what lists and maps hold is looked at where the text shows it."""
    outer, inner = re.fullmatch(r"(\w+)(?:\((.*)\))?", expected).groups()  # type: ignore[union-attr]
    if given is None or outer == "any":
        return True
    if given != outer:
        return False
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_fits(each, inner, use.type_of(each, file), use, file) for each in held)


def _of_read(read: Read, described: Mapping[str, Any]) -> Iterator[Misfit]:
    path = read.type
    for name in read.path:
        path = f"{path}.{name}"
        blocks = described.get("blocks", {})
        if name in described.get("deprecated", {}):
            yield Misfit(path, f"deprecated: {described['deprecated'][name]}", read.file)
        if name not in blocks:
            if not any(name in described.get(each, {}) for each in ("arguments", "attributes")):
                yield Misfit(path, "unknown", read.file)
            # After a map's or an object's attribute come keys, which no schema has.
            return
        described = blocks[name]
