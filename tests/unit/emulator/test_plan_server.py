"""What answers a plan: the caller's identity, and nothing else."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pipeline.emulator.plan_server import ACCOUNT_ID, plan_server


def client(service: str, environment: dict[str, str]) -> Any:
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def test_it_tells_who_calls() -> None:
    with plan_server() as environment:
        assert client("sts", environment).get_caller_identity()["Account"] == ACCOUNT_ID


def test_anything_else_is_refused_by_name() -> None:
    with plan_server() as environment, pytest.raises(ClientError, match="not AssumeRole"):
        client("sts", environment).assume_role(
            RoleArn="arn:aws:iam::1:role/a" * 2, RoleSessionName="ab"
        )
