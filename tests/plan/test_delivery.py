"""Four ways for events to come: by notification or EventBridge, each direct or through a buffer."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from _pytest.mark import ParameterSet

from pipeline.emulator.process import emulator
from tests.plan.conftest import LATER, Planned
from tests.support.aws import s3_events

variables = pytest.mark.variables
ACCOUNT, REGION = "123456789012", "us-east-1"
BUCKET = f"event-driven-lab-{ACCOUNT}-{REGION}"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/event-driven-uploads"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:S3ToDynamoProcessor"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
FAILURES_ARN, BUFFER_ARN = f"{QUEUE_ARN}event-driven-failures", f"{QUEUE_ARN}event-driven-buffer"

NOTIFICATION = "bucket.aws_s3_bucket_notification.this[0]"
RULE = "rule.aws_cloudwatch_event_rule.this[0]"
TARGET = "rule.aws_cloudwatch_event_target.this[0]"
BUFFER = "queues.aws_sqs_queue.buffer[0]"
FAILURES = "queues.aws_sqs_queue.failures"
MAPPING = "function.aws_lambda_event_source_mapping.buffer[0]"
FUNCTION = "function.aws_lambda_function.this"
DOOR_OF_BUCKET = "function.aws_lambda_permission.bucket[0]"
DOOR_OF_RULE = "function.aws_lambda_permission.rule[0]"

BY_RULE: dict[str, Any] = {"via": "eventbridge"}
BUFFERED: dict[str, Any] = {"buffer": {}}
DRAINING: dict[str, Any] = {"buffer": {"drain": True}}
EXISTING: dict[str, Any] = {"create": False, "name": "theirs"}
MORE: dict[str, Any] = {"buckets": ["theirs", "partners"], "accounts": ["210987654321"]}


def pattern(planned: Planned) -> Any:
    return json.loads(planned.resources[RULE]["event_pattern"])


def alarms(planned: Planned) -> set[str]:
    return {address.split('"')[1] for address in planned.resources if address.startswith("alarms.")}


IN_EVERY_WAY = {"write_activity", "write_throttle", "failures", "errors", "throttles", "duration"}
DIRECT = IN_EVERY_WAY | {"event_age", "dropped", "delivery_failures"}
# While a delivery is left, its alarms and those of the next one watch.
MOST_METRICS, MOST_WHILE_CHANGING = 10, 12


def watched(planned: Planned) -> int:
    """How many metrics CloudWatch bills the alarms by."""
    return sum(
        max(1, sum(bool(query["metric"]) for query in alarm["metric_query"]))
        for address, alarm in planned.resources.items()
        if address.startswith("alarms.")
    )


@pytest.mark.parametrize(
    ("wanted", "most"),
    [
        pytest.param(found, most, marks=variables(delivery=delivery), id=name)
        for name, delivery, found, most in (
            ("notification", {}, DIRECT, MOST_METRICS),
            ("eventbridge", BY_RULE, DIRECT | {"rule_failures"}, MOST_METRICS),
            ("notification, buffered", BUFFERED, IN_EVERY_WAY | {"backlog"}, MOST_METRICS),
            (
                "eventbridge, buffered",
                BY_RULE | BUFFERED,
                IN_EVERY_WAY | {"backlog", "rule_failures"},
                MOST_METRICS,
            ),
            ("draining", DRAINING, DIRECT | {"backlog"}, MOST_WHILE_CHANGING),
            (
                "draining beside a rule",
                BY_RULE | DRAINING,
                DIRECT | {"backlog", "rule_failures"},
                MOST_WHILE_CHANGING,
            ),
            ("handing over", {"handover": True}, DIRECT | {"rule_failures"}, MOST_METRICS),
        )
    ],
)
def test_each_way_has_its_alarms_and_stays_within_ten_metrics(
    planned: Planned, wanted: set[str], most: int
) -> None:
    assert alarms(planned) == wanted
    assert watched(planned) <= most


@variables(delivery=BUFFERED)
def test_the_bucket_notifies_the_buffer_and_the_function_reads_it_in_batches(
    planned: Planned,
) -> None:
    notification = planned.resources[NOTIFICATION]
    assert notification.get("lambda_function", []) == []
    (queue,) = notification["queue"]
    assert queue["events"] == ["s3:ObjectCreated:*"]
    assert queue["queue_arn"] == BUFFER_ARN
    mapping = planned.resources[MAPPING]
    assert (mapping["event_source_arn"], mapping["enabled"]) == (BUFFER_ARN, True)
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert (mapping["batch_size"], mapping["maximum_batching_window_in_seconds"]) == (100, 5)
    assert mapping["scaling_config"] == []
    assert planned.outputs["delivery"]["buffered"] is True
    assert RULE not in planned.resources


@variables(
    function={"timeout_seconds": 20},
    delivery={"buffer": {"window_seconds": 7, "max_receive_count": 3, "retention_days": 2}},
)
def test_a_message_stays_hidden_for_six_timeouts_and_the_window(planned: Planned) -> None:
    buffer = planned.resources[BUFFER]
    assert buffer["visibility_timeout_seconds"] == 6 * 20 + 7
    # What five write units take in the window and a second more is no backlog.
    backlog = planned.resources['alarms.aws_cloudwatch_metric_alarm.this["backlog"]']
    assert backlog["threshold"] == 5 * (7 + 1)
    assert buffer["message_retention_seconds"] == 2 * 24 * 3600
    assert buffer["sqs_managed_sse_enabled"] is True


@variables(delivery=BUFFERED | {"paused": True})
def test_a_pause_leaves_messages_in_the_buffer(planned: Planned) -> None:
    assert planned.resources[MAPPING]["enabled"] is False
    assert planned.resources[FUNCTION]["reserved_concurrent_executions"] == -1


@variables(delivery={"paused": True}, function={"reserved_concurrency": 5})
def test_a_pause_without_a_buffer_sends_events_to_the_failure_queue(planned: Planned) -> None:
    # What Lambda does with asynchronous events at a reserved concurrency of 0:
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    assert planned.resources[FUNCTION]["reserved_concurrent_executions"] == 0


@variables(delivery={"buffer": {"max_concurrency": 4}}, function={"reserved_concurrency": 4})
def test_invokes_at_a_time_can_be_bounded(planned: Planned) -> None:
    assert planned.resources[MAPPING]["scaling_config"] == [{"maximum_concurrency": 4}]


@variables(delivery=BUFFERED, function={"reserved_concurrency": 7})
def test_what_the_function_reserves_bounds_the_invokes_of_its_buffer(planned: Planned) -> None:
    # Lambda counts a message that it can't hand over for want of concurrency as received.
    assert planned.resources[MAPPING]["scaling_config"] == [{"maximum_concurrency": 7}]


@variables(delivery={"buffer": {"drain": True}})
def test_a_draining_buffer_is_read_and_gets_nothing_new(planned: Planned) -> None:
    assert planned.resources[MAPPING]["enabled"] is True
    notification = planned.resources[NOTIFICATION]
    assert len(notification["lambda_function"]) == 1
    assert notification.get("queue", []) == []
    assert planned.outputs["delivery"]["buffered"] is False


@variables(delivery=BY_RULE)
def test_a_rule_invokes_the_function_and_leaves_what_it_cannot_deliver_in_the_failure_queue(
    planned: Planned,
) -> None:
    assert pattern(planned) == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [BUCKET]}},
    }
    target = planned.resources[TARGET]
    assert target["arn"] == FUNCTION_ARN
    assert target["dead_letter_config"] == [{"arn": FAILURES_ARN}]
    assert target["retry_policy"] == [
        {"maximum_retry_attempts": 185, "maximum_event_age_in_seconds": 86_400}
    ]
    assert planned.resources[RULE]["name"] == "event-driven-uploads"
    notification = planned.resources[NOTIFICATION]
    assert notification["eventbridge"] is True
    assert notification.get("lambda_function", []) == notification.get("queue", []) == []
    assert MAPPING not in planned.resources


@variables(delivery=BY_RULE | BUFFERED)
def test_a_rule_fills_the_buffer(planned: Planned) -> None:
    assert planned.resources[TARGET]["arn"] == BUFFER_ARN
    assert planned.resources[TARGET]["dead_letter_config"] == [{"arn": FAILURES_ARN}]
    assert planned.resources[MAPPING]["enabled"] is True


@variables(delivery={"handover": True})
def test_while_ways_change_hands_both_are_open(planned: Planned) -> None:
    notification = planned.resources[NOTIFICATION]
    assert notification["eventbridge"] is True
    assert len(notification["lambda_function"]) == 1
    assert RULE in planned.resources
    assert DOOR_OF_RULE in planned.resources


@variables(bucket=EXISTING, delivery=BY_RULE | BUFFERED)
def test_of_an_existing_bucket_eventbridge_touches_nothing(planned: Planned) -> None:
    assert [address for address in planned.resources if address.startswith("bucket.")] == []
    assert pattern(planned)["detail"] == {"bucket": {"name": ["theirs"]}}
    assert DOOR_OF_BUCKET not in planned.resources
    assert set(planned.policy(BUFFER)) == {"TlsOnly", "RuleSends"}


@variables(
    bucket=EXISTING | {"take_over_notifications": True}, delivery={"handover": True, "buffer": {}}
)
def test_a_bucket_that_was_taken_over_can_change_hands(planned: Planned) -> None:
    notification = planned.resources[NOTIFICATION]
    assert (notification["bucket"], notification["eventbridge"]) == ("theirs", True)
    assert len(notification["queue"]) == 1


SEVERAL = variables.with_args(
    delivery=MORE,
    alarms={"silence": {"enabled": True}},
    dashboard={"create": True},
    function={"package_s3": {"bucket": "code", "key": LATER}, "runtime": "nodejs22.x"},
)


@SEVERAL
def test_a_rule_takes_what_further_buckets_send_and_the_own_one_keeps_notifying(
    planned: Planned,
) -> None:
    assert pattern(planned)["detail"] == {"bucket": {"name": ["theirs", "partners"]}}
    notification = planned.resources[NOTIFICATION]
    assert (notification["eventbridge"], len(notification["lambda_function"])) == (False, 1)
    assert {DOOR_OF_BUCKET, DOOR_OF_RULE} < planned.resources.keys()
    assert "RuleHandsOverFailures" in planned.policy(FAILURES)
    assert "rule_failures" in alarms(planned)
    assert planned.outputs["delivery"]["buckets"] == ["theirs", "partners"]
    (sentence,) = planned.outputs["free_tier_exceptions"][:1]
    assert sentence == (
        "delivery.buckets names 2: S3 sends every event of theirs to EventBridge, whatever the "
        "filters, of which nothing is free: $1 per 1,000,000."
    )
    body = planned.resources["dashboard.aws_cloudwatch_dashboard.this[0]"]["dashboard_body"]
    assert f"buckets `{BUCKET}`, `theirs`, `partners` → rule" in body


@SEVERAL
def test_silence_is_that_of_all_buckets(planned: Planned) -> None:
    # The rule would hear the further ones alone.
    silence = planned.resources['alarms.aws_cloudwatch_metric_alarm.this["silence"]']
    assert silence["metric_name"] == "AsyncEventsReceived"


@SEVERAL
def test_another_account_may_send_to_the_bus_by_a_statement_of_its_own(planned: Planned) -> None:
    address = 'rule.aws_cloudwatch_event_permission.sender["210987654321"]'
    sender = planned.resources[address]
    assert {name: sender[name] for name in ("statement_id", "principal", "action")} == {
        "statement_id": "event-driven-uploads-210987654321",
        "principal": "210987654321",
        "action": "events:PutEvents",
    }
    assert not [each for each in planned.resources if "aws_cloudwatch_event_bus" in each]


@SEVERAL
def test_a_package_in_s3_may_be_of_any_runtime_and_known_only_after_apply(
    planned: Planned,
) -> None:
    function = planned.resources[FUNCTION]
    assert function.get("filename") is None
    assert planned.unknown[FUNCTION].keys() >= {"s3_key", "s3_object_version", "source_code_hash"}


@variables(
    delivery=BY_RULE
    | MORE
    | {"filters": [{"prefix": "in/", "suffix": ""}], "rule_name": f"{'x' * 61}.1"},
    alarms={"silence": {"enabled": True}},
)
def test_one_rule_takes_the_events_of_all_buckets(planned: Planned, judge: Any) -> None:
    assert planned.resources[NOTIFICATION]["eventbridge"] is True
    rule = planned.resources[RULE]["event_pattern"]
    for bucket in (BUCKET, "theirs", "partners"):
        assert matches(judge, rule, "s3:ObjectCreated:Put", "in/x", bucket=bucket)
        assert not matches(judge, rule, "s3:ObjectCreated:Put", "out/x", bucket=bucket)
    assert not matches(judge, rule, "s3:ObjectCreated:Put", "in/x", bucket="another")
    silence = planned.resources['alarms.aws_cloudwatch_metric_alarm.this["silence"]']
    assert silence["metric_name"] == "MatchedEvents"
    # Of a rule whose name differs only at its end, or in its dots, the statement is another one.
    sender = planned.resources['rule.aws_cloudwatch_event_permission.sender["210987654321"]']
    name = f"{'x' * 42}-{hashlib.sha256(f'{"x" * 61}.1'.encode()).hexdigest()[:8]}"
    assert sender["statement_id"] == f"{name}-210987654321"


@pytest.mark.parametrize(
    "doors",
    [
        pytest.param(doors, marks=variables(**values), id=name)
        for name, values, doors in (
            ("by notification", {}, {"s3"}),
            ("buffered", {"delivery": BUFFERED}, {"s3"}),
            ("by rule", {"delivery": BY_RULE}, {"s3", "events"}),
            ("by rule, existing", {"delivery": BY_RULE, "bucket": EXISTING}, {"events"}),
        )
    ],
)
def test_each_source_that_exists_may_invoke_the_function_and_nobody_else(
    planned: Planned, doors: set[str]
) -> None:
    # The bucket keeps its door under a rule: S3 heeds a new configuration within minutes only.
    found = {
        values["principal"].split(".")[0]: (values["source_arn"], values["source_account"])
        for address, values in planned.resources.items()
        if "aws_lambda_permission" in address
    }
    wanted = {"s3": (BUCKET_ARN, ACCOUNT), "events": (RULE_ARN, None)}
    assert found == {door: wanted[door] for door in doors}


@variables(delivery=BY_RULE | BUFFERED)
def test_queues_admit_the_bucket_and_the_rule_by_arn(planned: Planned) -> None:
    by_rule = {"ArnEquals": {"aws:SourceArn": RULE_ARN}}
    by_bucket = {
        "ArnEquals": {"aws:SourceArn": BUCKET_ARN},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }

    def admitted(address: str) -> dict[str, Any]:
        return {
            found["Principal"]["Service"]: (found["Action"], found["Resource"], found["Condition"])
            for found in planned.policy(address).values()
            if found["Effect"] == "Allow"
        }

    send = "sqs:SendMessage"
    assert admitted(FAILURES) == {"events.amazonaws.com": (send, FAILURES_ARN, by_rule)}
    assert admitted(BUFFER) == {
        "events.amazonaws.com": (send, BUFFER_ARN, by_rule),
        "s3.amazonaws.com": (send, BUFFER_ARN, by_bucket),
    }


@pytest.mark.parametrize(
    "delivery",
    [
        pytest.param(delivery, marks=variables(delivery=delivery))
        for delivery in (BUFFERED, BY_RULE, BY_RULE | BUFFERED)
    ],
)
def test_in_every_way_the_function_may_hand_over_failures(
    planned: Planned, delivery: dict[str, Any]
) -> None:
    # Events that Lambda took before the way changed live for up to six hours.
    config = planned.resources["function.aws_lambda_function_event_invoke_config.this"]
    assert config["maximum_retry_attempts"] == 2
    statement = planned.policy("role.aws_iam_role_policy.pipeline")["HandOverFailures"]
    assert statement["Resource"] == FAILURES_ARN


@variables(delivery={"buffer": {"max_receive_count": 3}})
def test_what_fails_too_often_goes_to_the_failure_queue(planned: Planned) -> None:
    redrive = json.loads(planned.resources[BUFFER]["redrive_policy"])
    assert redrive == {"deadLetterTargetArn": FAILURES_ARN, "maxReceiveCount": 3}


@variables(name_prefix="acme-", delivery=BY_RULE | BUFFERED)
def test_the_prefix_stands_before_rule_and_buffer(planned: Planned) -> None:
    assert planned.resources[RULE]["name"] == "acme-event-driven-uploads"
    assert planned.resources[BUFFER]["name"] == "acme-event-driven-buffer"


@variables(delivery=BY_RULE | {"rule_name": "uploads", "buffer": {"name": "waiting"}})
def test_rule_and_buffer_take_other_names(planned: Planned) -> None:
    assert planned.resources[RULE]["name"] == "uploads"
    assert planned.resources[BUFFER]["name"] == "waiting"
    backlog = planned.resources['alarms.aws_cloudwatch_metric_alarm.this["backlog"]']
    metrics = [query["metric"][0] for query in backlog["metric_query"] if query["metric"]]
    assert [metric["dimensions"] for metric in metrics] == [{"QueueName": "waiting"}] * 2


@variables(delivery=BY_RULE | BUFFERED)
def test_the_backlog_alarm_adds_what_waits_and_what_is_in_flight(planned: Planned) -> None:
    address = 'alarms.aws_cloudwatch_metric_alarm.this["backlog"]'
    alarm = planned.resources[address]
    queries = {query["id"]: query for query in alarm["metric_query"]}
    # A datapoint that FILL makes up would hide one that comes late.
    assert queries["total"]["expression"] == "SUM([m0, m1])"
    assert [query["id"] for query in alarm["metric_query"] if query["return_data"]] == ["total"]
    metrics = [queries[name]["metric"][0] for name in ("m0", "m1")]
    assert [metric["metric_name"] for metric in metrics] == [
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
    ]
    for metric in metrics:
        assert (metric["namespace"], metric["stat"], metric["period"]) == ("AWS/SQS", "Maximum", 60)
        assert metric["dimensions"] == {"QueueName": "event-driven-buffer"}
    # Five write units, for a window of five seconds and one second more.
    assert (alarm["threshold"], alarm["evaluation_periods"]) == (30, 5)
    assert alarm["treat_missing_data"] == "notBreaching"
    assert planned.unknown[address]["ok_actions"]


@variables(delivery=BY_RULE)
def test_the_rules_alarm_counts_what_could_not_be_handed_over(planned: Planned) -> None:
    alarm = planned.resources['alarms.aws_cloudwatch_metric_alarm.this["rule_failures"]']
    assert (alarm["namespace"], alarm["metric_name"]) == ("AWS/Events", "FailedInvocations")
    assert alarm["dimensions"] == {"RuleName": "event-driven-uploads"}
    assert (alarm["statistic"], alarm["threshold"], alarm["period"]) == ("Sum", 1, 300)
    assert alarm["treat_missing_data"] == "notBreaching"


SILENCE = {"alarms": {"silence": {"enabled": True}}}


@pytest.mark.parametrize(
    "metric",
    [
        pytest.param(metric, marks=variables(delivery=delivery, **SILENCE))
        for delivery, metric in (
            ({}, "AWS/Lambda AsyncEventsReceived S3ToDynamoProcessor"),
            (BUFFERED, "AWS/SQS NumberOfMessagesSent event-driven-buffer"),
            (BY_RULE, "AWS/Events MatchedEvents event-driven-uploads"),
            (BY_RULE | BUFFERED, "AWS/Events MatchedEvents event-driven-uploads"),
        )
    ],
)
def test_silence_is_heard_where_events_arrive_first(planned: Planned, metric: str) -> None:
    alarm = planned.resources['alarms.aws_cloudwatch_metric_alarm.this["silence"]']
    (dimension,) = alarm["dimensions"].values()
    assert f"{alarm['namespace']} {alarm['metric_name']} {dimension}" == metric


@variables(
    bucket={"name": LATER},
    delivery=BY_RULE | {"buffer": {"name": LATER}, "filters": [{"prefix": LATER, "suffix": "/x"}]},
    function={"name": LATER},
)
def test_computed_names_defer_nothing(planned: Planned) -> None:
    for address in (RULE, TARGET, BUFFER, MAPPING, NOTIFICATION):
        assert address in planned.resources


# What the rule's pattern matches, judged in EventBridge's own language, is what S3's filters match.

FILTERS: list[dict[str, Any]] = [
    {"prefix": "in/", "suffix": ".csv"},
    {"prefix": "a b/ü+%/", "suffix": "", "events": ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"]},
    {"prefix": "", "suffix": "*\\?.txt", "events": ["s3:ObjectCreated:Copy"]},
    {"prefix": "st*r/", "suffix": "/r", "events": ["s3:ObjectRestore:*", "s3:ObjectAcl:Put"]},
    {"prefix": "gone/", "suffix": "/aa", "events": ["s3:LifecycleExpiration:Delete"]},
    {
        "prefix": "marked/",
        "suffix": "",
        "events": ["s3:ObjectRemoved:DeleteMarkerCreated", "s3:ObjectTagging:*"],
    },
]
KEYS = [
    "in/a.csv",
    "in/.csv",
    "in/deep/er/a.csv",
    "in/a.csv.gz",
    "xin/a.csv",
    "in.csv",
    "a b/ü+%/x",
    "a+b/%C3%BC/x",
    "a b/ü+%/",
    "x*\\?.txt",
    "*\\?.txt",
    "xy?.txt",
    "st*r/r",
    "st*r/x/r",
    "star/x/r",
    "gone/aa",
    "gone/a/aa",
    "gone//aa",
    "marked/x",
]
# Event name as S3 has it, and how EventBridge says it.
HAPPENINGS: dict[str, dict[str, Any]] = {
    "s3:ObjectCreated:Put": {"detail_type": "Object Created", "reason": "PutObject"},
    "s3:ObjectCreated:Copy": {"detail_type": "Object Created", "reason": "CopyObject"},
    "s3:ObjectCreated:Post": {"detail_type": "Object Created", "reason": "POST Object"},
    "s3:ObjectCreated:CompleteMultipartUpload": {
        "detail_type": "Object Created",
        "reason": "CompleteMultipartUpload",
    },
    "s3:ObjectRemoved:Delete": {
        "detail_type": "Object Deleted",
        "reason": "DeleteObject",
        "deletion_type": "Permanently Deleted",
    },
    "s3:ObjectRemoved:DeleteMarkerCreated": {
        "detail_type": "Object Deleted",
        "reason": "DeleteObject",
        "deletion_type": "Delete Marker Created",
    },
    "s3:LifecycleExpiration:Delete": {
        "detail_type": "Object Deleted",
        "reason": "Lifecycle Expiration",
        "deletion_type": "Permanently Deleted",
    },
    "s3:LifecycleExpiration:DeleteMarkerCreated": {
        "detail_type": "Object Deleted",
        "reason": "Lifecycle Expiration",
        "deletion_type": "Delete Marker Created",
    },
    "s3:ObjectRestore:Post": {"detail_type": "Object Restore Initiated", "reason": None},
    "s3:ObjectRestore:Completed": {"detail_type": "Object Restore Completed", "reason": None},
    "s3:ObjectRestore:Delete": {"detail_type": "Object Restore Expired", "reason": None},
    "s3:ObjectTagging:Put": {"detail_type": "Object Tags Added", "reason": None},
    "s3:ObjectTagging:Delete": {"detail_type": "Object Tags Deleted", "reason": None},
    "s3:ObjectAcl:Put": {"detail_type": "Object ACL Updated", "reason": None},
    "s3:IntelligentTiering": {"detail_type": "Object Access Tier Changed", "reason": None},
    "s3:LifecycleTransition": {"detail_type": "Object Storage Class Changed", "reason": None},
}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """EventBridge's TestEventPattern, as the emulator has it."""
    with emulator(tmp_path_factory.mktemp("judge"), auth=False) as running:
        make: Any = boto3.client
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        yield make("events", endpoint_url=running.endpoint, region_name=REGION, **keys)


