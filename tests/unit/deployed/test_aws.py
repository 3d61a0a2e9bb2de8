"""AWS's errors become sentences."""

import boto3
import pytest
from botocore.exceptions import ClientError

from pipeline.deployed import aws
from pipeline.errors import PipelineError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "nonsense"),
        ("AWS_MAX_ATTEMPTS", "many"),
        ("AWS_DEFAULT_REGION", "not a region"),
    ],
)
def test_an_invalid_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(PipelineError, match=r"configuration is not valid .*: check AWS_REGION"):
        aws.client("sqs")


@pytest.mark.parametrize(
    ("code", "operation", "right"),
    [
        ("AuthorizationError", "GetTopicAttributes", "GetTopicAttributes"),
        ("AccessDenied", "ListObjectVersions", "s3:ListBucketVersions"),
        ("KMS.AccessDeniedException", "SendMessage", "SendMessage"),
    ],
)
def test_a_refused_call_names_the_right_that_it_needs(
    code: str, operation: str, right: str
) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
    assert aws.sentence(error, "the topic t", "apply") == (
        f"The topic t is closed to you: you need the right to {right} (no)."
    )


@pytest.mark.parametrize(
    ("url", "emulator"),
    [("http://localhost:4566", True), ("https://monitoring.eu-west-1.api.aws", False)],
)
def test_an_endpoint_without_tls_is_an_emulator(url: str, emulator: bool) -> None:
    client = aws.client("cloudwatch", region_name="eu-west-1", endpoint_url=url)
    assert aws.is_emulator(client) is emulator
