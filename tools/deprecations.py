"""What the AWS provider calls deprecated, read from Pulumi's bindings.

The bindings of tools/bindings.py don't have it. Pulumi's do, under other names: a repeated block is
plural there, and a type is a class in a module of its service.
"""

import ast
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from tools.bindings import Block, Type

PACKAGE = "pulumi-aws"
VERSION = "7.51.1"


@dataclass(frozen=True)
class _Property:
    deprecated: str | None
    struct: str | None

    def __or__(self, other: "_Property") -> "_Property":
        return _Property(self.deprecated or other.deprecated, self.struct or other.struct)


class Deprecations:
    """The wheel of pulumi-aws, opened."""

    def __init__(self, wheel: Path) -> None:
        """Raises PipelineError when `wheel` does not hold pulumi-aws."""
        try:
            self._zip = zipfile.ZipFile(wheel)
        except (OSError, zipfile.BadZipFile) as error:
            raise PipelineError(
                f"{wheel} is no wheel ({error}): name that of {PACKAGE}."
            ) from error
        self._names = set(self._zip.namelist())
        found = re.search(r"pulumi_aws-([\d.]+)\.dist-info/METADATA", "\n".join(self._names))
        if found is None:
            raise PipelineError(f"{wheel} is not a wheel of {PACKAGE}: name its wheel.")
        self.version = found[1]
        self._inputs: dict[str, dict[str, dict[str, _Property]]] = {}

    def mark(self, kind: str, name: str, described: Type) -> None:
        """Add to `described` what is deprecated in it.

        Raises PipelineError where Pulumi's names don't match the provider's.
        """
        file = self._file(kind, name)
        package = file.rpartition("/")[0]
        if package not in self._inputs:
            inputs = f"{package}/_inputs.py"
            self._inputs[package] = self._structs(inputs) if inputs in self._names else {}
        structs = self._structs(file)
        # What can be set and what can be read are classes of their own, with the same names.
        own: dict[str, _Property] = {}
        for properties in structs.values():
            own |= {name: each | own.get(name, each) for name, each in properties.items()}
        others = described.get("attributes", {})
        _mark(f"{kind} {name}", described, own, self._inputs[package], others)

    def _file(self, kind: str, name: str) -> str:
        words = name.removeprefix("aws_").split("_")
        get = "get_" if kind == "data" else ""
        candidates = [f"pulumi_aws/{get}{'_'.join(words)}.py"]
        for length in range(1, len(words)):
            service, own = "_".join(words[:length]), "_".join(words[length:])
            candidates += [f"pulumi_aws/{each}/{get}{own}.py" for each in (service, f"{service}_")]
        found = [each for each in candidates if each in self._names]
        if len(found) != 1:
            raise PipelineError(
                f"{kind} {name} is not in {PACKAGE} under the name of its service: teach "
                "tools/deprecations.py its module."
            )
        return found[0]

    def _structs(self, file: str) -> dict[str, dict[str, _Property]]:
        tree = ast.parse(self._zip.read(file))
        return {
            each.name: _properties(each) for each in tree.body if isinstance(each, ast.ClassDef)
        }


def _mark(
    where: str,
    block: Block,
    properties: dict[str, _Property],
    structs: dict[str, dict[str, _Property]],
    attributes: Iterable[str] = (),
) -> None:
    names = [*block.get("arguments", {}), *block.get("blocks", {}), *attributes]
    ours = {name: _under(name, properties) for name in names}
    deprecated = {
        name: properties[theirs].deprecated or "" for name, theirs in ours.items() if theirs
    }
    if texts := {name: text for name, text in sorted(deprecated.items()) if text}:
        block["deprecated"] = texts
    # In a block such a name is an attribute that nobody can set, which the bindings leave out.
    lost = {name for name, each in properties.items() if each.deprecated} - set(ours.values())
    if lost and attributes:
        raise PipelineError(
            f"{where}: {', '.join(sorted(lost))} of {PACKAGE} is no name of the provider's: "
            "teach tools/deprecations.py."
        )
    for name, inner in block.get("blocks", {}).items():
        theirs = ours[name]
        struct = properties[theirs].struct if theirs else None
        if struct in structs:
            _mark(f"{where}.{name}", inner, structs[struct], structs)
        elif name != "timeouts":  # Pulumi has other timeouts
            raise PipelineError(
                f"{where}.{name} is not in {PACKAGE} under that name: teach tools/deprecations.py."
            )


def _under(name: str, properties: Iterable[str]) -> str | None:
    # Python's keywords have an underscore behind them.
    variants = (name, f"{name}s", f"{name}es", f"{name.removesuffix('y')}ies", f"{name}_")
    return next((each for each in variants if each in properties), None)


def _properties(node: ast.ClassDef) -> dict[str, _Property]:
    found: dict[str, _Property] = {}
    for each in node.body:
        if not isinstance(each, ast.FunctionDef) or each.returns is None:
            continue
        decorators = [ast.unparse(decorator) for decorator in each.decorator_list]
        if "_builtins.property" not in decorators:
            continue
        texts = [
            ast.literal_eval(decorator.args[0])
            for decorator in each.decorator_list
            if isinstance(decorator, ast.Call)
            and ast.unparse(decorator.func).endswith("deprecated")
        ]
        # A data source's own blocks are results, of which `_inputs.py` has the same as arguments.
        struct = re.search(r"'(?:outputs\.)?(\w+?)(?:Args|Result)?'", ast.unparse(each.returns))
        named = f"{struct[1]}Args" if struct else None
        found[each.name] = _Property(texts[0] if texts else None, named)
    return found
