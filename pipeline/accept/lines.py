"""Checks of what docs/reference/limits.md lists as checked in the plan and not run."""

import base64
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from pipeline.accept.trial import ALARM_SECONDS, RECORD_SECONDS, Trial
from pipeline.deployed import log, table
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.paths import ROOT
from pipeline.terraform import run as terraform

# What a batch without a window holds at most.
_SMALL_BATCH = 10
_BATCH_UPLOADS, _EMULATOR_UPLOADS = 100, 20
# DynamoDB asks KMS again after that.
_KEY_CACHE_SECONDS = 330
_S3_DELAY_SECONDS, _RULE_DELAY_SECONDS = 300, 60
# A filter's value may have so many characters once it is encoded.
_FILTER_CHARACTERS = 1024
_HOUR = 3600
# Those of allowed_values.tf, each with the fewest days after which S3 moves an object there.
_STORAGE_CLASSES = {
    "DEEP_ARCHIVE": 0,
    "GLACIER": 0,
    "GLACIER_IR": 0,
    "INTELLIGENT_TIERING": 0,
    "ONEZONE_IA": 30,
    "STANDARD_IA": 30,
}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html: 20 KB.
_POLICY_BYTES = 20 * 1024


def second_plan(trial: Trial) -> str:
    """The provider wants to change nothing of what it has just made."""
    box = trial.sandbox
    # Of the bucket alone: other checks break other parts meanwhile.
    target = f"-target=module.{trial.check.places[0]}.module.bucket"
    arguments = ("plan", "-detailed-exitcode", "-input=false", "-no-color", target)
    planned = terraform.run(
        box.folder("deliveries"), box.environment, *arguments, expected=(0, 2), timeout=1800
    )
    if planned.returncode:
        text = " ".join(planned.stdout[planned.stdout.find("\nTerraform ") :].split())
        raise FailingError(f"a second plan is not empty: {text:.300}")
    return "a plan of the bucket after the apply is empty"


def large_batches(trial: Trial) -> str:
    """Lambda hands more than ten messages of the buffer to one invoke."""
    session = trial.session
    since = time.time()
    uploads = _EMULATOR_UPLOADS if trial.sandbox.emulator else _BATCH_UPLOADS
    trial.load(session, uploads, parallel=16)

    def largest() -> int:
        found = log.events(
            session.client("logs"), session.target.log_group_name, since - 5, '"Invoke done"'
        )
        sizes = (log.document(each["message"]).get("received") or 0 for each in found)
        most = max(sizes, default=0)
        return most if most > _SMALL_BATCH else 0

    most = trial.until(largest, 120, f"an invoke with more than {_SMALL_BATCH} messages")
    return f"one invoke got {most} of {uploads} messages"


def key_cache(trial: Trial) -> str:
    """A record is written after DynamoDB has forgotten the table's key."""
    trial.sandbox.pause(_KEY_CACHE_SECONDS)
    trial.recorded(trial.session, [trial.upload(trial.session, "later")], RECORD_SECONDS)
    return f"an upload after {_KEY_CACHE_SECONDS} s without any has its record"


def filter_encoding(trial: Trial) -> str:
    """A filter with special characters takes the keys that it names."""
    session = trial.session
    odd = session.target.filters[1]["prefix"]
    key = f"{odd}{time.time_ns()}"
    session.client("s3").put_object(Bucket=session.target.bucket_name, Key=key, Body=b"x")
    trial.recorded(session, [key], RECORD_SECONDS, emulated=False)
    return f"{key!r} has its record, by the filter {odd!r}"


def filter_length(trial: Trial) -> str:
    """S3 takes a filter of 1,024 characters once it is encoded, and delivers by it."""
    letter = "ü"
    return _with_filter(trial, letter * (_FILTER_CHARACTERS // len(quote_plus(letter))))


def bucket_settings(trial: Trial) -> str:
    """S3 takes each storage class, and a policy that is nearly as long as it may be."""
    session, s3 = trial.session, trial.session.client("s3")
    bucket = session.target.bucket_name
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    more = [
        {
            "ID": f"accept-{storage_class}",
            "Status": "Enabled",
            "Filter": {"Prefix": f"accept/{storage_class}/"},
            "Transitions": [{"Days": days, "StorageClass": storage_class}],
        }
        for storage_class, days in _STORAGE_CLASSES.items()
    ]
    document = json.loads(policy)
    tag = {"aws:PrincipalTag/accept": ""}
    document["Statement"].append(
        {
            "Sid": "Fill",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteBucketPolicy",
            "Resource": f"arn:{session.partition}:s3:::{bucket}",
            "Condition": {"StringEquals": tag},
        }
    )
    left = _POLICY_BYTES - len(json.dumps(document, separators=(",", ":")).encode())
    tag["aws:PrincipalTag/accept"] = "x" * left
    try:
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [*rules, *more]}
        )
        text = json.dumps(document, separators=(",", ":"))
        s3.put_bucket_policy(Bucket=bucket, Policy=text)
    except s3.exceptions.ClientError as error:
        raise FailingError(f"S3 refuses what the plan takes: {error}") from error
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": rules}
        )
    return f"S3 took {', '.join(_STORAGE_CLASSES)}, and a policy of {len(text):,} bytes"


