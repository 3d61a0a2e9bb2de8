"""Another name for what holds data is refused at plan; whoever wants it gives the old one up."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tests.e2e.conftest import Cloud
from tests.support.aws.clients import items
from tests.support.poll import until
from tests.support.stacks.stack import apply, empty_bucket, outputs, second_plan
from tools.module import copy_module

DEFINITIONS = ROOT / "modules/alarms/definitions.tf"
# Address in the module, the attribute that keeps the name, and the default name.
KEPT = {
    "bucket.terraform_data.kept_name[0]": ("bucket.name", "event-driven-lab-000000000000-"),
    "table.terraform_data.kept_name": ("table.name", "S3ObjectEvents"),
    "topic.terraform_data.kept_name[0]": ("topic.name", "event-driven-alerts"),
    'queues.terraform_data.kept_name["failures"]': (
        "delivery.failure_queue_name",
        "event-driven-failures",
    ),
}


def refused(root: Path, environment: dict[str, str]) -> str:
    """What a plan that fails says, in one line."""
    with pytest.raises(PipelineError) as failed:
        terraform.plan(root, environment)
    return " ".join(str(failed.value).split())


@pytest.fixture
def renamed(cloud: Cloud) -> Iterator[Callable[..., Path]]:
    """Copies of the minimal example's root with its state, and other variables."""
    root = cloud.stacks["minimal"].root
    place = root.with_name("renamed")
    shutil.copytree(root, place)
    (place / "main.tf").unlink()

    def with_variables(**variables: Any) -> Path:
        call = {"source": "../../", **variables}
        terraform.write_root(place, {"provider": {"aws": {}}, "module": {"pipeline": call}})
        return place

    yield with_variables
    shutil.rmtree(place)


def test_a_new_prefix_is_refused_before_anything_is_touched(
    cloud: Cloud, renamed: Callable[..., Path]
) -> None:
    stack = cloud.stacks["minimal"]
    said = refused(renamed(name_prefix="new-"), stack.environment)
    for address, (attribute, name) in KEPT.items():
        assert f'made as "new-{name}' in said
        assert f'To keep it, write {attribute} = "{name}' in said
        assert f"-replace='….module.{address}'" in said
    key = "after the refusal"
    cloud.client("s3").put_object(Bucket=stack.outputs["bucket_name"], Key=key, Body=b"x")
    table = stack.outputs["table_name"]
    until(lambda: key in {i["objectKey"]["S"] for i in items(table, cloud.environment)})


def test_under_a_new_prefix_what_keeps_its_name_stays(
    cloud: Cloud, renamed: Callable[..., Path]
) -> None:
    stack = cloud.stacks["minimal"]
    place = renamed(
        name_prefix="new-",
        bucket={"name": stack.outputs["bucket_name"]},
        table={"name": stack.outputs["table_name"]},
        topic={"name": "event-driven-alerts"},
        delivery={"failure_queue_name": "event-driven-failures"},
    )
    changed = terraform.changes(terraform.plan(place, stack.environment))
    assert changed["module.pipeline.module.function.aws_lambda_function.this"] == [
        "delete",
        "create",
    ]
    holding = ("aws_s3_bucket.", "aws_dynamodb_table.", "aws_sns_topic.", "aws_sqs_queue.")
    kept = {address: actions for address, actions in changed.items() if "delete" in actions}
    assert not [address for address in kept if any(type_ in address for type_ in holding)]


