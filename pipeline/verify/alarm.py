"""Test a write alarm, and wait for its notification as a subscriber of the topic."""

import contextlib
import secrets
import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import aws
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.deployed.subscriber import about, subscriber
from pipeline.verify import alerting

_REASON = "A test by `pipeline verify --wait-alarm`: nothing happened to the table."


def test(session: Session, seconds: float, tell: Callable[[str], None]) -> str:
    """The write alarm's notification arrives within `seconds`. The check of a stage.

    On the emulator this publishes the table's metric beyond the threshold, so that the alarm itself
    decides. In AWS nobody may publish that metric: this sets the alarm to ALARM for a moment. Every
    subscriber of the topic is notified. The alarm is as before afterwards.
    """
    cloudwatch = session.client("cloudwatch")
    found = alerting.described(session).values()
    # A table on demand has the second one only.
    watchers = (
        alarm
        for metric in alerting.TABLE_METRICS
        for alarm in found
        if alarm.get("MetricName") == metric
    )
    if (alarm := next(watchers, None)) is None:
        raise NotCheckedError(f"no alarm watches {' or '.join(alerting.TABLE_METRICS)}")
    name = alarm["AlarmName"]

    def set_state(state: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=_REASON)

    with subscriber(session, f"{alerting.QUEUE_PREFIX}{secrets.token_hex(6)}") as receive:
        if alarm["StateValue"] == "ALARM":
            # Only a change notifies.
            set_state("OK")
        began = time.monotonic()
        try:
            if aws.is_emulator(cloudwatch):
                how = "driven beyond its threshold"
                datum = {
                    "MetricName": alarm["MetricName"],
                    "Dimensions": alarm["Dimensions"],
                    "Unit": "Count",
                    "Value": alarm["Threshold"] + 1,
                }
                cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])
            else:
                how = "set to ALARM"
                set_state("ALARM")
            while time.monotonic() - began < seconds:
                tell(f"waiting for the notification of {name}")
                if any(about(body, name) for body in receive()):
                    after = time.monotonic() - began
                    return f"{name} was {how}, its notification came {after:.1f} s later"
        finally:
            with contextlib.suppress(ClientError, BotoCoreError):
                set_state(alarm["StateValue"])
    raise FailingError(
        f"The alarm {name} was {how}, but its notification did not reach a subscriber of "
        f"{session.target.topic_arn} within {seconds:.0f} s: see that the alarm's actions name the "
        "topic, and that the topic's policy and key let cloudwatch.amazonaws.com in."
    )
