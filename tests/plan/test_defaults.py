"""The module with no variable set is the lab, name by name."""

import json

import pytest

from tests.plan.conftest import Planned

ACCOUNT, REGION = "123456789012", "us-east-1"
BUCKET = f"event-driven-lab-{ACCOUNT}-{REGION}"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:S3ToDynamoProcessor"
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/S3ObjectEvents"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:event-driven-failures"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:event-driven-alerts"
LOG_GROUP = "/aws/lambda/S3ToDynamoProcessor"


@pytest.mark.parametrize(
    ("address", "attribute", "value"),
    [
        ("topic.aws_sns_topic.this[0]", "name", "event-driven-alerts"),
        ("table.aws_dynamodb_table.this", "name", "S3ObjectEvents"),
        ("table.aws_dynamodb_table.this", "hash_key", "objectId"),
        ("table.aws_dynamodb_table.this", "range_key", None),
        ("table.aws_dynamodb_table.this", "attribute", [{"name": "objectId", "type": "S"}]),
        ("table.aws_dynamodb_table.this", "billing_mode", "PROVISIONED"),
        ("table.aws_dynamodb_table.this", "write_capacity", 5),
        ("table.aws_dynamodb_table.this", "read_capacity", 5),
        ("table.aws_dynamodb_table.this", "stream_enabled", True),
        ("table.aws_dynamodb_table.this", "stream_view_type", "NEW_IMAGE"),
        ("table.aws_dynamodb_table.this", "deletion_protection_enabled", False),
        ("function.aws_lambda_function.this", "function_name", "S3ToDynamoProcessor"),
        ("function.aws_lambda_function.this", "runtime", "python3.12"),
        ("function.aws_lambda_function.this", "handler", "lambda_function.lambda_handler"),
        ("function.aws_lambda_function.this", "architectures", ["arm64"]),
        ("function.aws_lambda_function.this", "memory_size", 256),
        ("function.aws_lambda_function.this", "timeout", 30),
        ("function.aws_lambda_function.this", "reserved_concurrent_executions", -1),
        ("function.aws_lambda_function.this", "tracing_config", [{"mode": "PassThrough"}]),
        ("function.aws_lambda_function.this", "vpc_config", []),
        (
            "function.aws_lambda_function.this",
            "environment",
            [{"variables": {"TABLE_NAME": "S3ObjectEvents", "TTL_SECONDS": "86400"}}],
        ),
        (
            "function.aws_lambda_function.this",
            "logging_config",
            [
                {
                    "application_log_level": "INFO",
                    "log_format": "JSON",
                    "log_group": LOG_GROUP,
                    "system_log_level": "INFO",
                }
            ],
        ),
        ("function.aws_cloudwatch_log_group.this", "name", LOG_GROUP),
        ("function.aws_cloudwatch_log_group.this", "retention_in_days", 14),
        ("function.aws_lambda_function_event_invoke_config.this", "maximum_retry_attempts", 2),
        (
            "function.aws_lambda_function_event_invoke_config.this",
            "maximum_event_age_in_seconds",
            21600,
        ),
        ("role.aws_iam_role.this", "name", "Lambda-S3-DDB-Role"),
        ("role.aws_iam_role.this", "path", "/"),
        ("bucket.aws_s3_bucket.this[0]", "bucket", BUCKET),
        ("bucket.aws_s3_bucket.this[0]", "force_destroy", False),
        ("queues.aws_sqs_queue.failures", "name", "event-driven-failures"),
        ("queues.aws_sqs_queue.failures", "message_retention_seconds", 1_209_600),
        ("queues.aws_sqs_queue.failures", "sqs_managed_sse_enabled", True),
        ("queues.aws_sqs_queue.failures", "visibility_timeout_seconds", 180),
    ],
)
def test_the_default_is_the_labs(
    planned: Planned, address: str, attribute: str, value: object
) -> None:
    assert planned.resources[address][attribute] == value


def test_records_expire_by_the_attribute_ttl(planned: Planned) -> None:
    (ttl,) = planned.resources["table.aws_dynamodb_table.this"]["ttl"]
    assert (ttl["attribute_name"], ttl["enabled"]) == ("ttl", True)


def test_each_created_object_invokes_the_function(planned: Planned) -> None:
    (notification,) = planned.resources["bucket.aws_s3_bucket_notification.this[0]"][
        "lambda_function"
    ]
    assert notification["events"] == ["s3:ObjectCreated:*"]
    assert notification["filter_prefix"] is None
    assert notification["filter_suffix"] is None


