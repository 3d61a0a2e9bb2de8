"""What cannot work is refused before anything is made, naming the thing and the fix."""

import json
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from pipeline.paths import ROOT

EVERYTHING = {"prefix": "", "suffix": ""}
KEYS = "arn:aws:kms:us-east-1:123456789012:"
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:x:1"

PARTNER = "arn:aws:sqs:us-east-1:123456789012:partner"


def policy(*sids: str) -> str:
    statements = [{"Sid": sid, "Effect": "Allow", "Action": "*", "Resource": "*"} for sid in sids]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


# In one scenario, since each takes a second.
OTHERS_WRONG: dict[str, Any] = {
    "bucket": {
        "eventbridge": False,
        "policy_json": policy("TlsOnly", "Twice", "Twice", "Own"),
        "notifications": [
            {"arn": f"{PARTNER}.fifo", "events": ["s3:ObjectMade"], "prefix": "ü" * 200},
            {"arn": None, "events": []},
        ],
        "lifecycle_rules": [
            {"id": "expire-old-versions", "expiration_days": 0},
            {"id": "x", "transitions": [{"days": 7, "storage_class": "STANDARD_IA"}]},
        ],
    },
    "function": {
        "policy_json": policy("WriteLogs", "Own", "WriteRecords"),
        "environment": {"AB": "ä" * 3000},
    },
}
THEIRS_WRONG: dict[str, Any] = {
    "bucket": {
        "create": False,
        "name": "theirs",
        "notifications": [{"arn": PARTNER}],
        "policy_json": '{"Statement"',
        "lifecycle_rules": [{"id": "x"}],
    },
    "function": {"policy_json": '{"Statement": [{"Action": "*"}]}'},
    "delivery": {"via": "eventbridge"},
}
HOOK = {"package": str(ROOT / "examples/enrich/enrich.zip"), "handler": "enrich.on_event"}
HOOK_WRONG: dict[str, Any] = {
    "function": {
        "package": str(ROOT / "examples/enrich/enrich.zip"),
        "hook": HOOK | {"handler": "events.on_event", "concurrency": 0},
        "layers": [LAYER] * 5,
        "environment": {"RECORD_HOOK": "x"},
    },
    "backfill": {"create": True, "bucket": "s3://Reports", "role_name": "a b"},
}
HOOK_NO_ZIP = {"function": {"hook": HOOK | {"package": str(ROOT / "README.md")}}}
WATCHED = (
    *("write_throttle", "failures", "errors", "throttles"),
    *("event_age", "dropped", "delivery_failures"),
)
HEALTH_ALONE: dict[str, Any] = {
    "alarms": {
        "health": {"enabled": True, "name": "x" * 256},
        **{key: {"enabled": False} for key in WATCHED},
    }
}
HOOK_BESIDE: dict[str, Any] = {
    "function": {
        "hook": HOOK | {"handler": "on_event"},
        "package": str(ROOT / "examples/enrich/enrich.zip"),
        "package_s3": {"bucket": "code", "key": ""},
    },
}
ELSEWHERE: dict[str, Any] = {
    "encryption": {"mode": "given", "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1"},
    "delivery": {"buckets": ["theirs"], "accounts": ["123456789012"]},
}
SOURCES_WRONG: dict[str, Any] = {
    "delivery": {
        "buckets": ["theirs", "theirs", "Theirs", "two..dots"],
        "accounts": ["12345", *(f"{number:012}" for number in range(40))],
        "filters": [EVERYTHING | {"events": ["s3:ObjectRetention:Put"]}],
    }
}
# What only resources and outputs refuse.
TOGETHER_WRONG: dict[str, Any] = {
    "bucket": {
        "name": "together",
        "policy_json": policy(*(f"{number}{'x' * 200}" for number in range(80))),
        "notifications": [{"arn": PARTNER, "prefix": "in/"}] * 2,
    },
    "delivery": {"buckets": ["together"]},
    "backfill": {"create": True, "role_name": "lambda-s3-ddb-role"},
    "alarms": {"errors": {"name": "e\N{COMBINING ACUTE ACCENT}" * 128}},
}


