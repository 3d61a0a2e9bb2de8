"""Apply examples as their READMEs say, after what another team owns in them."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.terraform import run as terraform
from tests.support.stacks import stack
from tools.module import copy_module

NAMES = [
    "existing-topic",
    "existing-bucket",
    "encrypted",
    "buffered",
    "two-pipelines",
    "bring-your-own-handler",
    "enrich",
    "stream-consumer",
]


@dataclass(frozen=True)
class Applied:
    """The outputs of an example, and of the root `theirs` in it: another team's, if there is one.

    `second_plan` has what another plan would change in all of them, in Terraform's words.
    """

    outputs: Mapping[str, Any]
    theirs: Mapping[str, Any]
    second_plan: str


def apply(names: Iterable[str], folder: Path, environment: dict[str, str]) -> dict[str, Applied]:
    """Apply them side by side in one account: in one root, since starting Terraform costs most.

    Whose resources an example builds on are applied before, as somebody else's, in another root.
    """
    module = copy_module(folder)
    examples = {name: module / "examples" / name for name in names}
    owners = {f"{name}/theirs": root / "theirs" for name, root in examples.items()}
    owners = {name: root for name, root in owners.items() if root.exists()}
    theirs = _apply(module / "theirs", owners, {}, environment)
    outputs = {name.partition("/")[0]: outputs for name, outputs in theirs.items()}
    # The owner's outputs are the example's variables, and what its tests need.
    given = {
        name: {key: values[key] for key in values if f'variable "{key}"' in _text(examples[name])}
        for name, values in outputs.items()
    }
    ours = _apply(module / "ours", examples, given, environment)
    second = stack.second_plan(module / "ours", environment)
    second += stack.second_plan(module / "theirs", environment)
    return {name: Applied(ours[name], outputs.get(name, {}), second) for name in examples}


def _text(folder: Path) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in folder.glob("*.tf"))


def _apply(
    root: Path,
    modules: Mapping[str, Path],
    values: Mapping[str, Mapping[str, Any]],
    environment: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """Call each module of `modules` in `root` and apply; their outputs by name."""
    labels = {name: name.replace("/", "-") for name in modules}
    calls = {
        labels[name]: {"source": os.path.relpath(folder, root), **values.get(name, {})}
        for name, folder in modules.items()
    }
    outputs = {label: {"value": f"${{module.{label}}}"} for label in calls}
    terraform.write_root(root, {"module": calls, "output": outputs})
    terraform.init(root, environment)
    stack.apply(root, environment)
    made = stack.outputs(root)
    return {name: made[label] for name, label in labels.items()}
