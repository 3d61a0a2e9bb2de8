"""What CloudWatch has: alarms with their history and metrics, and figures of the stages."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.console.board.figures import WINDOW_SECONDS
from pipeline.console.board.places import stage_of
from pipeline.console.runbook import metrics, section
from pipeline.console.sources.session import ReadSession
from pipeline.console.sources.source import Source
from pipeline.deployed.alarms import TYPES, describe
from pipeline.deployed.documents import json_object
from pipeline.errors import PipelineError

_DATAPOINTS = 60
_MAX_RANGE_SECONDS = 14 * 86_400
_MAX_REASON = 500


@dataclass
class Alarms(Source):
    """State of each alarm."""

    panel, thing = "alarms", "the alarms"
    interval = (5.0, 15.0)

    def poll(self, session: ReadSession) -> None:
        found, names = describe(session), session.target.alarm_names
        alarms = [_alarm_json(found[name]) for name in names if name in found]
        if self.board.set("alarms", alarms):
            self.wake("notifications", "datapoints")
        if missing := [name for name in names if name not in found]:
            raise PipelineError(
                f"There is no alarm {' or '.join(missing)}: run `terraform apply` in the stack's "
                "root, which restores it."
            )


@dataclass
class Datapoints(Source):
    """The metric of each alarm, to be drawn with its threshold."""

    panel, thing = "datapoints", "CloudWatch's metrics"
    interval = (60.0, 300.0)

    def poll(self, session: ReadSession) -> None:
        cloudwatch = session.client("cloudwatch")
        alarms = describe(session).items()
        found = {name: _datapoints(cloudwatch, alarm) for name, alarm in alarms}
        self.board.set("datapoints", found)


@dataclass
class Metrics(Source):
    """AWS's own figures of the last 15 minutes."""

    panel, thing = "metrics", "CloudWatch's metrics"
    interval = (60.0, 60.0)

    def poll(self, session: ReadSession) -> None:
        target, cloudwatch = session.target, session.client("cloudwatch")
        function = "AWS/Lambda", "FunctionName", target.function_name
        table = "AWS/DynamoDB", "TableName", target.table_name
        metrics = {
            "throttles": (*function, "Throttles", "Sum"),
            "writes": (*table, "ConsumedWriteCapacityUnits", "SampleCount"),
            "write_throttles": (*table, "WriteThrottleEvents", "Sum"),
        }
        if session.buffered:
            queue = "AWS/SQS", "QueueName", str(target.buffer_queue_url).rpartition("/")[2]
            metrics["received"] = (*queue, "NumberOfMessagesSent", "Sum")
            metrics["buffer_oldest"] = (*queue, "ApproximateAgeOfOldestMessage", "Maximum")
        else:
            metrics["received"] = (*function, "AsyncEventsReceived", "Sum")
            metrics["event_age"] = (*function, "AsyncEventAge", "Maximum")
        figures: dict[str, float | None] = {}
        for name, (namespace, dimension, resource, metric_name, statistic) in metrics.items():
            dimensions = [{"Name": dimension, "Value": resource}]
            metric = {
                "Namespace": namespace,
                "MetricName": metric_name,
                "Dimensions": dimensions,
            }
            points = _statistics(cloudwatch, metric, statistic, 60, WINDOW_SECONDS)
            combine = max if statistic == "Maximum" else sum
            figures[name] = combine(points.values()) if points else None
            if name == "write_throttles":
                refused = [at for at, number in points.items() if number]
                self.board.last["throttled"] = max(refused, default=0.0)
        self.board.metrics = figures