def case(message: str, **values: Any) -> ParameterSet:
    return pytest.param(message, marks=pytest.mark.refused(**values), id=message[:60])


def alarm(**values: Any) -> dict[str, Any]:
    return {"errors": values}


def buffer(**values: Any) -> dict[str, Any]:
    return {"buffer": values}


def subscription(protocol: str, endpoint: str, **more: Any) -> dict[str, Any]:
    return {"subscriptions": {"x": {"protocol": protocol, "endpoint": endpoint, **more}}}


@pytest.mark.parametrize(
    "message",
    [
        case('name_prefix is "Acme-"; write at most 19 of a-z, 0-9 and -', name_prefix="Acme-"),
        case(
            'name_prefix is "twenty-characters-xx"; write at most 19',
            name_prefix="twenty-characters-xx",
        ),
        case(
            'name_prefix is "-a"; write at most 19 of a-z, 0-9 and -, not - first', name_prefix="-a"
        ),
        case('name_prefix is "xn--a"; S3 reserves bucket names', name_prefix="xn--a"),
        case(
            'name_prefix is "a b"; write at most 44 of A-Z',
            name_prefix="a b",
            bucket={"name": "given"},
        ),
        case(
            'alarm_emails holds "ops", which is not an e-mail address',
            alarm_emails=["dev@example.com", "ops"],
        ),
        case('alarm_emails holds "a@b.com, c@d.com"', alarm_emails=["a@b.com, c@d.com"]),
        case('alarm_emails holds "Ops <a@b.com>"', alarm_emails=["Ops <a@b.com>"]),
        case('alarm_emails holds "a@localhost"', alarm_emails=["a@localhost"]),
        case('alarm_emails holds ""', alarm_emails=[""]),
        case(
            'bucket.name is "My_Bucket", which S3 refuses; write 3 to 63',
            bucket={"name": "My_Bucket"},
        ),
        case('bucket.name is "ab", which', bucket={"name": "ab"}),
        case('bucket.name is "a..b", which', bucket={"name": "a..b"}),
        case('bucket.name is "192.168.1.1", which', bucket={"name": "192.168.1.1"}),
        case('bucket.name is "-ab", which', bucket={"name": "-ab"}),
        case('bucket.name is "sthree-x", which', bucket={"name": "sthree-x"}),
        case('bucket.name is "data-s3alias", which', bucket={"name": "data-s3alias"}),
        case(f'bucket.name is "{"a" * 64}", which', bucket={"name": "a" * 64}),
        case(
            "bucket.create is false and bucket.name is not set; name the existing bucket",
            bucket={"create": False},
        ),
        case(
            'replaces the whole notification configuration of "theirs"',
            bucket={"create": False, "name": "theirs"},
        ),
        case(
            "bucket.abort_multipart_days is 0; write a whole number of days",
            bucket={"abort_multipart_days": 0},
        ),
        case(
            "bucket.noncurrent_days is 1.5; write a whole number of days",
            bucket={"noncurrent_days": 1.5},
        ),
        case(
            'bucket.access_log.bucket is "same", the bucket itself',
            bucket={"name": "same", "access_log": {"bucket": "same"}},
        ),
        case(
            'bucket.access_log.bucket is "event-driven-lab-123456789012-us-east-1", the',
            bucket={"access_log": {"bucket": "event-driven-lab-123456789012-us-east-1"}},
        ),
        case(
            'delivery.via is "sns"; write "notification" or "eventbridge"', delivery={"via": "sns"}
        ),
        case(
            "delivery.filters is empty, so that nothing would be delivered",
            delivery={"filters": []},
        ),
        case(
            'delivery.filters[].events holds "s3:ObjectMade"',
            delivery={"filters": [EVERYTHING | {"events": ["s3:ObjectMade"]}]},
        ),
        case(
            "delivery.filters[].events holds nothing",
            delivery={"filters": [EVERYTHING | {"events": []}]},
        ),
        case('attribute "prefix" is required', delivery={"filters": [{"suffix": ".txt"}]}),
        case('attribute "suffix" is required', delivery={"filters": [{"prefix": "in/"}]}),
        case("delivery.max_retries is 3; write 0, 1 or 2", delivery={"max_retries": 3}),
        case(
            "delivery.max_event_age_seconds is 59; write 60 to 21600",
            delivery={"max_event_age_seconds": 59},
        ),
        case(
            'delivery.failure_queue_name is "a.fifo"; write 1 to 80',
            delivery={"failure_queue_name": "a.fifo"},
        ),
        case(
            'holds "s3:Replication:*", which S3 does not send to EventBridge',
            delivery={
                "via": "eventbridge",
                "filters": [EVERYTHING | {"events": ["s3:ObjectCreated:*", "s3:Replication:*"]}],
            },
        ),
        case(
            'holds "s3:ObjectRetention:Put", which S3 does not send to EventBridge',
            delivery={
                "handover": True,
                "filters": [EVERYTHING | {"events": ["s3:ObjectRetention:Put"]}],
            },
        ),
        case(
            "bucket.create is false and delivery.handover is true",
            bucket={"create": False, "name": "theirs"},
            delivery={"via": "eventbridge", "handover": True},
        ),
        case('delivery.rule_name is "a b"; write 1 to 64', delivery={"rule_name": "a b"}),
        case('delivery.buffer.name is "a.fifo"; write 1 to 80', delivery=buffer(name="a.fifo")),
        case(
            'buffer and the failure queue would both be named "event-driven-failures"',
            delivery=buffer(name="event-driven-failures"),
        ),
        case(
            'buffer and the failure queue would both be named "event-driven-buffer"',
            delivery=buffer() | {"failure_queue_name": "event-driven-buffer"},
        ),
        case(
            "function.reserved_concurrency is 1 and delivery.buffer is set",
            delivery=buffer(),
            function={"reserved_concurrency": 1},
        ),
        case(
            "function.vpc has 1 subnet_ids and 1 security_group_ids; write 1 to 16",
            function={"vpc": {"subnet_ids": [None], "security_group_ids": ["sg-1"]}},
        ),
        case(
            "delivery.buffer.batch_size is 0; write a whole number of messages",
            delivery=buffer(batch_size=0),
        ),
        case("delivery.buffer.batch_size is 10001; write", delivery=buffer(batch_size=10_001)),
        case(
            "delivery.buffer.batch_size is 11 and delivery.buffer.window_seconds is 0; Lambda",
            delivery=buffer(batch_size=11, window_seconds=0),
        ),
        case("delivery.buffer.window_seconds is 301", delivery=buffer(window_seconds=301)),
        case("delivery.buffer.max_concurrency is 1; write", delivery=buffer(max_concurrency=1)),
        case(
            "delivery.buffer.max_concurrency is 6 and function.reserved_concurrency is 5",
            delivery=buffer(max_concurrency=6),
            function={"reserved_concurrency": 5},
        ),
        case("delivery.buffer.max_receive_count is 0", delivery=buffer(max_receive_count=0)),
        case("delivery.buffer.retention_days is 15", delivery=buffer(retention_days=15)),
        case(
            "EventBridge takes 2048: write fewer or shorter filters",
            delivery={
                "via": "eventbridge",
                "filters": [{"prefix": "x" * 1000 + end, "suffix": ".y"} for end in "abc"],
            },
        ),
        case('encryption.mode is "kms"; write service', encryption={"mode": "kms"}),
        case(
            'encryption.mode is "given" and encryption.kms_key_arn is not set',
            encryption={"mode": "given"},
        ),
        case(
            'and encryption.mode is "service"; set mode = "given"',
            encryption={"kms_key_arn": f"{KEYS}key/1"},
        ),
        case(
            'encryption.kms_key_arn is "alias/aws/sns", a key that AWS manages',
            encryption={"mode": "given", "kms_key_arn": "alias/aws/sns"},
        ),
        case(
            f'encryption.kms_key_arn is "{KEYS}alias/aws/sns", a key that AWS manages',
            encryption={"mode": "given", "kms_key_arn": f"{KEYS}alias/aws/sns"},
        ),
        case(
            "write the key's own ARN, arn:…:key/…",
            encryption={"mode": "given", "kms_key_arn": f"{KEYS}alias/ours"},
        ),
        case(
            f"a key serves its own region only: write one that starts with {KEYS[:-13]}",
            **ELSEWHERE,
        ),
        case('dashboard.name is "a b"; write 1 to 255', dashboard={"name": "a b"}),
        case('free_tier is "on"; write warn, enforce or off', free_tier="on"),
        case('function.name is "a b"; write 1 to 64', function={"name": "a b"}),
        case(
            'function.package is "no/such.zip", and no such file exists',
            function={"package": "no/such.zip"},
        ),
        case(
            'function.runtime is "python3.11"; this module\'s own handler needs python3.12',
            function={"runtime": "python3.11"},
        ),
        case('function.architecture is "arm"; write arm64', function={"architecture": "arm"}),
        case(
            "function.memory_mb is 64; write a whole number of MB, 128 to 10240",
            function={"memory_mb": 64},
        ),
        case(
            "function.timeout_seconds is 901; write a whole number of seconds",
            function={"timeout_seconds": 901},
        ),
        case(
            "function.reserved_concurrency is -2; write a whole number",
            function={"reserved_concurrency": -2},
        ),
        case(
            "function.environment sets TABLE_NAME, which Lambda or this module sets",
            function={"environment": {"TABLE_NAME": "x"}},
        ),
        case('function.environment has the key "a-b"', function={"environment": {"a-b": "x"}}),
        case("function.layers names 6 layers; Lambda takes 5", function={"layers": [LAYER] * 6}),
        case('function.tracing is "On"; write PassThrough', function={"tracing": "On"}),
        case('function.log_level is "info"; write TRACE, DEBUG', function={"log_level": "info"}),
        case(
            "function.log_retention_days is 2; CloudWatch takes one of 0, 1, 3",
            function={"log_retention_days": 2},
        ),
        case('function.role_name is "a/b"; write 1 to 64', function={"role_name": "a/b"}),
        case(
            'function.role_path is "teams"; write a path that starts and ends with /',
            function={"role_path": "teams"},
        ),
        case(
            'function.permissions_boundary is "boundary"; write the ARN',
            function={"permissions_boundary": "boundary"},
        ),
        case("function.policy_json is no IAM policy document", function={"policy_json": "{}"}),
        case('table.name is "ab"; write 3 to 255', table={"name": "ab"}),
        case(
            'table.billing_mode is "ON_DEMAND"; write PROVISIONED',
            table={"billing_mode": "ON_DEMAND"},
        ),
        case("table.write_units is 0; write a whole number of units", table={"write_units": 0}),
        case("table.read_units is 0.5; write a whole number of units", table={"read_units": 0.5}),
        case(
            "table.ttl_hours is 0; write a whole number of hours, 1 or more", table={"ttl_hours": 0}
        ),
        case(
            "table.ttl_hours is 0.5; write a whole number of hours, 1 or more",
            table={"ttl_hours": 0.5},
        ),
        case('table.stream_view_type is "ALL"; write NEW_IMAGE', table={"stream_view_type": "ALL"}),
        case("topic.create is false and topic.arn is null", topic={"create": False}),
        case(
            'topic.create is false and topic.arn is "pager"',
            topic={"create": False, "arn": "pager"},
        ),
        case(
            "topic.create is true; set topic.create = false to use that topic",
            topic={"arn": "arn:aws:sns:us-east-1:123456789012:x"},
        ),
        case('topic.name is "a.fifo"; write 1 to 256', topic={"name": "a.fifo"}),
        case(
            'topic.subscriptions has x with protocol "http"',
            topic=subscription("http", "http://example.com"),
        ),
        case(
            "topic.subscriptions has no endpoint that fits its protocol at x (https)",
            topic=subscription("https", "http://example.com"),
        ),
        case(
            "topic.subscriptions has no endpoint that fits its protocol at x (sqs)",
            topic=subscription("sqs", "on-call"),
        ),
        case(
            "topic.subscriptions has no endpoint that fits its protocol at x (sms)",
            topic=subscription("sms", "0151"),
        ),
        case(
            "topic.subscriptions has raw = true at x",
            topic=subscription("sms", "+4915112345678", raw=True),
        ),
        case(
            "topic.subscriptions has a filter_policy that is no JSON object at x",
            topic=subscription("sms", "+4915112345678", filter_policy="["),
        ),
        case(
            "alarms.errors.period_seconds is 45; write a multiple of 60",
            alarms=alarm(period_seconds=45),
        ),
        case(
            "alarms.errors.evaluation_periods is 0 of 300 seconds",
            alarms=alarm(evaluation_periods=0),
        ),
        case(
            "alarms.errors.evaluation_periods is 300 of 300 seconds",
            alarms=alarm(evaluation_periods=300),
        ),
        case("alarms.errors.threshold is 0; write a number above 0", alarms=alarm(threshold=0)),
        case(
            "alarms.errors.name has 256 characters; write at most 255", alarms=alarm(name="x" * 256)
        ),
        case('alarms.extra_actions holds "pager"; write ARNs', alarms={"extra_actions": ["pager"]}),
        case(
            "alarms.backlog_age is alarms.backlog since 2.0.0",
            alarms={"backlog_age": {"threshold": 1800, "notify_ok": False}},
        ),
        case('bucket.name is "", which S3 refuses', bucket={"name": ""}),
        case(
            'bucket.access_log.bucket is "My Bucket"; write the name',
            bucket={"access_log": {"bucket": "My Bucket"}},
        ),
        case(
            "bucket.access_log.bucket is null; write the name",
            bucket={"access_log": {"bucket": None}},
        ),
        case(
            "bucket.abort_multipart_days is 1000000000000; write",
            bucket={"abort_multipart_days": 1e12},
        ),
        case('tags has "R" = "R&D"; write keys'.replace("&", "\\u0026"), tags={"R": "R&D"}),
        case('tags has "aws:x" = "y"; write keys', tags={"aws:x": "y"}),
        case('tags has "A" = null; write keys', tags={"A": None}),
        case("tags has 2 keys (Env, env); write at most 50", tags={"Env": "a", "env": "b"}),
        case("alarm_emails holds null, which is not an e-mail address", alarm_emails=[None]),
        case('alarm_emails holds "ü@example.com"', alarm_emails=["ü@example.com"]),
        case(
            "delivery.filters[].prefix or .suffix is null",
            delivery={"filters": [{"prefix": None, "suffix": ""}]},
        ),
        case("delivery.filters[].prefix or .suffix is null; write", delivery={"filters": [None]}),
        case(
            "delivery.filters[].events holds null",
            delivery={"filters": [EVERYTHING | {"events": [None]}]},
        ),
        case(
            "delivery.filters has 101 filters; S3 takes 100 at most",
            delivery={"filters": [{"prefix": str(n), "suffix": "/"} for n in range(101)]},
        ),
        case('function.package is ".", and no such file', function={"package": "."}),
        case('README.md", which is no zip file', function={"package": str(ROOT / "README.md")}),
        case('function.handler is "a b"; write', function={"handler": "a b"}),
        case(
            "function.environment sets AWS_REGION and TTL_SECONDS, which",
            function={"environment": {"AWS_REGION": "x", "TTL_SECONDS": "1"}},
        ),
        case(
            "function.environment has 4010 bytes or a null",
            function={"environment": {"BIG": "x" * 4000}},
        ),
        case(
            'holds "arn:aws:lambda:us-east-1:123456789012:layer:x"; write ARNs of layer versions',
            function={"layers": [LAYER.removesuffix(":1")]},
        ),
        case(
            "function.vpc has 0 subnet_ids and 0 security_group_ids",
            function={"vpc": {"subnet_ids": [], "security_group_ids": []}},
        ),
        case('function.role_path is "/a!b/"', function={"role_path": "/a!b/"}),
        case(
            "function.policy_json is no IAM policy document;",
            function={"policy_json": '{"Statement":7}'},
        ),
        case("table.write_units is 100000000000000000000; write", table={"write_units": 1e20}),
        case(
            'topic.arn is "arn:aws:sns:eu-west-1:123456789012:x"; alarms reach',
            topic={"create": False, "arn": "arn:aws:sns:eu-west-1:123456789012:x"},
        ),
        case("topic.subscriptions has x with protocol null", topic={"subscriptions": {"x": None}}),
        case(
            "its protocol at x (sqs); write an",
            topic=subscription("sqs", "arn:aws:sqs:us-east-1:123456789012:a.fifo"),
        ),
        case(
            "an address by email that alarm_emails has too",
            alarm_emails=["a@example.com"],
            topic=subscription("email", "a@example.com"),
        ),
        case(
            "alarms.extra_actions has 5 ARNs",
            alarms={"extra_actions": [f"arn:aws:sns:us-east-1:123456789012:{n}" for n in range(5)]},
        ),
        case("alarms.extra_actions holds null", alarms={"extra_actions": [None]}),
        case(
            'alarms.throttles.name is "Same", and so is another',
            alarms={"errors": {"name": "Same"}, "throttles": {"name": "Same"}},
        ),
        case(
            'alarms.errors.name is "LambdaThrottlesAlert", and so is',
            alarms={"errors": {"name": "LambdaThrottlesAlert"}},
        ),
        case("alarms.health watches the other alarms, and each that", **HEALTH_ALONE),
        case("alarms.health.name has 256 characters; write at most 255", **HEALTH_ALONE),
        case(
            'alarms.health.name is "Same", and so is another',
            alarms={"errors": {"name": "Same"}, "health": {"enabled": True, "name": "Same"}},
        ),
        case('bucket.policy_json has the Sid "TlsOnly", "Twice", which', **OTHERS_WRONG),
        case('function.policy_json has the Sid "WriteLogs", "WriteRecords", which', **OTHERS_WRONG),
        case("bucket.eventbridge is false; write true, or leave it out", **OTHERS_WRONG),
        case(
            f'bucket.notifications has the arn "{PARTNER}.fifo", null; write that of an',
            **OTHERS_WRONG,
        ),
        case(
            'bucket.notifications has the arn "arn:aws:sns:eu-west-1:123456789012:far"; S3',
            bucket={"notifications": [{"arn": "arn:aws:sns:eu-west-1:123456789012:far"}]},
        ),
        case('bucket.notifications[].events holds "s3:ObjectMade", nothing', **OTHERS_WRONG),
        case("bucket.notifications has a prefix or suffix that is null, or has", **OTHERS_WRONG),
        case('bucket.lifecycle_rules has the id "expire-old-versions"', **OTHERS_WRONG),
        case("bucket.lifecycle_rules has a rule that does nothing", **OTHERS_WRONG),
        case("one of DEEP_ARCHIVE (0 days or more)", **OTHERS_WRONG),
        case("function.hook and function.package are both set", **HOOK_WRONG),
        case('function.hook.handler is "events.on_event"; write "module.function"', **HOOK_WRONG),
        case("function.hook.concurrency is 0; write a whole number", **HOOK_WRONG),
        case("function.layers names 5 layers, and function.hook is one more", **HOOK_WRONG),
        case("function.environment sets RECORD_HOOK, which", **HOOK_WRONG),
        case('backfill.bucket is "s3://Reports"; write the name of a bucket', **HOOK_WRONG),
        case('backfill.role_name is "a b"; write 1 to 64', **HOOK_WRONG),
        case("write the path of a zip file that has python/events.py in it", **HOOK_WRONG),
        case('README.md"; write the path of a zip file that has python/enrich.py', **HOOK_NO_ZIP),
        case('hook.handler is "on_event"; write "module.function"', **HOOK_BESIDE),
        case("function.environment has 6009 bytes or a null", **OTHERS_WRONG),
        case(
            "prefixes or suffixes of 1200 characters once they are encoded",
            delivery={"filters": [{"prefix": "ü" * 200, "suffix": ""}]},
        ),
        case("bucket.policy_json is no IAM policy document", **THEIRS_WRONG),
        case("function.policy_json is no IAM policy document", **THEIRS_WRONG),
        case("bucket.policy_json or bucket.lifecycle_rules is set", **THEIRS_WRONG),
        case("bucket.notifications or bucket.eventbridge is set", **THEIRS_WRONG),
        case("delivery.accounts has 41 ids, more than an event bus's policy", **SOURCES_WRONG),
        case('role and that of jobs would both be named "lambda-s3-ddb-role"', **TOGETHER_WRONG),
        case('delivery.buckets holds "Theirs", "two..dots"; write names of', **SOURCES_WRONG),
        case('delivery.accounts holds "12345"; write ids of AWS accounts', **SOURCES_WRONG),
        case('delivery.buckets or delivery.accounts holds "theirs" twice', **SOURCES_WRONG),
        case('delivery.accounts holds "123456789012", the pipeline\'s own', **ELSEWHERE),
        case("or deliver by notification and without delivery.buckets", **SOURCES_WRONG),
        case("function.package and function.package_s3 are both set", **HOOK_BESIDE),
        case("function.hook and function.package_s3 are both set", **HOOK_BESIDE),
        case('function.package_s3 is {"bucket":"code","key":"","version":null}', **HOOK_BESIDE),
        case('delivery.buckets holds "together", the pipeline\'s own', **TOGETHER_WRONG),
        case("bucket.policy_json is too long: S3 takes", **TOGETHER_WRONG),
        case("alarms.errors.name has 256 characters", **TOGETHER_WRONG),
        case('delivery.filters[0] (prefix "", suffix "", events', **TOGETHER_WRONG),
        case('and bucket.notifications[1] (prefix "in/", suffix "", ev', **TOGETHER_WRONG),
    ],
)
def test_it_is_refused_with(message: str, refusal: str) -> None:
    assert message in refusal