def matches(judge: Any, rule: str, name: str, key: str, bucket: str = BUCKET) -> bool:
    event = s3_events.eventbridge(key, **HAPPENINGS[name])
    event["detail"]["bucket"]["name"] = bucket
    answer = judge.test_event_pattern(EventPattern=rule, Event=json.dumps(event))
    return bool(answer["Result"])


def meets(entry: dict[str, Any], name: str, key: str) -> bool:
    """Whether S3 would send a notification for this filter."""
    events = entry.get("events", ["s3:ObjectCreated:*"])
    return (
        key.startswith(entry["prefix"])
        and key.endswith(entry["suffix"])
        and any(name == e or (e.endswith("*") and name.startswith(e[:-1])) for e in events)
    )


@variables(delivery=BY_RULE | {"filters": FILTERS})
def test_a_rule_takes_what_s3_would_notify_of_and_nothing_else(
    planned: Planned, judge: Any
) -> None:
    rule = planned.resources[RULE]["event_pattern"]
    for name in HAPPENINGS:
        for key in KEYS:
            wanted = any(meets(entry, name, key) for entry in FILTERS)
            assert matches(judge, rule, name, key) is wanted, (name, key)
    assert not matches(judge, rule, "s3:ObjectCreated:Put", "in/a.csv", bucket="another")


