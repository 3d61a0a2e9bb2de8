"""Write the schema that the newest provider 6.x has of the types in this HCL.

A unit test compares the HCL with that file, so that tests download nothing.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tools import bindings, deprecations, hcl

FILE = ROOT / "tests/fixtures/provider-6.json"

_DOWNLOAD_SECONDS = 300


def describe(bindings_wheel: Path, deprecations_wheel: Path) -> dict[str, Any]:
    """The schema of each type that the module, its submodules and the examples use.

    Raises PipelineError when a wheel can't be read, or lacks a type.
    """
    described = bindings.Bindings(bindings_wheel)
    deprecated = deprecations.Deprecations(deprecations_wheel)
    types: dict[str, dict[str, bindings.Type]] = {"resource": {}, "data": {}}
    for kind, name in hcl.used_here().types():
        types[kind][name] = described.type(kind, name)
        deprecated.mark(kind, name, types[kind][name])
    return {
        "provider": described.provider,
        "date": described.made.isoformat(),
        "sources": {
            bindings.PACKAGE: described.version,
            deprecations.PACKAGE: deprecated.version,
        },
        **types,
    }


def write(bindings_wheel: Path, deprecations_wheel: Path, file: Path = FILE) -> dict[str, Any]:
    """Write `describe` to a JSON file; returns what was written."""
    described = describe(bindings_wheel, deprecations_wheel)
    text = json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8", newline="\n")
    return described


def run(
    bindings_wheel: Path | None = None,
    deprecations_wheel: Path | None = None,
    as_json: bool = False,
) -> int:
    """Write the file from these wheels, by default downloaded ones.

    Raises PipelineError when a wheel can't be downloaded or read.
    """
    with tempfile.TemporaryDirectory() as folder:
        described = write(
            bindings_wheel or _download(bindings.PACKAGE, bindings.VERSION, Path(folder)),
            deprecations_wheel
            or _download(deprecations.PACKAGE, deprecations.VERSION, Path(folder)),
        )
    count = sum(len(described[kind]) for kind in ("resource", "data"))
    if as_json:
        about = {key: described[key] for key in ("provider", "date", "sources")}
        print(json.dumps({**about, "types": count}))
    else:
        Console(highlight=False, soft_wrap=True).print(
            f"{FILE.relative_to(ROOT)} written: {count} types of provider "
            f"{described['provider']}, {described['date']}"
        )
    return 0


def _download(package: str, version: str, folder: Path) -> Path:
    wanted = f"{package}=={version}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", "--only-binary", ":all:", "--dest", str(folder), wanted]
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS
        )
        (wheel,) = folder.glob(f"{package.replace('-', '_')}-{version}-*.whl")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        reason = output[-1] if output else "no message"
        raise PipelineError(
            f"pip got no wheel of {wanted} ({reason}): connect to a package index, or name a wheel "
            "that you have."
        ) from error
    return wheel
