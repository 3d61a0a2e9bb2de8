"""Apply the examples as a consumer would, each in a copy of the module."""

import functools
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tftest

from pipeline.terraform import run as terraform
from tests.support.aws.clients import client
from tools.module import copy_module

# Terraform spends half of a large plan collecting garbage unless it may keep some.
ROOMY = {"GOGC": "1000", "GOMEMLIMIT": "3GiB"}


@dataclass(frozen=True)
class Stack:
    """An applied example: its root, Terraform's environment, and the module's outputs by name."""

    root: Path
    environment: dict[str, str]
    outputs: Mapping[str, Any]

    def plan(self) -> tftest.TerraformPlanOutput:
        return terraform.plan(self.root, self.environment)


def apply_examples(
    names: Iterable[str], folder: Path, environment: dict[str, str]
) -> dict[str, Stack]:
    """Apply examples side by side: the provider mostly waits, so that all cost no more than one."""
    module = copy_module(folder)

    def apply(name: str) -> Stack:
        root = module / "examples" / name
        terraform.init(root, environment)
        terraform.apply(root, environment)
        return Stack(root, environment, terraform.outputs(root, environment)["pipeline"])

    names = list(names)
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(apply, names), strict=True))


def destroy(stacks: Iterable[Stack]) -> None:
    """Destroy stacks side by side."""
    stacks = list(stacks)
    with ThreadPoolExecutor(len(stacks)) as pool:
        list(pool.map(lambda stack: terraform.destroy(stack.root, stack.environment), stacks))


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete every version: emulators return odd keys in a way that hangs Terraform's own."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def run_last(items: list[Any], fixture: str) -> None:
    """Move the tests that use `fixture` behind all others: it ends what those still need."""
    items.sort(key=lambda item: fixture in getattr(item, "fixturenames", ()))


def left_behind(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """What is left in an emulated account, by kind; kinds of which nothing is left are absent."""
    aws = functools.partial(client, environment=environment)
    found = {
        "buckets": [b["Name"] for b in aws("s3").list_buckets()["Buckets"]],
        "functions": [f["FunctionName"] for f in aws("lambda").list_functions()["Functions"]],
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
