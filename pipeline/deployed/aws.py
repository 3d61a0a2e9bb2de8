"""Clients for an AWS account, and its errors as sentences for whoever runs a command."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed.loopback import refuse_proxy
from pipeline.errors import PipelineError

# What boto3 raises about a call.
ERRORS = (ClientError, BotoCoreError)
# The network failed, not AWS.
UNREACHED = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
)

_GONE = re.compile(
    r"404|NotFound(Exception)?|ResourceNotFoundException|NoSuch(Bucket|Entity)|QueueDoesNotExist"
    r"|AWS\.SimpleQueueService\.NonExistentQueue"
)
_STALE = re.compile(
    "ExpiredToken(Exception)?|InvalidClientTokenId|InvalidSignatureException|RequestExpired"
    "|SignatureDoesNotMatch|UnrecognizedClientException"
)
# Also KMS.AccessDeniedException and Lambda's KMSAccessDeniedException.
_DENIED = re.compile(".*AccessDenied.*|AuthorizationError|.*UnauthorizedOperation")
# Operations whose IAM action has another name.
_ACTIONS = {
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "Invoke": "lambda:InvokeFunction",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
}
_NO_CREDENTIALS = (
    exceptions.CredentialRetrievalError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)


def client(
    service: str,
    config: Config | None = None,
    *,
    attempts: int | None = None,
    parallel: int = 10,
    **settings: Any,
) -> Any:
    """A boto3 client for the account and region of the environment; `settings` are boto3's.

    With `attempts` it makes that many at a call, for up to `parallel` threads; `config` is for
    anything else. Raises PipelineError without a region or profile, or where an AWS variable is not
    valid.
    """
    if attempts is not None:
        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=max(10, parallel),
        )
    make: Any = boto3.client
    with asking(service, "check AWS_PROFILE and AWS_REGION"):
        try:
            made = make(service, config=config, **settings)
        except ValueError as error:
            raise PipelineError(
                f"The AWS configuration is not valid ({error}): check AWS_REGION, AWS_ENDPOINT_URL "
                "and the other AWS variables."
            ) from error
    refuse_proxy(made)
    return made


def is_emulator(client: Any) -> bool:
    """Whether a boto3 client calls an emulator; AWS is reached over TLS, whatever its host name."""
    return bool(client.meta.endpoint_url.startswith("http:"))


@contextlib.contextmanager
def asking(thing: str, fix: str) -> Iterator[None]:
    """Turn botocore's errors in the block into a PipelineError about `thing` ("the table t").

    `fix` is what to do where `thing` does not exist, without a full stop.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise PipelineError(sentence(error, thing, fix)) from error


def code(error: Exception) -> str:
    """AWS's code of an error, or the name of its class where AWS was not reached."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")) or "ClientError"
    return type(error).__name__


def is_gone(error: Exception) -> bool:
    """Whether AWS answered that the resource does not exist."""
    return isinstance(error, ClientError) and _GONE.fullmatch(code(error)) is not None


def is_stale(error: BaseException | None) -> bool:
    """Whether credentials are missing, or AWS refuses them."""
    if isinstance(error, ClientError):
        return _STALE.fullmatch(code(error)) is not None
    return isinstance(error, _NO_CREDENTIALS)


def is_gone_away(error: BaseException | None) -> bool:
    """Whether nothing listens at the endpoint; a slow endpoint does not count."""
    return isinstance(error, exceptions.ConnectionError | exceptions.ConnectionClosedError)


def sentence(error: ClientError | BotoCoreError, thing: str, fix: str) -> str:
    """What went wrong with `thing`, and what to do; see `asking`."""
    start = thing[:1].upper() + thing[1:]
    if isinstance(error, exceptions.NoRegionError):
        return "No AWS region is set: set AWS_REGION to the stack's region."
    if isinstance(error, _NO_CREDENTIALS):
        reason = str(error).rstrip(".")
        return f"No AWS credentials ({reason}): log in, or set AWS_PROFILE to a profile with some."
    if isinstance(error, UNREACHED):
        return f"{start} can't be reached ({error}): check the network, AWS_REGION and any proxy."
    if not isinstance(error, ClientError):
        return f"{start} could not be asked ({error}): {fix}."
    reason = error.response.get("Error", {}).get("Message") or "no reason given"
    if is_gone(error):
        return f"{start} does not exist: {fix}."
    if is_stale(error):
        return f"The AWS credentials are refused ({code(error)}: {reason}): log in again."
    if _DENIED.fullmatch(code(error)):
        action = _ACTIONS.get(error.operation_name, error.operation_name)
        return f"{start} is closed to you: you need the right to {action} ({reason})."
    return f"{start} refused {error.operation_name} ({code(error)}: {reason}): {fix}."
