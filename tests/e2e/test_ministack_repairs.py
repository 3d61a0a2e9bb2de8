"""Each repair of ministack works, and is still needed.

A probe runs against a repaired emulator, where it has to give what AWS would, and against an
untouched emulator, where it must not: once it does, ministack is right and the repair goes.
"""

import base64
import io
import json
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.httpsession import URLLib3Session

from pipeline.emulator.process import ACCOUNT_ID, Emulator, emulator
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment
from tests.support.poll import until

ALARM: dict[str, Any] = {
    "AlarmName": "Watch <it>",
    "AlarmDescription": "Fish & chips",
    "Namespace": "AWS/DynamoDB",
    "MetricName": "ConsumedWriteCapacityUnits",
    "Dimensions": [{"Name": "TableName", "Value": "ours"}],
    "Statistic": "Sum",
    "Period": 300,
    "EvaluationPeriods": 2,
    "Threshold": 1200.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
    "AlarmActions": ["arn:aws:sns:us-east-1:000000000000:alerts"],
    "OKActions": ["arn:aws:sns:us-east-1:000000000000:alerts"],
    "ActionsEnabled": True,
}

OLD = {"Key": "Old", "Value": ""}
# S3 takes each of them; XML can't hold some, and spells others another way.
ODD_KEYS = [
    "a b",
    "a+b",
    "100%",
    "%41",
    "ü/ä",
    "<&>\"'",
    "a\0b",
    "\x1b[31m\r\n\t",
    "a/../b",
    "?versions",
    " ",
    "\u2028\ufffe\uffff\ud7ff",
    "𝄞",
]


@pytest.fixture(scope="module")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("repaired")) as running:
        yield running


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("untouched"), repaired=False) as running:
        yield running


def client(service: str, running: Emulator, total_max_attempts: int = 1, **settings: Any) -> Any:
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=running.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": total_max_attempts}, **settings),
    )


def raw(service: str, running: Emulator, method: str, path: str, body: str = "") -> str:
    """A signed request as it stands, since SDKs hide what is not as it should be."""
    request = AWSRequest(method=method, url=running.endpoint + path, data=body)
    if body:
        request.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    SigV4Auth(Credentials("test", "test"), service, "us-east-1").add_auth(request)
    with_session: Any = URLLib3Session(proxies={})
    answer = with_session.send(request.prepare())
    return str(answer.content.decode())


def check(probe: Callable[[Emulator], bool], repaired: Emulator, untouched: Emulator) -> None:
    assert probe(repaired), "the repair does not repair"
    assert not probe(untouched), "ministack answers right: remove this repair"


