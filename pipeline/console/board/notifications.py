"""Notifications of the topic, as their e-mails read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import times
from pipeline.deployed.documents import epoch_ms, json_object

# SNS accepts 256 KB; nobody reads that much.
_MAX_TEXT = 20_000
_MAX_LINES = 50


@dataclass(frozen=True)
class Notification:
    """One notification: `at` in epoch milliseconds, `lines` its text."""

    id: str
    at: float
    subject: str
    lines: tuple[str, ...]


def from_queue(message_id: str, body: str) -> Notification:
    """The notification in a message of a subscribed queue; never raises."""
    envelope = json_object(body)
    if envelope is None or "Message" not in envelope:
        # Raw message delivery.
        envelope = {"Message": body}
    text = str(envelope["Message"])[:_MAX_TEXT]
    at = epoch_ms(envelope.get("Timestamp")) or 0.0
    subject = str(envelope.get("Subject") or "")[:_MAX_TEXT]
    identity = str(envelope.get("MessageId") or message_id)
    change = json_object(text)
    if change is None or "AlarmName" not in change:
        lines = tuple(text.splitlines()[:_MAX_LINES])
        return Notification(identity, at, subject or "Notification", lines)
    return _alarm_change(identity, at, subject, change)


def from_history(item: Mapping[str, Any], topic_arn: str) -> Notification | None:
    """What an alarm's history says was published to the topic, or failed; None for other items.

    AWS documents of HistoryData only that it is JSON of at most 4,095 characters.
    """
    if item.get("HistoryItemType") != "Action":
        return None
    data = json_object(str(item.get("HistoryData"))) or {}
    summary = str(item.get("HistorySummary") or "")
    # "Successfully executed action ARN", or "Failed to execute action ARN. …".
    words = {word.rstrip(".,;") for word in summary.split()}
    if topic_arn not in words and topic_arn != data.get("notificationResource"):
        return None
    alarm, at = str(item["AlarmName"]), item["Timestamp"].timestamp() * 1000
    identity = f"{alarm}-{at:.0f}"
    if summary.startswith("Failed") or data.get("actionState") == "Failed":
        lines = summary, str(data.get("error") or "")
        return Notification(identity, at, f"Not sent: {alarm}", _without_empty(lines))
    published = json_object(str(data.get("publishedMessage") or "")) or {}
    change = json_object(str(published.get("default") or ""))
    if change is not None and "AlarmName" in change:
        return _alarm_change(identity, at, "", change | {"AlarmName": alarm})
    return Notification(identity, at, f"Notification of {alarm}", _without_empty([summary]))


def _alarm_change(
    identity: str, at: float, subject: str, change: Mapping[str, Any]
) -> Notification:
    state = change.get("NewStateValue") or "?"
    changed_at = epoch_ms(change.get("StateChangeTime"))
    time = "" if changed_at is None else f", {times.utc(changed_at / 1000)}"
    reason = change.get("NewStateReason")
    lines = (
        str(change.get("AlarmDescription") or ""),
        f"{change.get('OldStateValue') or '?'} → {state}{time}",
        f"Reason: {reason}" if reason else "",
        _metric(change.get("Trigger")),
        f"Account {change.get('AWSAccountId') or '?'}, {change.get('Region') or '?'}",
    )
    subject = subject or f'{state}: "{change["AlarmName"]}"'
    return Notification(identity, at, subject, _without_empty(lines))


def _metric(trigger: Any) -> str:
    # An alarm on an expression has no metric of its own.
    if not isinstance(trigger, dict) or not trigger.get("MetricName"):
        return ""
    return (
        f"{trigger.get('Namespace')} {trigger['MetricName']}, {trigger.get('Statistic')} over "
        f"{trigger.get('Period')} s, threshold {trigger.get('Threshold')}"
    )


def _without_empty(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(filter(None, lines))
