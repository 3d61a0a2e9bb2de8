"""What HCL sets and reads of the AWS provider."""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2
from hcl2 import SerializationOptions

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tools.module import EXAMPLES, MODULES, THEIRS

# Blocks are marked and strings keep their quotes: `rule {}` is no `rule = [{}]`, "5" is no 5.
_OPTIONS = SerializationOptions(
    strip_string_quotes=False, preserve_heredocs=False, explicit_blocks=True, with_comments=False
)
_BLOCK = "__is_block__"
# Terraform's own, whatever the provider.
_META = frozenset(
    [
        "count",
        "for_each",
        "depends_on",
        "lifecycle",
        "provider",
        "provisioner",
        "connection",
        _BLOCK,
    ]
)
_READ = re.compile(r"(?<![\w.])(data\.)?(aws_\w+)\.\w+((?:\.\w+)+)")
_INNERMOST_INDEX = re.compile(r"\[[^\[\]]*\]")


@dataclass(frozen=True)
class Block:
    """The arguments of a block, and the blocks inside it by name, `dynamic` ones too."""

    arguments: Mapping[str, Any]
    blocks: Mapping[str, tuple["Block", ...]]


@dataclass(frozen=True)
class Instance:
    """A `resource` or `data` block, and its file."""

    kind: str
    type: str
    label: str
    file: str
    block: Block


@dataclass(frozen=True)
class Read:
    """An attribute that an expression reads: the names after the resource's, without indexes."""

    kind: str
    type: str
    path: tuple[str, ...]
    file: str


@dataclass(frozen=True)
class Use:
    """What some files set and read, and the declared type of each variable by folder and name."""

    instances: tuple[Instance, ...]
    reads: tuple[Read, ...]
    variables: Mapping[tuple[str, str], str]

    def types(self) -> set[tuple[str, str]]:
        """Kind (resource or data) and type of all of it."""
        set_ = {(each.kind, each.type) for each in self.instances}
        return set_ | {(each.kind, each.type) for each in self.reads}

    def type_of(self, value: object, file: str) -> str | None:
        """string, number, bool, list or map, where a literal or a variable shows it; else None."""
        for python, name in (
            (bool, "bool"),
            (int | float, "number"),
            (list, "list"),
            (dict, "map"),
        ):
            if isinstance(value, python):
                return name
        if not isinstance(value, str):
            return None
        if value.startswith('"'):
            return "string"
        variable = re.fullmatch(r"\$\{var\.(\w+)\}", value)
        if variable is None:
            return None
        declared = self.variables.get((file.rpartition("/")[0], variable[1]), "").partition("(")[0]
        return {"set": "list", "tuple": "list", "object": "map"}.get(declared, declared) or None


def used_here() -> Use:
    """What the module, its submodules and the examples use."""
    folders = [ROOT, *MODULES, *EXAMPLES, *THEIRS]
    return used_in((file for each in folders for file in sorted(each.glob("*.tf"))), ROOT)


def used_in(files: Iterable[Path], root: Path) -> Use:
    """What these files use, named from `root`. Raises PipelineError for a file that is no HCL."""
    instances: list[Instance] = []
    reads: set[Read] = set()
    variables: dict[tuple[str, str], str] = {}
    for file in files:
        name = str(file.relative_to(root))
        parsed = _parse(file)
        for kind in ("resource", "data"):
            for block in parsed.get(kind, []):
                for type_, label, body in _labelled(block):
                    if type_.startswith("aws_"):
                        instances.append(Instance(kind, type_, label, name, _block(body)))
        for block in parsed.get("variable", []):
            for label, body in block.items():
                declared = str(body.get("type", "")).removeprefix("${").removesuffix("}")
                variables[name.rpartition("/")[0], _unquoted(label)] = declared
        for text in _texts(parsed):
            for data, type_, attributes in _reads(text):
                path = tuple(attributes.strip(".").split("."))
                reads.add(Read("data" if data else "resource", type_, path, name))
    return Use(tuple(instances), tuple(sorted(reads, key=str)), variables)


def _parse(file: Path) -> dict[str, Any]:
    try:
        return _loaded(file.read_text(encoding="utf-8"))
    except Exception as error:  # the parser's own are many
        first = str(error).splitlines()[0]
        raise PipelineError(f"{file} is no HCL ({first}): run `terraform validate`.") from error


# The parser is slow, and several tests read the same files.
@functools.cache
def _loaded(text: str) -> dict[str, Any]:
    return dict(hcl2.loads(text, serialization_options=_OPTIONS))


def _labelled(block: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for type_, labels in block.items():
        for label, body in labels.items():
            yield _unquoted(type_), _unquoted(label), body


def _block(body: Mapping[str, Any]) -> Block:
    arguments: dict[str, Any] = {}
    blocks: dict[str, list[Block]] = {}
    for name, value in body.items():
        if name in _META:
            continue
        if name == "dynamic":
            for dynamic in value:
                for made, inside in dynamic.items():
                    blocks.setdefault(_unquoted(made), []).extend(map(_block, inside["content"]))
        elif isinstance(value, list) and any(
            isinstance(each, dict) and _BLOCK in each for each in value
        ):
            blocks.setdefault(name, []).extend(map(_block, value))
        else:
            arguments[name] = value
    return Block(arguments, {name: tuple(found) for name, found in blocks.items()})


def _reads(text: str) -> Iterator[tuple[str, str, str]]:
    # Indexes are removed from the inside, after what they read was found.
    while True:
        yield from _READ.findall(text)
        shorter = _INNERMOST_INDEX.sub("", text)
        if shorter == text:
            return
        text = shorter


def _texts(value: object) -> Iterator[str]:
    """Every expression, and every string that holds an expression; no comments."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str) and "{" in value:
        yield value


def _unquoted(label: str) -> str:
    return label.strip('"')
