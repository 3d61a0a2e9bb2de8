"""Notifications, from a subscribed queue and from alarms' histories."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.board.notifications import Notification, from_history, from_queue

TOPIC = "arn:aws:sns:eu-west-1:111122223333:event-driven-alerts"
AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
# Fields as AWS documents them for an alarm's message:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
CHANGE = {
    "AlarmName": "FailureQueueAlert",
    "AlarmDescription": "Events that could not be recorded wait.",
    "AWSAccountId": "111122223333",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 1 datapoint [1.0] was >= the threshold (1.0).",
    "StateChangeTime": "2026-11-25T10:00:00.123+0000",
    "Region": "EU (Ireland)",
    "OldStateValue": "OK",
    "Trigger": {
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Namespace": "AWS/SQS",
        "Statistic": "MAXIMUM",
        "Period": 60,
        "Threshold": 1.0,
    },
}
LINES = (
    "Events that could not be recorded wait.",
    "OK → ALARM, 2026-11-25 10:00:00 UTC",
    "Reason: Threshold Crossed: 1 datapoint [1.0] was >= the threshold (1.0).",
    "AWS/SQS ApproximateNumberOfMessagesVisible, MAXIMUM over 60 s, threshold 1.0",
    "Account 111122223333, EU (Ireland)",
)


def envelope(message: object, **fields: Any) -> str:
    text = message if isinstance(message, str) else json.dumps(message)
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "m",
            "TopicArn": TOPIC,
            "Message": text,
            "Timestamp": "2026-11-25T10:00:01.000Z",
        }
        | fields
    )


def action(summary: str, data: object, **fields: Any) -> dict[str, Any]:
    """An item of DescribeAlarmHistory."""
    return {
        "AlarmName": "FailureQueueAlert",
        "AlarmType": "MetricAlarm",
        "Timestamp": AT,
        "HistoryItemType": "Action",
        "HistorySummary": summary,
        "HistoryData": data if isinstance(data, str) else json.dumps(data),
    } | fields


def sent(topic: str = TOPIC, change: object = CHANGE) -> dict[str, Any]:
    published = {"default": json.dumps(change), "sms": "…", "email": "You are receiving this …"}
    data = {
        "actionState": "Succeeded",
        "stateUpdateTimestamp": 1,
        "notificationResource": topic,
        "publishedMessage": json.dumps(published),
        "error": None,
    }
    return action(f"Successfully executed action {topic}", data)


def test_an_alarms_notification_reads_as_its_e_mail() -> None:
    subject = 'ALARM: "FailureQueueAlert" in EU (Ireland)'
    notification = from_queue("other", envelope(CHANGE, Subject=subject))
    at = AT.timestamp() * 1000 + 1000
    assert notification == Notification("m", at, subject, LINES)


def test_a_raw_message_reads_the_same() -> None:
    notification = from_queue("id", json.dumps(CHANGE))
    assert notification == Notification("id", 0.0, 'ALARM: "FailureQueueAlert"', LINES)


def test_a_notification_that_no_alarm_sent_is_shown_as_it_is() -> None:
    notification = from_queue("id", envelope("Deploying now.\nBack at ten.", Subject="Heads up"))
    assert (notification.subject, notification.lines) == (
        "Heads up",
        ("Deploying now.", "Back at ten."),
    )
    assert from_queue("id", "plain").lines == ("plain",)
    assert from_queue("id", "plain").subject == "Notification"
    assert len(from_queue("id", envelope("x\n" * 100_000)).lines) == 50


def test_an_alarm_on_an_expression_names_no_metric() -> None:
    trigger = {"Metrics": [{"Id": "total"}], "Period": 60}
    notification = from_queue("id", envelope(CHANGE | {"Trigger": trigger}))
    assert notification.lines == (*LINES[:3], LINES[4])


def test_missing_fields_show_as_question_marks() -> None:
    notification = from_queue("id", envelope({"AlarmName": "a"}))
    assert notification.lines == ("? → ?", "Account ?, ?")
    assert notification.subject == '?: "a"'
    assert "1970" not in str(notification)


def test_what_an_alarms_history_says_that_it_sent_reads_as_the_e_mail() -> None:
    at = AT.timestamp() * 1000
    notification = from_history(sent(), TOPIC)
    assert notification is not None
    assert notification == Notification(notification.id, at, 'ALARM: "FailureQueueAlert"', LINES)


@pytest.mark.parametrize("other", [f"{TOPIC}-2", TOPIC.replace("1111", "2222"), TOPIC[:-1]])
def test_notifications_of_another_topic_and_other_items_of_a_history_are_ignored(
    other: str,
) -> None:
    assert from_history(sent(other), TOPIC) is None
    assert from_history(sent() | {"HistoryItemType": "StateUpdate"}, TOPIC) is None
    assert from_history({"HistoryItemType": "ConfigurationUpdate"}, TOPIC) is None


def test_a_notification_that_could_not_be_sent_says_so() -> None:
    summary = f"Failed to execute action {TOPIC}. Received error: no access to the key"
    notification = from_history(action(summary, {"notificationResource": TOPIC}), TOPIC)
    assert notification is not None
    assert (notification.subject, notification.lines) == ("Not sent: FailureQueueAlert", (summary,))


@pytest.mark.parametrize("data", ['{"publishedMessage": "cut of', "", "[]", '{"a": 1}'])
def test_a_message_whose_text_is_not_in_the_history_is_shown_by_its_summary(data: str) -> None:
    summary = f"Successfully executed action {TOPIC}"
    notification = from_history(action(summary, data), TOPIC)
    assert notification is not None
    assert (notification.subject, notification.lines) == (
        "Notification of FailureQueueAlert",
        (summary,),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
CHANGES = st.fixed_dictionaries(
    {"AlarmName": JSON}, optional={name: JSON for name in CHANGE if name != "AlarmName"}
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "Message": CHANGES.map(json.dumps) | JSON,
        "Timestamp": st.just("9999-12-31T23:59:59-14:00") | JSON,
        "Subject": JSON,
        "MessageId": JSON,
    },
)


@given(ENVELOPES.map(json.dumps) | st.text() | JSON.map(json.dumps))
def test_every_message_of_the_topic_can_be_shown(body: str) -> None:
    notification = from_queue("id", body)
    json.dumps(asdict(notification), allow_nan=False)
    assert notification.id
    assert notification.subject


@given(CHANGES | JSON, JSON)
def test_every_alarm_history_can_be_shown(change: Any, data: Any) -> None:
    odd = action(f"Successfully executed action {TOPIC}", {"notificationResource": data})
    for item in sent(change=change), action(odd["HistorySummary"], data), odd:
        assert from_history(item, TOPIC) is not None


def test_deeply_nested_json_is_text() -> None:
    assert from_queue("id", envelope("[" * 100_000)).subject == "Notification"
    assert from_queue("id", "[" * 100_000).subject == "Notification"
