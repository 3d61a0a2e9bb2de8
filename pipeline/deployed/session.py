"""The session of a command: a deployed pipeline's names, and clients for its account."""

import threading
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config

from pipeline.deployed import aws
from pipeline.deployed.target import APPLY, Target
from pipeline.errors import PipelineError

# A stage that does not answer must not delay the others for long.
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=20,
)
# boto3 makes one client at a time.
_CLIENTS = threading.Lock()


class FailingError(Exception):
    """A stage is not as it should be; the message says what is wrong and what to do."""


class DriftError(FailingError):
    """A stage is not as Terraform made it; `what` is the sentence so far, without a full stop."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: {APPLY}, which puts it back.")


class NotCheckedError(Exception):
    """A stage can't be checked here, and needn't be; the message says why."""


# Compared by identity, so that the answer can be kept.
@dataclass(frozen=True, eq=False)
class Session:
    """A deployed pipeline, its account's id, and boto3's `clients` by service.

    `configuration` is the function's configuration, once AWS was asked for it.
    """

    target: Target
    account: str
    clients: dict[str, Any] = field(default_factory=dict, repr=False)
    configuration: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        """A client of `service` for the pipeline's account and region."""
        with _CLIENTS:
            if service not in self.clients:
                self.clients[service] = self.make_client(service)
            return self.clients[service]

    def make_client(self, service: str) -> Any:
        """A new client. Raises PipelineError without a region or profile."""
        return aws.client(service, _CONFIG, **self.target.settings)

    def function(self) -> dict[str, Any]:
        """The function's configuration. Raises ClientError."""
        if not self.configuration:
            name = self.target.function_name
            answer = self.client("lambda").get_function_configuration(FunctionName=name)
            self.configuration.update(answer)
        return self.configuration

    def variable(self, name: str) -> str:
        """An environment variable of the function, empty without one. Raises ClientError."""
        return str(self.function().get("Environment", {}).get("Variables", {}).get(name, ""))

    @property
    def function_arn(self) -> str:
        return str(self.target.outputs.get("function_arn") or self.function()["FunctionArn"])

    @property
    def failure_queue_arn(self) -> str:
        given = self.target.outputs.get("failure_queue_arn")
        return str(given or self.queue_arn(self.target.failure_queue_url))

    @property
    def receiver_arn(self) -> str:
        """ARN of what bucket or rule send to: the function or the buffer. Raises ClientError."""
        if self.buffered:
            return self.queue_arn(str(self.target.buffer_queue_url))
        return self.function_arn

    @property
    def buffered(self) -> bool:
        """Whether events go through the buffer; a buffer that drains gets no new ones."""
        return bool(self.target.buffer_queue_url and self.target.delivery.get("buffered"))

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return self.target.topic_arn.split(":")[1]

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.target.bucket_name}"

    def queue_arn(self, url: str) -> str:
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])


def connect(target: Target) -> Session:
    """The session of `target`. Raises PipelineError without credentials of its account."""
    return Session(target, account_of(target, aws.client("sts", _CONFIG, **target.settings)))


def account_of(target: Target, sts: Any) -> str:
    """The account id of `target` and of the credentials of `sts`, a boto3 client.

    Raises PipelineError where they differ.
    """
    with aws.asking("the AWS account", "check AWS_PROFILE and AWS_REGION"):
        account = str(sts.get_caller_identity()["Account"])
    arn = str(target.outputs.get("function_arn") or target.outputs.get("table_arn"))
    lives = arn.split(":")[4] if arn.count(":") >= 5 else account
    if lives != account:
        raise PipelineError(
            f"{target.origin} lives in the account {lives}, but the credentials are of {account}: "
            "set AWS_PROFILE to a profile of its account."
        )
    return account
