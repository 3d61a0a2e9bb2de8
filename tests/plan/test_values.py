"""Every input takes a value that is sensitive or known only after apply, or says "known at plan".

An attribute counts as one that must be known where the comment above it has these words. All others
are tried without further ado, so that a new attribute needs an entry here in two cases only: in
SAMPLES if it has no default, in MUST_BE_KNOWN if its comment has the words.
"""

import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tests.plan.conftest import errors_in
from tests.support.terraform.plans import diagnostics
from tools import inputs
from tools.inputs import Attribute
from tools.module import copy_module
from tools.package import PACKAGE

WORDS = "known at plan"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:alarms"

# A value that the module takes, for what has no default.
SAMPLES: dict[str, Any] = {
    "alarm_emails": ["ops@example.com"],
    "alarms.backlog_age": None,
    "alarms.extra_actions": [QUEUE],
    "backfill.bucket": "inventories-of-acme",
    "backfill.role_name": "jobs",
    "bucket.name": "uploads-of-acme",
    "bucket.access_log.bucket": "logs-of-acme",
    "bucket.eventbridge": True,
    "bucket.lifecycle_rules.expiration_days": 90,
    "bucket.lifecycle_rules.id": "archive",
    "bucket.lifecycle_rules.noncurrent_days": 9,
    "bucket.lifecycle_rules.transitions.days": 30,
    "bucket.lifecycle_rules.transitions.storage_class": "GLACIER",
    "bucket.notifications.arn": "arn:aws:sns:us-east-1:123456789012:theirs",
    "bucket.notifications.prefix": "theirs/",
    "bucket.policy_json": '{"Version": "2012-10-17", "Statement": []}',
    "dashboard.name": "dashboard",
    "delivery.buffer.max_concurrency": 2,
    "delivery.buffer.name": "buffer",
    "delivery.accounts": ["210987654321"],
    "delivery.buckets": ["theirs"],
    "delivery.failure_queue_name": "failures",
    "delivery.filters.prefix": "in/",
    "delivery.filters.suffix": ".csv",
    "delivery.rule_name": "rule",
    "encryption.kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/1-2",
    "function.environment": {"TOKEN": "x"},
    "function.hook.handler": "enrich.on_event",
    "function.hook.package": str(ROOT / "examples/enrich/enrich.zip"),
    "function.layers": ["arn:aws:lambda:us-east-1:123456789012:layer:ours:1"],
    "function.name": "function",
    "function.package": str(PACKAGE),
    "function.package_s3.bucket": "code-of-acme",
    "function.package_s3.key": "handler.zip",
    "function.package_s3.version": "1",
    "function.permissions_boundary": "arn:aws:iam::123456789012:policy/boundary",
    "function.policy_json": '{"Version": "2012-10-17", "Statement": []}',
    "function.reserved_concurrency": 5,
    "function.role_name": "role",
    "function.vpc.security_group_ids": ["sg-1"],
    "function.vpc.subnet_ids": ["subnet-1"],
    "name_prefix": "acme-",
    "table.name": "table",
    "tags": {"Team": "data"},
    "topic.arn": "arn:aws:sns:us-east-1:123456789012:topic",
    "topic.name": "topic",
    "topic.subscriptions.endpoint": QUEUE,
    "topic.subscriptions.filter_policy": '{"AlarmName": ["a"]}',
    "topic.subscriptions.protocol": "sqs",
}
# With these every attribute counts.
SETTINGS: dict[str, Any] = {
    "alarms.health.enabled": True,
    "backfill.create": True,
    "dashboard.create": True,
    "delivery.handover": True,
    "encryption.mode": "given",
    # Not together with a hook: a call of its own tries it.
    "function.package": None,
    "function.package_s3": None,
    "topic.create": False,
}
# Of what must be known: the resource whose error says so. By calls, in which no two have the same,
# nor one that waits for another's: Terraform then reports the first one's error only.
MUST_BE_KNOWN: list[dict[str, str]] = [
    {
        "encryption.mode": "aws_kms_key.this",
        "delivery.via": "aws_cloudwatch_event_rule.this",
    },
    {
        "bucket.create": "s3.kept_name",
        "delivery.buffer": "sqs.kept_name",
        "table.object_index": "aws_dynamodb_table.this",
        "topic.create": "sns.kept_name",
    },
    {
        "bucket.take_over_notifications": "aws_lambda_permission.bucket",
        "delivery.handover": "aws_cloudwatch_event_rule.this",
    },
    {
        "backfill.create": "aws_iam_policy_document.jobs",
        "table.stream_view_type": "aws_dynamodb_table.this",
        "topic.subscriptions.filter_policy": "aws_sns_topic_subscription.this",
    },
    {
        "alarms.create": "aws_cloudwatch_metric_alarm.this",
        "bucket.access_log": "aws_s3_bucket_logging.this",
        "topic.subscriptions": "aws_sns_topic_subscription.this",
    },
    {
        "alarms.write_activity.enabled": "aws_cloudwatch_metric_alarm.this",
        "alarm_emails": "aws_sns_topic_subscription.email",
    },
    {"alarms.health.enabled": "alarms.health_watches"},
    {"delivery.buffer.drain": "aws_cloudwatch_metric_alarm.this"},
    {"table.billing_mode": "aws_cloudwatch_metric_alarm.this"},
    {"table.write_units": "aws_dynamodb_table.this"},
    {"table.read_units": "aws_dynamodb_table.this"},
    {
        "dashboard.create": "aws_cloudwatch_dashboard.this",
        "delivery.accounts": "aws_cloudwatch_event_permission.sender",
    },
    {"delivery.buckets": "aws_cloudwatch_event_rule.this"},
    {"function.handler": "aws_lambda_function.this"},
    {
        "function.hook": "aws_lambda_layer_version.hook",
        "function.package_s3": "aws_s3_object.package",
    },
    {"function.runtime": "aws_lambda_function.this"},
]
# Without these the one to be known is not looked at.
BESIDE = {"bucket.take_over_notifications": {"bucket.create": False, "bucket.name": "theirs"}}


