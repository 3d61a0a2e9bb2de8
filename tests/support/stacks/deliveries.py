"""Apply the module with each delivery, and plan again."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.accept.deliveries import VIA, Delivery, root
from pipeline.terraform import run as terraform
from tests.support.stacks import stack
from tools.module import copy_module

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
