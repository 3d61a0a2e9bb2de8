"""Build the functions' packages: the same bytes on every machine.

Names are sorted, time and mode fixed, and files stored without compression, since the output of
deflate depends on zlib's version.
"""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from pipeline.errors import PipelineError
from pipeline.paths import FUNCTION
from tools.module import EXAMPLES

PACKAGE = FUNCTION / "dist" / "lambda.zip"
# The earliest time in a zip file.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644


def of_examples() -> dict[Path, Path]:
    """The packages of the examples' own functions, by the folder of their sources.

    A package is named after the only module in that folder.
    """
    return {
        module.parent: module.parent.with_name(f"{module.stem}.zip")
        for example in EXAMPLES
        for module in example.glob("src/*.py")
    }


def build(source: Path = FUNCTION) -> bytes:
    """The package of every Python file directly in `source`.

    Raises PipelineError when a file has Windows line ends.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(source.glob("*.py")):
            content = file.read_bytes()
            if b"\r\n" in content:
                raise PipelineError(
                    f"{file} has Windows line ends, which would change the package: "
                    "run `git add --renormalize .`, then check it out again."
                )
            entry = zipfile.ZipInfo(file.name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def differences(built: bytes, package: Path) -> list[str]:
    """How the file `package` differs from what was `built`, a sentence each."""
    try:
        content = package.read_bytes()
    except FileNotFoundError:
        return [f"{package} does not exist"]
    if content == built:
        return []
    try:
        expected, found = _entries(built), _entries(content)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        return [f"{package} is no readable zip file ({error})"]
    return [
        f"{name} differs from its source"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ] or ["the files are the same, but not their order, time, mode or compression"]


def _entries(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def run(check: bool, as_json: bool = False, packages: Mapping[Path, Path] | None = None) -> int:
    """Build `packages`, by the folders of their sources, or compare them; returns the exit status.

    By default the module's and those of the examples. JSON is an object a line. Raises
    PipelineError when a package can't be built or written.
    """
    console = Console(highlight=False, soft_wrap=True, quiet=as_json)
    status = 0
    for source, package in (packages or {FUNCTION: PACKAGE, **of_examples()}).items():
        built = build(source)
        found = differences(built, package)
        if found and not check:
            _write(built, package)
        files = sorted(_entries(built))
        # As Lambda's `CodeSha256` and Terraform's `source_code_hash`.
        sha256 = base64.b64encode(hashlib.sha256(built).digest()).decode()
        if as_json:
            about = {
                "package": str(package),
                "files": files,
                "bytes": len(built),
                "sha256": sha256,
                "differences": found,
                "written": bool(found) and not check,
            }
            print(json.dumps(about))
        if found and check:
            status = 1
            console.print(f"[red]{package} is out of date:[/red]")
            for difference in found:
                console.print(f"  {difference}", markup=False)
            console.print("Run `python -m tools package` and commit the result.")
        else:
            done = "written" if found else "is up to date"
            console.print(f"{package} {done}: {len(files)} files, {len(built):,} bytes")
            console.print(f"sha256 (base64) {sha256}")
    return status


def _write(built: bytes, package: Path) -> None:
    try:
        package.parent.mkdir(parents=True, exist_ok=True)
        # Whoever plans meanwhile sees the old package or the new one, never half of it.
        partial = package.with_suffix(".partial")
        partial.write_bytes(built)
        partial.replace(package)
    except OSError as error:
        raise PipelineError(f"{package} can't be written ({error.strerror}): make room.") from error
