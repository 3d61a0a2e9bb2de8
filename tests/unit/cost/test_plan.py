"""What `terraform show -json` printed is read; anything else is named, with what to run."""

import json
from typing import Any

import pytest

from pipeline.cost import plan as plan_json
from pipeline.errors import PipelineError
from tests.support.terraform.cost_plans import pipeline, plan, resource

HOW = "run `terraform plan -out=plan.tfplan && terraform show -json plan.tfplan > plan.json`"


def parsed(document: Any, encoding: str = "utf-8") -> plan_json.Plan:
    return plan_json.parse(json.dumps(document).encode(encoding), "The file f")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_plan_is_read_however_a_shell_wrote_it(encoding: str) -> None:
    assert list(parsed(plan(pipeline()), encoding).pipelines) == ["module.pipeline"]


def test_a_state_is_read_like_a_plan() -> None:
    values = plan(pipeline())["planned_values"]
    found = parsed({"format_version": "1.0", "values": values})
    assert list(found.pipelines) == ["module.pipeline"]
    assert len(found.pipelines["module.pipeline"]) == 15


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The file f is empty"),
        (b" \n", "The file f is empty"),
        (b"PK\x03\x04...", "is the plan file itself, which only Terraform reads"),
        (b'{"@level":"info"}\n{"@level":"info"}\n', "is not what `terraform show -json` prints"),
        (b"Terraform will perform", "is not what `terraform show -json` prints"),
        (b'{"version": 4, "lineage": "l", "serial": 1}', "is the state file itself, whose folder"),
        (b'{"table_name": {"value": "t"}}', "is JSON, but no plan and no state"),
        (b"[]", "is JSON, but no plan and no state"),
        (b'{"format_version": NaN}', "NaN is no JSON"),
        (b'{"format_version": "1.0"}', "holds nothing that was applied or planned"),
        (b'{"format_version": "1.0", "planned_values": []}', "holds nothing that was applied"),
        (b"\xff\xfe{", "is not what `terraform show -json` prints"),
        (b"[" * 100_000, "is not what `terraform show -json` prints"),
    ],
)
def test_anything_else_is_named_in_one_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(PipelineError) as caught:
        plan_json.parse(raw, "The file f")
    assert sentence in str(caught.value)
    assert HOW in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plan_that_ended_with_an_error_is_not_priced() -> None:
    with pytest.raises(PipelineError, match="ended with an error: fix that"):
        parsed(plan(pipeline(), errored=True))


@pytest.mark.parametrize("values", [{}, {"root_module": {}}, {"root_module": None}])
def test_a_plan_that_leaves_nothing_has_nothing(values: Any) -> None:
    found = parsed({"format_version": "1.2", "planned_values": values})
    assert found.resources == ()


def test_pipelines_are_found_wherever_they_are_called_from() -> None:
    deep = {
        "address": 'module.team["a.b"]',
        "child_modules": [pipeline('module.team["a.b"].module.p[0]')],
    }
    found = parsed(plan(pipeline("module.p"), deep, resources=[resource("aws_sqs_queue.theirs")]))
    assert list(found.pipelines) == ["module.p", 'module.team["a.b"].module.p[0]']
    assert [resource.address for resource in found.others] == ["aws_sqs_queue.theirs"]


def test_a_root_may_be_the_pipeline_itself() -> None:
    root = pipeline("")
    root["resources"].append(resource("aws_instance.more"))
    found = parsed({"format_version": "1.0", "values": {"root_module": root}})
    assert list(found.pipelines) == [""]
    assert [resource.address for resource in found.others] == ["aws_instance.more"]


def test_somebody_elses_function_makes_no_pipeline() -> None:
    other = {
        "address": "module.app",
        "resources": [resource("module.app.module.function.aws_lambda_function.this")],
    }
    found = parsed(plan(other))
    assert found.pipelines == {}
    assert [resource.type for resource in found.others] == ["aws_lambda_function"]


def test_what_is_read_or_waits_to_be_deleted_is_not_there() -> None:
    read = {**resource("data.aws_kms_key.k"), "mode": "data"}
    deposed = {**resource("aws_kms_key.k"), "deposed_key": "12345678"}
    assert parsed(plan(resources=[read, deposed])).resources == ()


def test_the_region_is_told_by_data_sources_and_arns() -> None:
    principal = {**resource("data.aws_service_principal.s3", region="eu-west-1"), "mode": "data"}
    prior = {"values": {"root_module": {"resources": [principal]}}}
    assert parsed(plan(pipeline(), prior_state=prior)).regions == {"eu-west-1"}
    queue = resource("aws_sqs_queue.q", arn="arn:aws:sqs:eu-north-1:123456789012:q")
    assert parsed(plan(resources=[queue])).regions == {"eu-north-1"}
    role = resource("aws_iam_role.r", arn="arn:aws:iam::123456789012:role/r")
    assert parsed(plan(resources=[role])).regions == frozenset()


def test_values_of_the_wrong_kind_do_no_harm() -> None:
    odd = [None, {"values": 5}, {"address": "a", "type": []}]
    planned = {"root_module": {"resources": odd, "child_modules": 3}}
    found = parsed({"format_version": "1", "planned_values": planned, "resource_changes": {"a": 1}})
    assert [resource.values for resource in found.resources] == [{}, {}]
    (first, *_) = found.resources
    assert first.number("n", 7) == 7
    assert not first.block("b")
