"""Notice that a proxy would get what is meant for this machine."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from botocore.utils import get_environ_proxies

from pipeline.errors import PipelineError


def is_on_loopback(client: Any) -> bool:
    """Whether a boto3 client's endpoint is on this machine."""
    return _is_loopback(urlsplit(client.meta.endpoint_url).hostname or "")


def refuse_proxy(client: Any) -> None:
    """Raise PipelineError where a boto3 client's endpoint is on loopback, and a proxy before it."""
    endpoint = client.meta.endpoint_url
    url = urlsplit(endpoint)
    host = url.hostname or ""
    proxy = get_environ_proxies(endpoint).get(url.scheme)
    if proxy and _is_loopback(host):
        raise PipelineError(
            f"The endpoint {endpoint} is on this machine, but {url.scheme.upper()}_PROXY sends its "
            f"requests to {proxy}: add {host} to NO_PROXY and no_proxy."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
