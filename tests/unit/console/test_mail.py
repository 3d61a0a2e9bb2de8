"""Messages of the topic, as a subscribed queue gets them and as alarms' histories tell them."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.board.mail import Mail, of_envelope, of_history

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


def test_an_alarms_message_reads_as_its_mail_would() -> None:
    subject = 'ALARM: "FailureQueueAlert" in EU (Ireland)'
    mail = of_envelope("other", envelope(CHANGE, Subject=subject))
    at = AT.timestamp() * 1000 + 1000
    assert mail == Mail("m", at, subject, LINES, "FailureQueueAlert", "ALARM")


def test_a_message_that_was_delivered_raw_reads_alike() -> None:
    mail = of_envelope("id", json.dumps(CHANGE))
    assert mail == Mail(
        "id", 0.0, 'ALARM: "FailureQueueAlert"', LINES, "FailureQueueAlert", "ALARM"
    )


def test_what_no_alarm_sent_is_shown_as_it_is() -> None:
    mail = of_envelope("id", envelope("Deploying now.\nBack at ten.", Subject="Heads up"))
    assert (mail.subject, mail.lines) == ("Heads up", ("Deploying now.", "Back at ten."))
    assert of_envelope("id", "plain").lines == ("plain",)
    assert of_envelope("id", "plain").subject == "Message of the topic"
    assert len(of_envelope("id", envelope("x\n" * 100_000)).lines) == 50


def test_an_alarm_on_an_expression_names_no_metric() -> None:
    trigger = {"Metrics": [{"Id": "total"}], "Period": 60}
    mail = of_envelope("id", envelope(CHANGE | {"Trigger": trigger}))
    assert mail.lines == (*LINES[:3], LINES[4])


def test_what_is_missing_is_not_made_up() -> None:
    mail = of_envelope("id", envelope({"AlarmName": "a"}))
    assert mail.lines == ("? → ?", "Account ?, ?")
    assert (mail.subject, mail.state) == ('?: "a"', None)
    assert "1970" not in str(mail)


def test_what_an_alarms_history_says_that_it_sent_reads_as_the_mail_would() -> None:
    at = AT.timestamp() * 1000
    mail = of_history(sent(), TOPIC)
    assert mail is not None
    assert mail == Mail(mail.id, at, 'ALARM: "FailureQueueAlert"', LINES, mail.alarm, "ALARM")
    assert mail.alarm == "FailureQueueAlert"


@pytest.mark.parametrize("other", [f"{TOPIC}-2", TOPIC.replace("1111", "2222"), TOPIC[:-1]])
def test_what_went_to_another_topic_is_not_among_them(other: str) -> None:
    assert of_history(sent(other), TOPIC) is None


def test_other_items_of_a_history_are_no_messages() -> None:
    assert of_history(sent() | {"HistoryItemType": "StateUpdate"}, TOPIC) is None
    assert of_history({"HistoryItemType": "ConfigurationUpdate"}, TOPIC) is None


def test_what_could_not_be_sent_says_so() -> None:
    summary = f"Failed to execute action {TOPIC}. Received error: no access to the key"
    mail = of_history(action(summary, {"notificationResource": TOPIC}), TOPIC)
    assert mail is not None
    assert (mail.subject, mail.lines) == ("Not sent: FailureQueueAlert", (summary,))


@pytest.mark.parametrize("data", ['{"publishedMessage": "cut of', "", "[]", '{"a": 1}'])
def test_a_message_whose_text_is_not_kept_is_told_by_its_summary(data: str) -> None:
    summary = f"Successfully executed action {TOPIC}"
    mail = of_history(action(summary, data), TOPIC)
    assert mail is not None
    assert (mail.subject, mail.lines) == ("Message of FailureQueueAlert", (summary,))


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
def test_whatever_is_published_to_the_topic_can_be_shown(body: str) -> None:
    mail = of_envelope("id", body)
    json.dumps(asdict(mail), allow_nan=False)
    assert mail.id
    assert mail.subject


@given(CHANGES | JSON, JSON)
def test_whatever_a_history_holds_can_be_shown(change: Any, data: Any) -> None:
    odd = action(f"Successfully executed action {TOPIC}", {"notificationResource": data})
    for item in sent(change=change), action(odd["HistorySummary"], data), odd:
        assert of_history(item, TOPIC) is not None


def test_what_is_nested_without_end_is_text() -> None:
    assert of_envelope("id", envelope("[" * 100_000)).subject == "Message of the topic"
    assert of_envelope("id", "[" * 100_000).alarm is None