def invocations(session: ReadSession, period: int, seconds: int) -> list[tuple[float, ...]]:
    """What Lambda tells of the function, for each period that had an invocation.

    Begin (epoch milliseconds), p99 and p50 of the duration in milliseconds, errors, invocations.
    """
    cloudwatch = session.client("cloudwatch")
    dimensions = [{"Name": "FunctionName", "Value": session.target.function_name}]

    def values(metric: str, statistic: str) -> dict[float, float]:
        of = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
        return _statistics(cloudwatch, of, statistic, period, seconds)

    errors = values("Errors", "Sum")
    most, half = (values("Duration", percentile) for percentile in ("p99", "p50"))
    return [
        (at * 1000, round(most[at], 1), round(half.get(at, 0.0), 1), errors.get(at, 0.0), number)
        for at, number in sorted(values("Invocations", "Sum").items())
        if number and at in most
    ]


def history(session: ReadSession, alarm: str) -> list[dict[str, Any]]:
    """An alarm's latest changes of state, the newest first."""
    answer = session.client("cloudwatch").describe_alarm_history(
        AlarmName=alarm, AlarmTypes=TYPES, HistoryItemType="StateUpdate", MaxRecords=20
    )
    changes = []
    for item in answer["AlarmHistoryItems"]:
        # AWS documents of HistoryData only that it is JSON.
        data = json_object(item.get("HistoryData")) or {}
        old, new = (json_object(data.get(name)) or {} for name in ("oldState", "newState"))
        changes.append(
            {
                "at": item["Timestamp"].timestamp() * 1000,
                "from": old.get("stateValue"),
                "to": new.get("stateValue"),
                "reason": new.get("stateReason"),
            }
        )
    return changes


def _alarm_json(alarm: Mapping[str, Any]) -> dict[str, Any]:
    parts = (part["MetricStat"] for part in alarm.get("Metrics") or [] if "MetricStat" in part)
    part: Mapping[str, Any] = next(parts, {})
    changed: datetime | None = alarm.get("StateUpdatedTimestamp")
    return {
        "name": alarm["AlarmName"],
        "state": alarm["StateValue"],
        "reason": str(alarm.get("StateReason") or "")[:_MAX_REASON],
        "metric": "other alarms"
        if alarm.get("AlarmRule")
        else " + ".join(metrics(alarm)) or "an expression",
        "statistic": str(alarm.get("Statistic") or part.get("Stat") or ""),
        "period": alarm.get("Period") or part.get("Period"),
        "threshold": alarm.get("Threshold"),
        "section": section(alarm),
        "stage": stage_of(section(alarm)),
        "since": changed.timestamp() if changed is not None else None,
    }


def _datapoints(cloudwatch: Any, alarm: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Time (epoch seconds) and value of an alarm's metric; the sum where it has several."""
    metrics = [
        (part["MetricStat"]["Metric"], part["MetricStat"]["Stat"], part["MetricStat"]["Period"])
        for part in alarm.get("Metrics") or []
        if "MetricStat" in part
    ]
    if alarm.get("MetricName"):
        metrics = [(alarm, alarm["Statistic"], alarm["Period"])]
    sums = Counter[float]()
    for metric, statistic, period in metrics:
        # In the alarm's own period, for which its threshold is meant.
        seconds = min(_DATAPOINTS * period, _MAX_RANGE_SECONDS)
        sums.update(_statistics(cloudwatch, metric, statistic, int(period), seconds))
    return sorted(sums.items())


def _statistics(
    cloudwatch: Any, metric: Mapping[str, Any], statistic: str, period: int, seconds: int
) -> dict[float, float]:
    """Values of a metric until now, by time (epoch seconds).

    `metric` has its Namespace, MetricName and Dimensions.
    """
    now = datetime.now(UTC)
    kind = "ExtendedStatistics" if statistic.startswith("p") else "Statistics"
    answer = cloudwatch.get_metric_statistics(
        **{name: metric[name] for name in ("Namespace", "MetricName", "Dimensions")},
        StartTime=now - timedelta(seconds=seconds),
        EndTime=now + timedelta(seconds=60),
        Period=period,
        **{kind: [statistic]},
    )
    return {
        point["Timestamp"].timestamp(): point.get("ExtendedStatistics", point)[statistic]
        for point in answer["Datapoints"]
    }
