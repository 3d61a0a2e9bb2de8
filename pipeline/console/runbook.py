"""The runbook's section on an alarm, whatever the alarm's name, in pieces that a page can show."""

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.paths import ROOT

FILE = ROOT / "docs/operate/runbook.md"
# By metric, since names can be chosen.
_SECTIONS = {
    "ConsumedWriteCapacityUnits": "DynamoDBWriteActivityAlert",
    "WriteThrottleEvents": "DynamoDBWriteThrottleAlert",
    "ApproximateNumberOfMessagesVisible": "FailureQueueAlert",
    "Errors": "LambdaErrorsAlert",
    "Throttles": "LambdaThrottlesAlert",
    "Duration": "LambdaDurationAlert",
    "AsyncEventAge": "LambdaEventAgeAlert",
    "AsyncEventsDropped": "LambdaEventsDroppedAlert",
    "DestinationDeliveryFailures": "LambdaDeliveryFailuresAlert",
    "ApproximateNumberOfMessagesNotVisible": "BufferBacklogAlert",
    "FailedInvocations": "RuleFailuresAlert",
    "AsyncEventsReceived": "UploadSilenceAlert",
    "NumberOfMessagesSent": "UploadSilenceAlert",
    "MatchedEvents": "UploadSilenceAlert",
}
_FENCED = re.compile(r"```\w*\n(.*?)\n```", re.DOTALL)
_PIECES = re.compile(
    r"\*\*(?P<strong>.+?)\*\*|`(?P<code>[^`]+)`|\[(?P<link>[^\]]+)\]\([^)]*\)"
    r"|(?P<text>.+?(?=\*\*|`|\[|$))"
)


class Piece(NamedTuple):
    """A run of text: `kind` is text, strong, code or pre (a block of its own)."""

    kind: str
    text: str


def section(alarm: Mapping[str, Any]) -> str:
    """The heading of the section on an alarm of DescribeAlarms."""
    # Over other alarms there is one.
    if alarm.get("AlarmRule"):
        return "pipeline_health"
    # Of an expression the last metric tells: the first may have an alarm of its own.
    return _SECTIONS.get(metrics(alarm)[-1], "") if metrics(alarm) else ""


def metrics(alarm: Mapping[str, Any]) -> list[str]:
    """The metric of an alarm of DescribeAlarms, or those of its expression in their order."""
    if alarm.get("MetricName"):
        return [str(alarm["MetricName"])]
    parts = (part.get("MetricStat") for part in alarm.get("Metrics") or [])
    return [str(part["Metric"]["MetricName"]) for part in parts if part]


@functools.cache
def paragraphs(heading: str) -> list[list[Piece]]:
    """The paragraphs below a heading; none if there is no such heading."""
    _, _, rest = FILE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    found: list[list[Piece]] = []
    for number, block in enumerate(_FENCED.split(rest.partition("\n## ")[0])):
        if number % 2:
            found += [[Piece("pre", line)] for line in block.splitlines()]
        else:
            found += [_pieces(paragraph) for paragraph in block.split("\n\n") if paragraph.strip()]
    return found


def _pieces(paragraph: str) -> list[Piece]:
    found = []
    for match in _PIECES.finditer(" ".join(paragraph.split())):
        kind = match.lastgroup or "text"
        # The page has no other documents to link to.
        found.append(Piece("text" if kind == "link" else kind, match[kind]))
    return found
