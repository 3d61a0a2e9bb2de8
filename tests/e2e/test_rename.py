"""Another name for what holds data is refused at plan; whoever wants it gives the old one up."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.terraform import run as terraform
from tests.e2e.conftest import Cloud
from tests.support.aws.clients import items
from tests.support.poll import until
from tests.support.stacks.stack import apply, empty_bucket, outputs, second_plan
from tools.module import copy_module

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
