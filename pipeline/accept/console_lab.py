"""The lab as people build it by hand, made with boto3 as the console makes it step by step."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipeline.deployed import aws

# A boto3 client by its service's name.
Clients = Callable[[str], Any]

FULL_ACCESS = ("AmazonS3FullAccess", "AmazonDynamoDBFullAccess", "CloudWatchLogsFullAccess")
TAGS = [{"Key": "Environment", "Value": "Lab"}]
# Lambda can assume a new role some seconds later.
_ROLE_SECONDS = 60.0
_PAUSE_SECONDS = 2.0

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

    def permission_sid(self, account: str) -> str:
        """As S3's console names the statement that it adds to the function's policy."""
        function = self.names["function"]
        return f"{account}_event_permissions_from_{self.bucket}_for_{function}"


def make(lab: ConsoleLab, client: Clients, account: str, partition: str = "aws") -> str:
    """Build it, in the lab's order, in the account with that id; returns the topic's ARN."""
    names = lab.names
    topic = str(client("sns").create_topic(Name=names["topic"], Tags=TAGS)["TopicArn"])
    make_table(names["table"], lab.units, client)
    role = _role(names["role"], lab.role_path, client, partition)
    function = _function(lab, role, client)
    _bucket(lab, function, client, account, partition)
    for name, metric, period, threshold in (
        (names["write_activity"], "ConsumedWriteCapacityUnits", 300, 5),
        (names["write_throttle"], "WriteThrottleEvents", 60, 1),
    ):
        client("cloudwatch").put_metric_alarm(
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
    return topic


def make_table(name: str, units: int | None, client: Clients) -> None:
    """The table, its stream and its time to live, each switched on by itself."""
    dynamodb = client("dynamodb")
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


def _role(name: str, path: str, client: Clients, partition: str) -> str:
    iam = client("iam")
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
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:{partition}:iam::aws:policy/{policy}")
    return str(role["Arn"])


def _function(lab: ConsoleLab, role: str, client: Clients) -> str:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("lambda_function.py", HANDLER.replace("TABLE", lab.names["table"]))
    functions = client("lambda")
    name = lab.names["function"]
    # What is not named here is the console's default too: 128 MB, x86_64, logs as text. With its
    # 3 s, a busy machine that has to import boto3 first is one on which the lab loses uploads.
    deadline = time.monotonic() + _ROLE_SECONDS
    while True:
        try:
            function = functions.create_function(
                FunctionName=name,
                Runtime="python3.12",
                Role=role,
                Handler="lambda_function.lambda_handler",
                Code={"ZipFile": package.getvalue()},
                Timeout=10,
            )["FunctionArn"]
            break
        except ClientError as error:
            new_role = aws.code(error) == "InvalidParameterValueException"
            if not new_role or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return str(function)


def _bucket(lab: ConsoleLab, function: str, client: Clients, account: str, partition: str) -> None:
    s3 = client("s3")
    region = s3.meta.region_name
    # The first region has no name here.
    place = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    s3.create_bucket(Bucket=lab.bucket, ObjectOwnership="BucketOwnerEnforced", **place)
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
    client("lambda").add_permission(
        FunctionName=lab.names["function"],
        StatementId=lab.permission_sid(account),
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:{partition}:s3:::{lab.bucket}",
        SourceAccount=account,
    )
    target = {"Id": "uploads", "LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=lab.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [target]}
    )
