"""The module's folders, and copies of the module as a consumer gets it."""

import shutil
from pathlib import Path

from pipeline.paths import ROOT

MODULES = sorted(file.parent for file in ROOT.glob("modules/*/main.tf"))
EXAMPLES = sorted(file.parent for file in ROOT.glob("examples/*/main.tf"))
# What another team owns, in the examples that build on it: roots of their own.
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


def use_samples(example: Path) -> None:
    """Let a copied example plan in an empty account: without imports, with its sample values."""
    (example / "imports.tf").unlink(missing_ok=True)
    sample = example / "terraform.tfvars.example"
    if sample.exists():
        shutil.copy(sample, sample.with_suffix(""))