def package_version(trial: Trial) -> str:
    """Lambda takes an older version of an object as the function's package."""
    session, s3 = trial.session, trial.session.client("s3")
    place = {"Bucket": session.target.bucket_name, "Key": f"package-{time.time_ns()}.zip"}
    package = (ROOT / "lambda_src/dist/lambda.zip").read_bytes()
    version = s3.put_object(**place, Body=package).get("VersionId")
    s3.put_object(**place, Body=b"no package")
    functions, name = session.client("lambda"), session.target.function_name
    # Its own package, for an emulator that heeds no DryRun.
    found = functions.update_function_code(
        FunctionName=name,
        S3Bucket=place["Bucket"],
        S3Key=place["Key"],
        S3ObjectVersion=version,
        DryRun=True,
    )["CodeSha256"]
    if base64.b64decode(found) != hashlib.sha256(package).digest():
        raise FailingError(f"Lambda took another object than the version {version}")
    return f"Lambda took the version {version}, which is not the current one"


def _with_filter(trial: Trial, prefix: str) -> str:
    """Add a filter to the bucket's configuration, upload by it, and put the old one back."""
    session, s3 = trial.session, trial.session.client("s3")
    bucket = session.target.bucket_name
    before = _notifications(session)
    rule = {"Name": "prefix", "Value": quote_plus(prefix, safe="/")}
    more = {
        "Id": "accept",
        "LambdaFunctionArn": session.function_arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [rule]}},
    }
    ours = [*before.get("LambdaFunctionConfigurations", []), more]
    try:
        try:
            s3.put_bucket_notification_configuration(
                Bucket=bucket,
                NotificationConfiguration={**before, "LambdaFunctionConfigurations": ours},
            )
        except s3.exceptions.ClientError as error:
            raise FailingError(f"S3 refuses the filter: {error}") from error
        trial.sandbox.pause(_S3_DELAY_SECONDS)
        key = f"{prefix}{time.time_ns()}"
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        # The emulator does not decode filters.
        trial.recorded(session, [key], RECORD_SECONDS, emulated=prefix.isascii())
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=before)
    return f"S3 took {len(rule['Value']):,} characters; one upload, a record"


def dashboard_query(trial: Trial) -> str:
    """The dashboard's query finds the failures that the log holds."""
    session, logs = trial.session, trial.session.client("logs")
    name = session.target.text("dashboard_name")
    body = session.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    widgets = (each["properties"] for each in json.loads(body)["widgets"] if each["type"] == "log")
    query = next(widgets)["query"].partition("|")[2]
    asked = logs.start_query(
        logGroupName=session.target.log_group_name,
        startTime=int(time.time()) - _HOUR,
        endTime=int(time.time()),
        queryString=query,
    )["queryId"]

    def rows() -> Any:
        answer = logs.get_query_results(queryId=asked)
        if answer["status"] in ("Failed", "Cancelled", "Timeout"):
            raise FailingError(f"the dashboard's query ended as {answer['status']}")
        return answer["status"] == "Complete" and (answer["results"] or ["none"])

    found = trial.until(rows, 120, "the answer to the dashboard's query")
    if found == ["none"]:
        raise FailingError("the dashboard's query finds nothing, although events failed")
    return f"the query names {len(found)} failures"


def memory_limit(trial: Trial) -> str:
    """No invoke came close to the function's memory."""
    session = trial.session

    def reports() -> list[dict[str, Any]]:
        group, since = session.target.log_group_name, time.time() - _HOUR
        found = log.events(session.client("logs"), group, since, '"maxMemoryUsedMB"')
        documents = (log.document(each["message"]) for each in found)
        return [each["record"]["metrics"] for each in documents if "record" in each]

    metrics = trial.until(reports, 60, "a report of Lambda's in the function's log")
    most, size = max(each["maxMemoryUsedMB"] for each in metrics), metrics[0]["memorySizeMB"]
    if most >= size:
        raise FailingError(f"an invoke used {most} of {size} MB")
    return f"{len(metrics)} invokes used {most} of {size} MB at most"


