"""Whether a policy lets a service in, in the shapes that policies have."""

import json
from typing import Any

import pytest

from pipeline.deployed.policies import admits

BUCKET = "arn:aws:s3:::uploads"
ALLOW = {
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": "arn:aws:lambda:us-east-1:1:function:f",
}
FROM_BUCKET = {"ArnLike": {"AWS:SourceArn": BUCKET}, "StringEquals": {"AWS:SourceAccount": "1"}}
NO_TLS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "lambda:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


@pytest.mark.parametrize(
    "statements",
    [
        [ALLOW],
        [ALLOW | {"Condition": FROM_BUCKET}],
        [ALLOW | {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::up*"}}}],
        [ALLOW | {"Action": ["lambda:GetFunction", "Lambda:invokefunction"]}],
        [ALLOW | {"Action": "lambda:*"}],
        [ALLOW | {"Principal": "*"}],
        [ALLOW | {"Principal": {"AWS": "*"}}],
        [NO_TLS, ALLOW | {"Condition": FROM_BUCKET}],
    ],
)
def test_a_policy_lets_the_service_in(statements: list[dict[str, Any]]) -> None:
    assert ask(*statements)


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [NO_TLS],
        [ALLOW | {"Principal": {"Service": "events.amazonaws.com"}}],
        [ALLOW | {"Principal": {"AWS": "arn:aws:iam::1:root"}}],
        [ALLOW | {"Action": "lambda:GetFunction"}],
        [ALLOW | {"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::other"}}}],
        [ALLOW | {"Condition": {"StringEquals": {"AWS:SourceAccount": "2"}}}],
        [ALLOW, {**ALLOW, "Effect": "Deny"}],
        [ALLOW, {**ALLOW, "Effect": "Deny", "Condition": FROM_BUCKET}],
    ],
)
def test_a_policy_keeps_the_service_out(statements: list[dict[str, Any]]) -> None:
    assert not ask(*statements)


@pytest.mark.parametrize("policy", ["", "{", "[]", "null", "{}"])
def test_a_text_without_statements_lets_nobody_in(policy: str) -> None:
    assert not admits(policy, "s3.amazonaws.com", "lambda:InvokeFunction", BUCKET, "1")


def ask(*statements: dict[str, Any]) -> bool:
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return admits(policy, "s3.amazonaws.com", "lambda:InvokeFunction", BUCKET, "1")