def _sample(path: str, attribute: Attribute) -> Any:
    """A value for an attribute: its own default, or an entry of SAMPLES."""
    if path in SAMPLES:
        return SAMPLES[path]
    if attribute.inner:
        return _wrapped(
            attribute, {each.name: _sample(f"{path}.{each.name}", each) for each in attribute.inner}
        )
    # The alarms', which all have the same.
    if path.startswith("alarms.") and attribute.name in ("name", "threshold"):
        return path.replace(".", "-") if attribute.name == "name" else 7
    assert attribute.default not in (None, "null"), f"give {path} a value in SAMPLES"
    return json.loads(attribute.default)


def _wrapped(attribute: Attribute, values: dict[str, Any]) -> Any:
    return {"list": [values], "map(": {"one": values}}.get(attribute.type[:4], values)


def _attributes() -> Iterator[tuple[str, Attribute]]:
    """Each attribute of each variable by its path; a plain variable is one by itself."""

    def look(inner: tuple[Attribute, ...], path: str) -> Iterator[tuple[str, Attribute]]:
        for attribute in inner:
            yield f"{path}.{attribute.name}", attribute
            yield from look(attribute.inner, f"{path}.{attribute.name}")

    for variable in inputs.variables(ROOT):
        if variable.attributes:
            yield from look(variable.attributes, variable.name)
        else:
            yield (
                variable.name,
                Attribute(variable.name, variable.type, variable.default, text=variable.lead),
            )


ATTRIBUTES = dict(_attributes())
KNOWN = {path for path, attribute in ATTRIBUTES.items() if WORDS in attribute.text.lower()}
# The alarms are described once.
KNOWN |= {path for path in ATTRIBUTES if path.startswith("alarms.") and path.endswith(".enabled")}


@functools.cache
def _samples() -> dict[str, Any]:
    return {path: _sample(path, attribute) for path, attribute in ATTRIBUTES.items()}


def _resources() -> dict[str, Any]:
    """What knows each sample only after apply."""
    return {"terraform_data": {"later": {"input": _samples()}}}


def _later(path: str) -> str:
    return f'${{terraform_data.later.output["{path}"]}}'


def _call(folder: Path, value: Callable[[str, Attribute], Any]) -> dict[str, Any]:
    """A call of the module with every attribute, each with what `value` says."""

    def filled(path: str, attribute: Attribute) -> Any:
        given = value(path, attribute)
        if given is not ... or not attribute.inner:
            return given
        return _wrapped(
            attribute, {each.name: filled(f"{path}.{each.name}", each) for each in attribute.inner}
        )

    call: dict[str, Any] = {}
    for path, attribute in ATTRIBUTES.items():
        variable, _, rest = path.partition(".")
        if not rest:
            call[variable] = value(path, attribute)
        elif "." not in rest:
            call.setdefault(variable, {})[rest] = filled(path, attribute)
    return {"source": os.path.relpath(ROOT, folder)} | call | {"free_tier": "off"}


