"""Write what the HCL says of itself: tables of inputs and outputs, and the registry's descriptions.

A page asks for a table with a pair of markers on lines of their own, `<!-- BEGIN inputs -->` and
`<!-- END inputs -->`, or another of `TABLES`. A variable with attributes has its description
between `# BEGIN description` and `# END description`: the first paragraph is written by hand, the
list of attributes is made of the comments above them.
"""

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.console import Console

from pipeline import prices
from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tools import inputs as hcl
from tools.inputs import Attribute, Variable

_DESCRIPTION = re.compile(
    r"^  # BEGIN description\n  description = <<-EOT\n(.*?)^  EOT\n  # END description$",
    re.DOTALL | re.MULTILINE,
)
_REFERENCE = "docs/reference/inputs.md"


def inputs(folder: Path) -> str:
    """A module's variables, with their attributes in one cell."""
    rows = []
    for variable in hcl.variables(folder):
        if variable.attributes:
            shape = "<br>".join(_cell(attribute) for attribute in variable.attributes)
        else:
            given = "required" if variable.default is None else f"`{variable.default}`"
            shape = f"{variable.type}, {given}"
        rows.append(f"| `{variable.name}` | {variable.lead} | {shape} |")
    return _table(["Input", "Description", "Type or attributes (default)"], rows)


def inputs_index(folder: Path) -> str:
    """One line a variable, with a link to where its attributes are."""
    rows = [
        f"| [`{variable.name}`]({_REFERENCE}#{variable.name}) | {variable.lead} |"
        for variable in _by_name(folder)
    ]
    return _table(["Input", "Description"], rows)


def inputs_reference(folder: Path) -> str:
    """A section a variable, with one line an attribute."""
    return "\n\n".join(_section(variable) for variable in _by_name(folder))


def outputs(folder: Path) -> str:
    """A module's outputs."""
    rows = [
        f"| `{name}` | {body['description']} |"
        for name, body in hcl.blocks(folder, "output").items()
    ]
    return _table(["Output", "Description"], rows)


TABLES: dict[str, Callable[[Path], str]] = {
    "inputs": inputs,
    "inputs-index": inputs_index,
    "inputs-reference": inputs_reference,
    "outputs": outputs,
    "prices": lambda _: prices.table(prices.load()),
}


def render(page: Path) -> str:
    """A page's text with its tables renewed. Raises PipelineError when a marker has no partner."""
    text = page.read_text(encoding="utf-8")
    for kind, table in TABLES.items():
        begin, end = f"<!-- BEGIN {kind} -->\n", f"<!-- END {kind} -->"
        if begin not in text and end not in text:
            continue
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise PipelineError(
                f"{page} lacks one of the markers {begin.strip()} and {end}: add it."
            )
        # The module that the page belongs to: its own folder's, or one above.
        module = next((above for above in page.parents if [*above.glob("*.tf")]), page.parent)
        text = f"{head}{begin}\n{table(module)}\n\n{end}{tail}"
    return text


def render_hcl(file: Path, variables: list[Variable]) -> str:
    """An HCL file's text with the descriptions of its variables renewed.

    Raises PipelineError naming a variable that has attributes and no description between markers.
    """
    text = file.read_text(encoding="utf-8")
    for variable in variables:
        if not variable.attributes:
            continue
        start = text.index(f'variable "{variable.name}" {{')
        found = _DESCRIPTION.search(text, start, text.index("\n}\n", start))
        if not found:
            raise PipelineError(
                f"{file}: the description of {variable.name} is not between `# BEGIN description` "
                "and `# END description`, as <<-EOT: write it so, with a first paragraph."
            )
        lead = found[1].partition("\n\n")[0].rstrip("\n")
        bullets = textwrap.indent(_bullets(variable), "    ").replace("${", "$${")
        new = f"{lead}\n\n{bullets}\n"
        text = f"{text[: found.start(1)]}{new}{text[found.end(1) :]}"
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
    """Renew every table and description, or with `check` compare them; returns the exit code.

    With an attribute that nobody described it is 1, and nothing is written.
    """
    variables = hcl.variables(root)
    missing = [
        f"{variable.file.relative_to(root)}:{line}: {path} has no description"
        for variable in variables
        for line, path in hcl.undescribed(variable)
    ]
    fresh = {page: render(page) for page in pages(root)}
    for file in dict.fromkeys(variable.file for variable in variables):
        fresh[file] = render_hcl(file, [each for each in variables if each.file == file])
    stale = [path for path, text in fresh.items() if text != path.read_text(encoding="utf-8")]
    names = [str(path.relative_to(root)) for path in stale]
    written = bool(stale) and not check and not missing
    if written:
        for path in stale:
            path.write_text(fresh[path], encoding="utf-8", newline="\n")
    if as_json:
        print(json.dumps({"undescribed": missing, "stale": names, "written": written}))
        return int(bool(missing) or (check and bool(stale)))
    console = Console(highlight=False, soft_wrap=True)
    for place in missing:
        console.print(f"{place}: write a comment line above it.", markup=False)
    for name in names:
        console.print(f"{name} written" if written else f"{name} is out of date")
    if missing or (check and stale):
        console.print("Run `python -m tools docs` and commit the result.")
        return 1
    if not stale:
        console.print("Every table and description is what the HCL and prices.json say.")
    return 0


