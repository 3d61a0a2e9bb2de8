"""`pipeline verify` on every delivery, and on a lab where one stage after another fails."""

import contextlib
import functools
import hashlib
import io
import json
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.deployed import failure_queue
from pipeline.deployed.session import NotCheckedError, Session
from pipeline.deployed.target import Target
from pipeline.emulator.process import ACCOUNT_ID, REGION
from pipeline.verify import access_log, alarm, alerting, probe, stages
from pipeline.verify.before_destroy import before_destroy
from pipeline.verify.run import verify
from pipeline.verify.stages import Step
from tests.support.aws import s3_events
from tests.support.poll import until
from tests.support.stacks import kept
from tests.support.stacks.kept import Kept
from tests.support.stacks.stack import empty_bucket
from tools.package import PACKAGE

Look = Callable[..., dict[str, Step]]
Notify = Callable[[dict[str, Any] | None], None]

PATH = ("upload", "record", "log line")


@pytest.fixture
def look(embedded: Kept, monkeypatch: pytest.MonkeyPatch) -> Look:
    """The stages of the embedded lab by name, with other outputs or AWS variables if given."""

    def look(**changed: Any) -> dict[str, Step]:
        variables = {name: changed.pop(name) for name in list(changed) if name.startswith("AWS_")}
        for name, value in (embedded.environment | variables).items():
            monkeypatch.setenv(name, value)
        # It keeps the credentials that it found first.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        found = Target({**embedded.outputs, **changed}, "The lab", region=REGION)
        return {step.name: step for step in verify(Session(found, ACCOUNT_ID), seconds=10)}

    return look


def failing(steps: dict[str, Step]) -> set[str]:
    return {name for name, step in steps.items() if step.verdict == "failing"}


def test_a_working_lab_passes_and_keeps_nothing_of_the_probe(embedded: Kept) -> None:
    before = objects(embedded), records(embedded)
    status, out, err = embedded.lab("verify", "--wait-alarm", "--json")
    assert status == 0, err
    document = json.loads(out)
    assert document["holds"]
    assert document["seconds"] < 10
    assert [step["name"] for step in document["steps"] if step["verdict"] == "ok"] == [
        "notification",
        "permission",
        "function",
        "role",
        "table",
        "alarms",
        "topic",
        "subscriptions",
        "failure queue",
        "upload",
        "record",
        "log line",
        "clean-up",
        "alarm message",
        "deliveries",
    ]
    # The emulator counts none.
    assert "delivered - and failed to deliver -" in document["steps"][-1]["message"]
    assert "pipeline-verify-" not in document["steps"][-1]["message"]
    assert "The pipeline works" in err
    assert (objects(embedded), records(embedded)) == before
    queues = embedded.client("sqs").list_queues(QueueNamePrefix="pipeline-verify-")
    assert not queues.get("QueueUrls")


