"""The runbook's paragraph for an alarm, whatever that is called, in pieces that a page can show."""

import functools
import re
from typing import Any, NamedTuple

from pipeline.paths import ROOT

FILE = ROOT / "docs/operate/runbook.md"
# Metrics tell alarms apart, since names can be chosen; those of one that is no single metric, and
# of the one for silence, are not among them.
_BY_METRIC = {
    "ConsumedWriteCapacityUnits": "DynamoDBWriteActivityAlert",
    "WriteThrottleEvents": "DynamoDBWriteThrottleAlert",
    "ApproximateNumberOfMessagesVisible": "FailureQueueAlert",
    "Errors": "LambdaErrorsAlert",
    "Throttles": "LambdaThrottlesAlert",
    "Duration": "LambdaDurationAlert",
    "AsyncEventAge": "LambdaEventAgeAlert",
    "DestinationDeliveryFailures": "LambdaDeliveryFailuresAlert",
    "ApproximateAgeOfOldestMessage": "BufferBacklogAlert",
    "AsyncEventsReceived": "UploadSilenceAlert",
    "NumberOfMessagesSent": "UploadSilenceAlert",
    "MatchedEvents": "UploadSilenceAlert",
}
_PIECES = re.compile(r"\*\*(?P<strong>.+?)\*\*|`(?P<code>[^`]+)`|\[(?P<link>[^\]]+)\]\([^)]*\)")


class Piece(NamedTuple):
    """A run of text: `kind` is text, strong, code or pre (a block of its own)."""

    kind: str
    text: str


def section(alarm: dict[str, Any]) -> str:
    """Which section is about an alarm that DescribeAlarms tells."""
    metric = alarm.get("MetricName")
    return "RuleFailuresAlert" if metric is None else _BY_METRIC.get(str(metric), "")


@functools.cache
def paragraphs(name: str) -> tuple[tuple[Piece, ...], ...]:
    """The paragraphs below the heading `name`; none where there is no such heading."""
    found: list[tuple[Piece, ...]] = []
    inside = fenced = False
    lines: list[str] = []

    def end() -> None:
        if lines:
            found.append(tuple(_pieces(" ".join(lines))))
            lines.clear()

    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            inside = line[3:].strip() == name
        elif inside and line.startswith("```"):
            end()
            fenced = not fenced
        elif inside and fenced:
            found.append((Piece("pre", line),))
        elif inside and line.strip():
            lines.append(line.strip())
        elif inside:
            end()
        if not inside:
            end()
    end()
    return tuple(found)


def _pieces(text: str) -> list[Piece]:
    pieces, at = [], 0
    for match in _PIECES.finditer(text):
        if match.start() > at:
            pieces.append(Piece("text", text[at : match.start()]))
        kind = match.lastgroup or "text"
        # Where the page is there are no other documents to go to.
        pieces.append(Piece("text" if kind == "link" else kind, match[kind]))
        at = match.end()
    if at < len(text):
        pieces.append(Piece("text", text[at:]))
    return pieces
