"""Where the Terraform module is, and what of it a consumer gets."""

import hashlib
import os
import shutil
from pathlib import Path

_CLONE, _INSTALLED = Path(__file__).resolve().parents[1], Path(__file__).with_name("_module")
# A package that was built of the repository has taken the module along.
ROOT = _INSTALLED if _INSTALLED.exists() else _CLONE
# Where the tooling works: ignored by git in a clone, and whoever installed it owns no clone.
WORK = (
    Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "event-driven-lab"
    if ROOT == _INSTALLED
    else ROOT / ".work"
)
MODULES = sorted(file.parent for file in ROOT.glob("modules/*/main.tf"))
EXAMPLES = sorted(file.parent for file in ROOT.glob("examples/*/main.tf"))
# What somebody else has, in the examples that build on it: roots of their own.
THEIRS = sorted(file.parent for file in ROOT.glob("examples/*/theirs/main.tf"))

# What Terraform reads; nothing else may be needed to plan, to apply and to test with mocks.
_CONSUMED = ("*.tf", "prices.json", "modules", "examples", "lambda_src/dist", "tests/mocks")


def copy_module(folder: Path) -> Path:
    """Copy to `folder` what a consumer of the module needs, without any state; returns it."""
    for pattern in _CONSUMED:
        for path in ROOT.glob(pattern):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.py", "__pycache__")
                shutil.copytree(path, target, ignore=ignored)
            else:
                shutil.copy(path, target)
    return folder


def plan_anew(example: Path) -> None:
    """Let a copied example plan in an account that holds nothing.

    What it would import it then makes, and its sample values are taken for somebody's own.
    """
    (example / "imports.tf").unlink(missing_ok=True)
    sample = example / "terraform.tfvars.example"
    if sample.exists():
        shutil.copy(sample, sample.with_suffix(""))


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
