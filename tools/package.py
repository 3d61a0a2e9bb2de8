"""Build the function's package: the same bytes on every machine.

Nothing that differs from machine to machine goes in: names are sorted, time and mode fixed, and the
files are stored rather than deflated, since deflate's output depends on zlib's version.
"""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.errors import PipelineError
from pipeline.paths import FUNCTION
from tools.module import EXAMPLES

PACKAGE = FUNCTION / "dist" / "lambda.zip"
# The oldest time that a zip file can tell.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644


@dataclass(frozen=True)
class Package:
    """A built package: its bytes, and the names of the files in it."""

    content: bytes
    names: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Base64, as Lambda's `CodeSha256` and Terraform's `source_code_hash` have it."""
        return base64.b64encode(hashlib.sha256(self.content).digest()).decode()


def of_examples() -> dict[Path, Path]:
    """The packages of the examples' own functions, by the folder of their sources.

    A package is named after the one module in that folder.
    """
    sources = [folder / "src" for folder in EXAMPLES if (folder / "src").is_dir()]
    return {
        source: source.with_name(f"{module.stem}.zip")
        for source in sources
        for module in source.glob("*.py")
    }


def build(source: Path = FUNCTION, handler: str = "lambda_function") -> Package:
    """The package of every Python file directly in `source`, `handler` among them.

    Raises PipelineError when there is no handler, or when a file has Windows line ends.
    """
    files = {path.name: path.read_bytes() for path in source.glob("*.py")}
    if f"{handler}.py" not in files:
        raise PipelineError(f"{source} holds no {handler}.py: name the folder of the handler.")
    for name, content in files.items():
        if b"\r\n" in content:
            raise PipelineError(
                f"{source / name} has Windows line ends, which would change the package: "
                "run `git add --renormalize .`, then check it out again."
            )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            archive.writestr(entry, files[name])
    return Package(buffer.getvalue(), tuple(sorted(files)))


def differences(built: Package, package: Path) -> list[str]:
    """What `package` has that `built` has not, and the other way round, a sentence each."""
    try:
        content = package.read_bytes()
    except FileNotFoundError:
        return [f"{package} does not exist"]
    if content == built.content:
        return []
    try:
        ours, theirs = _entries(built.content), _entries(content)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        return [f"{package} is no readable zip file ({error})"]
    found = [f"{name} is missing" for name in sorted(ours.keys() - theirs.keys())]
    found += [f"{name} should not be there" for name in sorted(theirs.keys() - ours.keys())]
    found += [
        f"{name} holds something else than its source"
        for name in sorted(ours.keys() & theirs.keys())
        if ours[name] != theirs[name]
    ]
    return found or ["the files are the same, but not their order, time, mode or compression"]


def run_all(check: bool, as_json: bool = False) -> int:
    """`run` for the module's package, then for each of the examples'; JSON is an object a line."""
    status = run(check, as_json)
    for source, package in of_examples().items():
        status = max(status, run(check, as_json, source, package, package.stem))
    return status


def run(
    check: bool,
    as_json: bool = False,
    source: Path = FUNCTION,
    package: Path = PACKAGE,
    handler: str = "lambda_function",
) -> int:
    """Write a package, or with `check` compare the one that is there; returns the exit code.

    Raises PipelineError when it can't be built or written.
    """
    built = build(source, handler)
    found = differences(built, package)
    if not check and found:
        try:
            package.parent.mkdir(parents=True, exist_ok=True)
            # Whoever plans meanwhile sees the old package or the new one, never half of it.
            partial = package.with_suffix(".partial")
            partial.write_bytes(built.content)
            partial.replace(package)
        except OSError as error:
            raise PipelineError(
                f"{package} can't be written ({error.strerror}): make room."
            ) from error
    stale = bool(check and found)
    if as_json:
        print(
            json.dumps(
                {
                    "package": str(package),
                    "files": list(built.names),
                    "bytes": len(built.content),
                    "sha256": built.sha256,
                    "differences": found,
                    "written": bool(found) and not check,
                }
            )
        )
        return int(stale)
    console = Console(highlight=False, soft_wrap=True)
    if stale:
        console.print(f"[red]{package} is not what its sources make:[/red]")
        for sentence in found:
            console.print(f"  {sentence}", markup=False)
        console.print("Run `python -m tools package` and commit the result.")
        return 1
    done = "is what its sources make" if check or not found else "written"
    console.print(f"{package} {done}: {len(built.names)} files, {len(built.content):,} bytes")
    console.print(f"sha256 (base64) {built.sha256}")
    return 0


def _entries(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