def test_without_an_alarm_on_writes_the_one_on_throttled_writes_is_tested(
    embedded: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a table on demand."""
    for name, value in embedded.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    names = [name for name in embedded.outputs["alarm_names"] if "WriteActivity" not in name]
    found = Target({**embedded.outputs, "alarm_names": names}, "The lab", region=REGION)
    said = alarm.test(Session(found, ACCOUNT_ID), 10, lambda _: None)
    assert said.startswith("DynamoDBWriteThrottleAlert was driven beyond its threshold")


def test_each_subscription_is_named_but_no_secret_and_what_sns_counted_of_the_topic(
    embedded: Kept, monkeypatch: pytest.MonkeyPatch, undo: contextlib.ExitStack
) -> None:
    for name, value in embedded.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    sns, topic = embedded.client("sns"), embedded.outputs["topic_arn"]
    for protocol, endpoint in {
        "https": "https://localhost:1/integration/secret/enqueue",
        "email": "deputy@example.com",
        "sqs": f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:on-call",
    }.items():
        arn = sns.subscribe(
            TopicArn=topic, Protocol=protocol, Endpoint=endpoint, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        undo.callback(sns.unsubscribe, SubscriptionArn=arn)
    dimensions = [{"Name": "TopicName", "Value": topic.rpartition(":")[2]}]
    embedded.client("cloudwatch").put_metric_data(
        Namespace="AWS/SNS",
        MetricData=[
            {"MetricName": f"NumberOfNotifications{how}", "Dimensions": dimensions, "Value": value}
            for how, value in (("Delivered", 4), ("Delivered", 8), ("Failed", 3))
        ],
    )
    session = Session(Target(embedded.outputs, "The lab", region=REGION), ACCOUNT_ID)
    said = alerting.deliveries(session)
    assert "https localhost/…" in said
    assert "email deputy@example.com" in said
    assert "sqs on-call" in said
    assert "delivered 12 and failed to deliver 3;" in said
    assert "secret" not in said + alerting.subscriptions(session)


@pytest.fixture
def undo() -> Iterator[contextlib.ExitStack]:
    """What a test breaks is fixed in the end."""
    with contextlib.ExitStack() as stack:
        yield stack


def test_a_lost_permission_is_named_and_no_probe_is_sent(
    embedded: Kept, look: Look, undo: contextlib.ExitStack
) -> None:
    functions, name = embedded.client("lambda"), embedded.outputs["function_name"]
    (statement,) = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    undo.callback(
        functions.add_permission,
        FunctionName=name,
        StatementId=statement["Sid"],
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=embedded.outputs["bucket_arn"],
        SourceAccount=ACCOUNT_ID,
    )
    steps = look()
    assert failing(steps) == {"permission"}
    assert "does not let s3.amazonaws.com in" in steps["permission"].message
    assert "terraform apply" in steps["permission"].message
    assert {steps[name].verdict for name in PATH} == {"skipped"}


@pytest.fixture
def notify(embedded: Kept, undo: contextlib.ExitStack) -> Notify:
    """Has the bucket notify the function with other settings, or not at all."""
    s3, bucket = embedded.client("s3"), embedded.outputs["bucket_name"]
    put = functools.partial(s3.put_bucket_notification_configuration, Bucket=bucket)
    before = s3.get_bucket_notification_configuration(Bucket=bucket)
    before.pop("ResponseMetadata")
    undo.callback(put, NotificationConfiguration=before)
    (ours,) = before["LambdaFunctionConfigurations"]

    def notify(changed: dict[str, Any] | None) -> None:
        new = {} if changed is None else {"LambdaFunctionConfigurations": [ours | changed]}
        put(NotificationConfiguration=new)

    return notify


def rules(**values: str) -> dict[str, Any]:
    return {"Key": {"FilterRules": [{"Name": name, "Value": values[name]} for name in values]}}


def test_a_replaced_notification_is_named(look: Look, notify: Notify) -> None:
    notify(None)
    assert failing(look()) == {"notification"}

    notify({"Filter": rules(prefix="other/")})
    steps = look()
    assert failing(steps) == {"notification"}
    assert "s3:ObjectCreated:* of every key" in steps["notification"].message


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended"])
@pytest.mark.parametrize(
    "event",
    ["ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete"],
)
def test_the_probe_does_what_the_filters_take(
    embedded: Kept,
    look: Look,
    notify: Notify,
    undo: contextlib.ExitStack,
    event: str,
    versioning: str,
) -> None:
    s3, bucket = embedded.client("s3"), embedded.outputs["bucket_name"]
    version = functools.partial(s3.put_bucket_versioning, Bucket=bucket)
    undo.callback(version, VersioningConfiguration={"Status": "Enabled"})
    version(VersioningConfiguration={"Status": versioning})
    notify({"Events": [f"s3:{event}"], "Filter": rules(suffix=".csv")})
    left = objects(embedded)
    filter_ = {"prefix": "", "suffix": ".csv", "events": [f"s3:{event}"]}
    steps = look(delivery={"via": "notification", "filters": [filter_], "buffered": False})
    assert not failing(steps)
    assert {steps[name].verdict for name in (*PATH, "clean-up")} == {"ok"}
    assert event in steps["upload"].message
    assert objects(embedded) == left


def test_a_prefix_that_s3_has_encoded_is_the_filters_own(look: Look, notify: Notify) -> None:
    notify({"Filter": rules(Prefix="a+b/%C3%BC")})
    filter_ = {"prefix": "a b/ü", "suffix": "", "events": ["s3:ObjectCreated:*"]}
    delivery = {"via": "notification", "filters": [filter_], "buffered": False}
    # Another failing stage keeps the probe from being sent.
    steps = look(delivery=delivery, table_name="gone")
    assert steps["notification"].verdict == "ok"
    filter_["prefix"] = "a b/u"
    assert look(delivery=delivery, table_name="gone")["notification"].verdict == "failing"


def deny(lab: Kept, undo: contextlib.ExitStack) -> None:
    """Take the role's rights away."""
    iam, role = lab.client("iam"), lab.outputs["role_name"]
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        undo.callback(
            iam.put_role_policy,
            RoleName=role,
            PolicyName=name,
            PolicyDocument=policy if isinstance(policy, str) else json.dumps(policy),
        )
        iam.delete_role_policy(RoleName=role, PolicyName=name)


def test_a_role_that_may_not_write_is_named_also_where_iam_does_not_tell(
    embedded: Kept, look: Look, undo: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny(embedded, undo)
    steps = look()
    assert failing(steps) == {"role"}
    assert "may not dynamodb:PutItem" in steps["role"].message

    monkeypatch.setitem(stages.PATH, "role", not_checked)
    steps = look()
    assert failing(steps) == {"record"}
    assert "AccessDenied" in steps["record"].message
    # Its event is taken off the failure queue again.
    assert failure_queue.depth(embedded.client("sqs"), embedded.outputs["failure_queue_url"]) == (
        0,
        0,
    )


def test_of_the_failure_queue_only_the_probes_own_event_goes(
    embedded: Kept, look: Look, undo: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs, url = embedded.client("sqs"), embedded.outputs["failure_queue_url"]
    bucket = embedded.outputs["bucket_name"]
    undo.callback(sqs.purge_queue, QueueUrl=url)
    keys = [
        # A real failed upload whose key has what a probe's key has.
        "backup/pipeline-verify-0123456789ab/important.pdf",
        "pipeline-verify-0123456789ab",
        # Another operator's probe, on its way at this moment: a probe in everything.
        "pipeline-verify-ba9876543210",
    ]
    etag = hashlib.md5(probe.BODY, usedforsecurity=False).hexdigest()
    like: dict[str, Any] = {"eTag": etag, "size": len(probe.BODY), "versionId": "theirs"}
    for key, thing in zip(keys, ({}, {}, like), strict=True):
        failed = s3_events.record(key, **thing)
        failed["s3"]["bucket"]["name"] = bucket
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [failed]}))
    deny(embedded, undo)
    monkeypatch.setitem(stages.PATH, "role", not_checked)
    steps = look()
    # Sent, failed and taken off again.
    assert steps["upload"].verdict == "ok"
    assert steps["clean-up"].message == "the probe's object and failed event are deleted"
    assert steps["failure queue"].verdict == "failing"
    assert failure_queue.depth(sqs, url) == (len(keys), 0)
    messages = failure_queue.receive(sqs, url, 10, 1, 1)
    found = [message for message in messages if isinstance(message, failure_queue.FailedEvent)]
    assert sorted(key for message in found for _, key, _ in message.objects) == sorted(keys)