def test_all_inputs_may_be_sensitive_and_all_that_do_not_say_known_at_plan_computed(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    def sample(path: str, attribute: Attribute) -> Any:
        return SETTINGS.get(path, ... if attribute.inner else _samples()[path])

    def computed(path: str, attribute: Attribute) -> Any:
        given = attribute.inner or path in SETTINGS or path in KNOWN
        return sample(path, attribute) if given else _later(path)

    def whole(path: str, attribute: Attribute) -> Any:
        """Objects and lists of objects as one unknown, but those that are there anyway."""
        later = attribute.inner and attribute.default != "{}" and path not in KNOWN
        return _later(path) if later else sample(path, attribute)

    calls = {name.__name__: _call(tmp_path, name) for name in (computed, whole)}
    calls["sensitive"] = {
        key: value if key == "source" else f"${{sensitive({json.dumps(value)})}}"
        for key, value in _call(tmp_path, sample).items()
    }
    # Addresses leave the outputs plain, which a root's output need not be told to hide.
    emails = ['${sensitive("ops@example.com")}']
    calls["plain"] = {"source": calls["whole"]["source"], "alarm_emails": emails}
    package = {"computed": _later("function.package"), "sensitive": f'${{sensitive("{PACKAGE}")}}'}
    for name, value in package.items():
        calls[f"package_{name}"] = {
            "source": calls["whole"]["source"],
            "function": {"package": value},
        }
    # Where S3 is not asked: a plan that knows bucket and key reads the object.
    in_s3 = _later("function.package_s3")
    calls["package_s3_computed"] = {
        "source": calls["whole"]["source"],
        "function": {
            "package_s3": {
                name: f"${{sensitive({in_s3[2:-1]}.{name})}}"
                for name in ("bucket", "key", "version")
            }
        },
    }
    output = {"pipeline": {"value": "${module.plain}"}}
    terraform.write_root(tmp_path, {"resource": _resources(), "module": calls, "output": output})
    terraform.init(tmp_path, reattached)
    done = terraform.run(tmp_path, reattached, "plan", "-json", "-input=false", expected=(0, 1))
    assert list(errors_in(done.stdout)) == []


def test_what_says_known_at_plan_is_listed_here() -> None:
    described = {path for path, each in ATTRIBUTES.items() if WORDS in each.text.lower()}
    assert sorted(described) == sorted(path for call in MUST_BE_KNOWN for path in call)


@pytest.fixture(scope="module")
def refused(reattached: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[set[str]]:
    """For each call of MUST_BE_KNOWN the resources that Terraform has errors for."""
    folder = tmp_path_factory.mktemp("known")
    calls: dict[str, Any] = {}
    for number, call in enumerate(MUST_BE_KNOWN):
        # A copy each, whose path the errors name: Terraform follows links.
        copy_module(folder / f"call_{number}")
        values: dict[str, Any] = {"source": f"./call_{number}", "free_tier": "off"}
        if not any("alarm" in resource for resource in call.values()):
            values["alarms"] = {"create": False}
        for path in call:
            for beside, value in BESIDE.get(path, {}).items():
                _put(values, beside, value)
            _put(values, path, _later(path))
        calls[f"call_{number}"] = values
    terraform.write_root(folder, {"resource": _resources(), "module": calls})
    terraform.init(folder, reattached)
    done = terraform.run(folder, reattached, "plan", "-json", "-input=false", expected=(1,))
    found: list[set[str]] = [set() for _ in MUST_BE_KNOWN]
    for each in diagnostics(done.stdout):
        file = each.get("range", {}).get("filename", "")
        if each["severity"] == "error" and file.startswith("call_"):
            kind, name = each["snippet"]["context"].replace('"', "").split()[1:]
            # There is one in each module.
            kind = file.split("/")[-2] if kind == "terraform_data" else kind
            found[int(file.partition("/")[0].removeprefix("call_"))].add(f"{kind}.{name}")
    return found


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set the attribute at `path`, with what is required beside it."""
    *above, last = path.split(".")
    for number, name in enumerate(above):
        within = ".".join(above[: number + 1])
        if within == "topic.subscriptions":
            values = values.setdefault(name, {}).setdefault(
                "one", {"protocol": "sqs", "endpoint": QUEUE}
            )
        else:
            values = values.setdefault(name, {})
    values[last] = value


@pytest.mark.parametrize(
    ("number", "path", "resource"),
    [(number, *each) for number, call in enumerate(MUST_BE_KNOWN) for each in call.items()],
)
def test_what_says_known_at_plan_is_an_error_when_it_is_not(
    number: int, path: str, resource: str, refused: list[set[str]]
) -> None:
    assert resource in refused[number], path
