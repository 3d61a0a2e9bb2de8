"""Drive the write alarm on purpose, and wait for its message as a subscriber of the topic."""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed.session import FailingError, NotCheckedError, Session

_REASON = "A test by `pipeline verify --wait-alarm`: nothing happened to the table."
_POLL_SECONDS = 1


def drive(session: Session, seconds: float, tell: Callable[[str], None]) -> str:
    """The write alarm's message arrives within `seconds`. Raises as the stages of wiring do.

    On the emulator the table's metric is published beyond the threshold, so that the alarm itself
    decides. In AWS nobody may publish that metric, and the alarm is set to ALARM for a moment.
    Every subscriber of the topic gets the message. The alarm is as before afterwards.
    """
    cloudwatch = session.client("cloudwatch")
    alarm = _write_alarm(session, cloudwatch)
    name = alarm["AlarmName"]
    with _subscriber(session) as receive:
        if alarm["StateValue"] == "ALARM":
            # Only a change is told.
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=_REASON)
        began = time.monotonic()
        try:
            if ".amazonaws." in cloudwatch.meta.endpoint_url:
                how = "set to ALARM"
                cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=_REASON)
            else:
                how = "driven beyond its threshold"
                _publish(cloudwatch, alarm)
            while time.monotonic() - began < seconds:
                tell(f"waiting for the message of {name}")
                if any(_about(message, name) for message in receive()):
                    return (
                        f"{name} was {how}, its message came {time.monotonic() - began:.1f} s later"
                    )
        finally:
            with contextlib.suppress(ClientError, BotoCoreError):
                cloudwatch.set_alarm_state(
                    AlarmName=name, StateValue=alarm["StateValue"], StateReason=_REASON
                )
    raise FailingError(
        f"The alarm {name} was {how}, but its message did not reach a subscriber of "
        f"{session.target.topic_arn} within {seconds:.0f} s: see that the alarm's actions name the "
        "topic, and that the topic's policy and key let cloudwatch.amazonaws.com in."
    )


def _write_alarm(session: Session, cloudwatch: Any) -> dict[str, Any]:
    if not session.target.alarm_names:
        raise NotCheckedError("the stack has no alarms")
    told = cloudwatch.describe_alarms(AlarmNames=list(session.target.alarm_names))
    for one in told["MetricAlarms"]:
        if one.get("MetricName") == "ConsumedWriteCapacityUnits":
            found: dict[str, Any] = one
            return found
    raise NotCheckedError("no alarm watches ConsumedWriteCapacityUnits")


def _publish(cloudwatch: Any, alarm: dict[str, Any]) -> None:
    datum = {
        "MetricName": alarm["MetricName"],
        "Dimensions": alarm["Dimensions"],
        "Unit": "Count",
        "Value": alarm["Threshold"] + 1,
    }
    cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])


@contextlib.contextmanager
def _subscriber(session: Session) -> Iterator[Callable[[], list[str]]]:
    """A queue of our own that gets what the topic sends, for as long as the block lasts."""
    sqs, sns, arn = session.client("sqs"), session.client("sns"), session.target.topic_arn
    name = f"lab-verify-{secrets.token_hex(6)}"
    url = sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": "300"})["QueueUrl"]
    subscription = None
    try:
        queue = session.queue_arn(url)
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        subscription = sns.subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True
        )["SubscriptionArn"]

        def receive() -> list[str]:
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=_POLL_SECONDS
            )
            return [message["Body"] for message in answer.get("Messages", [])]

        yield receive
    finally:
        if subscription is not None:
            sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=url)


def _about(body: str, alarm: str) -> bool:
    try:
        change = json.loads(json.loads(body)["Message"])
    except (ValueError, KeyError, TypeError):
        return False
    if not isinstance(change, dict):
        return False
    return (change.get("AlarmName"), change.get("NewStateValue")) == (alarm, "ALARM")
