"""Subscriptions as AWS lists them; no emulator leaves an e-mail address unconfirmed."""

from types import SimpleNamespace
from typing import Any, cast

import boto3
from botocore.stub import Stubber

from pipeline.deployed.session import Session
from pipeline.verify import alerting

TOPIC = "arn:aws:sns:us-east-1:111111111111:alerts"


def test_an_address_that_has_yet_to_confirm_is_named() -> None:
    make: Any = boto3.client
    sns = make("sns", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    common = {"Owner": "111111111111", "TopicArn": TOPIC}
    queue = {"Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:111111111111:q"}
    person = {"Protocol": "email", "Endpoint": "ops@example.com"}
    listed = [
        common | queue | {"SubscriptionArn": f"{TOPIC}:5"},
        common | person | {"SubscriptionArn": "PendingConfirmation"},
    ]
    target = SimpleNamespace(topic_arn=TOPIC)
    session = SimpleNamespace(target=target, client=lambda _: sns)
    with Stubber(sns) as stub:
        stub.add_response("list_subscriptions_by_topic", {"Subscriptions": listed})
        said = alerting.subscriptions(cast(Session, session))
    assert said == "1 confirmed (sqs); ops@example.com has yet to click the link in AWS's message"