def test_a_buckets_tags_are_told_under_the_accounts_own_host_name(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        s3 = client("s3", running)
        s3.create_bucket(Bucket="tagged")
        asked = {"AccountId": ACCOUNT_ID, "ResourceArn": "arn:aws:s3:::tagged"}
        # A name that does not resolve, so that boto3 would not get there without the proxy.
        proxies = {"http": running.environment["HTTP_PROXY"]}
        control = client("s3control", running, proxies=proxies)
        try:
            control.tag_resource(**asked, Tags=[{"Key": "Team", "Value": "müller"}, OLD])
            control.untag_resource(**asked, TagKeys=[OLD["Key"]])
            tags = control.list_tags_for_resource(**asked)["Tags"]
        except ClientError:
            return False
        assert s3.get_bucket_tagging(Bucket="tagged")["TagSet"] == tags
        return bool(tags == [{"Key": "Team", "Value": "müller"}])

    check(probe, repaired, untouched)


def test_terraform_gets_to_the_accounts_own_host_name(repaired: Emulator, tmp_path: Path) -> None:
    # Of S3 Control whatever the provider's version is; newer ones read a bucket's tags there, too.
    bucket = {"bucket": "with-access-point", "tags": {"Team": "ours"}}
    point = {"bucket": "${aws_s3_bucket.this.id}", "name": "point"}
    root = terraform.write_root(
        tmp_path / "root",
        {
            "resource": {
                "aws_s3_bucket": {"this": bucket},
                "aws_s3_access_point": {"this": point},
            },
        },
    )
    environment = terraform_environment(tmp_path) | repaired.environment
    terraform.init(root, environment)
    terraform.apply(root, environment)
    points = client("s3control", repaired, proxies={"http": repaired.endpoint})
    assert points.get_access_point(AccountId=ACCOUNT_ID, Name="point")["Bucket"] == bucket["bucket"]


def test_a_request_for_another_host_is_refused_and_not_forwarded(repaired: Emulator) -> None:
    opener = build_opener(ProxyHandler({"http": repaired.endpoint}))
    with pytest.raises(HTTPError, match="502") as raised:
        opener.open("http://example.com/bucket")
    assert "example.com can't be reached" in raised.value.read().decode()


def test_what_is_sent_again_since_the_answer_got_lost_is_not_done_twice(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        with_function(running, "again")
        functions = client("lambda", running, total_max_attempts=3)
        lost: list[Any] = []

        def lose(request: Any, **_rest: Any) -> None:
            if not lost:
                session: Any = URLLib3Session(proxies={})
                lost.append(session.send(request))
                raise ConnectionClosedError(endpoint_url=running.endpoint)

        functions.meta.events.register("before-send.lambda.AddPermission", lose)
        statement = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
        try:
            functions.add_permission(FunctionName="again", StatementId="one", **statement)
        except functions.exceptions.ResourceConflictException:
            return False
        # Asked anew, it is another request.
        with pytest.raises(functions.exceptions.ResourceConflictException):
            functions.add_permission(FunctionName="again", StatementId="one", **statement)
        return [each.status_code for each in lost] == [201]

    check(probe, repaired, untouched)


def test_the_query_answer_to_describe_alarms_is_complete(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        client("cloudwatch", running).put_metric_alarm(**ALARM)
        query = {"Action": "DescribeAlarms", "Version": "2010-08-01"}
        names = {"AlarmNames.member.1": ALARM["AlarmName"]}
        answer = raw("monitoring", running, "POST", "/", urlencode(query | names))
        expected = (
            "<AlarmName>Watch &lt;it&gt;</AlarmName>",
            "<AlarmDescription>Fish &amp; chips</AlarmDescription>",
            "<Dimensions><member><Name>TableName</Name><Value>ours</Value></member></Dimensions>",
            "<Statistic>Sum</Statistic>",
            "<Period>300</Period>",
            "<EvaluationPeriods>2</EvaluationPeriods>",
            "<TreatMissingData>notBreaching</TreatMissingData>",
            "<ActionsEnabled>true</ActionsEnabled>",
            f"<AlarmActions><member>{ALARM['AlarmActions'][0]}</member></AlarmActions>",
            f"<OKActions><member>{ALARM['OKActions'][0]}</member></OKActions>",
            "<StateUpdatedTimestamp>20",
        )
        return all(part in answer for part in expected)

    check(probe, repaired, untouched)


def test_the_query_answer_names_only_the_alarms_asked_for(repaired: Emulator) -> None:
    client("cloudwatch", repaired).put_metric_alarm(**ALARM)
    client("cloudwatch", repaired).put_metric_alarm(**ALARM | {"AlarmName": "other"})
    asked = {"Action": "DescribeAlarms", "AlarmNames.member.1": "other"}
    answer = raw("monitoring", repaired, "POST", "/", urlencode(asked))
    assert "<AlarmName>other</AlarmName>" in answer
    assert "Watch" not in answer


def test_versions_are_listed_url_encoded_where_that_was_asked_for(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        s3 = client("s3", running)
        s3.create_bucket(Bucket="versions")
        s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="versions", Key="ü/a+b 100%.txt")
        plain = raw("s3", running, "GET", "/versions?versions=")
        assert "<Key>ü/a+b 100%.txt</Key>" in plain
        encoded = raw("s3", running, "GET", "/versions?encoding-type=url&versions=")
        return (
            "<Key>%C3%BC/a%2Bb%20100%25.txt</Key>" in encoded
            and "<EncodingType>url</EncodingType>" in encoded
        )

    check(probe, repaired, untouched)


@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "unversioned"])
def test_boto3_reads_every_key_of_a_listing_back(repaired: Emulator, versioned: bool) -> None:
    s3 = client("s3", repaired)
    bucket = f"keys-{versioned}".lower()
    s3.create_bucket(Bucket=bucket)
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=key)
    for operation, field in {
        "list_objects": "Contents",
        "list_objects_v2": "Contents",
        "list_object_versions": "Versions",
    }.items():
        pages = s3.get_paginator(operation).paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 2}
        )
        listed = [thing["Key"] for page in pages for thing in page[field]]
        assert listed == sorted(ODD_KEYS), operation
    if versioned:
        for key in ODD_KEYS:
            s3.delete_object(Bucket=bucket, Key=key)
        listed = [
            marker["Key"] for marker in s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]
        ]
        assert listed == sorted(ODD_KEYS)


