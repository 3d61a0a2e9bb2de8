"""Find a deployed pipeline, the embedded lab's or another, by the outputs of its Terraform root.

A command takes its names from here, never from defaults: it looks at what was applied.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import boto3

from pipeline.deployed import aws
from pipeline.deployed.target import APPLY, SETTABLE, NotYetError, Target
from pipeline.emulator.process import client_environment, point_this_process_at
from pipeline.errors import PipelineError
from pipeline.lab import folder as lab_folder
from pipeline.lab.root import outputs as lab_outputs
from pipeline.paths import LAB
from pipeline.terraform import run as terraform
from pipeline.terraform.binary import find_terraform

# Other modules have some of these outputs too, but not two of them.
_MARKS = {"table_name", "function_name", "failure_queue_url"}

# The region in an ARN or in a queue's URL, and the outputs that have one.
_REGION = re.compile(r"(?:arn:[^:]*:[^:]*:|https://sqs\.)([a-z0-9-]+)[:.]")
_REGIONAL = (
    "function_arn",
    "table_arn",
    "failure_queue_arn",
    "table_stream_arn",
    "failure_queue_url",
)

# A backend may be slow, but not that slow.
_OUTPUT_SECONDS = 120.0


def find(
    *,
    root: Path | None = None,
    file: Path | None = None,
    output: str | None = None,
    given: Iterable[str] = (),
    lab: Path | None = None,
) -> Target:
    """The pipeline of the Terraform root in `root`, or of the outputs in `file` (`-` is stdin).

    `given` outputs, each `name=value`, win over those found, and suffice alone. With `lab`, or
    without anything, it is the embedded lab in that folder, and this process's AWS environment
    becomes the lab's. `output` chooses among several pipelines.

    Raises PipelineError where there is none or more than one, or where the environment's region is
    another.
    """
    by_hand = dict(map(_pair, given))
    places = {"--stack": root, "--outputs": file, "--work-dir": lab}
    flags = [word for option, place in places.items() if place for word in (option, str(place))]
    if len(flags) > 2:
        raise PipelineError(f"{' and '.join(flags[::2])} both name a stack: give one of them.")
    found: Mapping[str, Any] = {}
    apply = APPLY
    if root is not None:
        origin = f"The Terraform root {root}"
        found = _parsed(ask_root(root, "its outputs", "output", "-json", "-no-color"), origin)
    elif file is not None:
        origin = "The standard input" if str(file) == "-" else f"The file {file}"
        found = _parsed(_content(file, origin), origin)
    elif by_hand and lab is None:
        origin = "--set"
        if output is not None:
            raise PipelineError(
                "--output chooses among a stack's outputs: give --stack or --outputs."
            )
    else:
        lab = lab or LAB
        origin = f"The lab in {lab}"
        found = _of_lab(lab)
        apply = f"run `{lab_folder.command('lab up', lab)}`"
    if origin != "--set":
        found = _choose(found, output, origin)
    if output is not None:
        flags += ["--output", output]
    for name, value in by_hand.items():
        flags += ["--set", f"{name}={value}"]
    outputs = {**found, **by_hand}
    return Target(outputs, origin, tuple(flags), _region(outputs, origin), apply)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if name not in SETTABLE or not value:
        raise PipelineError(f"--set takes NAME=VALUE, not {text!r}; NAME is {', '.join(SETTABLE)}.")
    return name, value


def ask_root(root: Path, wanted: str, *command: str) -> str:
    """What a read-only Terraform command prints in `root`, in the user's own environment.

    `wanted` is what it is asked for ("its outputs"). Raises PipelineError.
    """
    if not root.is_dir():
        raise PipelineError(f"{root} is no folder: give --stack the folder that was applied.")
    if not any(any(root.glob(pattern)) for pattern in ("*.tf", "*.tf.json")):
        raise PipelineError(
            f"{root} holds no Terraform configuration: give --stack the folder of the root module "
            "that was applied."
        )
    environment = dict(os.environ)
    find_terraform(environment)
    origin = f"The Terraform root {root}"
    try:
        return terraform.run(root, environment, *command, timeout=_OUTPUT_SECONDS).stdout
    except PipelineError as error:
        reason = " ".join(str(error).split())
        if "initialization required" in reason or "terraform init" in reason:
            raise NotYetError(
                f"{origin} is not initialised: run `terraform init` there."
            ) from error
        raise PipelineError(
            f"{origin} does not give {wanted} ({reason:.400}): see that `terraform {command[0]}` "
            "works there."
        ) from error


def _content(file: Path, origin: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise PipelineError(
            f"{origin} can't be read ({error.strerror}): give --outputs what "
            "`terraform output -json` prints."
        ) from error


def _of_lab(folder: Path) -> dict[str, Any]:
    state, kept = lab_folder.look(folder)
    if state == "unfinished":
        raise NotYetError(f"The lab in {folder} is still being made: wait until that has ended.")
    if kept is None or state != "running":
        start = "start one" if kept is None else "bring it back"
        raise NotYetError(
            f"No lab runs in {folder}: {start} with `{lab_folder.command('lab up', folder)}`, or "
            "name a deployed stack with --stack FOLDER."
        )
    lab_folder.expect_answer(folder, kept)
    point_this_process_at(client_environment(kept.endpoint))
    return lab_outputs(folder)


def _parsed(printed: str | bytes, origin: str) -> dict[str, Any]:
    try:
        # What PowerShell redirects is UTF-16 or has a byte order mark; json detects that.
        outputs: dict[str, Any] = dict(json.loads(printed).items())
    except (ValueError, RecursionError, AttributeError) as error:
        raise PipelineError(
            f"{origin} gives no JSON object ({error!s:.200}): it takes what "
            "`terraform output -json` prints."
        ) from error
    for name, value in outputs.items():
        # With one output's name, `terraform output -json` prints the value alone.
        if isinstance(value, dict) and {"sensitive", "value"} <= value.keys():
            outputs[name] = value["value"]
    return outputs


def _choose(outputs: Mapping[str, Any], name: str | None, origin: str) -> Mapping[str, Any]:
    """The module's outputs among a root's, which may be flat, or objects by any name."""
    found = _pipelines(outputs)
    if name is not None:
        value = found.get(name, outputs.get(name))
        if not isinstance(value, dict):
            among = f"write one of {', '.join(found)}" if found else "it has none with a pipeline"
            raise PipelineError(f"{origin} has no output {name!r} that is an object: {among}.")
        return value
    # A root may have the same pipeline twice, flat and as an object.
    different = {tuple(str(each.get(mark)) for mark in _MARKS): each for each in found.values()}
    if len(different) > 1:
        raise PipelineError(
            f"{origin} has several pipelines: choose one with --output, {' or '.join(found)}."
        )
    if not found:
        has = "has no outputs" if not outputs else "has none of the module's outputs"
        raise NotYetError(
            f'{origin} {has}: add `output "pipeline" {{ value = module.pipeline }}`, with your '
            "module's name, and run `terraform apply` to its end."
        )
    return next(iter(different.values()))


def _pipelines(tree: Any, path: str = "") -> dict[str, Mapping[str, Any]]:
    """All objects with the module's outputs, by their path; `.` is the root itself."""
    if isinstance(tree, list):
        # Of a module with `count`; with `for_each` it is an object of objects.
        tree = {str(number): value for number, value in enumerate(tree)}
    if not isinstance(tree, Mapping):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    if len(_MARKS & tree.keys()) >= 2:
        found[path or "."] = tree
        if path:
            return found
    for name, value in tree.items():
        found |= _pipelines(value, f"{path}.{name}" if path else name)
    return found


def _region(outputs: Mapping[str, Any], origin: str) -> str | None:
    with aws.asking("the AWS configuration", "check AWS_PROFILE and AWS_CONFIG_FILE"):
        # AWS's command line reads AWS_REGION, boto3 does not.
        configured = os.environ.get("AWS_REGION") or boto3.Session().region_name
    matches = (_REGION.match(str(outputs.get(name))) for name in _REGIONAL)
    lives = next((match[1] for match in matches if match), None)
    if lives and configured and lives != configured:
        raise PipelineError(
            f"{origin} lives in {lives}, but the AWS configuration says {configured}: set "
            f"AWS_REGION={lives}, and AWS_PROFILE to a profile of its account."
        )
    return lives or configured
