"""Where the Terraform module is, and what of it a consumer gets."""

import hashlib
import os
from pathlib import Path

_CLONE, _INSTALLED = Path(__file__).resolve().parents[1], Path(__file__).with_name("_module")
# A package that was built of the repository has taken the module along.
ROOT = _INSTALLED if _INSTALLED.exists() else _CLONE
# The function's sources, and its package in `dist`.
FUNCTION = ROOT / "lambda_src"
# Where the tooling works: ignored by git in a clone, and whoever installed it owns no clone.
WORK = (
    Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "event-driven-lab"
    if ROOT == _INSTALLED
    else ROOT / ".work"
)


def fingerprint(root: Path) -> str:
    """Another one whenever anything is that Terraform reads in `root`, which calls the module."""
    files = [*root.glob("*.tf"), *root.glob("*.tf.json"), *root.glob("*.tfvars")]
    for pattern in ("*.tf", "prices.json", "modules/*/*.tf", "lambda_src/dist/*.zip"):
        files += ROOT.glob(pattern)
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.parent.name}/{file.name} {file.stat().st_size} ".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
