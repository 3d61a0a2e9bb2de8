"""Find a deployed pipeline, the embedded lab's or anybody's, by what its Terraform root says.

A command takes its names from here, never from defaults: what is looked at is what was applied.
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
from pipeline.deployed.target import SETTABLE, NotYetError, Target
from pipeline.emulator.process import client_environment, point_this_process_at
from pipeline.errors import PipelineError
from pipeline.lab import folder as stack
from pipeline.lab import root as lab_root
from pipeline.terraform import run as terraform
from pipeline.terraform.binary import find_terraform

# Two of them tell the module's outputs from other modules', which have some of these names too.
_MARKS = {"table_name", "function_name", "failure_queue_url"}


_ADDRESSES = ("function_arn", "table_arn", "failure_queue_arn", "table_stream_arn")


_QUEUE_REGION = re.compile(r"https://sqs\.([a-z0-9-]+)\.")


# A backend may be far away, but not that far.
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

    `given` outputs, each `name=value`, count more than those found, and suffice alone. With
    `pipeline`, or nothing of this, it is the embedded lab in that folder, and this process's AWS
    environment is replaced by the lab's. `output` chooses where there are several pipelines.

    Raises PipelineError where there is none, or several, or where the environment's region is
    another.
    """
    by_hand = dict(map(_pair, given))
    places = {"--stack": root, "--outputs": file, "--work-dir": lab}
    named = [option for option, place in places.items() if place is not None]
    if len(named) > 1:
        raise PipelineError(f"{' and '.join(named)} both name a stack: give one of them.")
    flags: list[str] = []
    found: Mapping[str, Any] = {}
    if root is not None:
        flags = ["--stack", str(root)]
        origin = f"The Terraform root {root}"
        said = ask_root(root, "its outputs", "output", "-json", "-no-color")
        found = _choose(_parsed(said, origin), output, origin)
    elif file is not None:
        flags = ["--outputs", str(file)]
        origin = "The standard input" if str(file) == "-" else f"The file {file}"
        found = _choose(_of_file(file, origin), output, origin)
    elif by_hand and lab is None:
        origin = "--set"
        if output is not None:
            raise PipelineError(
                "--output chooses among a stack's outputs: give --stack or --outputs."
            )
    else:
        flags = [] if lab is None else ["--work-dir", str(lab)]
        lab = lab or stack.FOLDER
        origin = f"The lab in {lab}"
        found = _choose(_of_lab(lab), output, origin)
    if output is not None:
        flags += ["--output", output]
    for name, value in by_hand.items():
        flags += ["--set", f"{name}={value}"]
    outputs = {**found, **by_hand}
    return Target(outputs, origin, tuple(flags), _region(outputs, origin))


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if name not in SETTABLE or not value:
        raise PipelineError(f"--set takes NAME=VALUE, not {text!r}; NAME is {', '.join(SETTABLE)}.")
    return name, value


def ask_root(root: Path, tells: str, *command: str) -> str:
    """What a Terraform command that changes nothing prints there, in the user's own environment.

    `tells` is what it is asked for ("its outputs"). Raises PipelineError.
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
            f"{origin} does not tell {tells} ({reason:.400}): see that `terraform {command[0]}` "
            "works there."
        ) from error


def _of_file(file: Path, origin: str) -> dict[str, Any]:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise PipelineError(
            f"{origin} can't be read ({error.strerror}): give --outputs what "
            "`terraform output -json` prints."
        ) from error
    # What PowerShell redirects is UTF-16 or has a mark; json finds out.
    return _parsed(raw, origin)


def _of_lab(folder: Path) -> dict[str, Any]:
    state, kept = stack.look(folder)
    if state == "unfinished":
        raise NotYetError(f"The lab in {folder} is still being made: wait until that has ended.")
    if kept is None or state != "running":
        start = "start one" if kept is None else "bring it back"
        raise NotYetError(
            f"No lab runs in {folder}: {start} with `{stack.command('lab up', folder)}`, or name a "
            "deployed stack with --stack FOLDER."
        )
    stack.expect_answer(folder, kept)
    point_this_process_at(client_environment(kept.endpoint))
    return lab_root.outputs(folder)


def _parsed(said: str | bytes, origin: str) -> dict[str, Any]:
    try:
        document = json.loads(said)
    except (ValueError, RecursionError) as error:
        raise PipelineError(
            f"{origin} gives no JSON ({error!s:.200}): it takes what `terraform output -json` "
            "prints."
        ) from error
    if not isinstance(document, dict):
        raise PipelineError(
            f"{origin} gives no JSON object: it takes what `terraform output -json` is."
        )
    return {name: _unwrapped(value) for name, value in document.items()}


def _unwrapped(value: Any) -> Any:
    # With a single output's name, `terraform output -json` prints the value alone.
    wrapped = isinstance(value, dict) and {"sensitive", "value"} <= value.keys()
    return value["value"] if wrapped else value


def _choose(tree: dict[str, Any], name: str | None, origin: str) -> Mapping[str, Any]:
    """The module's outputs among a root's, which may be flat, or objects by any name."""
    found = _pipelines(tree)
    if name is not None:
        value = found.get(name, tree.get(name))
        if not isinstance(value, dict):
            among = f"write one of {', '.join(found)}" if found else "it has none with a pipeline"
            raise PipelineError(f"{origin} has no output {name!r} that is an object: {among}.")
        return value
    # A root may tell some names twice, flat and as an object.
    different = {tuple(map(str, map(one.get, sorted(_MARKS)))): one for one in found.values()}
    if len(different) > 1:
        raise PipelineError(
            f"{origin} has several pipelines: choose one with --output, {' or '.join(found)}."
        )
    if not found:
        has = "has no outputs" if not tree else "has none of the module's outputs"
        raise NotYetError(
            f'{origin} {has}: add `output "pipeline" {{ value = module.pipeline }}`, with your '
            "module's name, and run `terraform apply` to its end."
        )
    return next(iter(different.values()))


def _pipelines(tree: Any, path: str = "") -> dict[str, Mapping[str, Any]]:
    """All objects that hold the module's outputs, by where they lie; `.` is the root itself."""
    if isinstance(tree, list):
        # Of a module with `count`; with `for_each` it is an object of objects.
        tree = {str(number): one for number, one in enumerate(tree)}
    if not isinstance(tree, dict):
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
        told = os.environ.get("AWS_REGION") or boto3.Session().region_name
    lives = _region_of(outputs)
    if lives and told and lives != told:
        raise PipelineError(
            f"{origin} lives in {lives}, but the AWS configuration says {told}: set "
            f"AWS_REGION={lives}, and AWS_PROFILE to a profile of its account."
        )
    return lives or told


def _region_of(outputs: Mapping[str, Any]) -> str | None:
    for name in _ADDRESSES:
        parts = str(outputs.get(name)).split(":")
        if len(parts) > 5 and parts[3]:
            return parts[3]
    match = _QUEUE_REGION.match(str(outputs.get("failure_queue_url")))
    return match[1] if match else None
