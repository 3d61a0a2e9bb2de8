"""Read the resources and pipelines in what `terraform show -json` printed of a plan or a state."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.errors import PipelineError

HOW = "run `terraform plan -out=plan.tfplan && terraform show -json plan.tfplan > plan.json`"
# An instance of this module has these three, below its address.
_FUNCTION = "module.function.aws_lambda_function.this"
_MARKS = ("module.queues.aws_sqs_queue.failures", "module.table.aws_dynamodb_table.this")
# Data sources with the region: the module's, and one that most roots have.
_REGION_SOURCES = {"aws_service_principal", "aws_region"}
_ARN_REGION = re.compile(r"arn:[^:]*:[^:]*:([a-z0-9-]+):")


@dataclass(frozen=True)
class Resource:
    """One managed resource as it is, or will be; `unknown` attributes are known after apply."""

    address: str
    type: str
    values: Mapping[str, Any]
    unknown: frozenset[str] = frozenset()

    def number(self, name: str, default: int = 0) -> Decimal:
        """The attribute as a number, `default` where it has none."""
        return as_number(self.values.get(name), default)

    def block(self, name: str) -> Mapping[str, Any]:
        """The first nested block of that name, empty where there is none."""
        return next(iter(self.blocks(name)), {})

    def blocks(self, name: str) -> list[Mapping[str, Any]]:
        """The nested blocks of that name."""
        return objects(self.values.get(name))


@dataclass(frozen=True)
class Plan:
    """The resources after a plan, or of a state.

    `pipelines` are the instances of this module by address, "" being a root that is one; `others`
    all the rest; `regions` those that are named anywhere.
    """

    pipelines: Mapping[str, tuple[Resource, ...]]
    others: tuple[Resource, ...]
    regions: frozenset[str]

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All of them."""
        return (*itertools.chain(*self.pipelines.values()), *self.others)


def parse(raw: str | bytes, origin: str) -> Plan:
    """Parse it, also UTF-16 or with a byte order mark, as PowerShell writes it.

    Raises PipelineError, which calls it `origin` (the beginning of a sentence), where it is no such
    JSON or the plan ended with an error.
    """
    if not raw.strip():
        raise _no_plan(f"{origin} is empty")
    if raw[:2] in (b"PK", "PK"):
        raise _no_plan(f"{origin} is the plan file itself, which only Terraform reads")
    try:
        document = json.loads(raw, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise _no_plan(f"{origin} is not what `terraform show -json` prints ({reason:.200})") from (
            error
        )
    if not isinstance(document, dict) or "format_version" not in document:
        state = isinstance(document, dict) and "lineage" in document
        what = (
            "is the state file itself, whose folder --stack takes"
            if state
            else "is JSON, but no plan and no state"
        )
        raise _no_plan(f"{origin} {what}")
    if document.get("errored") is True:
        raise PipelineError(
            f"{origin} is a plan that ended with an error: fix that, and plan again."
        )
    return read(document, origin)


def read(document: Mapping[str, Any], origin: str) -> Plan:
    """The plan in parsed JSON. Raises PipelineError."""
    planned = document.get("planned_values", document.get("values"))
    if not isinstance(planned, Mapping):
        raise PipelineError(f"{origin} holds nothing that was applied or planned: {HOW}.")
    changes = {
        str(change.get("address")): change for change in objects(document.get("resource_changes"))
    }
    root = _object(planned.get("root_module"))
    resources = {resource.address: resource for resource in _managed(root, changes)}
    pipelines: dict[str, tuple[Resource, ...]] = {}
    for prefix in [name.removesuffix(_FUNCTION) for name in resources if name.endswith(_FUNCTION)]:
        if all(prefix + mark in resources for mark in _MARKS):
            # A root that is the module may have more in it; below another address it can't.
            within = [name for name in resources if name.startswith(f"{prefix}module.")]
            pipelines[prefix.removesuffix(".")] = tuple(map(resources.pop, within))
    prior = _object(_object(document.get("prior_state")).get("values"))
    regions = [*_regions(root), *_regions(_object(prior.get("root_module")))]
    return Plan(pipelines, tuple(resources.values()), frozenset(regions))


def as_number(value: Any, default: int = 0) -> Decimal:
    """`value` where it is a finite number or the digits of one, else `default`."""
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        return Decimal(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    return Decimal(default)


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; none where it is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _managed(
    module: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]
) -> Iterator[Resource]:
    for resource in _below(module):
        # A deposed object waits to be deleted.
        if resource.get("mode", "managed") == "managed" and "deposed_key" not in resource:
            address = str(resource.get("address"))
            change = _object(changes.get(address, {}).get("change"))
            after = _object(change.get("after_unknown"))
            unknown = frozenset(name for name, value in after.items() if value is True)
            values = _object(resource.get("values"))
            yield Resource(address, str(resource.get("type")), values, unknown)


def _regions(module: Mapping[str, Any]) -> Iterator[str]:
    for resource in _below(module):
        values = _object(resource.get("values"))
        if str(resource.get("type")) in _REGION_SOURCES or resource.get("mode") == "managed":
            if isinstance(region := values.get("region"), str) and region:
                yield region
            elif match := _ARN_REGION.match(str(values.get("arn"))):
                yield match[1]


def _below(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from objects(module.get("resources"))
    for child in objects(module.get("child_modules")):
        yield from _below(child)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _no_plan(what: str) -> PipelineError:
    return PipelineError(f"{what}: {HOW}, and give that.")
