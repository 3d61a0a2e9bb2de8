"""AWS clients for an emulated account, and what its tables hold."""

import functools
from collections.abc import Mapping
from typing import Any

import boto3

# The stubs know a service by its literal name only.
_boto3: Any = boto3


def client(service: str, environment: Mapping[str, str]) -> Any:
    """A client of `service` for the account of `environment`, an emulator's."""
    return _client(service, environment["AWS_ENDPOINT_URL"], environment["AWS_REGION"])


def items(table: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every item of a table."""
    scan = client("dynamodb", environment).get_paginator("scan")
    pages = scan.paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


# Making one costs more than most calls; clients may be shared between threads.
@functools.cache
def _client(service: str, endpoint: str, region: str) -> Any:
    return _boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
