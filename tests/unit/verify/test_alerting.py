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


def test_each_subscription_is_named_without_a_urls_path_and_counts_nobody_tells_are_dashes() -> (
    None
):
    make: Any = boto3.client
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    sns, cloudwatch = (
        make(name, region_name="us-east-1", **keys) for name in ("sns", "cloudwatch")
    )
    common = {"Owner": "111111111111", "TopicArn": TOPIC, "SubscriptionArn": f"{TOPIC}:5"}
    pager = {"Protocol": "https", "Endpoint": "https://events.example.com/integration/key/enqueue"}
    probe = {"Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:111111111111:pipeline-verify-1"}
    listed = [common | pager | {"SubscriptionArn": "PendingConfirmation"}, common | probe]
    clients = {"sns": sns, "cloudwatch": cloudwatch}
    session = SimpleNamespace(target=SimpleNamespace(topic_arn=TOPIC), client=clients.__getitem__)
    with Stubber(sns) as topic, Stubber(cloudwatch) as metrics:
        topic.add_response("list_subscriptions_by_topic", {"Subscriptions": listed})
        metrics.add_response("get_metric_statistics", {"Datapoints": []})
        metrics.add_client_error("get_metric_statistics", "AccessDenied")
        said = alerting.deliveries(cast(Session, session))
    assert said.startswith("https events.example.com/… (not confirmed). In 24 h SNS delivered -")
    assert "failed to deliver -;" in said
