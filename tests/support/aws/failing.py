"""The function with everything around it, and a failure queue to replay from.

Made with boto3 as the module makes it: a second instead of Terraform's minute.
"""

import io
import json
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.deployed import failure_queue
from pipeline.emulator.process import REGION, Emulator
from pipeline.replay.run import Clients, Outcome, clients, replay
from tests.support.aws import s3_events
from tests.support.aws.clients import client
from tools.package import PACKAGE

TABLE, FUNCTION, ROLE = "S3ObjectEvents", "S3ToDynamoProcessor", "Lambda-S3-DDB-Role"
DENY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}],
}
GOOD: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@dataclass(frozen=True)
class Site:
    """The function with everything around it, and one test's own failure queue."""

    running: Emulator
    queue_url: str
    role_arn: str

    def client(self, service: str) -> Any:
        return client(service, self.running.environment)

    def clients(self, **settings: Any) -> Clients:
        place = {"endpoint_url": self.running.endpoint, "region_name": REGION}
        return clients(**{**place, **GOOD, **settings})

    def replay(self, **settings: Any) -> list[Outcome]:
        return list(self.replaying(**settings))

    def replaying(self, through: Clients | None = None, **settings: Any) -> Generator[Outcome]:
        names = {"queue_url": self.queue_url, "function_name": FUNCTION, "table_name": TABLE}
        return replay(through or self.clients(), **{**names, **settings})

    def send(self, *bodies: Any, attributes: dict[str, str] | None = None) -> None:
        """Put messages into the failure queue, as Lambda, EventBridge or SQS would."""
        given = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (attributes or {}).items()
        }
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.client("sqs").send_message(
                QueueUrl=self.queue_url, MessageBody=text, MessageAttributes=given
            )

    def queued(self) -> tuple[int, int]:
        """How many messages are visible, and how many hidden."""
        return failure_queue.depth(self.client("sqs"), self.queue_url)

    def stored(self, prefix: str) -> list[str]:
        """The key of each record below `prefix`, as often as there are records of it, sorted."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
        keys = (item["objectKey"]["S"] for page in pages for item in page["Items"])
        return sorted(key for key in keys if key.startswith(prefix))


def failed(*records: Any) -> dict[str, Any]:
    """What Lambda puts into the failure queue, as little of it as there may be."""
    return {"requestPayload": s3_events.notification(*records)}


def events(prefix: str, number: int) -> list[Any]:
    return [s3_events.record(key) for key in keys(prefix, number)]


def keys(prefix: str, number: int) -> list[str]:
    return [f"{prefix}{each:03}" for each in range(number)]


def create_role(running: Emulator) -> str:
    """The function's role; returns its ARN."""
    allow = [
        ("dynamodb:PutItem", "dynamodb:BatchWriteItem"),
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        ("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    ]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": "*"} for actions in allow]
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
    iam = client("iam", running.environment)
    arn = iam.create_role(
        RoleName=ROLE,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=ROLE, PolicyName="pipeline", PolicyDocument=document)
    return str(arn)


def create_pipeline(running: Emulator, role_arn: str) -> None:
    """The table, and the function that writes to it."""
    client("dynamodb", running.environment).create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "objectId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "objectId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    create_function(running, role_arn, FUNCTION, "lambda_function.lambda_handler")


def create_function(
    running: Emulator, role_arn: str, name: str, handler: str, **modules: str
) -> None:
    """The package as a function; `modules` are added to it, their source by name."""
    buffer = io.BytesIO(PACKAGE.read_bytes())
    with zipfile.ZipFile(buffer, "a") as archive:
        for module, source in modules.items():
            archive.writestr(f"{module}.py", source)
    functions = client("lambda", running.environment)
    functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role_arn,
        Handler=handler,
        Code={"ZipFile": buffer.getvalue()},
        Timeout=30,
        MemorySize=256,
        Environment={"Variables": {"TABLE_NAME": TABLE, "TTL_SECONDS": "86400"}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)


@contextmanager
def denied_writes(site: Site) -> Iterator[None]:
    """The role may not write in this block."""
    iam = site.client("iam")
    iam.put_role_policy(RoleName=ROLE, PolicyName="none", PolicyDocument=json.dumps(DENY))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=ROLE, PolicyName="none")


@contextmanager
def paused(site: Site) -> Iterator[None]:
    """The function takes no event in this block."""
    functions = site.client("lambda")
    functions.put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=FUNCTION)
