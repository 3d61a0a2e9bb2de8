"""What CloudWatch tells: alarms, their history and their metrics, and figures."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.console.board.board import WINDOW_SECONDS, Board
from pipeline.console.runbook import section
from pipeline.console.sources.calls import Watched
from pipeline.console.sources.pace import Pace
from pipeline.errors import PipelineError

_POINTS = 60
_POINT_SECONDS = 14 * 86_400
_METRIC = ("Namespace", "MetricName", "Dimensions")


class Alarms:
    """State of each alarm."""

    panel = "alarms"

    def __init__(self, board: Board, pace: Pace, changed: Callable[[], None]) -> None:
        """`changed` is called when an alarm has another state."""
        self._board, self._pace, self._changed = board, pace, changed

    def look(self, session: Watched) -> float:
        """Ask once."""
        found = describe(session)
        names = session.target.alarm_names
        told = [_told_alarm(found[name]) for name in names if name in found]
        missing = [name for name in names if name not in found]
        if self._board.rang(told):
            self._changed()
        if missing:
            raise PipelineError(
                f"There is no alarm {' or '.join(missing)}: run `terraform apply` in the stack's "
                "root, which puts it back."
            )
        return self._pace.alarms


class Points:
    """The metric of each alarm, for a line with its threshold."""

    panel = "points"

    def __init__(self, board: Board, pace: Pace) -> None:
        """Draw nothing yet."""
        self._board, self._pace = board, pace

    def look(self, session: Watched) -> float:
        """Ask once."""
        found = describe(session)
        cloudwatch = session.client("cloudwatch")
        self._board.drawn({name: _line(cloudwatch, alarm) for name, alarm in found.items()})
        return self._pace.points


class Metrics:
    """AWS's own figures of the last quarter of an hour."""

    panel = "metrics"

    def __init__(self, board: Board, pace: Pace) -> None:
        """Know nothing yet."""
        self._board, self._pace = board, pace

    def look(self, session: Watched) -> float:
        """Ask once."""
        target, cloudwatch = session.target, session.client("cloudwatch")
        function = {"FunctionName": target.function_name}
        table = {"TableName": target.table_name}
        asked: dict[str, tuple[str, str, dict[str, str], str]] = {
            "throttles": ("AWS/Lambda", "Throttles", function, "Sum"),
            "writes": ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", table, "SampleCount"),
            "write_throttles": ("AWS/DynamoDB", "WriteThrottleEvents", table, "Sum"),
        }
        if session.buffered:
            queue = {"QueueName": str(target.buffer_queue_url).rpartition("/")[2]}
            oldest = "ApproximateAgeOfOldestMessage"
            asked["received"] = ("AWS/SQS", "NumberOfMessagesSent", queue, "Sum")
            asked["buffer_oldest"] = ("AWS/SQS", oldest, queue, "Maximum")
        else:
            asked["received"] = ("AWS/Lambda", "AsyncEventsReceived", function, "Sum")
            asked["event_age"] = ("AWS/Lambda", "AsyncEventAge", function, "Maximum")
        self._board.metrics = {name: _statistic(cloudwatch, *what) for name, what in asked.items()}
        return self._pace.metrics


def describe(session: Watched, *names: str) -> dict[str, dict[str, Any]]:
    """DescribeAlarms' answers by name, of all the stack's alarms or of those given."""
    asked = names or session.target.alarm_names
    pages = session.client("cloudwatch").get_paginator("describe_alarms")
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(asked), 100):
        for page in pages.paginate(AlarmNames=list(asked[start : start + 100])):
            found |= {one["AlarmName"]: one for one in page["MetricAlarms"]}
    return found


def history(session: Watched, name: str) -> list[dict[str, Any]]:
    """An alarm's newest changes of state, the newest first."""
    told = session.client("cloudwatch").describe_alarm_history(
        AlarmName=name, HistoryItemType="StateUpdate", MaxRecords=20
    )
    found = []
    for item in told["AlarmHistoryItems"]:
        states = _object(item.get("HistoryData"))
        old, new = (_object(states.get(name)) for name in ("oldState", "newState"))
        found.append(
            {
                "at": item["Timestamp"].timestamp() * 1000,
                "from": old.get("stateValue"),
                "to": new.get("stateValue"),
                "reason": new.get("stateReason"),
            }
        )
    return found


def _object(data: Any) -> Mapping[str, Any]:
    """Of what HistoryData holds AWS documents only that it is JSON."""
    try:
        told = json.loads(data) if isinstance(data, str) else data
    except (ValueError, RecursionError):
        told = None
    return told if isinstance(told, dict) else {}


def _told_alarm(alarm: Mapping[str, Any]) -> dict[str, Any]:
    changed = alarm.get("StateUpdatedTimestamp")
    return {
        "name": alarm["AlarmName"],
        "state": alarm["StateValue"],
        "reason": str(alarm.get("StateReason") or "")[:500],
        "since": changed.timestamp() * 1000 if changed else None,
        "description": str(alarm.get("AlarmDescription") or ""),
        "metric": str(alarm.get("MetricName") or "an expression"),
        "namespace": str(alarm.get("Namespace") or ""),
        "statistic": str(alarm.get("Statistic") or ""),
        "period": alarm.get("Period"),
        "threshold": alarm.get("Threshold"),
        "below": "Less" in str(alarm.get("ComparisonOperator")),
        "section": section(dict(alarm)),
    }


def _line(cloudwatch: Any, alarm: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Time (epoch seconds) and value of an alarm's metric; a sum of several where it has them."""
    parts = [one["MetricStat"] for one in alarm.get("Metrics") or [] if "MetricStat" in one]
    asked = [
        (*(one["Metric"][name] for name in _METRIC), int(one["Period"]), one["Stat"])
        for one in parts
    ]
    if alarm.get("MetricName"):
        asked = [(*map(alarm.get, _METRIC), int(alarm["Period"]), alarm["Statistic"])]
    summed: dict[float, float] = {}
    for namespace, metric, dimensions, period, statistic in asked:
        now = datetime.now(UTC)
        # In the alarm's own period, so that its threshold fits.
        span = min(_POINTS * period, _POINT_SECONDS)
        told = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=dimensions,
            StartTime=now - timedelta(seconds=span),
            EndTime=now + timedelta(seconds=60),
            Period=period,
            Statistics=[statistic],
        )
        for point in told["Datapoints"]:
            at = point["Timestamp"].timestamp()
            summed[at] = summed.get(at, 0.0) + point[statistic]
    return sorted(summed.items())


def _statistic(
    cloudwatch: Any, namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str
) -> float | None:
    """Of the last 15 minutes; None where CloudWatch has nothing."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    told = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(seconds=WINDOW_SECONDS),
        EndTime=now + timedelta(seconds=60),
        Period=60,
        Statistics=[statistic],
    )
    values = [float(point[statistic]) for point in told["Datapoints"]]
    if not values:
        return None
    return max(values) if statistic == "Maximum" else sum(values)
