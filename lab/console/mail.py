"""What reached the topic, as somebody's mail would read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Mail:
    """One message: `at` in epoch milliseconds, `lines` are its text; `state` of an alarm's."""

    id: str
    at: float
    subject: str
    lines: tuple[str, ...]
    alarm: str | None = None
    state: str | None = None


def of_envelope(message_id: str, body: str) -> Mail:
    """What a queue that is subscribed to the topic received."""
    envelope = _object(body) or {"Message": body}
    text = str(envelope.get("Message", ""))
    change = _object(text)
    at = _moment(envelope.get("Timestamp"))
    subject = str(envelope.get("Subject") or "")
    identity = str(envelope.get("MessageId") or message_id)
    if change is None or "AlarmName" not in change:
        return Mail(identity, at, subject or "Message of the topic", tuple(text.splitlines()[:50]))
    name, state = str(change["AlarmName"]), str(change.get("NewStateValue"))
    trigger = change.get("Trigger") or {}
    lines = [
        str(change.get("AlarmDescription") or ""),
        f"{change.get('OldStateValue')} → {state}, {_told(change.get('StateChangeTime'))}",
        f"Reason: {change.get('NewStateReason')}",
        _watched(trigger),
        f"Account {change.get('AWSAccountId')}, {change.get('Region')}",
    ]
    return Mail(
        identity, at, subject or f'{state}: "{name}"', tuple(filter(None, lines)), name, state
    )


def of_history(item: Mapping[str, Any], topic_arn: str) -> Mail | None:
    """What an alarm's history says that it sent to the topic; None for anything else."""
    data = _object(str(item.get("HistoryData"))) or {}
    if item.get("HistoryItemType") != "Action" or topic_arn not in json.dumps(data):
        return None
    name = str(item["AlarmName"])
    at = item["Timestamp"].timestamp() * 1000
    state = str(data.get("stateUpdate") or data.get("newState") or "")
    summary = str(item.get("HistorySummary") or "")
    published = _object(str(data.get("publishedMessage") or "")) or {}
    inner = _object(str(published.get("default") or "")) or {}
    if inner.get("AlarmName"):
        told = {"Message": json.dumps(inner), "MessageId": f"{name}-{at:.0f}"}
        mail = of_envelope("", json.dumps(told))
        return Mail(mail.id, at, mail.subject, mail.lines, name, mail.state)
    return Mail(f"{name}-{at:.0f}", at, f"{name}: {state}".rstrip(": "), (summary,), name, state)


def _watched(trigger: Mapping[str, Any]) -> str:
    if not trigger.get("MetricName"):
        return ""
    return (
        f"{trigger.get('Namespace')} {trigger['MetricName']}, {trigger.get('Statistic')} over "
        f"{trigger.get('Period')} s, threshold {trigger.get('Threshold')}"
    )


def _object(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _told(moment: Any) -> str:
    return f"{datetime.fromtimestamp(_moment(moment) / 1000, UTC):%Y-%m-%d %H:%M:%S UTC}"


def _moment(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp() * 1000
    except ValueError:
        return 0.0
