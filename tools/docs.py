"""Write the tables of inputs and outputs into every README, from the HCL, and those of prices.

A page asks for them with a pair of markers, `<!-- BEGIN inputs -->` and `<!-- END inputs -->`
(or `outputs`, or `prices`), on lines of their own.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2
from hcl2 import SerializationOptions
from rich.console import Console

from pipeline import prices
from pipeline.errors import PipelineError
from pipeline.paths import ROOT

_PLAIN = SerializationOptions(
    strip_string_quotes=True, preserve_heredocs=False, explicit_blocks=False, with_comments=False
)
_TABLES = ("inputs", "outputs", "prices")
_ESCAPES = str.maketrans({"|": "\\|", "<": "&lt;"})


@dataclass(frozen=True)
class Attribute:
    """One attribute of an object variable: its type, its default in HCL (None: required).

    `note` is the comment behind it, which tells a default that is made up of other values; `inner`
    has the attributes of an object, or of the objects in a list or map.
    """

    name: str
    type: str
    default: str | None
    note: str
    inner: tuple["Attribute", ...] = ()


def parse(file: Path) -> dict[str, Any]:
    """An HCL file as plain values. Raises PipelineError naming the file when it is no HCL."""
    try:
        text = file.read_text(encoding="utf-8")
        parsed: dict[str, Any] = hcl2.loads(text, serialization_options=_PLAIN)
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{file} can't be read ({error}).") from error
    except Exception as error:  # the parser's own are many
        first = str(error).splitlines()[0]
        raise PipelineError(f"{file} is no HCL ({first}): run `terraform validate`.") from error
    return parsed


def blocks(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """The `variable` or `output` blocks of a module by name, in the order they are written."""
    return {
        name: body
        for file in sorted(folder.glob("*.tf"))
        for block in parse(file).get(kind, [])
        for name, body in block.items()
    }


def attributes(hcl_type: str, notes: list[str]) -> tuple[Attribute, ...]:
    """The attributes of `object({…})`, wherever it stands in `hcl_type`; none of a plain type.

    `notes` holds the comment of each attribute in the order they are written; it is used up.
    """
    start = hcl_type.find("object({")
    if start < 0:
        return ()
    body = _inside(hcl_type, start + len("object("))
    found = []
    for part in _split(body):
        name, _, declared = (piece.strip() for piece in part.partition("="))
        default: str | None = None
        if declared.startswith("optional("):
            declared, *given = _split(_inside(declared, len("optional")))
            default = given[0] if given else "null"
        note = notes.pop(0) if notes else ""
        inner = attributes(declared, notes)
        found.append(Attribute(name, _short(declared), default, note, inner))
    return tuple(found)


def table(folder: Path, kind: str) -> str:
    """The Markdown table of a module's `inputs` or `outputs`, or of AWS's `prices`."""
    if kind == "prices":
        return prices.table(prices.load())
    if kind == "outputs":
        rows = [
            f"| `{name}` | {body['description']} |"
            for name, body in blocks(folder, "output").items()
        ]
        return "\n".join(["| Output | Description |", "|---|---|", *rows])
    comments = _comments(folder)
    rows = []
    for name, body in blocks(folder, "variable").items():
        hcl_type = re.sub(r"^\$\{(.*)\}$", r"\1", body["type"], flags=re.DOTALL)
        inner = attributes(hcl_type, comments.get(name, []))
        if inner:
            shape = "<br>".join(_cell(attribute) for attribute in inner)
        elif "default" in body:
            shape = f"{_short(hcl_type)}, `{_literal(body['default'])}`"
        else:
            shape = f"{_short(hcl_type)}, required"
        rows.append(f"| `{name}` | {body['description']} | {shape} |")
    return "\n".join(
        ["| Input | Description | Type or attributes (default) |", "|---|---|---|", *rows]
    )


def render(readme: Path) -> str:
    """A page's text with its tables renewed. Raises PipelineError when a marker has no partner."""
    text = readme.read_text(encoding="utf-8")
    for kind in _TABLES:
        begin, end = f"<!-- BEGIN {kind} -->\n", f"<!-- END {kind} -->"
        if begin not in text and end not in text:
            continue
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise PipelineError(
                f"{readme} lacks one of the markers {begin.strip()} and {end}: add it."
            )
        # The module that the page belongs to: its own folder's, or one above.
        module = next((above for above in readme.parents if [*above.glob("*.tf")]), readme.parent)
        text = f"{head}{begin}\n{table(module, kind)}\n\n{end}{tail}"
    return text


def readmes(root: Path = ROOT) -> Iterator[Path]:
    """The root's README and each submodule's."""
    yield root / "README.md"
    yield from sorted(root.glob("modules/*/README.md"))


def pages(root: Path = ROOT) -> Iterator[Path]:
    """Every README, and every page below docs/."""
    yield from readmes(root)
    yield from sorted(root.glob("docs/**/*.md"))


def run(check: bool, as_json: bool = False, root: Path = ROOT) -> int:
    """Renew every page's tables, or with `check` compare them; returns the exit code."""
    stale = []
    for readme in pages(root):
        text = render(readme)
        if text != readme.read_text(encoding="utf-8"):
            stale.append(str(readme.relative_to(root)))
            if not check:
                readme.write_text(text, encoding="utf-8", newline="\n")
    if as_json:
        print(json.dumps({"stale": stale, "written": bool(stale) and not check}))
        return int(check and bool(stale))
    console = Console(highlight=False, soft_wrap=True)
    for name in stale:
        console.print(f"{name} is out of date" if check else f"{name} written")
    if check and stale:
        console.print("Run `python -m tools docs` and commit the result.")
        return 1
    if not stale:
        console.print("Every table is what the HCL and prices.json say.")
    return 0


def _cell(attribute: Attribute) -> str:
    inner = ""
    if attribute.inner:
        inner = " { " + " ".join(_cell(each) for each in attribute.inner) + " }"
    if attribute.default is None:
        return f"`{attribute.name}`{inner} (required)"
    if attribute.inner and attribute.default == "{}":
        return f"`{attribute.name}`{inner}"
    default = f"{attribute.note}" if attribute.note else f"`{attribute.default}`"
    return f"`{attribute.name}`{inner} ({default})".translate(_ESCAPES)


def _short(hcl_type: str) -> str:
    return re.sub(r"object\(\{.*\}\)", "object", hcl_type, flags=re.DOTALL)


def _literal(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_literal(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


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


def _comments(folder: Path) -> dict[str, list[str]]:
    """The comment behind each attribute's line ("" for none), by variable, as they are written."""
    found: dict[str, list[str]] = {}
    for file in sorted(folder.glob("*.tf")):
        text = file.read_text(encoding="utf-8")
        for match in re.finditer(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE):
            declared = re.search(
                r"^  type = object\(\{\n(.*?)^  \}\)", match[2], re.DOTALL | re.MULTILINE
            )
            found[match[1]] = [
                (re.search(r" # (.*)$", line) or ["", ""])[1]
                for line in (declared[1] if declared else "").splitlines()
                if re.match(r"\s+\w+\s*= ", line)
            ]
    return found