def overlap(first: dict[str, Any], second: dict[str, Any], name: str) -> ParameterSet:
    filters = [{"prefix": "", "suffix": ""} | first, {"prefix": "", "suffix": ""} | second]
    return pytest.param(filters, marks=pytest.mark.refused(delivery={"filters": filters}), id=name)


@pytest.mark.parametrize(
    "filters",
    [
        overlap({}, {}, "the same twice"),
        overlap({"prefix": "in/"}, {"prefix": "in/csv/"}, "a prefix begins another"),
        overlap({"suffix": ".gz"}, {"suffix": ".tar.gz"}, "a suffix ends another"),
        overlap({"prefix": "in/"}, {"suffix": ".csv"}, "a prefix and a suffix can meet"),
        overlap({}, {"prefix": "x", "events": ["s3:ObjectCreated:Put"]}, "a family holds an event"),
        overlap(
            {"events": ["s3:ObjectRemoved:*", "s3:ObjectCreated:Copy"]},
            {"events": ["s3:ObjectCreated:*"]},
            "one event of several is shared",
        ),
    ],
)
def test_overlapping_filters_are_refused_with_both_named(
    filters: list[dict[str, str]], refusal: str
) -> None:
    assert "S3 refuses notifications that could match one event" in refusal
    for number, found in enumerate(filters):
        named = f'filters[{number}] (prefix "{found["prefix"]}", suffix "{found["suffix"]}"'
        assert named in refusal


@pytest.mark.refused(
    table={"ttl_hours": 0, "write_units": 0},
    delivery={"filters": [], "max_retries": 9, "accounts": ["210987654321"]},
)
def test_every_mistake_is_reported_at_once(refusal: str) -> None:
    for start in (
        "table.ttl_hours",
        "table.write_units",
        "delivery.filters",
        "delivery.max_retries",
        "delivery.accounts is set and delivery.buckets is not",
    ):
        assert start in refusal
