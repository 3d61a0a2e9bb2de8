"""The root module of the embedded lab: its files, its outputs, and where its queues are."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.emulator.ports import HOST
from pipeline.emulator.process import ACCOUNT_ID
from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.terraform.provider import hcl_string

_MAIN = Path(__file__).with_name("main.tf")


def write(folder: Path) -> Path:
    """Write the root module of the lab in `folder`, afresh; returns the root's own folder."""
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    text = _MAIN.read_text(encoding="utf-8").replace('"../.."', hcl_string(source(folder)))
    (root / "main.tf").write_text(text, encoding="utf-8")
    return root


def source(folder: Path) -> str:
    """The path from the root of the lab in `folder` to the module."""
    return os.path.relpath(ROOT, (folder / "root").resolve())


def outputs(folder: Path) -> dict[str, Any]:
    """The root's outputs by name, from its state, since starting Terraform takes a second.

    Empty where nothing was applied. Raises PipelineError where the state can't be read.
    """
    return _read(folder, lambda state: {n: o["value"] for n, o in state["outputs"].items()})


def functions(folder: Path) -> dict[str, dict[str, Any]]:
    """What Terraform applied of each function, by its name; raises as `outputs` does."""

    def found(state: Any) -> dict[str, dict[str, Any]]:
        attributes = [
            instance["attributes"]
            for resource in state["resources"]
            if (resource["mode"], resource["type"]) == ("managed", "aws_lambda_function")
            for instance in resource["instances"]
        ]
        return {each["function_name"]: each for each in attributes}

    return _read(folder, found)


def _read[T](folder: Path, wanted: Callable[[Any], dict[str, T]]) -> dict[str, T]:
    file = folder / "root" / "terraform.tfstate"
    try:
        return wanted(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PipelineError(
            f"Terraform's state {file} can't be read ({error!s:.200}): put "
            "terraform.tfstate.backup in its place, or end the lab and make a new one."
        ) from error


def needed(folder: Path) -> tuple[dict[str, Any], str]:
    """The pipeline's outputs, and the subscriber's URL.

    Raises PipelineError where they are absent.
    """
    found = outputs(folder)
    if not found:
        raise PipelineError(
            f"Nothing is applied in {folder / 'root'}: bring it back with `terraform apply` there, "
            "or with `pipeline lab up`."
        )
    if absent := {"pipeline", "subscriber_queue_url"} - found.keys():
        raise PipelineError(
            f"{folder / 'root' / 'main.tf'} has no output {' and '.join(sorted(absent))}: put it "
            "back, and apply."
        )
    pipeline, subscriber = found["pipeline"], found["subscriber_queue_url"]
    if not isinstance(pipeline, dict) or not isinstance(subscriber, str):
        raise PipelineError(
            f"The outputs in {folder / 'root'} are not the lab's: take main.tf as "
            "`pipeline lab up` wrote it, and apply."
        )
    return pipeline, subscriber


def move(folder: Path, port: int) -> None:
    """Move a stopped lab's queues to `port`, in Terraform's state and in the emulator's.

    A queue's id is its URL, with the port in it; refreshing does not change an id.
    """
    endpoint = re.compile(rf"http://({re.escape(HOST)}|localhost):\d+(?=/{ACCOUNT_ID}/)")
    for file in (folder / "root" / "terraform.tfstate", folder / "state" / "sqs.json"):
        if not file.exists():
            continue
        old = file.read_text(encoding="utf-8")
        new = endpoint.sub(rf"http://\g<1>:{port}", old)
        if new != old:
            partial = file.with_suffix(".partial")
            partial.write_text(new, encoding="utf-8")
            partial.replace(file)
