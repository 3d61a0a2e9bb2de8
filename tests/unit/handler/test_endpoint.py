"""Requests go where boto3 would send them."""

import boto3
import botocore.config
import botocore.session
import pytest

import dynamodb
import http11

PARTITIONS = botocore.session.get_session().get_available_partitions()
REGIONS = [
    region
    for partition in PARTITIONS
    for region in botocore.session.get_session().get_available_regions("dynamodb", partition)
    if region != "local"
]


@pytest.mark.parametrize("fips", [False, True], ids=["ordinary", "fips"])
def test_every_region_of_every_partition_has_boto3_s_endpoint(fips: bool) -> None:
    assert {"cn-north-1", "us-gov-west-1", "eu-central-1"} < set(REGIONS)
    wrong = {}
    for region in REGIONS:
        client = boto3.client(
            "dynamodb",
            region_name=region,
            aws_access_key_id="a",
            aws_secret_access_key="b",
            # Ours has no account id in it, which boto3's may have.
            config=botocore.config.Config(
                use_fips_endpoint=fips, account_id_endpoint_mode="disabled"
            ),
        )
        theirs = client._ruleset_resolver.construct_endpoint(
            client.meta.service_model.operation_model("PutItem"), {}, {}
        ).url
        environ = {"AWS_REGION": region, "AWS_USE_FIPS_ENDPOINT": str(fips)}
        if (ours := dynamodb.endpoint(environ)) != theirs:
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
    assert dynamodb.endpoint(environ) == url


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
