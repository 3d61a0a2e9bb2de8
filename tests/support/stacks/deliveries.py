"""Apply the module with each delivery, and plan again."""

import itertools
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.accept.deliveries import VIA, Delivery, root
from pipeline.terraform import run as terraform
from tests.support.soak import sampled
from tests.support.stacks import stack
from tools.module import copy_module

DELIVERIES = [
    Delivery(*choice)
    for choice in itertools.product(VIA, (False, True), (False, True), (False, True))
]
# Any two choices meet in one of them; the rest waits for a soak.
REPRESENTATIVE = {"ndns", "nbns", "nbnk", "ndxs", "edxk", "ebnk", "ebxs"}


def params(
    deliveries: Iterable[Delivery], representative: Collection[str] = REPRESENTATIVE
) -> list[Any]:
    """The deliveries as a test's parameters, those that wait for a soak marked so."""
    deliveries = list(deliveries)
    return sampled(deliveries, [each for each in deliveries if each.name in representative])


# It takes two buckets more, and its package from S3.
SEVERAL = "ndns"


@dataclass(frozen=True)
class Applied:
    """Outputs by the delivery's name, and what a second plan would change, in Terraform's words."""

    outputs: Mapping[str, Mapping[str, Any]]
    second_plan: str


def apply(deliveries: list[Delivery], folder: Path, environment: Mapping[str, str]) -> Applied:
    """Apply all in one root, side by side, and plan again."""
    place = copy_module(folder) / "root"
    configuration = root(deliveries)
    _add_sources(configuration)
    terraform.write_root(place, configuration)
    terraform.init(place, environment)
    stack.apply(place, environment)
    return Applied(stack.outputs(place), stack.second_plan(place, environment))


def _add_sources(configuration: dict[str, Any]) -> None:
    """Give one pipeline further buckets, and its package in a third one."""
    resources = configuration["resource"]
    more = {each: f'${{aws_s3_bucket.more["{each}"].id}}' for each in ("one", "two", "code")}
    resources["aws_s3_bucket"]["more"] = {
        "for_each": "${toset(" + json.dumps(list(more)) + ")}",
        "bucket": "more-${each.key}",
    }
    resources["aws_s3_bucket_notification"]["more"] = {
        "for_each": '${toset(["one", "two"])}',
        "bucket": "${aws_s3_bucket.more[each.key].id}",
        "eventbridge": True,
    }
    resources["aws_s3_bucket_versioning"] = {
        "code": {"bucket": more["code"], "versioning_configuration": {"status": "Enabled"}}
    }
    package = {"bucket": more["code"], "key": "handler.zip"}
    resources["aws_s3_object"] = {
        "code": {
            **package,
            "source": "../lambda_src/dist/lambda.zip",
            "depends_on": ["aws_s3_bucket_versioning.code"],
        }
    }
    code = {name: f"${{aws_s3_object.code.{name}}}" for name in ("bucket", "key")}
    call = configuration["module"][SEVERAL]
    call["delivery"]["buckets"] = [more["one"], more["two"]]
    call["function"] = {"package_s3": code | {"version": "${aws_s3_object.code.version_id}"}}