def test_only_this_bucket_of_this_account_may_invoke_the_function(planned: Planned) -> None:
    permission = planned.resources["function.aws_lambda_permission.bucket[0]"]
    assert permission["principal"] == "s3.amazonaws.com"
    assert permission["action"] == "lambda:InvokeFunction"
    assert permission["function_name"] == "S3ToDynamoProcessor"
    assert permission["source_arn"] == BUCKET_ARN
    assert permission["source_account"] == ACCOUNT


@pytest.mark.parametrize(
    ("key", "name", "metric", "dimensions", "statistic", "threshold", "period", "tells_ok"),
    [
        (
            "write_activity",
            "DynamoDBWriteActivityAlert",
            "AWS/DynamoDB ConsumedWriteCapacityUnits",
            {"TableName": "S3ObjectEvents"},
            "Sum",
            1200,
            300,
            False,
        ),
        (
            "write_throttle",
            "DynamoDBWriteThrottleAlert",
            "AWS/DynamoDB WriteThrottleEvents",
            {"TableName": "S3ObjectEvents"},
            "Sum",
            1,
            60,
            False,
        ),
        (
            "failures",
            "FailureQueueAlert",
            "AWS/SQS ApproximateNumberOfMessagesVisible",
            {"QueueName": "event-driven-failures"},
            "Maximum",
            1,
            60,
            True,
        ),
        (
            "errors",
            "LambdaErrorsAlert",
            "AWS/Lambda Errors",
            {"FunctionName": "S3ToDynamoProcessor"},
            "Sum",
            1,
            300,
            False,
        ),
        (
            "throttles",
            "LambdaThrottlesAlert",
            "AWS/Lambda Throttles",
            {"FunctionName": "S3ToDynamoProcessor"},
            "Sum",
            1,
            300,
            False,
        ),
        (
            "duration",
            "LambdaDurationAlert",
            "AWS/Lambda Duration",
            {"FunctionName": "S3ToDynamoProcessor"},
            "Maximum",
            24_000,
            300,
            False,
        ),
        (
            "event_age",
            "LambdaEventAgeAlert",
            "AWS/Lambda AsyncEventAge",
            {"FunctionName": "S3ToDynamoProcessor"},
            "Maximum",
            600_000,
            300,
            False,
        ),
        (
            "dropped",
            "LambdaEventsDroppedAlert",
            "AWS/Lambda AsyncEventsDropped",
            {"FunctionName": "S3ToDynamoProcessor"},
            "Sum",
            1,
            300,
            False,
        ),
        (
            "delivery_failures",
            "LambdaDeliveryFailuresAlert",
            "AWS/Lambda DestinationDeliveryFailures",
            {"FunctionName": "S3ToDynamoProcessor"},
            "Sum",
            1,
            300,
            False,
        ),
    ],
)
def test_the_alarm_watches_and_tells(
    planned: Planned,
    key: str,
    name: str,
    metric: str,
    dimensions: dict[str, str],
    statistic: str,
    threshold: int,
    period: int,
    tells_ok: bool,
) -> None:
    address = f'alarms.aws_cloudwatch_metric_alarm.this["{key}"]'
    alarm = planned.resources[address]
    assert alarm["alarm_name"] == name
    assert f"{alarm['namespace']} {alarm['metric_name']}" == metric
    assert alarm["dimensions"] == dimensions
    assert alarm["statistic"] == statistic
    assert alarm["comparison_operator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["threshold"] == threshold
    assert (alarm["period"], alarm["evaluation_periods"]) == (period, 1)
    assert alarm["treat_missing_data"] == "notBreaching"
    # The topic's ARN is known after apply only; that the list has one element is known before.
    assert planned.unknown[address]["alarm_actions"]
    assert bool(planned.unknown[address].get("ok_actions")) is tells_ok


def test_there_are_nine_alarms_and_none_for_silence(planned: Planned) -> None:
    alarms = [address for address in planned.resources if "metric_alarm" in address]
    assert len(alarms) == 9
    assert not any("silence" in address for address in alarms)


def test_the_role_may_write_records_log_and_hand_over_failures_and_nothing_else(
    planned: Planned,
) -> None:
    assert planned.policy("role.aws_iam_role_policy.pipeline") == {
        "WriteRecords": {
            "Sid": "WriteRecords",
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "dynamodb:BatchWriteItem"],
            "Resource": TABLE_ARN,
        },
        "WriteLogs": {
            "Sid": "WriteLogs",
            "Effect": "Allow",
            "Action": ["logs:PutLogEvents", "logs:CreateLogStream"],
            "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{LOG_GROUP}:*",
        },
        "HandOverFailures": {
            "Sid": "HandOverFailures",
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": QUEUE_ARN,
        },
    }
    assert [address for address in planned.resources if address.startswith("role.")] == [
        "role.aws_iam_role.this",
        "role.aws_iam_role_policy.pipeline",
    ]