def test_the_next_page_of_an_unversioned_bucket_does_not_begin_with_the_last_key(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        s3 = client("s3", running)
        s3.create_bucket(Bucket="paged")
        for key in ("a", "b"):
            s3.put_object(Bucket="paged", Key=key)
        first = s3.list_object_versions(Bucket="paged", MaxKeys=1)
        markers = {name: first[f"Next{name}"] for name in ("KeyMarker", "VersionIdMarker")}
        second = s3.list_object_versions(Bucket="paged", MaxKeys=1, **markers)
        return [version["Key"] for version in second["Versions"]] == ["b"]

    check(probe, repaired, untouched)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_what_is_asked_about_a_key_can_be_read_whatever_the_key(
    repaired: Emulator, key: str
) -> None:
    s3 = client("s3", repaired)
    s3.create_bucket(Bucket="answers")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="answers", Key=key)
    upload = {"Bucket": "answers", "Key": key}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"a")["ETag"]}
    assert [each["ETag"] for each in s3.list_parts(**upload)["Parts"]] == [part["ETag"]]
    s3.list_multipart_uploads(Bucket="answers")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    assert s3.head_object(Bucket="answers", Key=key)["ContentLength"] == 1


def test_a_key_that_no_xml_holds_leaves_an_answer_readable(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        s3 = client("s3", running)
        s3.create_bucket(Bucket="unreadable")
        try:
            return bool(s3.create_multipart_upload(Bucket="unreadable", Key="a\0b")["UploadId"])
        except ClientError:
            return False

    check(probe, repaired, untouched)


def test_a_setting_of_a_bucket_is_not_answered_with_its_objects(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        s3 = client("s3", running)
        s3.create_bucket(Bucket="settings")
        s3.put_object(Bucket="settings", Key="a\0b")
        s3.put_object(Bucket="settings", Key="object")
        try:
            # Of the rest ministack knows nothing.
            s3.get_bucket_policy_status(Bucket="settings")
            s3.list_bucket_inventory_configurations(Bucket="settings")
            s3.get_bucket_abac(Bucket="settings")
            return bool(s3.get_bucket_request_payment(Bucket="settings")["Payer"] == "BucketOwner")
        except (ClientError, KeyError):
            return False

    check(probe, repaired, untouched)


@pytest.mark.soak
def test_terraform_plans_and_destroys_a_bucket_with_keys_that_no_xml_holds(
    repaired: Emulator, tmp_path: Path
) -> None:
    versioning = {"bucket": "${aws_s3_bucket.this.id}"}
    root = terraform.write_root(
        tmp_path / "root",
        {
            "resource": {
                "aws_s3_bucket": {"this": {"bucket": "odd-keys", "force_destroy": True}},
                "aws_s3_bucket_versioning": {
                    "this": versioning | {"versioning_configuration": {"status": "Enabled"}}
                },
            },
        },
    )
    environment = terraform_environment(tmp_path) | repaired.environment
    terraform.init(root, environment)
    terraform.apply(root, environment)
    s3 = client("s3", repaired)
    for key in ODD_KEYS:
        s3.put_object(Bucket="odd-keys", Key=key)
    assert not terraform.changes(terraform.plan(root, environment))
    terraform.destroy(root, environment)
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket="odd-keys")


def test_an_alarm_ignores_the_same_metric_of_another_table(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        cloudwatch = client("cloudwatch", running)
        cloudwatch.put_metric_alarm(**ALARM | {"AlarmName": "dimensions"})
        put_units(cloudwatch, "theirs", 5000)
        others = state(cloudwatch, "dimensions")
        put_units(cloudwatch, "ours", 5000)
        assert state(cloudwatch, "dimensions") == "ALARM"
        return others != "ALARM"

    check(probe, repaired, untouched)


def test_missing_data_counts_as_the_alarm_says(repaired: Emulator, untouched: Emulator) -> None:
    def probe(running: Emulator) -> bool:
        cloudwatch = client("cloudwatch", running)
        quiet = ALARM | {"MetricName": "Nothing"}
        cloudwatch.put_metric_alarm(**quiet | {"AlarmName": "fine"})
        cloudwatch.put_metric_alarm(
            **quiet | {"AlarmName": "silent", "TreatMissingData": "breaching"}
        )
        cloudwatch.put_metric_alarm(
            **quiet | {"AlarmName": "unknown", "TreatMissingData": "missing"}
        )
        assert state(cloudwatch, "unknown") == "INSUFFICIENT_DATA"
        return (state(cloudwatch, "fine"), state(cloudwatch, "silent")) == ("OK", "ALARM")

    check(probe, repaired, untouched)


def test_an_alarm_returns_to_ok_and_says_so_once_its_metric_falls_silent(
    repaired: Emulator,
) -> None:
    cloudwatch, sns, sqs = (client(s, repaired) for s in ("cloudwatch", "sns", "sqs"))
    topic = sns.create_topic(Name="recovering")["TopicArn"]
    queue = sqs.create_queue(QueueName="recovering")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn["Attributes"]["QueueArn"],
    }
    policy = json.dumps({"Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    short = {
        "AlarmName": "recovering",
        "Dimensions": [{"Name": "TableName", "Value": "recovering"}],
        "Period": 10,
        "EvaluationPeriods": 1,
        "AlarmActions": [topic],
        "OKActions": [topic],
    }
    cloudwatch.put_metric_alarm(**ALARM | short)
    put_units(cloudwatch, "recovering", 5000, seconds_ago=8)
    deadline = time.monotonic() + 15
    while state(cloudwatch, "recovering") == "ALARM" and time.monotonic() < deadline:
        put_units(cloudwatch, "theirs", 1)
    received: list[str] = []
    while len(received) < 3 and time.monotonic() < deadline + 5:
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        received += [message["Body"] for message in messages.get("Messages", [])]
    assert [json.loads(body)["NewStateValue"] for body in received] == ["OK", "ALARM", "OK"]


def test_requests_count_as_made_over_tls_unless_they_say_otherwise(
    repaired: Emulator, untouched: Emulator
) -> None:
    policy = (
        '{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*",'
        ' "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}'
    )

    def probe(running: Emulator) -> bool:
        sqs = client("sqs", running)
        queue = sqs.create_queue(QueueName="tls", Attributes={"Policy": policy})["QueueUrl"]
        try:
            sqs.send_message(QueueUrl=queue, MessageBody="hello")
        except ClientError:
            return False
        sqs.meta.events.register(
            "before-sign.sqs",
            lambda request, **_: request.headers.add_header("X-Forwarded-Proto", "http"),
        )
        with pytest.raises(ClientError, match="AccessDenied"):
            sqs.send_message(QueueUrl=queue, MessageBody="hello")
        return True

    check(probe, repaired, untouched)


def put_units(cloudwatch: Any, table: str, value: float, seconds_ago: float = 0) -> None:
    datum = {
        "MetricName": ALARM["MetricName"],
        "Dimensions": [{"Name": "TableName", "Value": table}],
        "Value": value,
        "Timestamp": time.time() - seconds_ago,
    }
    cloudwatch.put_metric_data(Namespace=ALARM["Namespace"], MetricData=[datum])


def state(cloudwatch: Any, name: str) -> str:
    alarms = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarms[0]["StateValue"])


def test_an_alarm_on_an_expression_keeps_it(repaired: Emulator, untouched: Emulator) -> None:
    metric = {"Namespace": "AWS/Events", "MetricName": "FailedInvocations", "Dimensions": []}
    metrics = [
        {"Id": "total", "Expression": "FILL(m0, 0)", "Label": "a + b", "ReturnData": True},
        {
            "Id": "m0",
            "ReturnData": False,
            "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"},
        },
    ]
    own = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period")
    alarm = {name: value for name, value in ALARM.items() if name not in own}

    def probe(running: Emulator) -> bool:
        cloudwatch = client("cloudwatch", running)
        cloudwatch.put_metric_alarm(**alarm | {"AlarmName": "sum", "Metrics": metrics})
        (found,) = cloudwatch.describe_alarms(AlarmNames=["sum"])["MetricAlarms"]
        return found.get("Metrics") == metrics and not any(found.get(name) for name in own)

    check(probe, repaired, untouched)


