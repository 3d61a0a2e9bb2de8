"""What AWS's own library makes of a configuration, in a sentence."""

import boto3
import pytest

from lab import aws
from lab.errors import LabError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "nonsense"),
        ("AWS_MAX_ATTEMPTS", "many"),
        ("AWS_DEFAULT_REGION", "not a region"),
    ],
)
def test_a_variable_that_makes_no_sense_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(LabError, match=r"configuration makes no sense .*: check AWS_REGION"):
        aws.client("sqs")