def traces(trial: Trial) -> str:
    """X-Ray has traces of the function."""
    session = trial.session
    trial.recorded(session, [trial.upload(session, "traced")], RECORD_SECONDS)
    name = session.target.function_name

    def look() -> Any:
        now = datetime.now(UTC)
        return session.client("xray").get_trace_summaries(
            StartTime=now - timedelta(hours=1),
            EndTime=now,
            FilterExpression=f'service("{name}")',
        )["TraceSummaries"]

    return f"X-Ray has {len(trial.until(look, 300, f'a trace of {name}'))} traces of {name}"


def service_metrics(trial: Trial) -> str:
    """Lambda, SQS and EventBridge publish what the alarms watch."""
    direct, buffered, _ = (trial.sessions[place] for place in trial.check.places)
    buffer = str(buffered.target.buffer_queue_url).rpartition("/")[2]
    rule_name = f"{trial.sandbox.prefix}{trial.check.places[2]}-event-driven-uploads"
    wanted = [
        ("AWS/Lambda", "AsyncEventsReceived", "FunctionName", direct.target.function_name),
        ("AWS/SQS", "NumberOfMessagesSent", "QueueName", buffer),
        ("AWS/Events", "MatchedEvents", "RuleName", rule_name),
    ]
    cloudwatch = trial.session.client("cloudwatch")

    def missing() -> list[str]:
        now = datetime.now(UTC)
        return [
            f"{namespace} {metric}"
            for namespace, metric, dimension, name in wanted
            if not cloudwatch.get_metric_statistics(
                Namespace=namespace,
                MetricName=metric,
                Dimensions=[{"Name": dimension, "Value": name}],
                StartTime=now - timedelta(hours=3),
                EndTime=now,
                Period=300,
                Statistics=["Sum"],
            )["Datapoints"]
        ]

    trial.until(lambda: not missing(), ALARM_SECONDS, f"a datapoint of {' and '.join(missing())}")
    return f"datapoints of {', '.join(metric for _, metric, _, _ in wanted)}"


def partition(trial: Trial) -> str:
    """The account's partition is another than `aws`, and everything was applied there."""
    found = trial.sandbox.partition
    if found == "aws":
        raise NotCheckedError(
            "this account is in the partition aws: run it with --region of another one's account"
        )
    return f"everything was applied in {found}"


def change_delays(trial: Trial) -> str:
    """S3 applies a configuration within five minutes, EventBridge a rule within one."""
    by_notification, by_rule = (trial.sessions[place] for place in trial.check.places)
    s3, events = by_notification.client("s3"), by_rule.client("events")
    bucket = by_notification.target.bucket_name
    before = _notifications(by_notification)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        trial.sandbox.pause(_S3_DELAY_SECONDS)
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=before)
    notified = _first_record(trial, by_notification, _S3_DELAY_SECONDS, "S3")
    rule = f"{trial.sandbox.prefix}{trial.check.places[1]}-event-driven-uploads"
    events.disable_rule(Name=rule)
    try:
        trial.sandbox.pause(_RULE_DELAY_SECONDS)
    finally:
        events.enable_rule(Name=rule)
    ruled = _first_record(trial, by_rule, _RULE_DELAY_SECONDS, "EventBridge")
    return f"S3 took {notified:.0f} s, EventBridge {ruled:.0f} s to apply a change"


def _first_record(trial: Trial, session: Session, seconds: float, who: str) -> float:
    """How long after a change the first upload was made that has a record."""
    began, keys = time.monotonic(), dict[str, float]()
    rows = table.Table(session.client("dynamodb"), session.target.table_name)

    def look() -> str:
        key = trial.upload(session, "after")
        keys[key] = time.monotonic() - began
        items = (item for page in rows.scan(consistent=True) for item in page)
        recorded = {item["objectKey"]["S"] for item in items} & keys.keys()
        return min(recorded, key=lambda each: keys[each], default="")

    # The record itself takes time, too.
    first = trial.sandbox.until(look, seconds + RECORD_SECONDS, f"a record after {who}'s change")
    if keys[first] > seconds:
        raise FailingError(f"{who} took {keys[first]:.0f} s to apply a change, not {seconds:.0f} s")
    return keys[first]


def _notifications(session: Session) -> dict[str, Any]:
    answer = session.client("s3").get_bucket_notification_configuration(
        Bucket=session.target.bucket_name
    )
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
