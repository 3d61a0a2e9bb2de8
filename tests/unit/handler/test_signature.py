"""Signatures are those of AWS's own software, in AWS's published cases and in any other."""

import datetime
import os
from typing import Any

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigv4
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB
from tests.unit.handler.conftest import ENVIRONMENT, Handle

# The constants and results of AWS's Signature Version 4 test suite:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-test-suite.html
SUITE_KEYS = sigv4.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "")
SUITE_HEADERS = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
SUITE_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfI"
    "eoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0"
    "wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDry"
    "pNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
UNRESERVED = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = "application/x-www-form-urlencoded"
SUITE: dict[str, tuple[str, str, dict[str, str], bytes, str]] = {
    "get-vanilla": (
        "GET",
        "/",
        {},
        b"",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-unreserved": (
        "GET",
        UNRESERVED,
        {},
        b"",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    "get-header-value-order": (
        "GET",
        "/",
        {"my-header1": "value4,value1,value3,value2"},
        b"",
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    "get-header-value-trim": (
        "GET",
        "/",
        {"my-header1": " value1", "my-header2": ' "a   b   c"'},
        b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-vanilla": (
        "POST",
        "/",
        {},
        b"",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "post-header-key-sort": (
        "POST",
        "/",
        {"my-header1": "value1"},
        b"",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    "post-header-value-case": (
        "POST",
        "/",
        {"my-header1": "VALUE1"},
        b"",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    "post-sts-header-before": (
        "POST",
        "/",
        {"x-amz-security-token": SUITE_TOKEN},
        b"",
        "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
    ),
    "post-x-www-form-urlencoded": (
        "POST",
        "/",
        {"content-type": FORM},
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "post-x-www-form-urlencoded-parameters": (
        "POST",
        "/",
        {"content-type": f"{FORM}; charset=utf8"},
        b"Param1=value1",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
}


@pytest.mark.parametrize("case", SUITE.values(), ids=SUITE)
def test_aws_s_published_cases_are_signed_as_published(
    case: tuple[str, str, dict[str, str], bytes, str],
) -> None:
    method, path, headers, body, signature = case
    signed = sigv4.authorization(
        SUITE_HEADERS | headers, body, SUITE_KEYS, "us-east-1", "service", method, path
    )
    names = ";".join(sorted(SUITE_HEADERS | headers))
    assert signed == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


def signed_by_botocore(
    headers: dict[str, str], body: bytes, credentials: sigv4.Credentials, region: str
) -> str:
    """botocore's `Authorization` for the same request at the same moment."""
    keys = botocore.credentials.Credentials(
        credentials.access_key, credentials.secret_key, credentials.token or None
    )
    plain = {
        name: value
        for name, value in headers.items()
        if name not in ("x-amz-date", "x-amz-security-token", "authorization")
    }
    request = botocore.awsrequest.AWSRequest(
        "POST", f"https://{headers['host']}/", headers=plain, data=body
    )
    signer: Any = botocore.auth.SigV4Auth(keys, "dynamodb", region)
    # As add_auth does, but at the moment that the request to compare with was signed.
    request.context["timestamp"] = headers["x-amz-date"]
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signer._inject_signature_to_request(request, signature)
    return str(request.headers["Authorization"])


VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


@given(
    body=st.binary(max_size=2000),
    moment=st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2099, 12, 31)),
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"]),
    access_key=st.text(VISIBLE, min_size=1, max_size=30),
    secret_key=st.text(VISIBLE, min_size=1, max_size=60),
    token=st.just("") | st.text(VISIBLE, min_size=1, max_size=400),
    operation=st.sampled_from(["PutItem", "BatchWriteItem"]),
    host=st.sampled_from(["dynamodb.us-east-1.amazonaws.com", "localhost:8000", "127.0.0.1:4566"]),
)
def test_every_request_is_signed_as_botocore_signs_it(
    body: bytes,
    moment: datetime.datetime,
    region: str,
    access_key: str,
    secret_key: str,
    token: str,
    operation: str,
    host: str,
) -> None:
    credentials = sigv4.Credentials(access_key, secret_key, token)
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "host": host,
        "x-amz-date": moment.strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-target": f"DynamoDB_20120810.{operation}",
    }
    if token:
        headers["x-amz-security-token"] = token
    ours = sigv4.authorization(headers, body, credentials, region, "dynamodb")
    assert ours == signed_by_botocore(headers, body, credentials, region)


def test_a_request_names_its_call_and_its_format_as_botocore_s_does(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    handle(s3.notification(s3.record("a")))
    handle(s3.notification(s3.record("a"), s3.record("b")))
    put, batch = dynamodb.requests
    client = boto3.client("dynamodb", endpoint_url=dynamodb.url, region_name="eu-central-1")
    client.put_item(**put.payload)
    client.batch_write_item(**batch.payload)
    for ours, theirs in zip((put, batch), dynamodb.requests[2:], strict=True):
        for name in ("x-amz-target", "content-type", "host"):
            assert ours.headers[name] == theirs.headers[name]


@pytest.mark.parametrize("count", [1, 30], ids=["PutItem", "BatchWriteItem"])
@pytest.mark.parametrize("token", ["", "token/with+odd=signs"], ids=["lasting", "temporary"])
def test_what_goes_over_the_wire_is_signed_as_botocore_signs_it(
    count: int,
    token: str,
    handle: Handle,
    dynamodb: FaultyDynamoDB,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(os.environ, "AWS_SESSION_TOKEN", token)
    handle(s3.notification(*(s3.record(f"ü {number}") for number in range(count))))
    keys = ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]
    for request in dynamodb.requests:
        signed: dict[str, Any] = {
            name: value
            for name, value in request.headers.items()
            if name in ("content-type", "host") or name.startswith("x-amz-")
        }
        assert request.headers["authorization"] == signed_by_botocore(
            signed, request.body, sigv4.Credentials(*keys, token), "eu-central-1"
        )