@pytest.fixture
def old(cloud: Cloud) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A stack of its own under the prefix `old-`, and how to write another prefix."""
    environment = cloud.stacks["minimal"].environment
    # Beside the other roots, where the provider that runs reads the package.
    module = copy_module(cloud.stacks["minimal"].root.parents[2] / "renaming")
    place = module / "examples/renaming"

    def write(prefix: str) -> None:
        call = {"source": "../../", "name_prefix": prefix, "bucket": {"force_destroy": True}}
        shown = {"pipeline": {"value": "${module.pipeline}"}}
        configuration = {"provider": {"aws": {}}, "module": {"pipeline": call}, "output": shown}
        terraform.write_root(place, configuration)

    write("old-")
    terraform.init(place, environment)
    apply(place, environment)
    yield place, write
    terraform.destroy(place, environment)


@pytest.mark.soak
def test_an_emptied_bucket_and_the_rest_take_the_new_name_by_replace(
    cloud: Cloud, old: tuple[Path, Callable[[str], None]]
) -> None:
    environment = cloud.stacks["minimal"].environment
    place, write = old
    s3, bucket = cloud.client("s3"), outputs(place)["pipeline"]["bucket_name"]
    s3.put_object(Bucket=bucket, Key="old", Body=b"x")
    write("new-")
    assert "S3 deletes no bucket that holds objects" in refused(place, environment)
    empty_bucket(s3, bucket)
    replaced = [f"-replace=module.pipeline.module.{address}" for address in KEPT]
    terraform.run(place, environment, "apply", "-auto-approve", "-input=false", *replaced)
    assert second_plan(place, environment) == ""
    names = outputs(place)["pipeline"]
    assert names["bucket_name"] == f"new-{bucket.removeprefix('old-')}"
    s3.put_object(Bucket=names["bucket_name"], Key="new", Body=b"x")
    (item,) = until(lambda: items(names["table_name"], cloud.environment))
    assert item["objectKey"]["S"] == "new"


@pytest.fixture
def alarms(cloud: Cloud) -> Iterator[Callable[..., dict[str, str]]]:
    """Apply the alarms alone, with some of them as given, and health over them; what changed."""
    environment = cloud.stacks["minimal"].environment
    module = copy_module(cloud.stacks["minimal"].root.parents[2] / "alarms")
    place = module / "root"
    keys = [*re.findall(r"^    (\w+) = {$", DEFINITIONS.read_text(encoding="utf-8"), re.M)]
    common = {"enabled": True, "period_seconds": 60, "evaluation_periods": 1, "notify_ok": False}

    def write(**given: Any) -> None:
        each = {key: {"name": None, "threshold": None} | common for key in keys}
        call = {
            "source": "../modules/alarms",
            "alarms": {key: values | given.get(key, {}) for key, values in each.items()},
            "health": {"name": None, "enabled": True, "notify_ok": True},
            "prefix": "alone-",
            "actions": [],
            "table_name": "t",
            "write_units": 5,
            "on_demand": False,
            "function_name": "f",
            "timeout_seconds": 30,
            "max_event_age_seconds": 21600,
            "failure_queue_name": "q",
            "delivery": {"direct": True, "buffer": False, "buffer_name": "b"}
            | {
                "buffer_window_seconds": 0,
                "rule": False,
                "rule_takes_all": False,
                "rule_name": "r",
            },
            "tags": {},
        }
        terraform.write_root(place, {"provider": {"aws": {}}, "module": {"alarms": call}})

    def applied(**given: Any) -> dict[str, str]:
        write(**given)
        return apply(place, environment)

    write()
    terraform.init(place, environment)
    yield applied
    terraform.destroy(place, environment)


def test_an_alarm_that_goes_or_gets_another_name_leaves_the_one_over_all_first(
    cloud: Cloud, alarms: Callable[..., dict[str, str]]
) -> None:
    alarms()
    # Neither may be deleted while a rule has its name.
    changed = alarms(errors={"enabled": False}, throttles={"name": "other"})
    assert changed["module.alarms.aws_cloudwatch_composite_alarm.health[0]"] == "replace"
    (health,) = cloud.client("cloudwatch").describe_alarms(
        AlarmNames=["alone-pipeline_health"], AlarmTypes=["CompositeAlarm"]
    )["CompositeAlarms"]
    assert "LambdaErrorsAlert" not in health["AlarmRule"]
    assert 'ALARM("other")' in health["AlarmRule"]
