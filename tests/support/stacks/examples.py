"""Apply examples as their READMEs say, after what another team owns in them."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.terraform import run as terraform
from tools.module import copy_module

# The slowest first: two roots one after the other, then those with more queues.
NAMES = [
    "existing-topic",
    "existing-bucket",
    "encrypted",
    "buffered",
    "two-pipelines",
    "bring-your-own-handler",
    "stream-consumer",
]
# Each provider holds some 400 MB.
_AT_ONCE = 4


@dataclass(frozen=True)
class Applied:
    """The outputs of an example, and of the root `theirs` in it: another team's, if there is one.

    `second_plan` is what a second plan would change in both, in Terraform's words, or empty.
    """

    outputs: Mapping[str, Any]
    theirs: Mapping[str, Any]
    second_plan: str


def apply(names: Iterable[str], folder: Path, environment: dict[str, str]) -> dict[str, Applied]:
    """Apply them side by side in one account, each root with a state of its own."""
    module = copy_module(folder)

    def apply_example(name: str) -> Applied:
        root = module / "examples" / name
        theirs: dict[str, Any] = {}
        if (root / "theirs").exists():
            theirs = _apply(root / "theirs", environment)
        # The owner's outputs are the example's variables.
        given = environment | {f"TF_VAR_{key}": str(value) for key, value in theirs.items()}
        outputs = _apply(root, given)
        second = _second_plan(root, given)
        if theirs:
            second += _second_plan(root / "theirs", environment)
        return Applied(outputs, theirs, second)

    names = list(names)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(names, pool.map(apply_example, names), strict=True))


def _apply(root: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    terraform.init(root, environment)
    terraform.apply(root, environment)
    return terraform.outputs(root, environment)


def _second_plan(root: Path, environment: Mapping[str, str]) -> str:
    """Changed outputs count too."""
    arguments = ("plan", "-detailed-exitcode", "-input=false", "-no-color")
    planned = terraform.run(root, environment, *arguments, expected=(0, 2))
    if planned.returncode == 0:
        return ""
    # A long list of what was read comes first.
    return planned.stdout[max(planned.stdout.find("\nTerraform "), 0) :]
