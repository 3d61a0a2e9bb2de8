"""Apply the examples as a consumer would, each in a copy of the module."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.terraform import run as terraform
from tests.support.aws.clients import client
from tools.module import copy_module

# Terraform spends half of a large plan collecting garbage unless it may keep some.
ROOMY = {"GOGC": "1000", "GOMEMLIMIT": "3GiB"}


# As many of Terraform's resources at a time as there are: they wait, and hardly work.
AT_ONCE = "-parallelism=200"


def apply(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Apply; what that changes, as Terraform's action by address (`create`, `replace`, …).

    In one run: a plan of its own and `show` would start the provider twice more.
    """
    environment = {**environment, "TF_CLI_ARGS_apply": AT_ONCE}
    return {
        event.address: event.action
        for event in terraform.stream(root, environment, "apply", root / "apply.log")
        if event.kind == "planned_change" and event.action not in ("noop", "read")
    }


def outputs(root: Path) -> dict[str, Any]:
    """The applied root's outputs by name, from its state: starting Terraform takes longer."""
    state = json.loads((root / "terraform.tfstate").read_text(encoding="utf-8"))
    return {name: output["value"] for name, output in state["outputs"].items()}


def second_plan(root: Path, environment: Mapping[str, str]) -> str:
    """What another plan would change, outputs included, in Terraform's words; empty: nothing."""
    arguments = ("plan", "-detailed-exitcode", "-input=false", "-no-color", AT_ONCE)
    planned = terraform.run(root, environment, *arguments, expected=(0, 2))
    if planned.returncode == 0:
        return ""
    # What it read comes first, and may be long.
    return planned.stdout[max(planned.stdout.find("\nTerraform "), 0) :]


@dataclass(frozen=True)
class Stack:
    """An applied example: its root, Terraform's environment, and the module's outputs by name."""

    root: Path
    environment: dict[str, str]
    outputs: Mapping[str, Any]


def apply_examples(
    names: Iterable[str], folder: Path, environment: dict[str, str]
) -> dict[str, Stack]:
    """Apply examples side by side: the provider mostly waits, so that it takes no longer."""
    module = copy_module(folder)

    def applied(name: str) -> Stack:
        root = module / "examples" / name
        terraform.init(root, environment)
        apply(root, environment)
        return Stack(root, environment, outputs(root)["pipeline"])

    names = list(names)
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(applied, names), strict=True))


def destroy(stacks: Iterable[Stack]) -> None:
    """Destroy stacks side by side."""
    stacks = list(stacks)
    with ThreadPoolExecutor(len(stacks)) as pool:
        list(pool.map(lambda applied: terraform.destroy(applied.root, applied.environment), stacks))


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete every version: emulators return odd keys in a way that hangs Terraform's own."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def run_last(items: list[Any], fixture: str) -> None:
    """Move the tests that use `fixture` behind all others: it ends what those still need."""
    items.sort(key=lambda item: fixture in getattr(item, "fixturenames", ()))


def left_behind(environment: Mapping[str, str], **credentials: str) -> dict[str, list[str]]:
    """What is left in an emulated account, by kind; kinds of which nothing is left are absent."""

    def aws(service: str) -> Any:
        return client(service, environment, **credentials)

    found = {
        "buckets": [b["Name"] for b in aws("s3").list_buckets()["Buckets"]],
        "functions": [f["FunctionName"] for f in aws("lambda").list_functions()["Functions"]],
        "layers": [layer["LayerName"] for layer in aws("lambda").list_layers()["Layers"]],
        "tables": aws("dynamodb").list_tables()["TableNames"],
        "topics": [t["TopicArn"] for t in aws("sns").list_topics()["Topics"]],
        "subscriptions": [
            s["SubscriptionArn"] for s in aws("sns").list_subscriptions()["Subscriptions"]
        ],
        "queues": aws("sqs").list_queues().get("QueueUrls", []),
        "alarms": [a["AlarmName"] for a in aws("cloudwatch").describe_alarms()["MetricAlarms"]],
        "roles": [
            r["RoleName"]
            for r in aws("iam").list_roles()["Roles"]
            if not r["Path"].startswith("/aws-service-role/")
        ],
        "log groups": [g["logGroupName"] for g in aws("logs").describe_log_groups()["logGroups"]],
    }
    return {kind: names for kind, names in found.items() if names}
