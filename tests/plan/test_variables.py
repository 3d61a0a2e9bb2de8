"""Each variable has the effect that its description promises."""

import json
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from pipeline.paths import ROOT
from tests.plan.conftest import LATER, Planned

variables, sets = pytest.mark.variables, pytest.mark.sets
ACCOUNT, REGION = "123456789012", "us-east-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:shared"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:on-call"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"

ROLES: dict[str, Any] = {
    "function": {
        "role_name": "writer",
        "role_path": "/teams/",
        "permissions_boundary": BOUNDARY,
    },
    "backfill": {"create": True, "bucket": "inventories", "role_name": "jobs"},
}

FUNCTION = "function.aws_lambda_function.this"
JOBS = "backfill.aws_iam_role.this[0]"
TABLE = "table.aws_dynamodb_table.this"
NOTIFICATION = "bucket.aws_s3_bucket_notification.this[0]"
HEALTH = "alarms.aws_cloudwatch_composite_alarm.health[0]"


def alarm(key: str) -> str:
    return f'alarms.aws_cloudwatch_metric_alarm.this["{key}"]'


def case(
    values: dict[str, Any], address: str, attribute: str, expected: object, mark: Any = sets
) -> ParameterSet:
    name = "-".join(f"{k}.{'.'.join(v) if isinstance(v, dict) else v}" for k, v in values.items())
    return pytest.param(
        address, attribute, expected, marks=mark(**values), id=f"{name}-{attribute}"
    )


