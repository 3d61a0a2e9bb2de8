"""Read a module's variables and outputs from its HCL, with the comments on attributes."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hcl2
from hcl2 import SerializationOptions

from pipeline.errors import PipelineError

_PLAIN = SerializationOptions(
    strip_string_quotes=True, preserve_heredocs=False, explicit_blocks=False, with_comments=False
)
_VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)
_TYPE = re.compile(r"^  type\s+= (?:\w+\()*object\(\{\n", re.MULTILINE)
_ATTRIBUTE = re.compile(r"\s+(\w+)\s*= ")


@dataclass(frozen=True)
class Comment:
    """What stands in the HCL about one attribute: the lines above it, and behind it the note."""

    name: str
    text: str
    note: str
    line: int


@dataclass(frozen=True)
class Attribute:
    """One attribute of an object variable: its type, its default in HCL (None: required).

    `note` is the comment behind it, which tells a default that is made up of other values; `text`
    the comment above it, which describes it. `inner` has the attributes of an object, or of the
    objects in a list or map; they are described at the attribute `like`, where that is given.
    """

    name: str
    type: str
    default: str | None
    note: str = ""
    text: str = ""
    line: int = 0
    inner: tuple["Attribute", ...] = ()
    like: str = ""


@dataclass(frozen=True)
class Variable:
    """A variable: the first paragraph of its description, and its attributes if it has any.

    `default` is HCL, None where the variable is required.
    """

    name: str
    file: Path
    lead: str
    type: str
    default: str | None
    attributes: tuple[Attribute, ...] = field(default=())


def parse(file: Path) -> dict[str, Any]:
    """An HCL file as plain values. Raises PipelineError naming the file when it is no HCL."""
    try:
        return _loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{file} can't be read ({error}).") from error
    except Exception as error:  # the parser's own are many
        first = str(error).splitlines()[0]
        raise PipelineError(f"{file} is no HCL ({first}): run `terraform validate`.") from error


@functools.cache
def _loads(text: str) -> dict[str, Any]:
    """Cached: one run reads a module for each of its tables, and the parser is slow."""
    parsed: dict[str, Any] = hcl2.loads(text, serialization_options=_PLAIN)
    return parsed


def blocks(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """The `variable` or `output` blocks of a module by name, in the order they are written."""
    return {
        name: body
        for file in sorted(folder.glob("*.tf"))
        for block in parse(file).get(kind, [])
        for name, body in block.items()
    }


def variables(folder: Path) -> list[Variable]:
    """The variables of a module, in the order they are written."""
    found = []
    for file in sorted(folder.glob("*.tf")):
        comments = _comments(file)
        for block in parse(file).get("variable", []):
            for name, body in block.items():
                hcl_type = re.sub(r"^\$\{(.*)\}$", r"\1", body["type"], flags=re.DOTALL)
                lead = body["description"].replace('\\"', '"').partition("\n\n")[0]
                default = _literal(body["default"]) if "default" in body else None
                inner = attributes(hcl_type, comments.get(name, []))
                short = _short(hcl_type)
                found.append(Variable(name, file, " ".join(lead.split()), short, default, inner))
    return found


def attributes(hcl_type: str, comments: list[Comment]) -> tuple[Attribute, ...]:
    """The attributes of `object({…})`, wherever it stands in `hcl_type`; none of a plain type.

    `comments` holds each attribute's, in the order they are written; it is used up.
    """
    start = hcl_type.find("object({")
    if start < 0:
        return ()
    body = _inside(hcl_type, start + len("object("))
    found: list[Attribute] = []
    for part in _split(body):
        name, _, declared = (piece.strip() for piece in part.partition("="))
        default: str | None = None
        if declared.startswith("optional("):
            declared, *given = _split(_inside(declared, len("optional")))
            default = given[0] if given else "null"
        about = comments.pop(0) if comments else Comment(name, "", "", 0)
        if about.name != name:
            raise PipelineError(
                f"the attribute {name} shares its line: write it on one of its own."
            )
        inner = attributes(declared, comments)
        attribute = Attribute(
            name, _short(declared), default, about.note, about.text, about.line, inner
        )
        found.append(_described_once(attribute, found))
    return tuple(found)


def undescribed(variable: Variable) -> Iterator[tuple[int, str]]:
    """Line and path of each attribute without a description."""

    def look(inner: tuple[Attribute, ...], path: str) -> Iterator[tuple[int, str]]:
        for attribute in inner:
            if not attribute.text:
                yield attribute.line, f"{path}.{attribute.name}"
            if not attribute.like:
                yield from look(attribute.inner, f"{path}.{attribute.name}")

    return look(variable.attributes, variable.name)


def _described_once(attribute: Attribute, before: list[Attribute]) -> Attribute:
    """The attribute with `like`, if one before it describes attributes of the same names."""
    if any(each.text for each in attribute.inner):
        return attribute
    names = [each.name for each in attribute.inner]
    for other in before:
        if names and not other.like and names == [each.name for each in other.inner]:
            return replace(attribute, like=other.name)
    return attribute


def _comments(file: Path) -> dict[str, list[Comment]]:
    """What each attribute's lines say, by variable, in the order they are written."""
    text = file.read_text(encoding="utf-8")
    found: dict[str, list[Comment]] = {}
    for variable in _VARIABLE.finditer(text):
        comments = found.setdefault(variable[1], [])
        if not (start := _TYPE.search(text, variable.start(), variable.end())):
            continue
        above: list[str] = []
        first = text.count("\n", 0, start.end()) + 1
        for number, line in enumerate(text[start.end() : variable.end()].splitlines(), first):
            if line.startswith("  }"):
                break
            if line.lstrip().startswith("# "):
                above.append(line.strip().removeprefix("# "))
                continue
            if attribute := _ATTRIBUTE.match(line):
                note = (re.search(r" # (.*)$", line) or ["", ""])[1]
                comments.append(Comment(attribute[1], " ".join(above), note, number))
            above = []
    return found


def _short(hcl_type: str) -> str:
    return re.sub(r"object\(\{.*\}\)", "object", hcl_type, flags=re.DOTALL)


def _literal(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{k} = {_literal(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return "null" if value is None else str(value).lower()


def _inside(text: str, start: int) -> str:
    """What stands between the bracket at `start` and its partner."""
    depth, quoted = 0, False
    for position in range(start, len(text)):
        character = text[position]
        if character == '"' and text[position - 1] != "\\":
            quoted = not quoted
        if quoted:
            continue
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return text[start + 1 : position]
    raise PipelineError(
        f"the type {text!r} has a bracket without its partner: run `terraform validate`."
    )


def _split(text: str) -> list[str]:
    """`text` at the commas that stand in no bracket and no string."""
    parts, depth, quoted, last = [], 0, False, 0
    for position, character in enumerate(text):
        if character == '"' and text[position - 1] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (character in "([{") - (character in ")]}")
            if character == "," and depth == 0:
                parts.append(text[last:position].strip())
                last = position + 1
    return [*parts, tail] if (tail := text[last:].strip()) else parts
