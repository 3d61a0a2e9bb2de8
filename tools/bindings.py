"""The AWS provider's schema, read from its Python bindings for CDK Terrain.

Their wheel holds a module for each type, generated from the schema. The module is parsed inside the
zip, so that neither the bindings nor Node.js must be installed.
"""

import ast
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from pipeline.errors import PipelineError

PACKAGE = "cdktn-provider-aws"
VERSION = "25.8.1"

# What the bindings add to every type.
_META = frozenset(
    ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"]
)
_PLAIN = {"str": "string", "Number": "number", "bool": "bool", "Any": "any"}
# Types that only a read attribute has.
_READABLE = {
    "IResolvable": "bool",
    "StringMap": "map(string)",
    "NumberMap": "map(number)",
    "BooleanMap": "map(bool)",
    "StringMapList": "list(map(string))",
}


class Block(TypedDict):
    """A block: its arguments with their types, the required ones, and the blocks in it.

    `many` marks a block that may be repeated. `deprecated` holds what to use instead of an argument
    or block. Empty values are left out.
    """

    arguments: NotRequired[dict[str, str]]
    blocks: NotRequired[dict[str, "Block"]]
    required: NotRequired[list[str]]
    deprecated: NotRequired[dict[str, str]]
    many: NotRequired[bool]


class Type(Block):
    """A resource or data source, with the attributes that can only be read."""

    attributes: NotRequired[dict[str, str]]


@dataclass(frozen=True)
class _Shape:
    """A type as Terraform writes it; with `struct` it is a block."""

    text: str
    struct: str | None = None
    many: bool = False


class Bindings:
    """The bindings' wheel, opened."""

    def __init__(self, wheel: Path) -> None:
        """Raises PipelineError when `wheel` does not hold these bindings."""
        try:
            self._zip = zipfile.ZipFile(wheel)
            (metadata,) = (n for n in self._zip.namelist() if n.endswith(".dist-info/METADATA"))
            about = self._zip.read(metadata).decode()
            named = re.search(r"^Name: (\S+)", about, re.MULTILINE)
            own = re.search(r"^Version: (\S+)", about, re.MULTILINE)
            provider = re.search(r"hashicorp/aws provider version ([\d.]+)", about)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise PipelineError(
                f"{wheel} is no wheel ({error}): name that of {PACKAGE}."
            ) from error
        if not (named and own and provider and named[1] == PACKAGE):
            raise PipelineError(f"{wheel} is not a wheel of {PACKAGE}: name its wheel.")
        self.version, self.provider = own[1], provider[1]
        self.made = date(*self._zip.getinfo(metadata).date_time[:3])

    def type(self, kind: str, name: str) -> Type:
        """A resource's or data source's schema. Raises PipelineError when the provider has none."""
        module = f"data_{name}" if kind == "data" else name.removeprefix("aws_")
        try:
            source = self._zip.read(f"{PACKAGE.replace('-', '_')}/{module}/__init__.py")
        except KeyError as error:
            raise PipelineError(
                f"{kind} {name} is not in provider {self.provider}: use another."
            ) from error
        classes = {each.name: each for each in _classes(ast.parse(source))}
        (main,) = (
            each
            for each in classes.values()
            if any(ast.unparse(base).endswith(("Resource", "DataSource")) for base in each.bases)
        )
        block = _block(classes[f"{main.name}Config"], classes)
        # The bindings offer to set it, as the oldest providers did.
        block["arguments"].pop("id", None)
        taken = {*block.get("arguments", {}), *block.get("blocks", {})}
        attributes = {
            attribute: _shape(returns, classes).text
            for attribute, returns in _properties(main)
            if attribute not in taken and not attribute.endswith("_input")
        }
        described: Type = _without_empty({**block, "attributes": attributes})
        return described


def _block(struct: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Any:
    arguments, blocks, required = {}, {}, []
    for name, needed, shape in _parameters(struct, classes):
        if needed:
            required.append(name)
        if shape.struct is None:
            arguments[name] = shape.text
        else:
            inner = _block(classes[shape.struct], classes)
            blocks[name] = {**inner, "many": True} if shape.many else inner
    return _without_empty(
        {
            "arguments": arguments,
            "blocks": blocks,
            "required": sorted(required),
        }
    )


def _parameters(
    struct: ast.ClassDef, classes: dict[str, ast.ClassDef]
) -> Iterator[tuple[str, bool, _Shape]]:
    init = next(
        each
        for each in struct.body
        if isinstance(each, ast.FunctionDef) and each.name == "__init__"
    )
    documented = dict(re.findall(r":param (\w+): (.*)", ast.get_docstring(init) or ""))
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        text = documented.get(argument.arg, "")
        if argument.arg in _META:
            continue
        # Python's reserved words have another name there; the link has the provider's.
        link = re.search(r"/docs/[\w-]+/\w+#(\w+) ", text)
        assert argument.annotation is not None  # noqa: S101 - generated code has them
        yield (
            link[1] if link else argument.arg,
            default is None,
            _shape(argument.annotation, classes),
        )


def _properties(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.returns is not None:
            decorators = {ast.unparse(decorator) for decorator in each.decorator_list}
            if "builtins.property" in decorators:
                yield each.name, each.returns


def _shape(annotation: ast.expr, classes: dict[str, ast.ClassDef]) -> _Shape:
    if isinstance(annotation, ast.Constant):
        name = str(annotation.value)
        if name in classes:
            return _Shape("block", name)
        return _Shape(_READABLE.get(name.rpartition(".")[2], "any"))
    if not isinstance(annotation, ast.Subscript):
        return _Shape(_PLAIN.get(ast.unparse(annotation).rpartition(".")[2], "any"))
    inner = annotation.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    match ast.unparse(annotation.value).rpartition(".")[2]:
        case "Sequence" | "List":
            each = _shape(parts[0], classes)
            return _Shape(f"list({each.text})", each.struct, many=True)
        case "Mapping":
            return _Shape(f"map({_shape(parts[1], classes).text})")
        case _:  # Optional, or a Union of the type and what stands for it while unknown
            first = next(each for each in parts if "IResolvable" not in _outermost(each))
            return _shape(first, classes)


def _outermost(annotation: ast.expr) -> str:
    return "" if isinstance(annotation, ast.Subscript) else ast.unparse(annotation)


def _classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    yield from (each for each in tree.body if isinstance(each, ast.ClassDef))


def _without_empty(block: dict[str, Any]) -> Any:
    return {name: value for name, value in block.items() if value}
