"""Adopt a lab that was built by hand into Terraform while uploads go on, as the guide says."""

import contextlib
import functools
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.accept import console_lab
from pipeline.accept.console_lab import ConsoleLab
from pipeline.accept.uploads import uploading
from pipeline.emulator.process import ACCOUNT_ID
from pipeline.errors import PipelineError
from pipeline.terraform import run as terraform
from tests.support.aws.clients import client, items
from tests.support.poll import until
from tools.module import copy_module

LAB = ConsoleLab()
# All that may differ: the Lambda console made its role, its table is on demand, one address has not
# confirmed, and more was added by hand.
OTHER = ConsoleLab("other-", role_path="/service-role/", units=None)
EMAIL = "ops@example.com"
PENDING = "pending@example.com"
# What an autoscaled table looks like: at a capacity that scaling chose.
SCALED, SCALED_UNITS = "other-scaled", 8
# A statement that names no account, as the CLI's guides have it.
OPEN_SID = "s3invoke"
_PAUSE_SECONDS = 0.2
# What is uploaded when the apply is over, so that the new handler is seen at work too.
_AFTERWARDS = 20

Changes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Adopted:
    """What became of the lab.

    `planned` is the plan's `change` by address, `second_plan` the actions that are left after the
    apply. `items` are the table's before and after, `etags` the objects' from before, `failed` the
    keys whose events wait in the failure queue. `other` and `careless` are plans of the other lab,
    with its variables right and wrong; `mistaken` is what Terraform says of a bucket that is not
    there.
    """

    account: dict[str, str]
    root: Path
    environment: Mapping[str, str]
    subscription: str
    etags: Mapping[str, str]
    items_before: list[dict[str, Any]]
    items_after: list[dict[str, Any]]
    uploaded: list[str]
    failed: frozenset[str]
    planned: Changes
    second_plan: Mapping[str, list[str]]
    other_subscription: str
    other: Changes
    careless: Changes
    mistaken: str

    def client(self, service: str) -> Any:
        return client(service, self.account)


def run(folder: Path, environment: Mapping[str, str], account: dict[str, str]) -> Adopted:
    """Build both labs by hand, adopt the first, and plan to adopt the other."""
    s3 = client("s3", account)
    subscription, other_subscription = _build(account)
    etags = {}
    for key in ("before/1.txt", "before/2.txt", "before/3.txt"):
        etags[key] = s3.put_object(Bucket=LAB.bucket, Key=key, Body=key.encode())["ETag"]
    until(lambda: len(records(LAB, account)) == len(etags))
    before = records(LAB, account)

    values = _values(LAB, {EMAIL: subscription}, permission_sid=LAB.permission_sid(ACCOUNT_ID))
    root = _root(folder / "adopted", values, environment)
    planned = _changes(terraform.plan(root, environment))

    def upload(number: int) -> str:
        key = f"while/{number:05}.txt"
        s3.put_object(Bucket=LAB.bucket, Key=key, Body=b"x")
        return key

    with uploading(upload, _PAUSE_SECONDS) as uploads, ThreadPoolExecutor(1) as pool:
        # The apply mostly waits.
        others = pool.submit(_plan_others, folder, environment, other_subscription)
        terraform.apply(root, environment)
        second_plan = terraform.changes(terraform.plan(root, environment))
        uploads.wait_for(_AFTERWARDS)
        other, careless, mistaken = others.result()

    # The tests show what never comes.
    with contextlib.suppress(AssertionError):
        until(lambda: len(records(LAB, account)) >= len(before) + len(uploads.keys))
    return Adopted(
        account,
        root,
        environment,
        subscription,
        etags,
        before,
        records(LAB, account),
        uploads.keys,
        _failed(account),
        planned,
        second_plan,
        other_subscription,
        other,
        careless,
        mistaken,
    )


def records(lab: ConsoleLab, account: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every record of a lab."""
    return items(lab.names["table"], account)


def _failed(account: Mapping[str, str]) -> frozenset[str]:
    sqs = client("sqs", account)
    url = sqs.get_queue_url(QueueName="event-driven-failures")["QueueUrl"]
    keys = set()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            event = json.loads(message["Body"])["requestPayload"]
            keys |= {record["s3"]["object"]["key"] for record in event["Records"]}
    return frozenset(keys)


def _build(account: Mapping[str, str]) -> tuple[str, str]:
    clients = functools.partial(client, environment=account)
    subscription, other = (
        _subscribe(console_lab.make(lab, clients, ACCOUNT_ID), account) for lab in (LAB, OTHER)
    )
    console_lab.make_table(SCALED, SCALED_UNITS, clients)
    client("lambda", account).add_permission(
        FunctionName=OTHER.names["function"],
        StatementId=OPEN_SID,
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{OTHER.bucket}",
    )
    client("lambda", account).put_function_event_invoke_config(
        FunctionName=OTHER.names["function"], MaximumRetryAttempts=0
    )
    # Lambda makes the group when the function first logs.
    client("s3", account).put_object(Bucket=OTHER.bucket, Key="before/1.txt", Body=b"x")
    until(lambda: records(OTHER, account))
    _add_by_hand(account)
    return subscription, other


def _subscribe(topic: str, account: Mapping[str, str]) -> str:
    sns = client("sns", account)
    # The emulator takes an address for confirmed.
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=EMAIL)
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return str(subscription["SubscriptionArn"])


def _add_by_hand(account: Mapping[str, str]) -> None:
    s3 = client("s3", account)
    reader = {
        "Sid": "Reader",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{OTHER.bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reader]})
    s3.put_bucket_policy(Bucket=OTHER.bucket, Policy=policy)
    rule = {"ID": "a year", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 365}}
    s3.put_bucket_lifecycle_configuration(
        Bucket=OTHER.bucket, LifecycleConfiguration={"Rules": [rule]}
    )


def _plan_others(
    folder: Path, environment: Mapping[str, str], subscription: str
) -> tuple[Changes, Changes, str]:
    right = _values(
        OTHER,
        {EMAIL: subscription, PENDING: None},
        role_path="/service-role/",
        also_there={"bucket_policy": True, "lifecycle": True, "invoke_config": True},
    )
    root = _root(folder / "other", right, environment)
    other = _changes(terraform.plan(root, environment))
    wrong = _values(OTHER, {}, permission_sid=OPEN_SID)
    wrong["names"] = OTHER.names | {"table": SCALED}
    _write(root, wrong)
    careless = _changes(terraform.plan(root, environment))
    _write(root, right | {"bucket_name": "event-driven-lab-nobody"})
    try:
        terraform.plan(root, environment)
    except PipelineError as error:
        return other, careless, str(error)
    return other, careless, ""


def _values(
    lab: ConsoleLab, subscriptions: Mapping[str, str | None], **more: Any
) -> dict[str, Any]:
    """The example's variables for a lab."""
    known = {"bucket_name": lab.bucket, "names": lab.names}
    return {**known, "subscriptions": dict(subscriptions), **more}


def _root(folder: Path, values: Mapping[str, Any], environment: Mapping[str, str]) -> Path:
    root = copy_module(folder) / "examples" / "adopt-console-lab"
    _write(root, values)
    terraform.init(root, environment)
    return root


def _write(root: Path, values: Mapping[str, Any]) -> None:
    (root / "lab.auto.tfvars.json").write_text(json.dumps(values), encoding="utf-8")


def _changes(planned: Any) -> Changes:
    return {
        address: resource["change"]
        for address, resource in planned.resource_changes.items()
        if resource["mode"] == "managed"
    }
