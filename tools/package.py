"""Build the functions' packages: the same bytes on every machine.

Names are sorted, time and mode fixed, and files stored without compression, since the output of
deflate depends on zlib's version. The module's function takes its bytecode along, which only one
release of Python makes byte for byte: any other one compares the sources.
"""

import _imp
import base64
import hashlib
import io
import json
import platform
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import certifi
from rich.console import Console

from pipeline.errors import PipelineError
from pipeline.paths import FUNCTION
from tools.module import EXAMPLES

PACKAGE = FUNCTION / "dist" / "lambda.zip"
# The earliest time in a zip file.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644

# The release that compiles the package: another one makes other bytes of the same sources.
COMPILER = "3.12.1"
# CPython 3.12's magic number, and the flag of a file that names its source's hash, to be believed.
_HEADER = bytes.fromhex("cb0d0d0a 01000000")
# A new process makes the same bytes each time: which texts it shares depends on what ran before.
# The names are those that the files have in Lambda. Nobody reads docstrings,
# columns and annotations of functions there: they are left out.
_COMPILE = """
import ast, importlib._bootstrap_external as external, pathlib, sys
for name in sys.argv[2:]:
    source = pathlib.Path(sys.argv[1], name).read_bytes()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    code = compile(tree, f"/var/task/{name}", "exec", dont_inherit=True, optimize=2)
    hashed = external._imp.source_hash(external._RAW_MAGIC_NUMBER, source)
    data = external._code_to_hash_pyc(code, hashed, checked=False)
    sys.stdout.buffer.write(len(data).to_bytes(4) + data)
"""

# What events never load: compiled where a job does, so that the package stays small.
_ON_DEMAND = "batch_operations.py"

# Whom TLS to DynamoDB trusts first: https://www.amazontrust.com/repository/
ROOTS = FUNCTION / "amazon_roots.pem"
_AMAZON = (
    *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
    "Starfield Services Root Certificate Authority - G2",
)


def of_examples() -> dict[Path, Path]:
    """The packages of the examples' own functions and hooks, by the folder of their sources.

    A package is named after the only module in that folder.
    """
    functions = {
        module.parent: module.parent.with_name(f"{module.stem}.zip")
        for example in EXAMPLES
        for module in example.glob("src/*.py")
    }
    hooks = {
        example / "hook": example / f"{module.stem}.zip"
        for example in EXAMPLES
        for module in example.glob("hook/python/*.py")
    }
    return functions | hooks


def roots() -> str:
    """Amazon's root certificates as certifi has them. Raises PipelineError if one is missing."""
    pattern = r'# Label: "(.+)"\n(?:#.*\n)*((?:[^#\n].*\n)+)'
    known = dict(re.findall(pattern, certifi.contents()))
    if missing := [name for name in _AMAZON if name not in known]:
        raise PipelineError(f"certifi {certifi.__version__} has no {', '.join(missing)}.")
    return "".join(f"# {name}\n{known[name]}" for name in _AMAZON)


def compiles() -> bool:
    """Whether this is the Python whose bytecode the package takes along."""
    return (platform.python_implementation(), platform.python_version()) == ("CPython", COMPILER)


def build(source: Path = FUNCTION, compiled: bool = False) -> bytes:
    """The package of every Python file and certificate in `source`, `compiled` with bytecode.

    Raises PipelineError when a file has Windows line ends, or when this Python can't compile it.
    """
    files = _sources(source)
    return _zipped(files | (_bytecode(source, files) if compiled else {}))


def _sources(folder: Path) -> dict[str, bytes]:
    files = {}
    # In a layer, Python finds what is in the folder `python`.
    for pattern in ("*.py", "*.pem", "python/*.py"):
        for file in folder.glob(pattern):
            name = file.relative_to(folder).as_posix()
            files[name] = file.read_bytes()
            if b"\r\n" in files[name]:
                raise PipelineError(
                    f"{file} has Windows line ends, which would change the package: "
                    "run `git add --renormalize .`, then check it out again."
                )
    return files


