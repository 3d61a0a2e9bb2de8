"""Read what `terraform show -json` printed, of a plan or of a state: what there is, and whose."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.errors import PipelineError

HOW = "run `terraform plan -out=plan.tfplan && terraform show -json plan.tfplan > plan.json`"
# What tells an instance of this module from any other module's, below its address.
_MARKS = {
    "module.function.aws_lambda_function.this",
    "module.queues.aws_sqs_queue.failures",
    "module.table.aws_dynamodb_table.this",
}
# The module asks the first; the other is what most roots ask.
_TELLS_REGION = {"aws_service_principal", "aws_region"}
_ARN_REGION = re.compile(r"arn:[^:]*:[^:]*:([a-z0-9-]+):")


@dataclass(frozen=True)
class Resource:
    """One managed resource as it is, or will be: `unknown` attributes only apply will tell."""

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
    """What a plan leaves in place, or what a state holds.

    `pipelines` are the instances of this module by address, "" being a root that is one; `others`
    all the rest; `regions` those that are told anywhere.
    """

    pipelines: Mapping[str, tuple[Resource, ...]]
    others: tuple[Resource, ...]
    regions: frozenset[str]

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All of them."""
        return tuple(one for found in self.pipelines.values() for one in found) + self.others


def parse(raw: str | bytes, origin: str) -> Plan:
    """Read it; UTF-16 and a byte order mark, as PowerShell writes them, do no harm.

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
            f"{origin} is a plan that ended with an error: mend that, and plan again."
        )
    return read(document, origin)


def read(document: Mapping[str, Any], origin: str) -> Plan:
    """The same of parsed JSON."""
    planned = document.get("planned_values", document.get("values"))
    if not isinstance(planned, Mapping):
        raise PipelineError(f"{origin} holds nothing that was applied or planned: {HOW}.")
    changes = {
        str(change.get("address")): change for change in objects(document.get("resource_changes"))
    }
    root = _object(planned.get("root_module"))
    found = dict(_pipelines(root, changes))
    ours = {one.address for resources in found.values() for one in resources}
    everything = tuple(_managed(root, changes))
    prior = _object(_object(document.get("prior_state")).get("values"))
    regions = [*_regions(root), *_regions(_object(prior.get("root_module")))]
    others = tuple(one for one in everything if one.address not in ours)
    return Plan(found, others, frozenset(regions))


def as_number(value: Any, default: int = 0) -> Decimal:
    """`value` where it is a finite number or the digits of one, else `default`."""
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        return Decimal(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    return Decimal(default)


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; none where it is no list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _pipelines(
    module: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, tuple[Resource, ...]]]:
    address = str(module.get("address", ""))
    prefix = f"{address}." if address else ""
    resources = tuple(_managed(module, changes))
    if {prefix + mark for mark in _MARKS} <= {one.address for one in resources}:
        # A root that is the module may have more in it; below another address it can't.
        within = prefix + "module."
        yield address, tuple(one for one in resources if one.address.startswith(within))
        return
    for child in objects(module.get("child_modules")):
        yield from _pipelines(child, changes)


def _managed(
    module: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]
) -> Iterator[Resource]:
    for one in _below(module):
        # What waits to be deleted is no longer there.
        if one.get("mode", "managed") == "managed" and "deposed_key" not in one:
            address = str(one.get("address"))
            change = _object(changes.get(address, {}).get("change"))
            after = _object(change.get("after_unknown"))
            unknown = frozenset(name for name, value in after.items() if value is True)
            yield Resource(address, str(one.get("type")), _object(one.get("values")), unknown)


def _regions(module: Mapping[str, Any]) -> Iterator[str]:
    for one in _below(module):
        values = _object(one.get("values"))
        if str(one.get("type")) in _TELLS_REGION or one.get("mode") == "managed":
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
