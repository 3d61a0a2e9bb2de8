"""Requests for an endpoint on this machine, and proxies."""

import pytest

from pipeline.deployed import aws
from pipeline.errors import PipelineError


@pytest.fixture(autouse=True)
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine behind a proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy:3128")
    for name in ("no_proxy", "NO_PROXY", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_proxy_before_an_endpoint_on_this_machine_is_named_with_the_fix(host: str) -> None:
    sentence = "HTTP_PROXY sends its requests to http://proxy:3128: add .* to NO_PROXY and no_proxy"
    with pytest.raises(PipelineError, match=sentence):
        aws.client("sts", endpoint_url=f"http://{host}:4566", region_name="us-east-1")


def test_an_endpoint_that_no_proxy_gets_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    aws.client("sts", region_name="us-east-1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    aws.client("sts", endpoint_url="http://127.0.0.1:4566", region_name="us-east-1")
