"""AWS clients for an emulated account, and what its tables hold."""

import functools
from collections.abc import Mapping
from typing import Any

import boto3

# The stubs know a service by its literal name only.
_boto3: Any = boto3
_ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def client(service: str, environment: Mapping[str, str], **credentials: str) -> Any:
    """An emulated account's client: root's, which is shared, or a new one with `credentials`."""
    place = {"endpoint_url": environment["AWS_ENDPOINT_URL"], "region": environment["AWS_REGION"]}
    return _new(service, **place, **credentials) if credentials else _shared(service, **place)


def items(table: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every item of a table."""
    scan = client("dynamodb", environment).get_paginator("scan")
    pages = scan.paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def _new(service: str, *, region: str, **settings: str) -> Any:
    return _boto3.client(service, region_name=region, **{**_ROOT, **settings})


# Making a client costs more than most calls; threads may share it.
_shared = functools.cache(_new)