def received(sqs: Any, queue: str, seconds: int) -> Any:
    """The body of the next message within `seconds`, or None."""
    answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=seconds)
    return next((json.loads(message["Body"]) for message in answer.get("Messages", [])), None)


def make_queue(running: Emulator, name: str) -> tuple[str, str]:
    """URL and ARN of a new queue."""
    url = client("sqs", running).create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:000000000000:{name}"


def test_an_event_by_rule_names_the_version(repaired: Emulator, untouched: Emulator) -> None:
    def probe(running: Emulator) -> bool:
        s3, events = client("s3", running), client("events", running)
        s3.create_bucket(Bucket="versioned")
        s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_notification_configuration(
            Bucket="versioned", NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        url, arn = make_queue(running, "by-rule")
        events.put_rule(Name="all", EventPattern='{"source": ["aws.s3"]}')
        events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
        put = s3.put_object(Bucket="versioned", Key="x", Body=b"x")
        event = received(client("sqs", running), url, seconds=10)
        return bool(event["detail"]["object"].get("version-id") == put["VersionId"])

    check(probe, repaired, untouched)


def test_what_a_function_fails_on_by_rule_reaches_its_destination(
    repaired: Emulator, untouched: Emulator
) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("fails.py", "def handler(event, context):\n    raise ValueError('no')\n")
    role = "arn:aws:iam::000000000000:role/fails"

    def probe(running: Emulator) -> bool:
        functions, events = client("lambda", running), client("events", running)
        trust = {"Version": "2012-10-17", "Statement": []}
        client("iam", running).create_role(
            RoleName="fails", AssumeRolePolicyDocument=json.dumps(trust)
        )
        made = functions.create_function(
            FunctionName="fails",
            Runtime="python3.12",
            Role=role,
            Handler="fails.handler",
            Code={"ZipFile": package.getvalue()},
        )
        url, arn = make_queue(running, "destination")
        functions.put_function_event_invoke_config(
            FunctionName="fails",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": arn}},
        )
        events.put_rule(Name="fails", EventPattern='{"source": ["test"]}')
        events.put_targets(Rule="fails", Targets=[{"Id": "f", "Arn": made["FunctionArn"]}])
        events.put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": '{"a": 1}'}])
        found = received(client("sqs", running), url, seconds=5)
        return found is not None and found["requestPayload"]["detail"] == {"a": 1}

    check(probe, repaired, untouched)


# Notes its start by the version's number and its end, which comes when it may, by a dot.
_HELD = """
import os
import time


def note(event, text):
    with open(event["notes"], "a") as notes:
        notes.write(text)


def handler(event, context):
    note(event, "VERSION")
    while not os.path.exists(event["go"]):
        time.sleep(0.01)
    note(event, ".")
"""


# Its lines all fit into the pipe: it answers before the first is read.
_LONG_LOG = """
import fcntl
import os


def handler(event, context):
    fcntl.fcntl(2, fcntl.F_SETPIPE_SZ, 2**20)
    os.write(2, b"x\\n" * 300_000 + b"the last\\n")
"""


def packed(code: str) -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("held.py", code)
    return package.getvalue()


def code_of(version: str) -> bytes:
    return packed(_HELD.replace("VERSION", version))


def with_function(running: Emulator, name: str, code: bytes | None = None) -> Any:
    """A client for Lambda, after it made the function."""
    functions = client("lambda", running)
    client("iam", running).create_role(
        RoleName=name, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
    )
    functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=f"arn:aws:iam::000000000000:role/{name}",
        Handler="held.handler",
        Code={"ZipFile": code or code_of("1")},
        Timeout=60,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return functions


def test_an_invoke_survives_an_update_of_its_function(
    repaired: Emulator, untouched: Emulator, tmp_path: Path
) -> None:
    def probe(running: Emulator) -> bool:
        functions = with_function(running, "held")
        notes, go = tmp_path / f"notes-{running.port}", tmp_path / f"go-{running.port}"
        notes.touch()
        event = json.dumps({"notes": str(notes), "go": str(go)})
        functions.invoke(FunctionName="held", InvocationType="Event", Payload=event)
        until(notes.read_text)
        functions.update_function_code(FunctionName="held", ZipFile=code_of("2"))
        functions.get_waiter("function_updated_v2").wait(FunctionName="held")
        go.touch()
        until(lambda: "." in notes.read_text())
        functions.invoke(FunctionName="held", Payload=event)
        # Killed, the first starts twice, and its process answers the next call, too: 11.1.
        return notes.read_text() == "1.2."

    check(probe, repaired, untouched)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, where pipes can be made larger")
def test_a_log_ends_with_what_the_function_wrote_last(
    repaired: Emulator, untouched: Emulator
) -> None:
    def probe(running: Emulator) -> bool:
        functions = with_function(running, "long-log", packed(_LONG_LOG))
        said = functions.invoke(FunctionName="long-log", Payload="{}", LogType="Tail")
        return "the last" in base64.b64decode(said["LogResult"]).decode()

    check(probe, repaired, untouched)


def test_a_functions_log_events_each_have_an_id(repaired: Emulator, untouched: Emulator) -> None:
    def probe(running: Emulator) -> bool:
        functions, logs = with_function(running, "logs"), client("logs", running)
        # That the function fails changes nothing.
        functions.invoke(FunctionName="logs", Payload="{}")
        group = {"logGroupName": "/aws/lambda/logs"}
        events = until(lambda: logs.filter_log_events(**group)["events"])
        return len({event.get("eventId") for event in events}) == len(events) > 1

    check(probe, repaired, untouched)


def test_an_invoke_that_outlives_its_function_makes_no_log_group(
    repaired: Emulator, untouched: Emulator, tmp_path: Path
) -> None:
    def probe(running: Emulator) -> bool:
        functions = with_function(running, "outlived")
        notes, go = tmp_path / f"notes-{running.port}", tmp_path / f"go-{running.port}"
        notes.touch()
        event = json.dumps({"notes": str(notes), "go": str(go)})
        with ThreadPoolExecutor() as pool:
            invoke = pool.submit(functions.invoke, FunctionName="outlived", Payload=event)
            until(notes.read_text)
            functions.delete_function(FunctionName="outlived")
            go.touch()
            # Answered after the log is written.
            invoke.exception()
        groups = client("logs", running).describe_log_groups()["logGroups"]
        return "/aws/lambda/outlived" not in [group["logGroupName"] for group in groups]

    check(probe, repaired, untouched)
