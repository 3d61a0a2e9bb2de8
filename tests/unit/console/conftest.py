"""An emulated account with as much of a stack as the console reads."""

import uuid
from collections.abc import Iterator

import pytest

from pipeline.console.board.board import Board
from pipeline.console.sources.session import Calls, ReadSession, connect
from pipeline.deployed.target import Target
from pipeline.emulator.process import emulator
from tests.support.aws.clients import client
from tests.support.page.console_server import ALARM, Clients, Send


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Clients of an account, which this process's environment points at."""
    with (
        emulator(tmp_path_factory.mktemp("ministack")) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        yield lambda service: client(service, running.environment)


@pytest.fixture
def target(aws: Clients) -> Target:
    """As much of a stack as the page's sources ask for."""
    name = uuid.uuid4().hex
    s3, sqs = aws("s3"), aws("sqs")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    table = aws("dynamodb").create_table(
        TableName=name,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        AttributeDefinitions=[{"AttributeName": "objectId", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "objectId", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    aws("logs").create_log_group(logGroupName=name)
    topic = aws("sns").create_topic(Name=name)["TopicArn"]
    aws("cloudwatch").put_metric_alarm(
        AlarmName=f"{name}-{ALARM}",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": name}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[topic],
    )
    outputs = {
        "bucket_name": name,
        "table_name": name,
        "table_stream_arn": table["LatestStreamArn"],
        "function_name": name,
        "topic_arn": topic,
        "failure_queue_url": sqs.create_queue(QueueName=name)["QueueUrl"],
        "log_group_name": name,
        "alarm_names": [f"{name}-{ALARM}"],
        "delivery": {"via": "notification", "filters": [], "buffered": False},
    }
    return Target(outputs, "The test", (), "us-east-1")


@pytest.fixture
def session(target: Target) -> ReadSession:
    return connect(target, write=False, calls=Calls())


@pytest.fixture
def board(target: Target) -> Board:
    return Board(target.bucket_name, (), lambda kind, data: None)


@pytest.fixture
def send(aws: Clients, target: Target) -> Send:
    """Sends messages to the failure queue."""

    def send(*bodies: str) -> None:
        for body in bodies:
            aws("sqs").send_message(QueueUrl=target.failure_queue_url, MessageBody=body)

    return send