def _by_name(folder: Path) -> list[Variable]:
    return sorted(hcl.variables(folder), key=lambda variable: variable.name)


def _section(variable: Variable) -> str:
    head = f"## {variable.name}\n\n{_wrapped(variable.lead)}"
    if not variable.attributes:
        given = "required" if variable.default is None else f"default `{variable.default}`"
        return f"{head}\n\nType `{variable.type}`, {given}."
    columns = ["Attribute", "Type", "Default", "What it does"]
    parts = [head, _table(columns, _rows(variable.attributes, ""))]
    for family in _families(variable.attributes):
        inner = family[0].inner
        rows = [f"| `{each.name}` | `{each.type}` | {_escaped(each.text)} |" for each in inner]
        parts += [
            _wrapped(f"{_list(family)} have these attributes:"),
            _table(["Attribute", "Type", "What it does"], rows),
            "Their defaults:",
            _table(
                [variable.name, *(f"`{each.name}`" for each in inner)],
                [
                    f"| `{member.name}` | {' | '.join(map(_default, member.inner))} |"
                    for member in family
                ],
            ),
        ]
    return "\n\n".join(parts)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def _rows(attributes: tuple[Attribute, ...], path: str) -> Iterator[str]:
    shared = {member.name for family in _families(attributes) for member in family}
    for attribute in attributes:
        name, kind = f"{path}{attribute.name}", attribute.type
        yield f"| `{name}` | `{kind}` | {_default(attribute)} | {_escaped(attribute.text)} |"
        if attribute.name not in shared:
            many = {"list": "[]", "map(": ".*"}.get(kind[:4], "")
            yield from _rows(attribute.inner, f"{name}{many}.")


def _bullets(variable: Variable) -> str:
    blocks = ["\n".join(_items(variable.attributes, "", defaults=True))]
    for family in _families(variable.attributes):
        blocks += [
            "\n".join(textwrap.wrap(f"{_list(family)} have these attributes:", 116)),
            "\n".join(_items(family[0].inner, "", defaults=False)),
        ]
    return "\n\n".join(blocks)


def _items(attributes: tuple[Attribute, ...], indent: str, defaults: bool) -> Iterator[str]:
    shared = {member.name for family in _families(attributes) for member in family}
    for attribute in attributes:
        shown = f" ({_default(attribute)})" if defaults and attribute.default != "{}" else ""
        yield textwrap.fill(
            f"- `{attribute.name}`{shown}: {attribute.text}",
            116,
            initial_indent=indent,
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        if attribute.name not in shared:
            yield from _items(attribute.inner, f"{indent}  ", defaults)


def _families(attributes: tuple[Attribute, ...]) -> list[list[Attribute]]:
    """The attributes whose own ones are described once, at the first of them."""
    firsts = dict.fromkeys(attribute.like for attribute in attributes if attribute.like)
    return [[each for each in attributes if first in (each.name, each.like)] for first in firsts]


def _list(attributes: list[Attribute]) -> str:
    *others, last = (f"`{attribute.name}`" for attribute in attributes)
    return f"{', '.join(others)} and {last}"


def _cell(attribute: Attribute) -> str:
    inner = ""
    if attribute.inner:
        inner = " { " + " ".join(_cell(each) for each in attribute.inner) + " }"
    if attribute.inner and attribute.default == "{}":
        return f"`{attribute.name}`{inner}"
    return f"`{attribute.name}`{inner} ({_default(attribute)})"


def _default(attribute: Attribute) -> str:
    if attribute.default is None:
        return "required"
    return _escaped(attribute.note or f"`{attribute.default}`")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _table(columns: list[str], rows: Iterable[str]) -> str:
    return "\n".join([f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *rows])