def test_lambda_alone_may_take_the_role(planned: Planned) -> None:
    trust = planned.policy("role.aws_iam_role.this", "assume_role_policy")
    assert list(trust) == ["LambdaAssumes"]
    assert trust["LambdaAssumes"]["Principal"] == {"Service": "lambda.amazonaws.com"}


@pytest.mark.parametrize(
    ("address", "resources"),
    [
        ("bucket.aws_s3_bucket_policy.this[0]", [BUCKET_ARN, f"{BUCKET_ARN}/*"]),
        ("queues.aws_sqs_queue.failures", QUEUE_ARN),
        ("topic.aws_sns_topic_policy.this[0]", TOPIC_ARN),
    ],
)
def test_plain_http_is_refused(planned: Planned, address: str, resources: object) -> None:
    statement = planned.policy(address)["TlsOnly"]
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == "*"
    found = statement["Resource"]
    assert (sorted(found) if isinstance(found, list) else found) == resources
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_only_alarms_of_this_account_may_publish(planned: Planned) -> None:
    statements = planned.policy("topic.aws_sns_topic_policy.this[0]")
    assert [sid for sid, found in statements.items() if found["Effect"] == "Allow"] == [
        "AlarmsOfThisAccountPublish"
    ]
    allowed = statements["AlarmsOfThisAccountPublish"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"] == {
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }


def test_the_bucket_is_private_versioned_and_encrypted(planned: Planned) -> None:
    block = planned.resources["bucket.aws_s3_bucket_public_access_block.this[0]"]
    assert all(
        block[key]
        for key in (
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        )
    )
    (ownership,) = planned.resources["bucket.aws_s3_bucket_ownership_controls.this[0]"]["rule"]
    assert ownership["object_ownership"] == "BucketOwnerEnforced"
    (versioning,) = planned.resources["bucket.aws_s3_bucket_versioning.this[0]"][
        "versioning_configuration"
    ]
    assert versioning["status"] == "Enabled"
    (rule,) = planned.resources[
        "bucket.aws_s3_bucket_server_side_encryption_configuration.this[0]"
    ]["rule"]
    assert rule["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "AES256"


def test_leftovers_of_the_bucket_go(planned: Planned) -> None:
    rules = planned.resources["bucket.aws_s3_bucket_lifecycle_configuration.this[0]"]["rule"]
    by_id = {rule["id"]: rule for rule in rules}
    aborted = by_id["abort-multipart-uploads"]["abort_incomplete_multipart_upload"]
    assert [rule["days_after_initiation"] for rule in aborted] == [7]
    expired = by_id["expire-old-versions"]
    assert [r["noncurrent_days"] for r in expired["noncurrent_version_expiration"]] == [30]
    assert all(rule["status"] == "Enabled" for rule in rules)


def test_everything_that_takes_tags_carries_the_labs(planned: Planned) -> None:
    tagged = {
        address: values["tags"] for address, values in planned.resources.items() if "tags" in values
    }
    assert len(tagged) == 9 + len(
        {"topic", "table", "function", "log group", "role", "bucket", "queue"}
    )
    assert all(tags == {"Environment": "Lab"} for tags in tagged.values()), tagged


def test_nobody_is_subscribed(planned: Planned) -> None:
    assert not [address for address in planned.resources if "subscription" in address]


def test_the_outputs_that_a_plan_knows(planned: Planned) -> None:
    assert planned.outputs["table_name"] == "S3ObjectEvents"
    assert planned.outputs["function_name"] == "S3ToDynamoProcessor"
    assert planned.outputs["role_name"] == "Lambda-S3-DDB-Role"
    assert planned.outputs["log_group_name"] == LOG_GROUP
    assert planned.outputs["delivery"] == {
        "via": "notification",
        "buckets": [],
        "buffered": False,
        "filters": [{"prefix": "", "suffix": "", "events": ["s3:ObjectCreated:*"]}],
    }
    assert sorted(planned.outputs["alarm_names"]) == planned.outputs["alarm_names"]
    assert "DynamoDBWriteActivityAlert" in planned.outputs["alarm_names"]


def test_the_destination_of_failures_is_the_failure_queue(planned: Planned) -> None:
    address = "function.aws_lambda_function_event_invoke_config.this"
    (destination,) = planned.resources[address]["destination_config"]
    assert destination["on_failure"] == [{"destination": QUEUE_ARN}]


def test_a_policy_is_valid_json_with_a_version(planned: Planned) -> None:
    policy = json.loads(planned.resources["bucket.aws_s3_bucket_policy.this[0]"]["policy"])
    assert policy["Version"] == "2012-10-17"