def not_checked(session: Session) -> str:
    raise NotCheckedError("no right to ask IAM")


@pytest.mark.parametrize(
    ("stage", "break_it", "fix", "sentence"),
    [
        (
            "function",
            lambda lab: lab.client("lambda").put_function_concurrency(
                FunctionName=lab.outputs["function_name"], ReservedConcurrentExecutions=0
            ),
            lambda lab: lab.client("lambda").delete_function_concurrency(
                FunctionName=lab.outputs["function_name"]
            ),
            "the pipeline is paused",
        ),
        (
            "function",
            lambda lab: lab.client("lambda").delete_function_event_invoke_config(
                FunctionName=lab.outputs["function_name"]
            ),
            lambda lab: lab.client("lambda").put_function_event_invoke_config(
                FunctionName=lab.outputs["function_name"],
                MaximumRetryAttempts=2,
                MaximumEventAgeInSeconds=21600,
                DestinationConfig={"OnFailure": {"Destination": lab.outputs["failure_queue_arn"]}},
            ),
            "on-failure destination is not",
        ),
        (
            "function",
            lambda lab: set_variable(lab, "TTL_SECONDS", "a day"),
            lambda lab: set_variable(lab, "TTL_SECONDS", "86400"),
            "can't tell when a record expires",
        ),
        (
            "table",
            lambda lab: set_ttl(lab, False),
            lambda lab: set_ttl(lab, True),
            "never expire",
        ),
        (
            "alarms",
            lambda lab: lab.client("cloudwatch").disable_alarm_actions(
                AlarmNames=["FailureQueueAlert"]
            ),
            lambda lab: lab.client("cloudwatch").enable_alarm_actions(
                AlarmNames=["FailureQueueAlert"]
            ),
            "The alarm FailureQueueAlert notifies nobody",
        ),
        (
            "alarms",
            lambda lab: set_action(lab, []),
            lambda lab: set_action(lab, [lab.outputs["topic_arn"]]),
            "The alarm DynamoDBWriteThrottleAlert does not notify the topic",
        ),
        (
            "failure queue",
            lambda lab: lab.client("sqs").send_message(
                QueueUrl=lab.outputs["failure_queue_url"],
                MessageBody=json.dumps({"Records": [s3_events.record("lost/one.txt")]}),
            ),
            lambda lab: lab.client("sqs").purge_queue(QueueUrl=lab.outputs["failure_queue_url"]),
            "1 event that could not be recorded",
        ),
    ],
    ids=["paused", "failures-lost", "retention", "ttl", "alarm-off", "alarm-mute", "failure-queue"],
)
def test_a_failing_stage_is_named(
    embedded: Kept,
    look: Look,
    undo: contextlib.ExitStack,
    stage: str,
    break_it: Callable[[Kept], object],
    fix: Callable[[Kept], object],
    sentence: str,
) -> None:
    undo.callback(fix, embedded)
    break_it(embedded)
    steps = look()
    assert failing(steps) == {stage}
    assert sentence in steps[stage].message
    path_is_ok = stage in ("alarms", "failure queue")
    assert {steps[name].verdict for name in PATH} == ({"ok"} if path_is_ok else {"skipped"})