@variables(delivery=BY_RULE | {"filters": [{"prefix": "a*b\\/", "suffix": ".x*"}]})
def test_prefix_and_suffix_are_one_wildcard_with_its_signs_escaped(planned: Planned) -> None:
    assert pattern(planned)["detail"]["object"] == {"key": [{"wildcard": "a\\*b\\\\/*.x\\*"}]}


@variables(
    delivery=BY_RULE
    | {
        "filters": [
            {"prefix": "a*/", "suffix": ""},
            {"prefix": "", "suffix": ".x", "events": ["s3:ObjectRemoved:*"]},
        ]
    }
)
def test_a_prefix_or_a_suffix_alone_spends_no_wildcard(planned: Planned) -> None:
    # EventBridge refuses a rule with many of them as too complex.
    keys = [clause["detail"]["object"]["key"] for clause in pattern(planned)["$or"]]
    assert keys == [[{"prefix": "a*/"}], [{"suffix": ".x"}]]


# A pattern of 2,048 bytes, of which 30 letters take two.
_REST = 2048 - len(
    '{"detail":{"bucket":{"name":["' + BUCKET + '"]},"object":{"key":[{"wildcard":"*"}]}},'
    '"detail-type":["Object Created"],"source":["aws.s3"]}'
)
LONGEST = {"prefix": "x" * 1000, "suffix": "ü" * 30 + "y" * (_REST - 1060)}