@pytest.mark.parametrize(
    ("address", "attribute", "expected"),
    [
        case(
            {"bucket": {"name": "my-bucket"}}, "bucket.aws_s3_bucket.this[0]", "bucket", "my-bucket"
        ),
        case(
            {"bucket": {"force_destroy": True}},
            "bucket.aws_s3_bucket.this[0]",
            "force_destroy",
            True,
        ),
        case({"function": {"name": "fn"}}, FUNCTION, "function_name", "fn"),
        case(
            {"function": {"name": "fn"}},
            "function.aws_cloudwatch_log_group.this",
            "name",
            "/aws/lambda/fn",
        ),
        case(
            {"function": {"package": str(ROOT / "lambda_src/dist/lambda.zip")}},
            FUNCTION,
            "filename",
            str(ROOT / "lambda_src/dist/lambda.zip"),
        ),
        case({"function": {"handler": "app.main"}}, FUNCTION, "handler", "app.main"),
        case({"function": {"runtime": "python3.13"}}, FUNCTION, "runtime", "python3.13"),
        case({"function": {"architecture": "x86_64"}}, FUNCTION, "architectures", ["x86_64"]),
        case({"function": {"memory_mb": 1024}}, FUNCTION, "memory_size", 1024),
        case({"function": {"timeout_seconds": 90}}, FUNCTION, "timeout", 90),
        case(
            {"function": {"timeout_seconds": 90}},
            "queues.aws_sqs_queue.failures",
            "visibility_timeout_seconds",
            540,
        ),
        case({"function": {"timeout_seconds": 90}}, alarm("duration"), "threshold", 72_000),
        case(
            {"function": {"reserved_concurrency": 7}}, FUNCTION, "reserved_concurrent_executions", 7
        ),
        case(
            {"function": {"environment": {"STAGE": "prod"}}},
            FUNCTION,
            "environment",
            [
                {
                    "variables": {
                        "STAGE": "prod",
                        "TABLE_NAME": "S3ObjectEvents",
                        "TTL_SECONDS": "86400",
                    }
                }
            ],
            variables,
        ),
        case(
            {"function": {"layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]}},
            FUNCTION,
            "layers",
            ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"],
        ),
        case({"function": {"tracing": "Active"}}, FUNCTION, "tracing_config", [{"mode": "Active"}]),
        case(
            {"function": {"log_retention_days": 90}},
            "function.aws_cloudwatch_log_group.this",
            "retention_in_days",
            90,
        ),
        case(ROLES, "role.aws_iam_role.this", "name", "writer"),
        case(ROLES, "role.aws_iam_role.this", "path", "/teams/"),
        case(ROLES, "role.aws_iam_role.this", "permissions_boundary", BOUNDARY),
        case(ROLES, JOBS, "name", "jobs"),
        case(ROLES, JOBS, "path", "/teams/"),
        case(ROLES, JOBS, "permissions_boundary", BOUNDARY),
        case({"table": {"name": "events"}}, TABLE, "name", "events"),
        case({"table": {"write_units": 20}}, TABLE, "write_capacity", 20, variables),
        case({"table": {"write_units": 20}}, alarm("write_activity"), "threshold", 4800, variables),
        case({"table": {"read_units": 9}}, TABLE, "read_capacity", 9),
        case({"table": {"stream_view_type": "KEYS_ONLY"}}, TABLE, "stream_view_type", "KEYS_ONLY"),
        case(
            {"table": {"point_in_time_recovery": True}},
            TABLE,
            "point_in_time_recovery",
            [{"enabled": True}],
        ),
        case({"table": {"deletion_protection": True}}, TABLE, "deletion_protection_enabled", True),
        case(
            {"delivery": {"max_retries": 0}},
            "function.aws_lambda_function_event_invoke_config.this",
            "maximum_retry_attempts",
            0,
        ),
        case(
            {"delivery": {"max_event_age_seconds": 600}},
            "function.aws_lambda_function_event_invoke_config.this",
            "maximum_event_age_in_seconds",
            600,
        ),
        case(
            {"delivery": {"failure_queue_name": "lost"}},
            "queues.aws_sqs_queue.failures",
            "name",
            "lost",
        ),
        case({"topic": {"name": "pager"}}, "topic.aws_sns_topic.this[0]", "name", "pager"),
        case({"alarms": {"errors": {"name": "Broken"}}}, alarm("errors"), "alarm_name", "Broken"),
        case({"alarms": {"errors": {"threshold": 3}}}, alarm("errors"), "threshold", 3),
        case({"alarms": {"errors": {"period_seconds": 60}}}, alarm("errors"), "period", 60),
        case(
            {"alarms": {"errors": {"evaluation_periods": 4}}},
            alarm("errors"),
            "evaluation_periods",
            4,
        ),
        case(
            {"alarms": {"write_activity": {"period_seconds": 60}}},
            alarm("write_activity"),
            "threshold",
            240,
        ),
        case(
            {"alarms": {"silence": {"enabled": True}}},
            alarm("silence"),
            "treat_missing_data",
            "breaching",
        ),
        case(
            {"alarms": {"silence": {"enabled": True}}},
            alarm("silence"),
            "comparison_operator",
            "LessThanThreshold",
        ),
        case(
            {"alarms": {"silence": {"enabled": True}}},
            alarm("silence"),
            "metric_name",
            "AsyncEventsReceived",
        ),
        case({"alarms": {"silence": {"enabled": True}}}, alarm("silence"), "period", 86_400),
        case(
            {"topic": {"create": False, "arn": TOPIC}},
            alarm("errors"),
            "alarm_actions",
            [TOPIC],
            variables,
        ),
    ],
)
def test_the_variable_sets(
    planned: Planned, address: str, attribute: str, expected: object
) -> None:
    assert planned.resources[address][attribute] == expected


@sets(table={"ttl_hours": 72})
def test_hours_reach_the_function_as_seconds(planned: Planned) -> None:
    (environment,) = planned.resources[FUNCTION]["environment"]
    assert environment["variables"]["TTL_SECONDS"] == "259200"


@variables(table={"billing_mode": "PAY_PER_REQUEST", "object_index": True})
def test_an_on_demand_table_reserves_no_units(planned: Planned) -> None:
    table = planned.resources[TABLE]
    assert table["billing_mode"] == "PAY_PER_REQUEST"
    assert table.get("write_capacity") is None
    (index,) = table["global_secondary_index"]
    assert index.get("write_capacity") is None


@variables(table={"object_index": True})
def test_the_object_index_is_by_key_and_time(planned: Planned) -> None:
    (index,) = planned.resources[TABLE]["global_secondary_index"]
    assert (index["hash_key"], index["range_key"]) == ("objectKey", "timestamp")
    assert (index["write_capacity"], index["read_capacity"]) == (5, 5)


@sets(function={"log_level": "DEBUG"})
def test_the_log_level_is_the_applications(planned: Planned) -> None:
    (logging,) = planned.resources[FUNCTION]["logging_config"]
    assert logging["application_log_level"] == "DEBUG"


@sets(function={"tracing": "Active"})
def test_tracing_brings_the_right_to_send_traces(planned: Planned) -> None:
    statement = planned.policy("role.aws_iam_role_policy.pipeline")["SendTraces"]
    assert statement["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]


@variables(function={"vpc": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}})
def test_in_a_vpc_lambda_manages_interfaces_and_the_code_may_not(planned: Planned) -> None:
    (vpc,) = planned.resources[FUNCTION]["vpc_config"]
    assert (vpc["subnet_ids"], vpc["security_group_ids"]) == (["subnet-1"], ["sg-1"])
    statements = planned.policy("role.aws_iam_role_policy.pipeline")
    allowed = statements["ManageNetworkInterfaces"]
    denied = statements["NoNetworkInterfacesFromCode"]
    assert allowed["Action"] == denied["Action"]
    assert denied["Effect"] == "Deny"
    assert denied["Condition"] == {
        "ArnEquals": {
            "lambda:SourceFunctionArn": (
                f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:S3ToDynamoProcessor"
            )
        }
    }


POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Own",
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::x/*",
            }
        ],
    }
)


@variables(function={"policy_json": POLICY})
def test_a_teams_own_policy_stands_beside_the_pipelines(planned: Planned) -> None:
    statements = planned.policy("role.aws_iam_role_policy.pipeline")
    assert list(statements) == ["Own", "WriteRecords", "WriteLogs", "HandOverFailures"]
    assert statements["Own"]["Action"] == "s3:GetObject"


@variables(
    function={
        "hook": {
            "package": str(ROOT / "examples/enrich/enrich.zip"),
            "handler": "enrich.on_event",
            "concurrency": 3,
        },
        "layers": [f"arn:aws:lambda:us-east-1:123456789012:layer:x:{n}" for n in range(4)],
    }
)
def test_a_hook_is_a_layer_that_the_handler_is_told_of(planned: Planned) -> None:
    layer = planned.resources["function.aws_lambda_layer_version.hook[0]"]
    assert layer["layer_name"] == "S3ToDynamoProcessor-hook"
    function = planned.resources["function.aws_lambda_function.this"]
    (environment,) = function["environment"]
    assert environment["variables"] == {
        "TABLE_NAME": "S3ObjectEvents",
        "TTL_SECONDS": "86400",
        "RECORD_HOOK": "enrich.on_event",
        "RECORD_HOOK_CONCURRENCY": "3",
    }
    # Behind the team's own, so that it has the last word.
    assert planned.unknown["function.aws_lambda_function.this"]["layers"]
    assert "ReadObjects" not in planned.policy("role.aws_iam_role_policy.pipeline")


@sets(bucket={"versioning": False})
def test_versioning_off_suspends(planned: Planned) -> None:
    (found,) = planned.resources["bucket.aws_s3_bucket_versioning.this[0]"][
        "versioning_configuration"
    ]
    assert found["status"] == "Suspended"


@sets(bucket={"abort_multipart_days": 2, "noncurrent_days": 5})
def test_days_reach_the_lifecycle(planned: Planned) -> None:
    rules = planned.resources["bucket.aws_s3_bucket_lifecycle_configuration.this[0]"]["rule"]
    abort, expire = rules
    assert abort["abort_incomplete_multipart_upload"] == [{"days_after_initiation": 2}]
    assert expire["noncurrent_version_expiration"][0]["noncurrent_days"] == 5


@sets(bucket={"access_log": {"bucket": "logs", "prefix": "s3/"}})
def test_access_logs_go_where_they_should(planned: Planned) -> None:
    logging = planned.resources["bucket.aws_s3_bucket_logging.this[0]"]
    assert (logging["target_bucket"], logging["target_prefix"]) == ("logs", "s3/")


@variables(bucket={"create": False, "name": "theirs", "take_over_notifications": True})
def test_of_an_existing_bucket_only_the_notifications_are_touched(planned: Planned) -> None:
    touched = [address for address in planned.resources if address.startswith("bucket.")]
    assert touched == [NOTIFICATION]
    assert planned.resources[NOTIFICATION]["bucket"] == "theirs"
    permission = planned.resources["function.aws_lambda_permission.bucket[0]"]
    assert permission["source_arn"] == "arn:aws:s3:::theirs"


@sets(
    delivery={
        "filters": [
            {"prefix": "a b/", "suffix": ".txt", "events": ["s3:ObjectCreated:Put"]},
            {"prefix": "für+x/(1)!*'=~-_.", "suffix": "", "events": ["s3:ObjectRemoved:*"]},
        ]
    }
)
def test_filters_are_written_decoded_and_reach_s3_encoded(planned: Planned) -> None:
    first, second = planned.resources[NOTIFICATION]["lambda_function"]
    assert (first["filter_prefix"], first["filter_suffix"]) == ("a+b/", ".txt")
    assert first["events"] == ["s3:ObjectCreated:Put"]
    assert (second["filter_prefix"], second["filter_suffix"]) == (
        "f%C3%BCr%2Bx/(1)!*'%3D~-_.",
        None,
    )


DISJOINT = [
    {"prefix": "in/", "suffix": ".csv"},
    {"prefix": "in/", "suffix": ".json"},
    {"prefix": "out/", "suffix": ".csv"},
    {"prefix": "in/", "suffix": ".csv", "events": ["s3:ObjectRemoved:Delete"]},
]


@sets(delivery={"filters": DISJOINT})
def test_filters_that_exclude_each_other_are_taken(planned: Planned) -> None:
    assert len(planned.resources[NOTIFICATION]["lambda_function"]) == len(DISJOINT)


@sets(tags={"Owner": "data"})
def test_tags_replace_the_default(planned: Planned) -> None:
    tags = [values["tags"] for values in planned.resources.values() if "tags" in values]
    assert tags == [{"Owner": "data"}] * len(tags)


@sets(alarm_emails=["ops@example.com", "dev@example.com"])
def test_each_address_is_subscribed_by_email(planned: Planned) -> None:
    for address in ("ops@example.com", "dev@example.com"):
        found = planned.resources[f'topic.aws_sns_topic_subscription.email["{address}"]']
        assert (found["protocol"], found["endpoint"]) == ("email", address)


SUBSCRIPTIONS: dict[str, dict[str, Any]] = {
    "queue": {
        "protocol": "sqs",
        "endpoint": QUEUE,
        "raw": True,
        "filter_policy": '{"AlarmName":["b"]}',
    },
    "page": {"protocol": "https", "endpoint": "https://example.com/alarm"},
    "function": {
        "protocol": "lambda",
        "endpoint": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:page",
    },
    "archive": {"protocol": "email-json", "endpoint": "ops@example.com"},
    "phone": {"protocol": "sms", "endpoint": "+4915112345678"},
}


@sets(topic={"subscriptions": SUBSCRIPTIONS})
def test_each_protocol_is_subscribed(planned: Planned) -> None:
    for key, wanted in SUBSCRIPTIONS.items():
        address = f'topic.aws_sns_topic_subscription.this["{key}"]'
        found = planned.resources[address]
        assert (found["protocol"], found["endpoint"]) == (wanted["protocol"], wanted["endpoint"])
        assert found["raw_message_delivery"] is wanted.get("raw", False)
        assert found["filter_policy"] == wanted.get("filter_policy")
        scope = "MessageBody" if "filter_policy" in wanted else None
        assert planned.unknown[address].get("filter_policy_scope") or (
            found["filter_policy_scope"] == scope
        )


@sets(topic={"subscriptions": {"later": {"protocol": "sqs", "endpoint": LATER}}})
def test_an_endpoint_may_be_known_only_after_apply(planned: Planned) -> None:
    address = 'topic.aws_sns_topic_subscription.this["later"]'
    assert planned.unknown[address]["endpoint"] is True


@variables(
    bucket={"name": LATER},
    function={
        "permissions_boundary": LATER,
        "policy_json": LATER,
        "package": LATER,
        "layers": [LATER],
        "vpc": {"subnet_ids": [LATER], "security_group_ids": [LATER]},
        "environment": {"TOKEN": LATER},
    },
    delivery={"filters": [{"prefix": LATER, "suffix": ""}]},
    topic={"create": False, "arn": LATER},
    alarms={"extra_actions": [LATER]},
)
def test_computed_names_and_arns_defer_no_resource(planned: Planned) -> None:
    assert planned.unknown["bucket.aws_s3_bucket.this[0]"]["bucket"] is True
    assert NOTIFICATION in planned.resources


@variables(topic={"create": False, "arn": TOPIC}, alarm_emails=["ops@example.com"])
def test_an_existing_topic_is_used_and_left_alone(planned: Planned) -> None:
    assert [address for address in planned.resources if address.startswith("topic.")] == [
        'topic.aws_sns_topic_subscription.email["ops@example.com"]'
    ]
    assert planned.outputs["topic_arn"] == TOPIC


@variables(alarms={"create": False, "health": {"enabled": True}})
def test_no_alarms_on_request(planned: Planned) -> None:
    assert not [address for address in planned.resources if address.startswith("alarms.")]
    assert planned.outputs["alarm_names"] == []


@variables(delivery={"max_event_age_seconds": 300})
def test_the_alarm_on_age_comes_before_events_are_given_up(planned: Planned) -> None:
    assert planned.resources[alarm("event_age")]["threshold"] == 240_000


@variables(table={"billing_mode": "PAY_PER_REQUEST", "object_index": True})
def test_a_table_on_demand_has_no_alarm_on_a_capacity_that_it_has_not(planned: Planned) -> None:
    assert alarm("write_activity") not in planned.resources
    throttled = planned.resources[alarm("write_throttle")]
    assert "table.write_units" not in throttled["alarm_description"]


@variables(
    table={"billing_mode": "PAY_PER_REQUEST"},
    delivery={"buffer": {}},
    alarms={"write_activity": {"threshold": 30_000}},
)
def test_a_table_on_demand_is_watched_with_thresholds_of_its_own(planned: Planned) -> None:
    activity = planned.resources[alarm("write_activity")]
    assert activity["threshold"] == 30_000
    assert "table.write_units" not in activity["alarm_description"]
    assert planned.resources[alarm("backlog")]["threshold"] == 100


@variables(alarms={"throttles": {"enabled": False}})
def test_one_alarm_can_be_switched_off(planned: Planned) -> None:
    assert alarm("throttles") not in planned.resources
    assert alarm("errors") in planned.resources


@variables(
    topic={"create": False, "arn": TOPIC},
    alarms={
        "extra_actions": [QUEUE],
        "errors": {"notify_ok": True},
        "health": {"enabled": True},
    },
)
def test_extra_actions_are_notified_too(planned: Planned) -> None:
    errors, throttles = planned.resources[alarm("errors")], planned.resources[alarm("throttles")]
    assert sorted(errors["alarm_actions"]) == sorted([TOPIC, QUEUE])
    assert sorted(errors["ok_actions"]) == sorted([TOPIC, QUEUE])
    assert not throttles["ok_actions"]
    health = planned.resources[HEALTH]
    assert sorted(health["alarm_actions"]) == sorted([TOPIC, QUEUE])
    assert sorted(health["ok_actions"]) == sorted([TOPIC, QUEUE])


# The attributes that must be unique in one account and region.
NAMES: dict[str, str] = {
    "aws_cloudwatch_composite_alarm": "alarm_name",
    "aws_cloudwatch_metric_alarm": "alarm_name",
    "aws_s3_bucket": "bucket",
    "aws_sqs_queue": "name",
    "aws_cloudwatch_log_group": "name",
    "aws_lambda_function": "function_name",
    "aws_iam_role": "name",
    "aws_dynamodb_table": "name",
    "aws_sns_topic": "name",
}


def names(planned: Planned) -> set[str]:
    return {
        f"{kind} {values[NAMES[kind]]}"
        for address, values in planned.resources.items()
        if (kind := address.split(".")[1]) in NAMES
    }


ALL_ALARMS: dict[str, Any] = {"silence": {"enabled": True}, "health": {"enabled": True}}


@variables(name_prefix="acme-", alarms=ALL_ALARMS)
def test_the_prefix_stands_before_every_default_name(planned: Planned) -> None:
    for named in names(planned):
        _, name = named.split(" ")
        assert name.removeprefix("/aws/lambda/").startswith("acme-"), named
    assert "aws_s3_bucket acme-event-driven-lab-123456789012-us-east-1" in names(planned)


@variables(name_prefix="acme-", alarms=ALL_ALARMS)
def test_health_goes_off_with_every_alarm_but_those_on_load(planned: Planned) -> None:
    health = planned.resources[HEALTH]
    others = {
        found["alarm_name"]
        for address, found in planned.resources.items()
        if "aws_cloudwatch_metric_alarm" in address
    }
    load = {"acme-DynamoDBWriteActivityAlert", "acme-LambdaDurationAlert"}
    assert load < others
    expected = sorted(f'ALARM("{name}")' for name in others - load)
    assert health["alarm_rule"] == " OR ".join(expected)
    assert planned.outputs["alarm_names"] == sorted({*others, health["alarm_name"]})
    nothing = {"threshold": None, "period_seconds": None}
    assert planned.outputs["alarms"]["health"] == {"name": "acme-pipeline_health"} | nothing


@variables(name_prefix="other-")
def test_two_pipelines_live_side_by_side(planned: Planned, every_plan: dict[str, Planned]) -> None:
    # Both stand in the same root and the same plan.
    prefixed, plain = names(planned), names(every_plan["{}"])
    assert len(prefixed) == len(plain) == len(NAMES) + 7
    assert not prefixed & plain


def test_the_defaults_are_planned_beside_them(planned: Planned) -> None:
    assert names(planned)


@variables(
    name_prefix="acme-",
    bucket={"name": "given-bucket"},
    function={"name": "given", "role_name": "given-role"},
    table={"name": "given-table"},
    topic={"name": "given-topic"},
    alarms={
        "errors": {"name": "given-alarm"},
        "health": {"enabled": True, "name": 'given "health"'},
        "rule_failures": {"name": 'a "rule" \\ B'},
    },
    delivery={"via": "eventbridge"},
)
def test_the_prefix_never_stands_before_a_given_name(planned: Planned) -> None:
    assert {
        "aws_s3_bucket given-bucket",
        "aws_lambda_function given",
        "aws_iam_role given-role",
        "aws_dynamodb_table given-table",
        "aws_sns_topic given-topic",
        "aws_cloudwatch_metric_alarm given-alarm",
        'aws_cloudwatch_composite_alarm given "health"',
        "aws_sqs_queue acme-event-driven-failures",
    } <= names(planned)
    # In a rule, quotes and backslashes of a name are escaped.
    assert r'ALARM("a \"rule\" \\ B") OR ' in planned.resources[HEALTH]["alarm_rule"]


@variables(
    name_prefix="Team_A-much-longer-than-nineteen-up-to-44xxx",
    bucket={"name": "short"},
    backfill={"create": True},
)
def test_with_a_bucket_name_the_prefix_may_be_longer(planned: Planned) -> None:
    expected = "Team_A-much-longer-than-nineteen-up-to-44xxxS3ToDynamoProcessor"
    assert planned.resources[FUNCTION]["function_name"] == expected
    assert (
        planned.resources[JOBS]["name"]
        == "Team_A-much-longer-than-nineteen-up-to-44xxxS3-Batch-Role"
    )


@variables(name_prefix="a23456789-123456789")
def test_the_longest_prefix_fits_the_bucket(planned: Planned) -> None:
    assert len(planned.resources["bucket.aws_s3_bucket.this[0]"]["bucket"]) <= 63


@variables(bucket=None, table=None, delivery=None, function=None, topic=None, alarms=None)
def test_null_means_the_default(planned: Planned) -> None:
    assert planned.resources[TABLE]["name"] == "S3ObjectEvents"
