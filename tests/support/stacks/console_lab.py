"""The lab as people build it by hand, made with boto3 as the console makes it step by step."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.emulator.process import ACCOUNT_ID
from tests.support.aws.clients import client

FULL_ACCESS = ("AmazonS3FullAccess", "AmazonDynamoDBFullAccess", "CloudWatchLogsFullAccess")
TAGS = [{"Key": "Environment", "Value": "Lab"}]
EMAIL = "ops@example.com"

# The obvious one: boto3, a table's name in the code, the key as the event has it, a random id.
HANDLER = """
import json
import time
import uuid

import boto3

table = boto3.resource("dynamodb").Table("TABLE")


def lambda_handler(event, context):
    for record in event["Records"]:
        now = int(time.time())
        table.put_item(
            Item={
                "objectId": str(uuid.uuid4()),
                "bucket": record["s3"]["bucket"]["name"],
                "objectKey": record["s3"]["object"]["key"],
                "timestamp": now,
                "ttl": now + 24 * 60 * 60,
            }
        )
    return {"statusCode": 200, "body": json.dumps("Item stored")}
"""


@dataclass(frozen=True)
class ConsoleLab:
    """A lab built by hand; `prefix` stands before each name, so that several fit an account.

    `units` is the table's capacity a second, None for on demand. `role_path` is `/service-role/`
    where the Lambda console made the role.
    """

    prefix: str = ""
    role_path: str = "/"
    units: int | None = 5

    @property
    def names(self) -> dict[str, str]:
        """What each part is called, by the words of the example's variable."""
        return {
            "topic": f"{self.prefix}event-driven-alerts",
            "table": f"{self.prefix}S3ObjectEvents",
            "role": f"{self.prefix}Lambda-S3-DDB-Role",
            "function": f"{self.prefix}S3ToDynamoProcessor",
            "write_activity": f"{self.prefix}DynamoDBWriteActivityAlert",
            "write_throttle": f"{self.prefix}DynamoDBWriteThrottleAlert",
        }

    @property
    def bucket(self) -> str:
        return f"{self.prefix}event-driven-lab-ada"

    @property
    def permission_sid(self) -> str:
        """As S3's console names the statement that it adds to the function's policy."""
        function = self.names["function"]
        return f"{ACCOUNT_ID}_event_permissions_from_{self.bucket}_for_{function}"


def make(lab: ConsoleLab, account: Mapping[str, str]) -> str:
    """Build it, in the lab's order; returns the ARN of the topic's subscription."""
    names = lab.names
    topic, subscription = _topic(names["topic"], account)
    make_table(names["table"], lab.units, account)
    role = _role(names["role"], lab.role_path, account)
    function = _function(lab, role, account)
    _bucket(lab, function, account)
    for name, metric, period, threshold in (
        (names["write_activity"], "ConsumedWriteCapacityUnits", 300, 5),
        (names["write_throttle"], "WriteThrottleEvents", 60, 1),
    ):
        client("cloudwatch", account).put_metric_alarm(
            AlarmName=name,
            ActionsEnabled=True,
            AlarmActions=[topic],
            Namespace="AWS/DynamoDB",
            MetricName=metric,
            Dimensions=[{"Name": "TableName", "Value": names["table"]}],
            Statistic="Sum",
            Period=period,
            EvaluationPeriods=1,
            DatapointsToAlarm=1,
            Threshold=threshold,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="missing",
        )
    return subscription


def make_table(name: str, units: int | None, account: Mapping[str, str]) -> None:
    """The table, its stream and its time to live, each switched on by itself."""
    dynamodb = client("dynamodb", account)
    throughput = {"ReadCapacityUnits": units, "WriteCapacityUnits": units}
    billing: dict[str, Any] = (
        {"BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput}
        if units
        else {"BillingMode": "PAY_PER_REQUEST"}
    )
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "objectId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "objectId", "AttributeType": "S"}],
        **billing,
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True}
    )
    dynamodb.update_table(
        TableName=name,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )


def _topic(name: str, account: Mapping[str, str]) -> tuple[str, str]:
    sns = client("sns", account)
    topic = sns.create_topic(Name=name, Tags=TAGS)["TopicArn"]
    # The emulator takes an address for confirmed.
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=EMAIL)
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return topic, subscription["SubscriptionArn"]


def _role(name: str, path: str, account: Mapping[str, str]) -> str:
    iam = client("iam", account)
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    role = iam.create_role(
        RoleName=name,
        Path=path,
        Description="Allows Lambda functions to call AWS services on your behalf.",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]
    for policy in FULL_ACCESS:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return str(role["Arn"])


def _function(lab: ConsoleLab, role: str, account: Mapping[str, str]) -> str:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("lambda_function.py", HANDLER.replace("TABLE", lab.names["table"]))
    functions = client("lambda", account)
    name = lab.names["function"]
    # What is not named here is the console's default too: 128 MB, x86_64, logs as text. With its
    # 3 s, a busy machine that has to import boto3 first is one on which the lab loses uploads.
    function = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=10,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return str(function)


def _bucket(lab: ConsoleLab, function: str, account: Mapping[str, str]) -> None:
    s3 = client("s3", account)
    s3.create_bucket(Bucket=lab.bucket, ObjectOwnership="BucketOwnerEnforced")
    s3.put_public_access_block(
        Bucket=lab.bucket,
        PublicAccessBlockConfiguration=dict.fromkeys(
            (
                "BlockPublicAcls",
                "IgnorePublicAcls",
                "BlockPublicPolicy",
                "RestrictPublicBuckets",
            ),
            True,
        ),
    )
    s3.put_bucket_encryption(
        Bucket=lab.bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                    "BucketKeyEnabled": True,
                }
            ]
        },
    )
    client("lambda", account).add_permission(
        FunctionName=lab.names["function"],
        StatementId=lab.permission_sid,
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{lab.bucket}",
        SourceAccount=ACCOUNT_ID,
    )
    target = {"Id": "uploads", "LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=lab.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [target]}
    )