@variables(delivery=BY_RULE | {"filters": [LONGEST]})
def test_a_pattern_of_2048_bytes_is_taken(planned: Planned) -> None:
    assert len(planned.resources[RULE]["event_pattern"].encode()) == 2048


@pytest.mark.refused(
    delivery=BY_RULE | {"filters": [LONGEST | {"suffix": LONGEST["suffix"] + "y"}]}
)
def test_a_pattern_of_one_byte_more_is_refused(refusal: str) -> None:
    assert "delivery.filters make an event pattern of 2049 bytes" in refusal


_EVENTS_A_RULE = 7
EVENTS = [
    *HAPPENINGS,
    *sorted(
        {f"{name.rpartition(':')[0]}:*" for name in HAPPENINGS if name.count(":") == 2}
        - {"s3:ObjectAcl:*"}
    ),
]


def some_events(first: int) -> ParameterSet:
    """As many as a pattern has room for, each with a folder of its own."""
    entries = {
        name: {"prefix": f"{number}/", "suffix": "", "events": [name]}
        for number, name in enumerate(EVENTS[first : first + _EVENTS_A_RULE])
    }
    delivery = BY_RULE | {"filters": list(entries.values())}
    return pytest.param(entries, marks=variables(delivery=delivery), id="-".join(entries))


@pytest.mark.parametrize("entries", [*map(some_events, range(0, len(EVENTS), _EVENTS_A_RULE))])
def test_each_event_type_is_told_from_all_others(
    planned: Planned, judge: Any, entries: dict[str, Any]
) -> None:
    rule = planned.resources[RULE]["event_pattern"]
    for event, entry in entries.items():
        for name in HAPPENINGS:
            key = f"{entry['prefix']}any"
            assert matches(judge, rule, name, key) is meets(entry, name, key), (event, name)
