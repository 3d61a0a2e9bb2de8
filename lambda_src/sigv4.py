"""AWS Signature Version 4, as much of it as two calls of DynamoDB and one of S3 need."""

import hashlib
import hmac
from functools import lru_cache

from typed import NamedTuple


class Credentials(NamedTuple):
    """Access keys; `token` is empty for keys that don't expire."""

    access_key: str
    secret_key: str
    token: str


def authorization(
    headers: dict[str, str],
    body: bytes,
    credentials: Credentials,
    region: str,
    service: str,
    method: str = "POST",
    path: str = "/",
    query: str = "",
) -> str:
    """The `Authorization` value of a request.

    `headers`: what to sign, names in lower case, `x-amz-date` (`20261122T094000Z`) among them;
    `path` and `query` as they are sent.
    """
    date = headers["x-amz-date"]
    names = sorted(headers)
    signed = ";".join(names)
    # Runs of blanks count as one, or a proxy that folds them would break the signature.
    canonical = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    content = hashlib.sha256(body).hexdigest()
    request = f"{method}\n{path}\n{query}\n{canonical}\n{signed}\n{content}"
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}"
    key = _signing_key(credentials.secret_key, date[:8], region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={signed}, Signature={signature}"
    )


@lru_cache(maxsize=4)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
