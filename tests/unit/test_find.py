"""Which pipeline a command is about: from a Terraform root, a file, by hand, or the kept lab."""

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.errors import PipelineError
from pipeline.find import find
from pipeline.lab import folder as lab_folder

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/event-driven-failures"
OUTPUTS: dict[str, Any] = {
    "bucket_name": "b",
    "table_name": "t",
    "table_stream_arn": "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/1",
    "function_name": "f",
    "function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
    "topic_arn": "arn:aws:sns:eu-west-1:123456789012:topic",
    "failure_queue_url": QUEUE,
    "buffer_queue_url": None,
    "log_group_name": "/aws/lambda/f",
    "alarm_names": ["a1", "a2"],
    "delivery": {"via": "notification", "filters": [], "buffered": False},
}
SECOND = {**OUTPUTS, "failure_queue_url": f"{QUEUE}-2", "function_name": "f2"}

Write = Callable[[Any], Path]


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No AWS configuration, whoever runs this."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(outputs: Any) -> Path:
        file = tmp_path / "outputs.json"
        file.write_text(json.dumps(outputs), encoding="utf-8")
        return file

    return write


def printed(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """As `terraform output -json` prints them."""
    return {n: {"sensitive": False, "type": "any", "value": v} for n, v in outputs.items()}


def play_terraform(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A root, and a shell script in the place of `terraform`."""
    root, binaries = folder / "root", folder / "bin"
    for made in (root, binaries):
        made.mkdir()
    (root / "main.tf").touch()
    version = "Terraform v1.11.4"
    played = binaries / "terraform"
    played.write_text(f"#!/bin/sh\n[ $1 != version ] || {{ echo '{version}'; exit; }}\n{script}\n")
    played.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    return root


@pytest.mark.parametrize(
    "outputs",
    [
        printed({"pipeline": OUTPUTS}),
        printed({"anything": OUTPUTS, "subscriber_queue_url": "u"}),
        printed(OUTPUTS),
        printed({**OUTPUTS, "pipeline": OUTPUTS}),
        printed({"pipelines": {"only": OUTPUTS}}),
        printed({"pipelines": [OUTPUTS]}),
        printed({"network": {"bucket_name": "x", "function_name": "y"}, "p": OUTPUTS}),
        OUTPUTS,
    ],
    ids=["object", "any-name", "flat", "both", "for-each", "count", "others", "one-output"],
)
def test_a_pipeline_is_found_wherever_the_root_outputs_it(write: Write, outputs: Any) -> None:
    found = find(file=write(outputs))
    assert found.failure_queue_url == QUEUE
    assert (found.bucket_name, found.table_name, found.function_name) == ("b", "t", "f")
    assert found.log_group_name == "/aws/lambda/f"
    assert found.topic_arn == OUTPUTS["topic_arn"]
    assert found.table_stream_arn == OUTPUTS["table_stream_arn"]
    assert found.buffer_queue_url is None
    assert found.alarm_names == ("a1", "a2")
    assert found.delivery["via"] == "notification"
    assert found.settings == {"region_name": "eu-west-1"}


def test_of_two_pipelines_the_user_has_to_choose(write: Write) -> None:
    file = write(printed({"red": OUTPUTS, "blue": SECOND}))
    with pytest.raises(
        PipelineError, match=r"several pipelines: choose one with --output, red or blue"
    ):
        find(file=file)
    found = find(file=file, output="blue")
    assert found.function_name == "f2"
    assert found.flags == ("--outputs", str(file), "--output", "blue")


def test_a_pipeline_of_a_module_with_for_each_is_chosen_by_its_key(write: Write) -> None:
    file = write(printed({"pipelines": {"red": OUTPUTS, "blue": SECOND}}))
    with pytest.raises(PipelineError, match=r"--output, pipelines\.red or pipelines\.blue"):
        find(file=file)
    assert find(file=file, output="pipelines.blue").function_name == "f2"


def test_an_absent_output_is_refused_and_the_others_are_named(write: Write) -> None:
    with pytest.raises(PipelineError, match=r"no output 'green' .*: write one of red"):
        find(file=write(printed({"red": OUTPUTS})), output="green")


def test_a_name_that_a_half_applied_stack_lacks_is_reported_once_it_is_needed(write: Write) -> None:
    half = {n: v for n, v in OUTPUTS.items() if n not in ("alarm_names", "log_group_name")}
    found = find(file=write(printed({**half, "bucket_name": None})))
    assert found.failure_queue_url == QUEUE
    with pytest.raises(
        PipelineError, match=r"gives no bucket_name: apply .* or give it with --set"
    ):
        found.bucket_name  # noqa: B018
    with pytest.raises(PipelineError, match=r"gives no alarm_names: apply the stack to its end"):
        found.alarm_names  # noqa: B018


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        ({}, "has no outputs: add `output"),
        (printed({"vpc_id": "v"}), "has none of the module's outputs: add `output"),
        ([], "gives no JSON object"),
    ],
    ids=["none", "others", "list"],
)
def test_outputs_without_a_pipeline_are_refused_with_the_fix(
    write: Write, outputs: Any, sentence: str
) -> None:
    with pytest.raises(PipelineError, match=sentence):
        find(file=write(outputs))


def test_its_buckets_are_all_or_one_of_them_and_names(write: Write) -> None:
    delivery = {"via": "notification", "filters": [], "buckets": ["one", "two"]}
    found = find(file=write({**OUTPUTS, "delivery": delivery}))
    own = found.bucket_name
    assert found.buckets() == (own, "one", "two")
    assert found.buckets("two") == ("two",)
    with pytest.raises(
        PipelineError, match=f"takes no uploads of the bucket 'x'.* {own}, one, two"
    ):
        found.buckets("x")
    for odd in "one", [1], {"one": 1}:
        found = find(file=write({**OUTPUTS, "delivery": delivery | {"buckets": odd}}))
        with pytest.raises(PipelineError, match=r"gives delivery\.buckets that are no names: take"):
            found.buckets()
    without = {name: value for name, value in OUTPUTS.items() if name != "delivery"}
    assert find(file=write(without)).buckets() == (own,)


@pytest.mark.parametrize(
    "filters",
    [
        "x",
        3,
        [1],
        [{"prefix": "a"}],
        [{"prefix": "a", "suffix": None, "events": []}],
        [{"prefix": "", "suffix": "", "events": [1]}],
    ],
)
def test_a_topic_or_filters_of_another_shape_are_refused(write: Write, filters: Any) -> None:
    delivery = {"via": "notification", "filters": filters}
    found = find(file=write({**OUTPUTS, "delivery": delivery, "topic_arn": "event-driven-alerts"}))
    with pytest.raises(PipelineError, match=r"gives delivery\.filters of another shape: take"):
        _ = found.delivery
    with pytest.raises(PipelineError, match="gives a topic_arn that is no ARN: take"):
        _ = found.topic_arn


def test_an_absent_file_or_one_without_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"can't be read \(No such file"):
        find(file=tmp_path / "none")
    (tmp_path / "log").write_bytes(b"\x00\xff Error: no")
    with pytest.raises(PipelineError, match="gives no JSON object"):
        find(file=tmp_path / "log")


def test_outputs_come_through_a_pipe_and_as_powershell_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(printed(OUTPUTS))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert find(file=Path("-")).function_name == "f"
    (tmp_path / "utf16").write_bytes(text.encode("utf-16"))
    assert find(file=tmp_path / "utf16").function_name == "f"


def test_names_by_hand_suffice_and_win_over_a_stacks(write: Write) -> None:
    by_hand = [f"failure_queue_url={QUEUE}", "function_name=a=b", "table_name=t"]
    found = find(given=by_hand)
    assert found.function_name == "a=b"
    assert found.region == "eu-west-1"
    assert found.flags == tuple(word for pair in by_hand for word in ("--set", pair))
    with pytest.raises(PipelineError, match="--set gives no bucket_name"):
        found.bucket_name  # noqa: B018
    assert find(file=write(OUTPUTS), given=["function_name=mine"]).function_name == "mine"


@pytest.mark.parametrize("given", ["function", "function_name=", "functionname=f"])
def test_a_name_by_hand_that_does_not_exist_is_refused(given: str) -> None:
    with pytest.raises(PipelineError, match=r"--set takes NAME=VALUE, not '.*NAME is bucket_name"):
        find(given=[given])


def test_another_region_in_the_environment_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(OUTPUTS)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
        with pytest.raises(
            PipelineError, match=r"lives in eu-west-1, .* us-east-1: set AWS_REGION=eu"
        ):
            find(file=file)
        monkeypatch.setenv(name, "eu-west-1")
        assert find(file=file).region == "eu-west-1"
        monkeypatch.delenv(name)


def test_a_profile_that_does_not_exist_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(PipelineError, match=r"nobody.*: log in, or set AWS_PROFILE"):
        find(file=write(OUTPUTS))


def test_a_root_is_asked_in_the_user_s_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "printed").write_text(json.dumps(printed({"pipeline": OUTPUTS})))
    script = (
        f'[ "$TF_WORKSPACE $AWS_PROFILE $*" = "live me output -json -no-color" ] || exit 1\n'
        f"cat '{tmp_path}/printed'"
    )
    root = play_terraform(tmp_path, monkeypatch, script)
    (tmp_path / "config").write_text("[profile me]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "me")
    monkeypatch.setenv("TF_WORKSPACE", "live")
    found = find(root=root)
    assert found.function_name == "f"
    assert found.flags == ("--stack", str(root))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo '{}'", "has no outputs: add `output"),
        (
            "echo 'Error: Backend initialization required, run \"terraform init\"' >&2; exit 1",
            r"is not initialised: run `terraform init` there\.$",
        ),
        ("echo Error: no valid credential >&2; exit 1", r"outputs \(.*no valid credential\): see"),
        ("echo Warning", "gives no JSON object"),
    ],
    ids=["no-state", "no-init", "no-login", "no-json"],
)
def test_a_root_without_outputs_is_reported_in_one_line_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    with pytest.raises(PipelineError, match=sentence) as raised:
        find(root=play_terraform(tmp_path, monkeypatch, script))
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_no_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="is no folder: give --stack"):
        find(root=tmp_path / "none")
    with pytest.raises(PipelineError, match="holds no Terraform configuration: give --stack"):
        find(root=tmp_path)


def test_a_missing_terraform_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = play_terraform(tmp_path, monkeypatch, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError, match="Terraform was not found on PATH: install"):
        find(root=root)


def test_without_a_running_lab_the_message_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(
        PipelineError, match=r"No lab runs in .*: start one with `.* -m pipeline lab up"
    ):
        find(lab=tmp_path)
    kept = lab_folder.Kept("http://127.0.0.1:9", 9, 0, ready=False)
    (tmp_path / "kept.json").write_text(json.dumps(vars(kept)))
    with pytest.raises(PipelineError, match="is still being made: wait"):
        find(lab=tmp_path)
    stopped = lab_folder.Kept("http://127.0.0.1:9", 9, 0, ready=True)
    (tmp_path / "kept.json").write_text(json.dumps(vars(stopped)))
    with pytest.raises(
        PipelineError, match=r"No lab runs in .*: bring it back with `.* -m pipeline lab up"
    ):
        find(lab=tmp_path)


def test_two_stacks_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="both name a stack"):
        find(root=tmp_path, file=tmp_path)
