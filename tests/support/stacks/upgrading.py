"""Upgrade 1.0.0 to the module of this tree, in each delivery, while uploads go on."""

import contextlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.accept.deliveries import VIA, Delivery, root
from pipeline.accept.uploads import uploading
from pipeline.terraform import run as terraform
from tests.support.aws.clients import client, items
from tests.support.poll import until
from tests.support.stacks import stack
from tests.support.stacks.stack import AT_ONCE
from tools.module import copy_module

# What a consumer got with 1.0.0:
#   git archive 2c3be2f ':(glob)*.tf' ':(glob)modules/*/*.tf' prices.json lambda_src/dist |
#     gzip -9n > tests/fixtures/module-1.0.0.tar.gz
RELEASE = Path(__file__).parents[2] / "fixtures" / "module-1.0.0.tar.gz"
INSTANCES = [
    *(Delivery(via, buffered, False, False) for via in VIA for buffered in (False, True)),
    # In this delivery the key has the most users.
    Delivery("eventbridge", buffered=True, existing=False, customer_key=True),
]
# The default, and the delivery of most resources; the rest waits for a soak.
REPRESENTATIVE = {"ndns", "ebnk"}
# A key's first part says when it was uploaded; each phase has so many uploads at least.
PHASES = ("before", "while", "after")
ENOUGH = 5
# One upload to each instance, then a pause: each of their functions has a process of its own.
_PAUSE_SECONDS = 0.8
# For what takes a few seconds, on a machine that is busy with other stacks.
_PATIENCE_SECONDS = 120

Outputs = Mapping[str, Mapping[str, Any]]
Planned = Mapping[str, Mapping[str, Any]]
Items = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Upgraded:
    """What the upgrade did, by the instance's name where it is one instance's.

    `planned` is what the applied plan does with each resource, by address, and names also those
    that it leaves alone; `second_plan` has what is left after the apply, in Terraform's words.
    Each instance got all that is in `uploaded`. `code_before` and `code_after` are the hashes of
    the functions' packages.
    """

    outputs_before: Outputs
    outputs_after: Outputs
    code_before: Mapping[str, str]
    code_after: Mapping[str, str]
    planned: Planned
    second_plan: str
    uploaded: list[str]
    items_before: Items
    items_after: Items


def run(
    instances: list[Delivery],
    folder: Path,
    environment: Mapping[str, str],
    account: Mapping[str, str],
) -> Upgraded:
    """Apply 1.0.0, then this tree's module; `account` is what clients need to reach it."""
    with tarfile.open(RELEASE) as archive:
        archive.extractall(folder / "1.0.0", filter="data")
    copy_module(folder / "current")
    place = folder / "root"
    _take(instances, place, "../1.0.0", environment)
    stack.apply(place, environment)
    before = stack.outputs(place)

    s3 = client("s3", account)
    phase, *later = PHASES

    def upload(number: int) -> str:
        key = f"{phase}/{number:05}"
        for instance in instances:
            s3.put_object(Bucket=before[instance.name]["bucket_name"], Key=key, Body=b"x")
        return key

    def recorded(outputs: Outputs, count: int) -> bool:
        return all(len(found) >= count for found in _items(outputs, account).values())

    with uploading(upload, _PAUSE_SECONDS) as uploads:
        uploads.wait_for(ENOUGH)
        until(lambda: recorded(before, ENOUGH), _PATIENCE_SECONDS)
        items_before = _items(before, account)
        code_before = _code(before, account)
        phase = later.pop(0)
        _take(instances, place, "../current", environment)
        planned = _plan(place, environment)
        try:
            _apply(place, environment)
            phase = later.pop(0)
            second_plan = stack.second_plan(place, environment)
            # The first was begun in the phase before.
            uploads.wait_for(ENOUGH + 1)
        except Exception as error:
            error.add_note(f"The upgrade deletes or replaces {sorted(ended(planned))}")
            raise
    after = stack.outputs(place)
    # The tests show what never comes.
    with contextlib.suppress(AssertionError):
        until(lambda: recorded(after, len(uploads.keys)), _PATIENCE_SECONDS)
    return Upgraded(
        before,
        after,
        code_before,
        _code(after, account),
        planned,
        second_plan,
        uploads.keys,
        items_before,
        _items(after, account),
    )


def ended(planned: Planned) -> dict[str, list[str]]:
    """What a plan deletes, replaces or leaves to itself, as actions by address."""
    actions = {address: change["change"]["actions"] for address, change in planned.items()}
    return {address: what for address, what in actions.items() if {"delete", "forget"} & {*what}}


def _take(
    instances: list[Delivery], place: Path, source: str, environment: Mapping[str, str]
) -> None:
    """Have every instance come from `source`, and change nothing else."""
    configuration = root(instances, source)
    for call in configuration["module"].values():
        call["alarm_emails"] = ["ops@example.com"]
        # 1.0.0 knows no such variable.
        call.pop("backfill", None)
    terraform.write_root(place, configuration)
    terraform.init(place, environment)


def _plan(place: Path, environment: Mapping[str, str]) -> Planned:
    """Plan for `_apply`."""
    terraform.run(place, environment, "plan", "-input=false", "-out=tfplan", AT_ONCE)
    shown = json.loads(terraform.run(place, environment, "show", "-json", "tfplan").stdout)
    return {
        change["address"]: change
        for change in shown["resource_changes"]
        if change["mode"] == "managed"
    }


def _apply(place: Path, environment: Mapping[str, str]) -> None:
    terraform.run(place, environment, "apply", "-input=false", AT_ONCE, "tfplan")


def _items(outputs: Outputs, account: Mapping[str, str]) -> Items:
    """Every record of each instance."""
    return {name: items(values["table_name"], account) for name, values in outputs.items()}


def _code(outputs: Outputs, account: Mapping[str, str]) -> Mapping[str, str]:
    aws = client("lambda", account)
    return {
        name: aws.get_function_configuration(FunctionName=values["function_name"])["CodeSha256"]
        for name, values in outputs.items()
    }
