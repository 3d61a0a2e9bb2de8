"""What a look at a deployed pipeline stands on: its names, and clients for its account."""

import threading
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config

from pipeline.deployed import aws
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

# A stage that does not answer must not hold up the others for long.
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=20,
)


class FailingError(Exception):
    """A stage is not as it should be; the message says what is wrong and what to do."""


class NotCheckedError(Exception):
    """Whether a stage is as it should be can't be told here, and needn't; the message says why."""


# boto3's session takes one at a time.
_MAKING = threading.Lock()


# Compared by identity, so that what it was told can be kept.
@dataclass(frozen=True, eq=False)
class Session:
    """A deployed pipeline, `account` its account's id, `clients` boto3's by service.

    `told` is the function's configuration, once it was asked for.
    """

    target: Target
    account: str
    clients: dict[str, Any] = field(default_factory=dict, repr=False)
    told: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        """A client of `service` for the pipeline's account and region."""
        with _MAKING:
            if service not in self.clients:
                self.clients[service] = self.make_client(service)
            return self.clients[service]

    def make_client(self, service: str) -> Any:
        """Another one. Raises PipelineError where no region or profile is to be found."""
        return aws.client(service, _CONFIG, **self.target.settings)

    def function(self) -> dict[str, Any]:
        """The function's configuration, asked for once. Raises ClientError."""
        if not self.told:
            name = self.target.function_name
            self.told.update(self.client("lambda").get_function_configuration(FunctionName=name))
        return self.told

    @property
    def function_arn(self) -> str:
        """ARN of the function. Raises ClientError."""
        return str(self.target.outputs.get("function_arn") or self.function()["FunctionArn"])

    @property
    def failure_queue_arn(self) -> str:
        """ARN of the failure queue. Raises ClientError."""
        given = self.target.outputs.get("failure_queue_arn")
        return str(given or self.queue_arn(self.target.failure_queue_url))

    @property
    def receiver_arn(self) -> str:
        """ARN of what the bucket or the rule sends to: function or buffer. Raises ClientError."""
        if self.buffered:
            return self.queue_arn(str(self.target.buffer_queue_url))
        return self.function_arn

    @property
    def buffered(self) -> bool:
        """Whether events go through the buffer; one that drains gets none."""
        return bool(self.target.buffer_queue_url and self.target.delivery.get("buffered"))

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return str(self.target.topic_arn).split(":")[1]

    @property
    def bucket_arn(self) -> str:
        """ARN of the bucket."""
        return f"arn:{self.partition}:s3:::{self.target.bucket_name}"

    def queue_arn(self, url: str) -> str:
        """ARN of a queue. Raises ClientError."""
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])


def connect(target: Target) -> Session:
    """The session of `target`.

    Raises PipelineError without credentials, or with another account's.
    """
    return Session(target, account_of(target, aws.client("sts", _CONFIG, **target.settings)))


def account_of(target: Target, sts: Any) -> str:
    """The id of the account that `sts`, a boto3 client, and `target` are of.

    Raises PipelineError.
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
