"""Each permission that the emulator enforces is needed: the path works with it, and fails without.

What it does not enforce is compared on the plan with docs/reference/permissions.md, and named in
docs/reference/limits.md.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.conftest import Cloud
from tests.support.aws import s3_events
from tests.support.aws.clients import client, items
from tests.support.aws.permissions import table
from tests.support.poll import until
from tests.support.stacks.deliveries import Applied

_numbers = itertools.count()


def fresh(suffix: str = "") -> str:
    """A name that nothing else has."""
    return f"permissions/{next(_numbers)}{suffix}"


@dataclass(frozen=True)
class Site:
    """One applied pipeline, and the account that it is in."""

    cloud: Cloud
    outputs: Mapping[str, Any]

    def client(self, service: str) -> Any:
        """With root's rights."""
        return self.cloud.client(service)

    def client_as_role(self, service: str) -> Any:
        """With the rights of the function's role, as Lambda and the function's code have them."""
        session = self.client("sts").assume_role(
            RoleArn=self.outputs["role_arn"], RoleSessionName="permissions"
        )["Credentials"]
        return client(
            service,
            self.cloud.environment,
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )

    def upload(self) -> str:
        """Upload an object; its key."""
        key = fresh(".txt")
        self.client("s3").put_object(Bucket=self.outputs["bucket_name"], Key=key, Body=b"x")
        return key

    def recorded(self, key: str) -> bool:
        found = items(self.outputs["table_name"], self.cloud.environment)
        return any(item["objectKey"]["S"] == key for item in found)

    def failed(self) -> list[str]:
        """Take what came to the failure queue: the keys in each message."""
        sqs, queue = self.client("sqs"), self.outputs["failure_queue_url"]
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        events = [json.loads(message["Body"]) for message in messages]
        return [
            record["s3"]["object"]["key"]
            for event in events
            for record in event.get("requestPayload", event)["Records"]
        ]

    @contextlib.contextmanager
    def role_without(self, action: str) -> Iterator[None]:
        """The role as it is but for one action."""
        iam, role = self.client("iam"), self.outputs["role_name"]
        policy = iam.get_role_policy(RoleName=role, PolicyName="pipeline")["PolicyDocument"]
        less = json.loads(json.dumps(policy))
        for statement in less["Statement"]:
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            statement["Action"] = [allowed for allowed in actions if allowed != action]
        less["Statement"] = [s for s in less["Statement"] if s["Action"]]
        assert less != policy
        self._put_role_policy(less)
        try:
            yield
        finally:
            self._put_role_policy(policy)

    def _put_role_policy(self, policy: Mapping[str, Any]) -> None:
        self.client("iam").put_role_policy(
            RoleName=self.outputs["role_name"],
            PolicyName="pipeline",
            PolicyDocument=json.dumps(policy),
        )

    @contextlib.contextmanager
    def queue_with(self, url: str, **attributes: str) -> Iterator[dict[str, str]]:
        """A queue with other attributes; yields what it has else."""
        sqs = self.client("sqs")
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        try:
            yield before
        finally:
            sqs.set_queue_attributes(
                QueueUrl=url, Attributes={name: before.get(name, "") for name in attributes}
            )

    def clear(self) -> None:
        """Remove what tests of this module uploaded, stored and left in the failure queue."""
        dynamodb, name = self.client("dynamodb"), self.outputs["table_name"]
        for item in dynamodb.scan(TableName=name)["Items"]:
            if item["objectKey"]["S"].startswith("permissions/"):
                dynamodb.delete_item(TableName=name, Key={"objectId": item["objectId"]})
        self.client("sqs").purge_queue(QueueUrl=self.outputs["failure_queue_url"])


def _site(deliveries: tuple[Cloud, Applied], name: str) -> Iterator[Site]:
    cloud, applied = deliveries
    site = Site(cloud, applied.outputs[name])
    yield site
    site.clear()


@pytest.fixture(scope="module")
def direct(deliveries: tuple[Cloud, Applied]) -> Iterator[Site]:
    """Notifications invoke the function."""
    yield from _site(deliveries, "ndns")


@pytest.fixture(scope="module")
def buffered(deliveries: tuple[Cloud, Applied]) -> Iterator[Site]:
    """Notifications go to the buffer."""
    yield from _site(deliveries, "nbns")


@pytest.fixture(scope="module")
def keyed(deliveries: tuple[Cloud, Applied]) -> Iterator[Site]:
    """The same, with a customer-managed key."""
    yield from _site(deliveries, "nbnk")


