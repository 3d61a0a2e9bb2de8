"""What reached the topic, as somebody's mail would read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_CLOCK = "%Y-%m-%d %H:%M:%S UTC"
# SNS takes 256 KB; a mail that is read has less.
_LONGEST = 20_000


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
    """What a queue that is subscribed to the topic received; raises nothing, whatever that is."""
    envelope = _object(body)
    if envelope is None or "Message" not in envelope:
        # Delivered raw.
        envelope = {"Message": body}
    text = str(envelope["Message"])[:_LONGEST]
    change = _object(text)
    at = _moment(envelope.get("Timestamp")) or 0.0
    subject = str(envelope.get("Subject") or "")[:_LONGEST]
    identity = str(envelope.get("MessageId") or message_id)
    if change is None or "AlarmName" not in change:
        return Mail(identity, at, subject or "Message of the topic", tuple(text.splitlines()[:50]))
    return _of_change(identity, at, subject, change)


def of_history(item: Mapping[str, Any], topic_arn: str) -> Mail | None:
    """What an alarm's history says that it sent to the topic, or tried to; None for anything else.

    Of what HistoryData holds AWS documents only that it is JSON of at most 4,095 characters.
    """
    if item.get("HistoryItemType") != "Action":
        return None
    data = _object(str(item.get("HistoryData"))) or {}
    summary = str(item.get("HistorySummary") or "")
    # "Successfully executed action ARN", or "Failed to execute action ARN. …".
    words = {word.rstrip(".,;") for word in summary.split()}
    if topic_arn not in words and topic_arn != data.get("notificationResource"):
        return None
    name, at = str(item["AlarmName"]), item["Timestamp"].timestamp() * 1000
    identity = f"{name}-{at:.0f}"
    if summary.startswith("Failed") or data.get("actionState") == "Failed":
        why = str(data.get("error") or "")
        return Mail(identity, at, f"Not sent: {name}", tuple(filter(None, (summary, why))), name)
    published = _object(str(data.get("publishedMessage") or "")) or {}
    change = _object(str(published.get("default") or ""))
    if change is not None and "AlarmName" in change:
        return _of_change(identity, at, "", change | {"AlarmName": name})
    return Mail(identity, at, f"Message of {name}", tuple(filter(None, (summary,))), name)


def _of_change(identity: str, at: float, subject: str, change: Mapping[str, Any]) -> Mail:
    name = str(change["AlarmName"])
    state = str(change["NewStateValue"]) if change.get("NewStateValue") else None
    changed = _moment(change.get("StateChangeTime"))
    when = "" if changed is None else f", {datetime.fromtimestamp(changed / 1000, UTC):{_CLOCK}}"
    reason = change.get("NewStateReason")
    lines = (
        str(change.get("AlarmDescription") or ""),
        f"{change.get('OldStateValue') or '?'} → {state or '?'}{when}",
        f"Reason: {reason}" if reason else "",
        _watched(change.get("Trigger")),
        f"Account {change.get('AWSAccountId') or '?'}, {change.get('Region') or '?'}",
    )
    subject = subject or f'{state or "?"}: "{name}"'
    return Mail(identity, at, subject, tuple(filter(None, lines)), name, state)


def _watched(trigger: Any) -> str:
    # An alarm on an expression has no one metric.
    if not isinstance(trigger, dict) or not trigger.get("MetricName"):
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


def _moment(text: Any) -> float | None:
    """Epoch milliseconds; None where `text` is no time."""
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000
    except (ValueError, OverflowError):
        return None
