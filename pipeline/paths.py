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
# Where the tooling works: ignored by git in a clone; an installed package has no clone.
WORK = (
    Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "event-driven-lab"
    if ROOT == _INSTALLED
    else ROOT / ".work"
)


def fingerprint(root: Path) -> str:
    """A digest of all that Terraform reads in `root`, which calls the module."""
    own = (root.glob(pattern) for pattern in ("*.tf", "*.tf.json", "*.tfvars"))
    parts = ("*.tf", "prices.json", "modules/*/*.tf", "lambda_src/dist/*.zip")
    module = (ROOT.glob(pattern) for pattern in parts)
    digest = hashlib.sha256()
    for file in sorted(chain(*own, *module)):
        digest.update(f"{file.parent.name}/{file.name} {file.stat().st_size} ".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
