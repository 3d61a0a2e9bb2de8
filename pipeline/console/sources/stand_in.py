"""Publish on the embedded lab what AWS's services tell CloudWatch of themselves.

The emulator runs alarms, but has no metrics of tables, queues and asynchronous invokes. Without
them no alarm would ever go off by what really happened. Everything here was read from the table's
stream, the function's log and the queues' depths; in AWS nobody may publish these metrics, or need.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipeline.console.board.board import Board
from pipeline.console.sources.calls import Watched
from pipeline.lab.observe import publish_writes

_LOOK_SECONDS = 1.0
# An alarm is looked at again when something is published: so it gets back to OK, too.
_QUIET_SECONDS = 10.0
# PutMetricData takes as many.
_AT_ONCE = 1000


class StandIn:
    """Publishes; a source like the others, so that one that fails is told on the page."""

    panel = "stand_in"

    def __init__(self, board: Board, published: Callable[[], None]) -> None:
        """Nothing was published yet; `published` is called when something is."""
        self._board, self._published = board, published
        self._told: tuple[object, ...] = ()
        self._at = 0.0

    def look(self, session: Watched) -> float:
        """Publish what is new."""
        units, invokes = self._board.take_news()
        depths = dict(self._board.depths)
        state = tuple((part, depth.waiting) for part, depth in sorted(depths.items()))
        quiet = not units and not invokes and state == self._told
        if quiet and time.monotonic() - self._at < _QUIET_SECONDS:
            return _LOOK_SECONDS
        target, cloudwatch = session.target, session.client("cloudwatch")
        urls = {"failures": target.failure_queue_url, "buffer": target.buffer_queue_url or ""}
        queues = [
            _datum(
                "ApproximateNumberOfMessagesVisible",
                {"QueueName": urls[part].rpartition("/")[2]},
                depth.waiting,
            )
            for part, depth in depths.items()
        ]
        function = {"FunctionName": target.function_name}
        lambdas: list[dict[str, Any]] = []
        for at, milliseconds, failed in invokes[-_AT_ONCE // 3 :]:
            lambdas += [
                _datum("Invocations", function, 1, at),
                _datum("Errors", function, int(failed), at),
            ]
            if milliseconds is not None:
                lambdas.append(_datum("Duration", function, milliseconds, at, "Milliseconds"))
        published = {"AWS/SQS": queues, "AWS/Lambda": lambdas}
        for namespace, data in published.items():
            if data:
                cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
        if units:
            publish_writes(cloudwatch, target.table_name, units)
        self._told, self._at = state, time.monotonic()
        self._published()
        return _LOOK_SECONDS


def _datum(
    name: str,
    dimensions: dict[str, str],
    value: float,
    at: float | None = None,
    unit: str = "Count",
) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": one} for key, one in dimensions.items()],
        "Timestamp": datetime.fromtimestamp(time.time() if at is None else at, UTC),
        "Value": float(value),
        "Unit": unit,
    }
