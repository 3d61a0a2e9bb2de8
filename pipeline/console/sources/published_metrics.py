"""Publish on the embedded lab the metrics that AWS's services publish in AWS.

The emulator evaluates alarms, but has no metrics of tables, queues and asynchronous invocations:
without these no alarm would change its state. The values come from the table's stream, the
function's log and the queues' depths.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.console.sources.session import ReadSession
from pipeline.console.sources.source import Source
from pipeline.lab.observe import publish_writes

# The emulator evaluates an alarm when a datapoint is put: also for it to return to OK.
_QUIET_SECONDS = 10.0
# PutMetricData takes 1,000 datapoints, of which an invocation has three.
_MAX_INVOKES = 333


@dataclass
class PublishedMetrics(Source):
    """Writes; a source like the others, so that an error shows on the page."""

    panel, thing = "published_metrics", "CloudWatch's metrics"
    interval = (1.0, 1.0)
    _depths: dict[str, int] = field(default_factory=dict, init=False)
    _published_at: float = field(default=0.0, init=False)

    def poll(self, session: ReadSession) -> None:
        units, samples = self.board.take_new_samples()
        depths = {queue: waiting for queue, (waiting, _) in self.board.depths.items()}
        changed = units or samples or depths != self._depths
        if not changed and time.monotonic() - self._published_at < _QUIET_SECONDS:
            return
        target, cloudwatch = session.target, session.client("cloudwatch")
        urls = {"failures": target.failure_queue_url, "buffer": target.buffer_queue_url or ""}
        visible = "ApproximateNumberOfMessagesVisible"
        data: dict[str, list[dict[str, Any]]] = {"AWS/SQS": [], "AWS/Lambda": []}
        for queue, waiting in depths.items():
            name = urls[queue].rpartition("/")[2]
            data["AWS/SQS"].append(_datapoint(visible, waiting, time.time(), QueueName=name))
        for sample in samples[-_MAX_INVOKES:]:
            values = {"Invocations": 1.0, "Errors": float(sample.failing)}
            if sample.milliseconds is not None:
                values["Duration"] = sample.milliseconds
            data["AWS/Lambda"] += [
                _datapoint(metric, value, sample.at, FunctionName=target.function_name)
                for metric, value in values.items()
            ]
        for namespace, datapoints in data.items():
            if datapoints:
                cloudwatch.put_metric_data(Namespace=namespace, MetricData=datapoints)
        if units:
            publish_writes(cloudwatch, target.table_name, units)
        self._depths, self._published_at = depths, time.monotonic()
        self.wake("alarms")


def _datapoint(metric: str, value: float, at: float, **dimensions: str) -> dict[str, Any]:
    return {
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Timestamp": datetime.fromtimestamp(at, UTC),
        "Value": float(value),
        "Unit": "Milliseconds" if metric == "Duration" else "Count",
    }