def refused(call: Callable[[], Any]) -> bool:
    """Whether a call is refused because a permission is missing; other errors don't count."""
    try:
        call()
    except ClientError as error:
        code: str = error.response["Error"]["Code"]
        # SNS has another code.
        return code.startswith("AccessDenied") or code == "AuthorizationError"
    return False


def _put_item(role: Site, of: Site) -> None:
    role.client_as_role("dynamodb").put_item(
        TableName=of.outputs["table_name"], Item=_item(fresh())
    )


def _batch_write_item(role: Site, of: Site) -> None:
    puts = [{"PutRequest": {"Item": _item(fresh())}} for _ in range(2)]
    role.client_as_role("dynamodb").batch_write_item(RequestItems={of.outputs["table_name"]: puts})


def _item(key: str) -> dict[str, Any]:
    return {"objectId": {"S": key}, "objectKey": {"S": key}}


def _send_message(role: Site, of: Site) -> None:
    role.client_as_role("sqs").send_message(
        QueueUrl=of.outputs["failure_queue_url"], MessageBody='{"Records": []}'
    )


def _receive_message(role: Site, of: Site) -> None:
    role.client_as_role("sqs").receive_message(QueueUrl=of.outputs["buffer_queue_url"])


def _delete_message(role: Site, of: Site) -> None:
    role.client_as_role("sqs").delete_message(
        QueueUrl=of.outputs["buffer_queue_url"], ReceiptHandle="none"
    )


def _get_queue_attributes(role: Site, of: Site) -> None:
    role.client_as_role("sqs").get_queue_attributes(QueueUrl=of.outputs["buffer_queue_url"])


CALLS: dict[str, Callable[[Site, Site], None]] = {
    "dynamodb:PutItem": _put_item,
    "dynamodb:BatchWriteItem": _batch_write_item,
    "sqs:SendMessage": _send_message,
    "sqs:ReceiveMessage": _receive_message,
    "sqs:DeleteMessage": _delete_message,
    "sqs:GetQueueAttributes": _get_queue_attributes,
}


def test_there_is_a_call_for_each_line_of_the_role_that_can_be_run() -> None:
    lines = {
        row["action"].strip("`") for row in table("role") if row["when"] in ("always", "buffer")
    }
    # The emulator takes a log group's own ARN for that of its streams, which AWS ends in :*.
    assert set(CALLS) == {action for action in lines if not action.startswith("logs:")}


@pytest.mark.parametrize("action", CALLS)
def test_the_role_may_make_the_call_because_of_this_one_permission(
    buffered: Site, action: str
) -> None:
    assert not refused(lambda: CALLS[action](buffered, buffered))
    with buffered.role_without(action):
        assert refused(lambda: CALLS[action](buffered, buffered))
    assert not refused(lambda: CALLS[action](buffered, buffered))


@pytest.mark.parametrize("action", CALLS)
def test_the_role_may_not_make_the_same_call_on_another_pipeline(
    buffered: Site, keyed: Site, action: str
) -> None:
    assert refused(lambda: CALLS[action](buffered, keyed))


