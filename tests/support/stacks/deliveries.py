"""The module with each delivery, on new and existing buckets, with either kind of key."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.terraform import run as terraform
from tests.support.stacks import stack
from tools.module import copy_module

VIA = ("notification", "eventbridge")


@dataclass(frozen=True)
class Delivery:
    """A configuration of the module; `existing`: of the bucket, `customer_key`: of a KMS key."""

    via: str
    buffered: bool
    existing: bool
    customer_key: bool

    @property
    def name(self) -> str:
        """Short enough for a prefix: `n` or `e`, then `b` or `d`, `x` or `n`, `k` or `s`."""
        letters = (
            self.via[0],
            "b" if self.buffered else "d",
            "x" if self.existing else "n",
            "k" if self.customer_key else "s",
        )
        return "".join(letters)

    def __str__(self) -> str:
        return " ".join(
            (
                self.via,
                "buffered" if self.buffered else "direct",
                "existing" if self.existing else "new",
                "customer-managed key" if self.customer_key else "default key",
            )
        )

    @property
    def variables(self) -> dict[str, Any]:
        """The module's variables."""
        values: dict[str, Any] = {
            "name_prefix": f"{self.name}-",
            "delivery": {"via": self.via, **({"buffer": {}} if self.buffered else {})},
            "encryption": {"mode": "create" if self.customer_key else "service"},
            "bucket": {"force_destroy": True},
        }
        if self.existing:
            theirs = f'${{aws_s3_bucket.theirs["{self.name}"].id}}'
            values["bucket"] = {
                "create": False,
                "name": theirs,
                "take_over_notifications": self.via == "notification",
            }
        return values


DELIVERIES = [
    Delivery(*choice)
    for choice in itertools.product(VIA, (False, True), (False, True), (False, True))
]
# Any two choices meet in one of them; the rest waits for a soak.
REPRESENTATIVE = {"ndns", "nbns", "nbnk", "ndxs", "edxk", "ebnk", "ebxs"}


def params(deliveries: Iterable[Delivery]) -> list[Any]:
    """The deliveries as a test's parameters, those that wait for a soak marked so."""
    return [
        pytest.param(
            each,
            id=str(each),
            marks=[] if each.name in REPRESENTATIVE else pytest.mark.soak,
        )
        for each in deliveries
    ]


def root(deliveries: list[Delivery], source: str = "../") -> dict[str, Any]:
    """A root module with an instance for each delivery, and the existing buckets."""
    theirs = {each.name: each.via for each in deliveries if each.existing}
    switched_on = '${{for name, via in local.theirs : name => via if via == "eventbridge"}}'
    return {
        "provider": {"aws": {}},
        "locals": {"theirs": theirs},
        "module": {each.name: {"source": source, **each.variables} for each in deliveries},
        "resource": {
            "aws_s3_bucket": {
                "theirs": {"for_each": "${local.theirs}", "bucket": "theirs-${each.key}"}
            },
            # What a bucket's owner does before EventBridge gets its events.
            "aws_s3_bucket_notification": {
                "theirs": {
                    "for_each": switched_on,
                    "bucket": "${aws_s3_bucket.theirs[each.key].id}",
                    "eventbridge": True,
                }
            },
        },
        "output": {each.name: {"value": f"${{module.{each.name}}}"} for each in deliveries},
    }


@dataclass(frozen=True)
class Applied:
    """Outputs by the delivery's name, and what a second plan would change, in Terraform's words."""

    outputs: Mapping[str, Mapping[str, Any]]
    second_plan: str


def apply(deliveries: list[Delivery], folder: Path, environment: Mapping[str, str]) -> Applied:
    """Apply all in one root, side by side, and plan again."""
    place = copy_module(folder) / "root"
    terraform.write_root(place, root(deliveries))
    terraform.init(place, environment)
    stack.apply(place, environment)
    return Applied(stack.outputs(place), stack.second_plan(place, environment))
