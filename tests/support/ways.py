"""The module in every way of delivery, on new and existing buckets, with and without a key."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.terraform import run as terraform
from tests.support import stack
from tools.module import copy_module

VIA = ("notification", "eventbridge")


@dataclass(frozen=True)
class Way:
    """One configuration; `existing`: of a bucket of somebody else's, `own_key`: one is made."""

    via: str
    buffered: bool
    existing: bool
    own_key: bool

    @property
    def name(self) -> str:
        """Short enough for a prefix: `n` or `e`, then `b` or `d`, `x` or `n`, `k` or `s`."""
        letters = (
            self.via[0],
            "b" if self.buffered else "d",
            "x" if self.existing else "n",
            "k" if self.own_key else "s",
        )
        return "".join(letters)

    def __str__(self) -> str:
        return " ".join(
            (
                self.via,
                "buffered" if self.buffered else "direct",
                "existing" if self.existing else "new",
                "own key" if self.own_key else "default key",
            )
        )

    @property
    def variables(self) -> dict[str, Any]:
        """The module's variables."""
        values: dict[str, Any] = {
            "name_prefix": f"{self.name}-",
            "delivery": {"via": self.via, **({"buffer": {}} if self.buffered else {})},
            "encryption": {"mode": "create" if self.own_key else "service"},
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


EVERY_WAY = [
    Way(*choice) for choice in itertools.product(VIA, (False, True), (False, True), (False, True))
]
# Any two choices meet in one of them; the rest waits for a soak.
REPRESENTATIVE = {"ndns", "nbxk", "edxk", "ebnk", "ebxs"}


def params(ways: Iterable[Way]) -> list[Any]:
    """The ways as a test's parameters, those that wait for a soak marked so."""
    return [
        pytest.param(way, id=str(way), marks=[] if way.name in REPRESENTATIVE else pytest.mark.soak)
        for way in ways
    ]


def root(ways: list[Way], source: str = "../") -> dict[str, Any]:
    """A root module with an instance for each way, and the buckets that are not the module's."""
    theirs = {way.name: way.via for way in ways if way.existing}
    switched_on = '${{for name, via in local.theirs : name => via if via == "eventbridge"}}'
    return {
        "provider": {"aws": {}},
        "locals": {"theirs": theirs},
        "module": {way.name: {"source": source, **way.variables} for way in ways},
        "resource": {
            "aws_s3_bucket": {
                "theirs": {"for_each": "${local.theirs}", "bucket": "theirs-${each.key}"}
            },
            # What the owner of a bucket does before others may listen by EventBridge.
            "aws_s3_bucket_notification": {
                "theirs": {
                    "for_each": switched_on,
                    "bucket": "${aws_s3_bucket.theirs[each.key].id}",
                    "eventbridge": True,
                }
            },
        },
        "output": {way.name: {"value": f"${{module.{way.name}}}"} for way in ways},
    }


@dataclass(frozen=True)
class Applied:
    """Outputs by the way's name, and what a second plan would change, in Terraform's words."""

    outputs: Mapping[str, Mapping[str, Any]]
    second_plan: str


def apply(ways: list[Way], folder: Path, environment: Mapping[str, str]) -> Applied:
    """Apply all in one root, side by side, and plan once more."""
    place = copy_module(folder) / "root"
    terraform.write_root(place, root(ways))
    terraform.init(place, environment)
    stack.apply(place, environment)
    return Applied(stack.outputs(place), stack.second_plan(place, environment))