OTHER_CALLS: dict[str, Callable[[Site], Any]] = {
    "read an object": lambda site: site.client_as_role("s3").get_object(
        Bucket=site.outputs["bucket_name"], Key="x"
    ),
    "write an object": lambda site: site.client_as_role("s3").put_object(
        Bucket=site.outputs["bucket_name"], Key="x", Body=b""
    ),
    "list the bucket": lambda site: site.client_as_role("s3").list_objects_v2(
        Bucket=site.outputs["bucket_name"]
    ),
    "read a record": lambda site: site.client_as_role("dynamodb").get_item(
        TableName=site.outputs["table_name"], Key={"objectId": {"S": "x"}}
    ),
    "read all records": lambda site: site.client_as_role("dynamodb").scan(
        TableName=site.outputs["table_name"]
    ),
    "change a record": lambda site: site.client_as_role("dynamodb").update_item(
        TableName=site.outputs["table_name"], Key={"objectId": {"S": "x"}}
    ),
    "delete a record": lambda site: site.client_as_role("dynamodb").delete_item(
        TableName=site.outputs["table_name"], Key={"objectId": {"S": "x"}}
    ),
    "delete the table": lambda site: site.client_as_role("dynamodb").delete_table(
        TableName=site.outputs["table_name"]
    ),
    "make a log group": lambda site: site.client_as_role("logs").create_log_group(
        logGroupName=fresh()
    ),
    "read the log": lambda site: site.client_as_role("logs").filter_log_events(
        logGroupName=site.outputs["log_group_name"]
    ),
    "read the failure queue": lambda site: site.client_as_role("sqs").receive_message(
        QueueUrl=site.outputs["failure_queue_url"]
    ),
    "empty the failure queue": lambda site: site.client_as_role("sqs").purge_queue(
        QueueUrl=site.outputs["failure_queue_url"]
    ),
    "send to the buffer": lambda site: site.client_as_role("sqs").send_message(
        QueueUrl=site.outputs["buffer_queue_url"], MessageBody="x"
    ),
    "publish an alarm": lambda site: site.client_as_role("sns").publish(
        TopicArn=site.outputs["topic_arn"], Message="x"
    ),
    "invoke the function": lambda site: site.client_as_role("lambda").invoke(
        FunctionName=site.outputs["function_name"]
    ),
    "widen itself": lambda site: site.client_as_role("iam").put_role_policy(
        RoleName=site.outputs["role_name"], PolicyName="more", PolicyDocument="{}"
    ),
}


@pytest.mark.parametrize("what", OTHER_CALLS)
def test_the_role_may_not(buffered: Site, what: str) -> None:
    assert refused(lambda: OTHER_CALLS[what](buffered))


