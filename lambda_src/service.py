"""Signed requests to one AWS service, over connections that outlive the invoke."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import http11
import sigv4

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 4.0

_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}


class CallError(Exception):
    """A failed attempt, with AWS's code. `again`: "later", "throttled", "at once" or ""."""

    def __init__(self, reason: str, code: str = "", again: str = "") -> None:
        # A refused signature is answered with the request that was signed, token and all.
        text = reason.partition("\n")[0]
        for name in ("AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY"):
            text = text.replace(os.environ.get(name) or "\n", "***")
        super().__init__(text[:300])
        self.code = code
        self.again = again


# Credentials, and how many seconds the clock was off.
Signed = tuple[sigv4.Credentials, float]


def endpoint(environ: Mapping[str, str], service: str = "dynamodb") -> str:
    """The service's URL: the configured one, or that of the region, with FIPS if asked for."""
    for name in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
        if environ.get(name):
            return environ[name]
    region = environ["AWS_REGION"]
    domains = (domain for prefix, domain in _DOMAINS.items() if region.startswith(prefix))
    # GovCloud's ordinary endpoint of DynamoDB is its FIPS one.
    own = service == "dynamodb" and "us-gov-" in region
    fips = environ.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true" and not own
    return f"https://{service}{'-fips' if fips else ''}.{region}.{next(domains, 'amazonaws.com')}"


class Service:
    """A service in a region. Deadlines are `time.monotonic()` seconds."""

    def __init__(self, service: str, region: str, url: str) -> None:
        """`service` as signatures name it. Raises ValueError for a bad `url`."""
        self._service = service
        self._region = region
        self._endpoint = http11.parse(url)
        self._idle: list[http11.Connection] = []
        self._clock_offset = 0.0

    def _send(
        self,
        request: http11.Request,
        headers: dict[str, str],
        deadline: float,
    ) -> tuple[http11.Answer, Signed]:
        """Sign and send, once. Raises CallError when there is no answer to it."""
        if time.monotonic() >= deadline:
            raise CallError("out of time", again="later")
        credentials, offset = signed = _credentials(), self._clock_offset
        now = time.gmtime(time.time() + offset)
        headers["host"] = self._endpoint.authority
        headers["x-amz-date"] = time.strftime("%Y%m%dT%H%M%SZ", now)
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        headers["authorization"] = sigv4.authorization(
            headers, request[3], credentials, self._region, self._service, *request[:3]
        )
        return self._exchange(request, headers, deadline), signed

    def _exchange(
        self, request: http11.Request, headers: dict[str, str], deadline: float
    ) -> http11.Answer:
        connection, reused = None, False
        with suppress(IndexError):
            while not reused:
                connection = self._idle.pop()
                reused = connection.quiet()
        try:
            if not connection or not reused:
                connection = http11.Connection(self._endpoint, CONNECT_SECONDS, deadline)
            now = time.monotonic()
            # Half is left for another, should a kept connection have died silently.
            end = (now + deadline) / 2 if reused else deadline
            answer = connection.send(request, headers, min(now + ANSWER_SECONDS, end))
            if connection.reusable:
                self._idle.append(connection)
            return answer
        except OSError as error:
            if reused:
                # What killed it has killed those that slept as long: don't wait for each.
                self._idle.clear()
            if isinstance(error, ssl.SSLCertVerificationError):
                hint = "if this is your endpoint, name its authority's file in AWS_CA_BUNDLE"
                raise CallError(f"{error}; {hint}") from error
            # A kept connection may have died in its sleep: no fault of the server's.
            again = "at once" if reused and not isinstance(error, TimeoutError) else "later"
            raise CallError(f"{type(error).__name__}: {error}", again=again) from error
        finally:
            if connection and not connection.reusable:
                connection.close()

    def _clock_corrected(self, headers: dict[str, str], signed: Signed) -> bool:
        """Set our clock to the server's `Date`. False if the request was signed by that already.

        Not what the clock says by now: of requests side by side another one may have set it.
        """
        with suppress(ValueError):
            offset = moment(headers.get("date", "")).timestamp() - time.time()
            if abs(offset - signed[1]) >= 60:
                self._clock_offset = offset
                return True
        return False


def moment(date: str) -> datetime:
    """The time in a header. Raises ValueError."""
    return datetime.strptime(f"{date}+0000", "%a, %d %b %Y %H:%M:%S GMT%z")


def renewed(signed: Signed) -> bool:
    """Whether there are other credentials by now."""
    return signed[0] != _credentials()


def _credentials() -> sigv4.Credentials:
    """The environment's, read for each attempt, so that refreshed ones are used at once."""
    env = os.environ
    keys = env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    return sigv4.Credentials(*keys, env.get("AWS_SESSION_TOKEN", ""))
