"""Where the Terraform module is, and what of it a consumer gets."""

import hashlib
import os
from itertools import chain
from pathlib import Path

_CLONE, _INSTALLED = Path(__file__).resolve().parents[1], Path(__file__).with_name("_module")
# An installed package has the module in it.
ROOT = _INSTALLED if _INSTALLED.exists() else _CLONE
# The function's sources, and its package in `dist`.
FUNCTION = ROOT / "lambda_src"


def _work() -> Path:
    """Where the tooling works: in a clone what git ignores, also for a package that is installed.

    So that both find the same lab there.
    """
    if ROOT != _INSTALLED:
        return ROOT / ".work"
    try:
        here = Path.cwd()
    except FileNotFoundError:
        here = Path("/")
    for folder in (here, *here.parents):
        if (folder / "pipeline/paths.py").is_file() and (folder / "variables-alarms.tf").is_file():
            return folder / ".work"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "event-driven-lab"


WORK = _work()
# Folder of the embedded lab, where none is named.
LAB = WORK / "demo"


def fingerprint(root: Path) -> str:
    """A digest of all that Terraform reads in `root`, which calls the module."""
    own = (root.glob(pattern) for pattern in ("*.tf", "*.tf.json", "*.tfvars"))
    parts = ("*.tf", "prices.json", "modules/*/*.tf", "lambda_src/dist/*.zip")
    module = (ROOT.glob(pattern) for pattern in parts)
    digest = hashlib.sha256()
    for file in (*sorted(chain(*own)), *sorted(chain(*module))):
        # Two copies of the module are the same module.
        name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name
        digest.update(f"{name} {file.stat().st_size} ".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