@pytest.mark.parametrize("operation", ["decrypt", "generate_data_key"])
def test_the_role_may_not_use_the_key_by_itself(keyed: Site, operation: str) -> None:
    queue = keyed.outputs["buffer_queue_url"]
    attributes = keyed.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["KmsMasterKeyId"]
    )["Attributes"]
    key = attributes["KmsMasterKeyId"]
    sealed = keyed.client("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms = keyed.client_as_role("kms")
    calls: dict[str, Callable[[], Any]] = {
        "decrypt": lambda: kms.decrypt(CiphertextBlob=sealed, KeyId=key),
        "generate_data_key": lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
    }
    assert refused(calls[operation])


def test_without_the_right_to_write_a_record_an_event_ends_in_the_failure_queue(
    direct: Site,
) -> None:
    with direct.role_without("dynamodb:PutItem"):
        key = direct.upload()
        assert until(direct.failed) == [key]
    assert not direct.recorded(key)
    again = direct.upload()
    until(lambda: direct.recorded(again))


def test_without_the_right_to_write_records_together_an_event_of_two_ends_in_the_failure_queue(
    direct: Site,
) -> None:
    def invoke() -> list[str]:
        keys = [fresh(), fresh()]
        direct.client("lambda").invoke(
            FunctionName=direct.outputs["function_name"],
            InvocationType="Event",
            Payload=json.dumps(s3_events.notification(*map(s3_events.record, keys))),
        )
        return keys

    with direct.role_without("dynamodb:BatchWriteItem"):
        keys = invoke()
        assert until(direct.failed) == keys
    assert not any(direct.recorded(key) for key in keys)
    for key in invoke():
        until(lambda key=key: direct.recorded(key))  # type: ignore[misc]


def test_without_the_right_to_write_a_buffered_event_ends_in_the_failure_queue(
    buffered: Site,
) -> None:
    # At once again, instead of after six times the function's timeout.
    url = buffered.outputs["buffer_queue_url"]
    with (
        buffered.queue_with(url, VisibilityTimeout="0"),
        buffered.role_without("dynamodb:PutItem"),
    ):
        key = buffered.upload()
        assert until(buffered.failed) == [key]
    assert not buffered.recorded(key)
    again = buffered.upload()
    until(lambda: buffered.recorded(again))


def _without_bucket(policy: dict[str, Any]) -> None:
    policy["Statement"] = [s for s in policy["Statement"] if s["Sid"] != "BucketSends"]


def _of_another_bucket(policy: dict[str, Any]) -> None:
    _bucket_sends(policy)["Condition"]["ArnEquals"] = {"aws:SourceArn": "arn:aws:s3:::another"}


def _of_another_account(policy: dict[str, Any]) -> None:
    _bucket_sends(policy)["Condition"]["StringEquals"] = {"aws:SourceAccount": "111122223333"}


def _bucket_sends(policy: dict[str, Any]) -> Any:
    (found,) = [s for s in policy["Statement"] if s["Sid"] == "BucketSends"]
    return found


@pytest.mark.parametrize("change", [_without_bucket, _of_another_bucket, _of_another_account])
def test_the_buffer_takes_notifications_of_this_bucket_in_this_account_only(
    buffered: Site, direct: Site, change: Callable[[dict[str, Any]], None]
) -> None:
    url = buffered.outputs["buffer_queue_url"]
    with changed_policy(buffered, url, change):
        refused_key = buffered.upload()
        # What S3 sent later elsewhere has been handled: this has been refused, and is not late.
        later = direct.upload()
        until(lambda: direct.recorded(later))
    key = buffered.upload()
    until(lambda: buffered.recorded(key))
    assert not buffered.recorded(refused_key)


@contextlib.contextmanager
def changed_policy(
    site: Site, url: str, change: Callable[[dict[str, Any]], None]
) -> Iterator[None]:
    """A queue with another policy."""
    attributes = site.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    policy = json.loads(attributes["Attributes"]["Policy"])
    change(policy)
    with site.queue_with(url, Policy=json.dumps(policy)):
        yield


@pytest.fixture(scope="module")
def somebody(buffered: Site) -> Iterator[dict[str, str]]:
    """Credentials of a user who may do anything with buckets, queues and topics."""
    iam, name = buffered.client("iam"), "permissions-somebody"
    allow = {"Effect": "Allow", "Action": ["s3:*", "sqs:*", "sns:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="all")
    iam.delete_user(UserName=name)


def _in_plain(by_tls: Any) -> Any:
    """The client as without TLS: the emulator believes a proxy's header."""

    def tell(request: Any, **_: Any) -> None:
        request.headers["X-Forwarded-Proto"] = "http"

    by_tls.meta.events.register("before-sign", tell)
    return by_tls


PLAIN_CALLS: dict[str, Callable[[Any, Site], Any]] = {
    "s3 get_object": lambda s3, site: s3.get_object(Bucket=site.outputs["bucket_name"], Key="none"),
    "s3 list_objects_v2": lambda s3, site: s3.list_objects_v2(Bucket=site.outputs["bucket_name"]),
    "sqs failure queue": lambda sqs, site: sqs.receive_message(
        QueueUrl=site.outputs["failure_queue_url"]
    ),
    "sqs buffer": lambda sqs, site: sqs.get_queue_attributes(
        QueueUrl=site.outputs["buffer_queue_url"]
    ),
    "sns topic": lambda sns, site: sns.publish(TopicArn=site.outputs["topic_arn"], Message="x"),
}


@pytest.mark.parametrize("what", PLAIN_CALLS)
def test_a_user_with_every_right_is_refused_without_tls(
    buffered: Site, somebody: dict[str, str], what: str
) -> None:
    service, call = what.split()[0], PLAIN_CALLS[what]
    by_tls = client(service, buffered.cloud.environment, **somebody)
    assert not refused(lambda: call(by_tls, buffered))
    assert refused(lambda: call(_in_plain(by_tls), buffered))


def test_the_buckets_policy_is_what_refuses_requests_without_tls(
    buffered: Site, somebody: dict[str, str]
) -> None:
    s3, bucket = buffered.client("s3"), buffered.outputs["bucket_name"]
    plain = _in_plain(client("s3", buffered.cloud.environment, **somebody))
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    try:
        assert not refused(lambda: plain.list_objects_v2(Bucket=bucket))
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert refused(lambda: plain.list_objects_v2(Bucket=bucket))


def test_a_subscribed_queue_gets_alarms_because_its_policy_allows_the_topic(cloud: Cloud) -> None:
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.get_queue_url(QueueName="acme-on-call")["QueueUrl"]
    topic = cloud.stacks["complete"].outputs["topic_arn"]
    site = Site(cloud, {})

    def come() -> list[str]:
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        # Alarms of other tests stay.
        ours = [message for message in found if message["Body"].startswith("permissions/")]
        for message in ours:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in ours]

    with changed_policy(site, url, _of_another_topic):
        sns.publish(TopicArn=topic, Message=fresh())
    message = fresh()
    sns.publish(TopicArn=topic, Message=message)
    assert until(come) == [message]


def _of_another_topic(policy: dict[str, Any]) -> None:
    (statement,) = policy["Statement"]
    statement["Condition"]["ArnEquals"] = {"aws:SourceArn": "arn:aws:sns:us-east-1:1:another"}
