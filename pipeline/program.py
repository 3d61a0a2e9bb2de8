"""How this program was called, so that what it prints can be typed again."""

import shlex
import sys
from pathlib import Path

# Its name on a command line: what `pip install` makes, or the module.
INSTALLED = Path(sys.argv[0]).name == "pipeline"
NAME = "pipeline" if INSTALLED else "python -m pipeline"


def command_line() -> str:
    """What starts it in this shell, where it is: `pipeline`, or `.venv/bin/python -m pipeline`."""
    # Not resolved: a virtual environment's python is a link to one without its packages.
    program, here = Path(sys.argv[0] if INSTALLED else sys.executable), Path.cwd()
    shown = program.relative_to(here) if program.is_relative_to(here) else program
    if INSTALLED and not program.is_absolute():
        shown = Path("pipeline")
    return shlex.quote(str(shown)) + ("" if INSTALLED else " -m pipeline")
