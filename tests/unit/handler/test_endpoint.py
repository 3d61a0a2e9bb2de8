"""Requests go where boto3 would send them."""

from typing import Any

import boto3
import botocore.config
import botocore.session
import pytest

import http11
import service

PARTITIONS = botocore.session.get_session().get_available_partitions()
REGIONS = [
    region
    for partition in PARTITIONS
    for region in botocore.session.get_session().get_available_regions("dynamodb", partition)
    if region != "local"
]


@pytest.mark.parametrize("fips", [False, True], ids=["ordinary", "fips"])
@pytest.mark.parametrize(
    ("name", "operation", "parameters"),
    # With dots in its name, boto3 too writes the bucket into the path.
    [("dynamodb", "PutItem", {}), ("s3", "HeadObject", {"Bucket": "a.b"})],
    ids=["dynamodb", "s3"],
)
def test_every_region_of_every_partition_has_boto3_s_endpoint(
    name: str, operation: str, parameters: dict[str, str], fips: bool
) -> None:
    assert {"cn-north-1", "us-gov-west-1", "eu-central-1"} < set(REGIONS)
    # The stubs know a service by its literal name only.
    make: Any = boto3.client
    wrong = {}
    for region in REGIONS:
        if name == "s3" and fips and region.startswith("cn-"):
            continue  # which S3 does not have there
        client = make(
            name,
            region_name=region,
            aws_access_key_id="a",
            aws_secret_access_key="b",
            # Ours has no account id in it, which boto3's may have.
            config=botocore.config.Config(
                use_fips_endpoint=fips,
                account_id_endpoint_mode="disabled",
                s3={"us_east_1_regional_endpoint": "regional"},
            ),
        )
        theirs = client._ruleset_resolver.construct_endpoint(
            client.meta.service_model.operation_model(operation), parameters, {}
        ).url.removesuffix("/a.b")
        environ = {"AWS_REGION": region, "AWS_USE_FIPS_ENDPOINT": str(fips)}
        if (ours := service.endpoint(environ, name)) != theirs:
            wrong[region] = (ours, theirs)
    assert not wrong


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"AWS_ENDPOINT_URL": "http://a"}, "http://a"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_DYNAMODB": "http://b"}, "http://b"),
        (
            {"AWS_ENDPOINT_URL": "", "AWS_REGION": "cn-north-1"},
            "https://dynamodb.cn-north-1.amazonaws.com.cn",
        ),
    ],
    ids=["common", "dynamodb's own", "empty"],
)
def test_a_configured_endpoint_comes_first(environ: dict[str, str], url: str) -> None:
    assert service.endpoint(environ) == url


def test_s3_has_an_endpoint_of_its_own() -> None:
    environ = {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"}
    assert service.endpoint(environ, "s3") == "http://b"


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", None, 443, None),
        ("https://localhost:443/", "localhost", 443, "localhost:443"),
        ("http://localhost", "localhost", 80, "localhost"),
        ("http://localhost:8000", "localhost", 8000, "localhost:8000"),
        ("http://[::1]:8000/", "::1", 8000, "[::1]:8000"),
    ],
)
def test_an_endpoint_is_taken_apart(
    url: str, host: str | None, port: int, authority: str | None
) -> None:
    aws = "dynamodb.eu-central-1.amazonaws.com"
    parsed = http11.parse(url)
    assert (parsed.host, parsed.port, parsed.authority) == (host or aws, port, authority or aws)
    assert (parsed.trust is not None) == url.startswith("https")


@pytest.mark.parametrize(
    "url", ["", "localhost", "ftp://a", "http://a/b", "http://a:b", "http://user:pw@a", "http://"]
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no endpoint"):
        http11.parse(url)
