"""The code that is saved again and again: what belongs to it, its faults, and its package."""

import ast
import io
import os
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.paths import FUNCTION

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MB = 1024 * 1024
_MOST_ZIPPED, _MOST_UNZIPPED = 50 * _MB, 250 * _MB
_HANDLERS = ("lambda_handler", "handler")
_HOOK = "on_event"
_SMALLER = "leave out what the function does not need, or put libraries into a layer"
# The hook lies as in a layer: the handler then names the line at which it fails.
_LAYER = "python"
_FINDS_IT = """\
import sys

sys.path.insert(0, f"{__file__.rpartition('/')[0]}/LAYER")
del sys.modules[__name__]
import NAME
"""
_ENTRY = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class FaultyError(PipelineError):
    """What was saved can't run."""


@dataclass(frozen=True)
class Code:
    """Code for the function.

    `hook` is a file, `folder` that of a team's handler, each None without; `entry` the function in
    it that is called, as the user named it.
    """

    hook: Path | None = None
    folder: Path | None = None
    entry: str | None = None

    @property
    def watched(self) -> list[Path]:
        """The folders that are watched, each without the folders in it but for `folder`."""
        if self.folder is not None:
            return [self.folder]
        return [FUNCTION] if self.hook is None else [self.hook.parent, FUNCTION]

    @property
    def name(self) -> str:
        """What it is, for a sentence."""
        return str(self.hook or self.folder or FUNCTION)

    def has(self, file: Path) -> bool:
        """Whether a file belongs to it."""
        if self.folder is not None and file.is_relative_to(self.folder):
            parts = file.relative_to(self.folder).parts
            return not any(part.startswith(".") or part == "__pycache__" for part in parts)
        if file.parent == FUNCTION and self.folder is None:
            return file.suffix in (".py", ".pem")
        return file == self.hook or (self.is_layer and file.is_relative_to(self.watched[0]))

    def package(self, changed: Collection[Path]) -> bytes:
        """A package of it as it is now, in which the files that have `changed` compile.

        So do those of the folder itself. Raises FaultyError.
        """
        files = dict(self._files())
        for file in files.values():
            # Libraries in folders below may be many.
            if file.suffix == ".py" and (file in changed or file.parent in self.watched):
                _compiled(file)
        if self.hook is None:
            return _zipped(files, {})
        return _zipped(files, {self.hook.name: _finds(self.hook.stem)})

    def handler(self) -> str | None:
        """The function's `Handler`, None for the module's. Raises FaultyError."""
        if self.folder is None:
            return None
        if self.entry is not None:
            module, _, name = self.entry.rpartition(".")
            file = self.folder / f"{module.replace('.', '/')}.py"
            if not module or name not in _functions(file):
                raise FaultyError(f"{self.folder} has no function {self.entry}.")
            return self.entry
        found = [
            f"{file.stem}.{name}"
            for file in sorted(self.folder.glob("*.py"))
            for name in _HANDLERS
            if name in _functions(file)
        ]
        if len(found) == 1:
            return found[0]
        among = f"{', '.join(found)}: choose" if found else f"no {' or '.join(_HANDLERS)}: name"
        raise FaultyError(f"{self.folder} has {among} one with --entry MODULE.FUNCTION.")

    def variables(self) -> dict[str, str]:
        """What the function's environment has because of it. Raises FaultyError."""
        if self.hook is None:
            return {}
        name = self.entry or _HOOK
        if name not in _functions(self.hook):
            fix = "" if self.entry else ": name its function with --entry"
            raise FaultyError(f"{self.hook} has no function {name}{fix}.")
        return {"RECORD_HOOK": f"{self.hook.stem}.{name}", "RECORD_HOOK_CONCURRENCY": "8"}

    @property
    def is_layer(self) -> bool:
        """Whether the hook lies as in a layer, where all that is beside it is its own."""
        return self.hook is not None and self.hook.parent.name == _LAYER

    def _files(self) -> Iterator[tuple[str, Path]]:
        """The names in the package, and their files. Raises FaultyError where it is too large."""
        size = 0
        for folder in self.watched:
            if not folder.is_dir():
                raise FaultyError(f"{folder} is gone.")
            deep = folder == self.folder or (self.is_layer and folder != FUNCTION)
            for file in _below(folder, deep=deep):
                if not self.has(file):
                    continue
                size += file.stat().st_size
                if size > _MOST_UNZIPPED:
                    raise FaultyError(
                        f"{self.name} has more than {_MOST_UNZIPPED // _MB} MB, which is all that "
                        f"Lambda takes: {_SMALLER}."
                    )
                name = file.relative_to(folder).as_posix()
                yield name if folder in (FUNCTION, self.folder) else f"{_LAYER}/{name}", file


def chosen(hook: Path | None, folder: Path | None, entry: str | None) -> Code:
    """The code that the options name. Raises PipelineError."""
    if hook is not None and folder is not None:
        raise PipelineError("--hook and --handler both name code: give one of them.")
    if hook is None and folder is None:
        if entry is not None:
            raise PipelineError("--entry is a function of --hook or --handler: give one of these.")
        return Code()
    if folder is not None:
        if not folder.is_dir():
            raise PipelineError(f"{folder} is no folder: give --handler that of your handler.")
        return Code(folder=folder.resolve(), entry=entry)
    hook = (hook or Path()).resolve()
    if not hook.is_file() or hook.suffix != ".py" or not _ENTRY.fullmatch(hook.stem):
        raise PipelineError(f"{hook} is no Python module: give --hook a file like enrich.py.")
    if (FUNCTION / hook.name).exists():
        raise PipelineError(
            f"{hook.name} is the name of a file of the module's handler: give the hook another."
        )
    return Code(hook=hook, entry=entry)


def _below(folder: Path, *, deep: bool) -> Iterator[Path]:
    if not deep:
        yield from (file for file in sorted(folder.iterdir()) if file.is_file())
        return
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n != "__pycache__")
        yield from (Path(place, name) for name in sorted(names))


def _functions(file: Path) -> set[str]:
    """What a module has at its top that may be called. Raises FaultyError."""
    found = set()
    for node in _compiled(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name for each in node.names}
    return found


def _compiled(file: Path) -> ast.Module:
    try:
        source = file.read_bytes()
        compile(source, str(file), "exec", dont_inherit=True)
        return ast.parse(source)
    except OSError as error:
        raise FaultyError(f"{file} can't be read ({error.strerror}).") from error
    except SyntaxError as error:
        raise FaultyError(f"{file}:{error.lineno or 1}: {error.msg}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise FaultyError(f"{file} is no Python source ({error}).") from error


def _finds(name: str) -> str:
    return _FINDS_IT.replace("LAYER", _LAYER).replace("NAME", name)


def _zipped(files: Mapping[str, Path], own: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, file in files.items():
                archive.writestr(zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED)
            for name, text in own.items():
                archive.writestr(zipfile.ZipInfo(name), text)
    except OSError as error:
        raise FaultyError(f"{error.filename} can't be read ({error.strerror}).") from error
    if buffer.tell() > _MOST_ZIPPED:
        raise FaultyError(
            f"The package has {buffer.tell() / _MB:,.0f} MB, and Lambda takes "
            f"{_MOST_ZIPPED // _MB} MB: {_SMALLER}."
        )
    return buffer.getvalue()
