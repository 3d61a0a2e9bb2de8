"""Clients for an AWS account, and its refusals as sentences for whoever runs a command."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004  (botocore's own)
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from pipeline.deployed.loopback import refuse_proxy
from pipeline.errors import PipelineError

# What the network did, not AWS.
UNREACHED = (ConnectionError, HTTPClientError, IncompleteReadError)

_GONE = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NoSuchEntity",
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
}
_STALE = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# KMS.AccessDeniedException too, and Lambda's KMSAccessDeniedException; SNS's AuthorizationError.
_DENIED = re.compile("AccessDenied|AuthorizationError|UnauthorizedOperation")
# Operations whose right has another name.
_RIGHTS = {
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "Invoke": "lambda:InvokeFunction",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
}
_NO_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)


def client(service: str, config: Config | None = None, **settings: Any) -> Any:
    """A client of `service` for the account and region that the environment names.

    `settings` are boto3's. Raises PipelineError where no region or profile is to be found, or an
    AWS variable has a value that makes no sense.
    """
    make: Any = boto3.client
    with asking(service, "check AWS_PROFILE and AWS_REGION"):
        try:
            made = make(service, config=config, **settings)
        except ValueError as error:
            raise PipelineError(
                f"The AWS configuration makes no sense ({error}): check AWS_REGION, "
                "AWS_ENDPOINT_URL and the other AWS variables."
            ) from error
    refuse_proxy(made)
    return made


@contextlib.contextmanager
def asking(thing: str, fix: str) -> Iterator[None]:
    """AWS's refusals in the block become LabErrors about `thing` ("the table t").

    `fix` is what to do where it does not exist, without a full stop.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise PipelineError(sentence(error, thing, fix)) from error


def code(error: Exception) -> str:
    """AWS's code of an error, or the error's own name where AWS was not reached."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")) or "ClientError"
    return type(error).__name__


def is_gone(error: Exception) -> bool:
    """Whether AWS answered that what was asked for does not exist."""
    return isinstance(error, ClientError) and code(error) in _GONE


def is_stale(error: BaseException | None) -> bool:
    """Whether it is the credentials that are missing, or that AWS refuses."""
    if isinstance(error, ClientError):
        return code(error) in _STALE
    return isinstance(error, _NO_CREDENTIALS)


def is_gone_away(error: BaseException | None) -> bool:
    """Whether nobody listens there (any more); not whether somebody is slow."""
    return isinstance(error, ConnectionError | ConnectionClosedError)


def sentence(error: ClientError | BotoCoreError, thing: str, fix: str) -> str:
    """What AWS refused about `thing`, and what to do, as `asking` says it."""
    start = thing[:1].upper() + thing[1:]
    if isinstance(error, NoRegionError):
        return "No AWS region is set: set AWS_REGION to the one that the stack lives in."
    if isinstance(error, _NO_CREDENTIALS):
        said = str(error).rstrip(".")
        return (
            f"No AWS credentials ({said}): log in, or set AWS_PROFILE to a profile that has some."
        )
    if isinstance(error, UNREACHED):
        return f"{start} can't be reached ({error}): check the network, AWS_REGION and any proxy."
    if not isinstance(error, ClientError):
        return f"{start} could not be asked ({error}): {fix}."
    said = error.response.get("Error", {}).get("Message") or "no reason given"
    if code(error) in _GONE:
        return f"{start} does not exist: {fix}."
    if code(error) in _STALE:
        return f"The AWS credentials are refused ({code(error)}: {said}): log in again."
    if _DENIED.search(code(error)):
        right = _RIGHTS.get(error.operation_name, error.operation_name)
        return f"{start} is closed to you: whoever runs this needs the right to {right} ({said})."
    return f"{start} refused {error.operation_name} ({code(error)}: {said}): {fix}."