def _bytecode(folder: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    if not compiles():
        raise PipelineError(
            f"Only CPython {COMPILER} compiles the package, and this is {platform.python_version()}"
            f": run `uv run --no-project --python {COMPILER} --with-requirements "
            "requirements/test.txt python -m tools package`."
        )
    names = _compiled(files)
    command = [
        sys.executable,
        "-I",
        "-S",
        "-X",
        "no_debug_ranges",
        "-c",
        _COMPILE,
        str(folder),
        *names,
    ]
    stream = io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)
    return {_cached(name): stream.read(int.from_bytes(stream.read(4))) for name in names}


def _compiled(files: Mapping[str, bytes]) -> list[str]:
    return sorted(name for name in files if name.endswith(".py") and name != _ON_DEMAND)


def _cached(name: str) -> str:
    return f"__pycache__/{name.removesuffix('.py')}.cpython-312.pyc"


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def differences(package: Path, source: Path = FUNCTION, compiled: bool = False) -> list[str]:
    """How the file `package` differs from what `build` makes, a sentence each.

    Where this Python can't compile it, bytecode counts by the source that it says it is of.
    """
    expected = _sources(source)
    if compiled and compiles():
        expected |= _bytecode(source, expected)
    elif compiled:
        expected |= {_cached(name): _header(expected[name]) for name in _compiled(expected)}
    try:
        content = package.read_bytes()
        found = _entries(content)
    except FileNotFoundError:
        return [f"{package} does not exist"]
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        return [f"{package} is no readable zip file ({error})"]
    if _zipped(found) != content:
        layout = ["its files' order, time, mode or compression is not as built"]
    else:
        layout = []
    if not compiles():
        found = {n: c[:16] if n.endswith(".pyc") else c for n, c in found.items()}
    return layout + [
        f"{name} differs from its source"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def _header(source: bytes) -> bytes:
    # As `importlib.util.source_hash`, which hashes for the Python that runs.
    return _HEADER + _imp.source_hash(int.from_bytes(_HEADER[:4], "little"), source)


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
    if packages is None:
        packages = {FUNCTION: PACKAGE, **of_examples()}
        status = _renew_roots(check, console)
    for source, package in packages.items():
        compiled = source == FUNCTION
        found = differences(package, source, compiled)
        if found and not check:
            _write(build(source, compiled), package)
        content = package.read_bytes() if package.exists() else b""
        about = {
            "package": str(package),
            "bytes": len(content),
            # As Lambda's `CodeSha256` and Terraform's `source_code_hash`.
            "sha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
            "differences": found,
            "written": bool(found) and not check,
        }
        if as_json:
            print(json.dumps(about))
        if found and check:
            status = 1
            console.print(f"[red]{package} is out of date:[/red]")
            for difference in found:
                console.print(f"  {difference}", markup=False)
            console.print("Run `python -m tools package` and commit the result.")
        else:
            done = "written" if found else "is up to date"
            console.print(f"{package} {done}: {len(content):,} bytes")
            console.print(f"sha256 (base64) {about['sha256']}")
    return status


def _renew_roots(check: bool, console: Console) -> int:
    """Write Amazon's roots where they are not certifi's, or exit 1 with `check`."""
    renewed = roots()
    if ROOTS.exists() and ROOTS.read_text() == renewed:
        return 0
    if check:
        console.print(f"[red]{ROOTS} is not what certifi has.[/red]")
        console.print("Run `python -m tools package` and commit the result.")
        return 1
    _write(renewed.encode(), ROOTS)
    console.print(f"{ROOTS} written from certifi {certifi.__version__}")
    return 0


def _write(content: bytes, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whoever plans meanwhile sees the old package or the new one, never half of it.
        partial = file.with_suffix(".partial")
        partial.write_bytes(content)
        partial.replace(file)
    except OSError as error:
        raise PipelineError(f"{file} can't be written ({error.strerror}): make room.") from error