def set_variable(lab: Kept, name: str, value: str) -> None:
    functions, function = lab.client("lambda"), lab.outputs["function_name"]
    answer = functions.get_function_configuration(FunctionName=function)
    variables = answer["Environment"]["Variables"] | {name: value}
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables}
    )
    # Until then verify says so, and rightly.
    functions.get_waiter("function_updated_v2").wait(
        FunctionName=function, WaiterConfig={"Delay": 1}
    )


def set_ttl(lab: Kept, enabled: bool) -> None:
    lab.client("dynamodb").update_time_to_live(
        TableName=lab.outputs["table_name"],
        TimeToLiveSpecification={"Enabled": enabled, "AttributeName": "ttl"},
    )


def set_action(lab: Kept, actions: list[str]) -> None:
    cloudwatch, name = lab.client("cloudwatch"), "DynamoDBWriteThrottleAlert"
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    taken = {
        "AlarmName", "AlarmDescription", "ActionsEnabled", "MetricName", "Namespace", "Statistic",
        "Dimensions", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator",
        "TreatMissingData",
    }  # fmt: skip
    given = {key: value for key, value in alarm.items() if key in taken}
    cloudwatch.put_metric_alarm(**given, AlarmActions=actions)


def test_a_log_bucket_that_gets_no_log_is_named(
    embedded: Kept, undo: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in embedded.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    s3, bucket, logs = embedded.client("s3"), embedded.outputs["bucket_name"], "logs-of-the-lab"
    found = Target({**embedded.outputs, "access_log_bucket": logs}, "The lab", region=REGION)

    def seen() -> str:
        step = stages.examine(Session(found, ACCOUNT_ID), "access log", access_log.access_log)
        return f"{step.verdict}: {step.message}"

    assert "does not log its requests to logs-of-the-lab" in seen()
    s3.create_bucket(Bucket=logs)
    undo.callback(s3.delete_bucket, Bucket=logs)
    target = {"TargetBucket": logs, "TargetPrefix": ""}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": target})
    undo.callback(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus={})
    assert "failing: The bucket logs-of-the-lab gets no access log, since its policy" in seen()
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{logs}/*",
        "Condition": {"ArnLike": {"aws:SourceArn": embedded.outputs["bucket_arn"]}},
    }
    s3.put_bucket_policy(
        Bucket=logs, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert seen() == "ok: logs-of-the-lab takes the access log"
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=logs, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert "failing" in seen()
    assert "encrypted with aws:kms" in seen()


def test_what_is_gone_is_named(look: Look) -> None:
    steps = look(
        table_name="gone", topic_arn=f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:gone", alarm_names=["Gone"]
    )
    # The function and its role know the table that there is.
    gone = {"table", "alarms", "topic", "subscriptions"}
    assert failing(steps) == gone | {"function", "role"}
    assert steps["table"].message.startswith("The table gone does not exist")
    assert "There is no alarm Gone" in steps["alarms"].message
    assert (
        f"The topic arn:aws:sns:{REGION}:{ACCOUNT_ID}:gone does not exist" in steps["topic"].message
    )


def test_one_call_that_is_denied_leaves_the_rest_known(
    embedded: Kept, look: Look, undo: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = embedded.client("iam")
    iam.create_user(UserName="operator")
    undo.callback(iam.delete_user, UserName="operator")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "cloudwatch:DescribeAlarms", "Resource": "*"},
    ]
    iam.put_user_policy(
        UserName="operator",
        PolicyName="most",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
    undo.callback(iam.delete_user_policy, UserName="operator", PolicyName="most")
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    undo.callback(iam.delete_access_key, UserName="operator", AccessKeyId=key["AccessKeyId"])
    secret = key["SecretAccessKey"]
    steps = look(AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=secret)
    unknown = {name for name, step in steps.items() if step.verdict == "unknown"}
    assert (unknown, failing(steps)) == ({"alarms"}, set())
    assert "the right to DescribeAlarms" in steps["alarms"].message
    assert {steps[name].verdict for name in PATH} == {"ok"}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}, "The AWS credentials are refused"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "No AWS credentials"),
        ({"AWS_REGION": "eu-west-1"}, "lives in us-east-1, but the AWS configuration says eu-w"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "The AWS account can't be reached"),
    ],
    ids=["refused", "none", "region", "unreachable"],
)
def test_without_a_way_in_one_sentence_says_what_to_do(
    embedded: Kept, tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"pipeline": {"value": dict(embedded.outputs)}}))
    process = kept.start("verify", "--outputs", str(outputs), **embedded.environment | variables)
    out, err = process.communicate(timeout=900)
    assert (process.returncode, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.fixture
def holder(embedded: Kept, undo: contextlib.ExitStack) -> dict[str, str]:
    """The names of an empty bucket, table and queues of their own, as a stack's outputs."""
    s3, dynamodb, sqs = (embedded.client(name) for name in ("s3", "dynamodb", "sqs"))
    name = "before-destroy"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    undo.callback(s3.delete_bucket, Bucket=name)
    undo.callback(empty_bucket, s3, name)
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "objectId", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "objectId", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    undo.callback(dynamodb.delete_table, TableName=name)
    outputs = {"bucket_name": name, "table_name": name}
    for queue in "failure", "buffer":
        url = sqs.create_queue(QueueName=f"{name}-{queue}")["QueueUrl"]
        undo.callback(sqs.delete_queue, QueueUrl=url)
        outputs[f"{queue}_queue_url"] = url
    return outputs


def test_before_a_destroy_it_says_what_would_stop_it_or_be_lost(
    embedded: Kept, holder: dict[str, str]
) -> None:
    s3, dynamodb, sqs = (embedded.client(name) for name in ("s3", "dynamodb", "sqs"))
    name = holder["bucket_name"]
    given = [word for key, value in holder.items() for word in ("--set", f"{key}={value}")]

    def look() -> tuple[int, dict[str, str], str]:
        run = kept.start("verify", "--before-destroy", "--json", *given, **embedded.environment)
        out, err = run.communicate(timeout=60)
        steps = json.loads(out)["steps"]
        return run.returncode, {step["name"]: step["message"] for step in steps}, err

    status, said, err = look()
    assert status == 0, err
    assert "A destroy goes through and loses nothing: 4 stages are OK" in err
    for body in b"1", b"2":
        s3.put_object(Bucket=name, Key="a", Body=body)
    s3.put_object(Bucket=name, Key="b", Body=b"1")
    s3.delete_object(Bucket=name, Key="b")
    dynamodb.put_item(TableName=name, Item={"objectId": {"S": "1"}})
    for queue in "failure", "buffer":
        sqs.send_message(QueueUrl=holder[f"{queue}_queue_url"], MessageBody="{}")
    status, said, err = look()
    assert status == 1
    assert "Failing: bucket, table, failure queue, buffer" in err
    held = "holds 1 object, 2 older versions and 1 delete marker: a destroy stops"
    assert held in said["bucket"]
    assert "holds records, and a destroy deletes them" in said["table"]
    assert "record them with `pipeline replay`" in said["failure queue"]
    assert "wait until the function has read them" in said["buffer"]
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)
    protected = look()[1]["table"]
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    assert "Apply table = { deletion_protection = false } first" in protected


def test_before_a_destroy_what_is_gone_already_is_no_fault(
    embedded: Kept, holder: dict[str, str]
) -> None:
    gone = {name: value.replace("before-destroy", "gone-already") for name, value in holder.items()}
    target = Target(gone, "The lab", region=REGION)
    session = Session(
        target, ACCOUNT_ID, {name: embedded.client(name) for name in ("s3", "dynamodb", "sqs")}
    )
    steps = list(before_destroy(session, lambda _: None))
    assert [(step.verdict, step.message) for step in steps] == [("ok", "is gone already")] * 4


@pytest.fixture
def idle(embedded: Kept) -> Iterator[None]:
    """The function stores nothing."""
    functions, name = embedded.client("lambda"), embedded.outputs["function_name"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("lambda_function.py", "def lambda_handler(event, context):\n    return {}\n")
    functions.update_function_code(FunctionName=name, ZipFile=package.getvalue())
    yield
    functions.update_function_code(FunctionName=name, ZipFile=PACKAGE.read_bytes())


def test_a_function_that_stores_nothing_fails_the_record(embedded: Kept, idle: None) -> None:
    before = objects(embedded)
    status, _, err = embedded.lab("verify", "--timeout", "2", "--json")
    assert status == 1
    assert "Failing: record" in err
    assert "within 2 s, although each stage looks OK" in err
    assert objects(embedded) == before


def test_interrupted_while_it_waits_it_leaves_no_probe(embedded: Kept, idle: None) -> None:
    before = objects(embedded)
    process = embedded.start("verify")
    until(lambda: objects(embedded) != before)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=900)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert objects(embedded) == before


def objects(lab: Kept) -> list[str]:
    listed = lab.client("s3").list_object_versions(Bucket=lab.outputs["bucket_name"])
    return [
        version["VersionId"]
        for version in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    ]


def records(lab: Kept) -> int:
    counted = lab.client("dynamodb").scan(
        TableName=lab.outputs["table_name"], Select="COUNT", ConsistentRead=True
    )
    return int(counted["Count"])
