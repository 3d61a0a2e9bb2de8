"""What answers a plan: the caller's identity, that no table exists yet, and nothing else."""

import zlib
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


def test_it_answers_who_calls() -> None:
    with plan_server() as environment:
        assert client("sts", environment).get_caller_identity()["Account"] == ACCOUNT_ID


def test_no_table_exists_as_dynamodb_answers_it() -> None:
    with plan_server() as environment:
        dynamodb = client("dynamodb", environment)
        bodies: list[bytes] = []
        dynamodb.meta.events.register(
            "before-parse.dynamodb.DescribeTable",
            lambda response_dict, **_: bodies.append(response_dict["body"]),
        )
        with pytest.raises(dynamodb.exceptions.ResourceNotFoundException) as raised:
            dynamodb.describe_table(TableName="S3ObjectEvents")
    answer = raised.value.response
    assert answer["Error"]["Message"] == (
        "Requested resource not found: Table: S3ObjectEvents not found"
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["x-amzn-requestid"]
    # Clients compare it with what they got.
    assert headers["x-amz-crc32"] == str(zlib.crc32(bodies[0]))


@pytest.mark.parametrize(
    ("service", "call", "arguments", "named"),
    [
        (
            "sts",
            "assume_role",
            {"RoleArn": "arn:aws:iam::1:role/a" * 2, "RoleSessionName": "ab"},
            "AssumeRole",
        ),
        ("dynamodb", "list_tables", {}, "DynamoDB_20120810.ListTables"),
        ("s3", "list_objects_v2", {"Bucket": "some"}, "/some"),
    ],
)
def test_anything_else_is_refused_by_name(
    service: str, call: str, arguments: dict[str, str], named: str
) -> None:
    with plan_server() as environment, pytest.raises(ClientError, match=f"not {named}"):
        getattr(client(service, environment), call)(**arguments)
