"""One JSON object a line on stdout.

Not through `logging`: Lambda's own handler would wrap each line in a second JSON object.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime

# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def enabled(level: str) -> bool:
    """Whether `AWS_LAMBDA_LOG_LEVEL` (default INFO) lets lines of this level through."""
    wanted = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO").upper()
    return _LEVELS.index(level) >= _LEVELS.index(wanted if wanted in _LEVELS else "INFO")


def write(level: str, message: str, **fields: object) -> None:
    """Write one line, at once, so that lines of threads and processes never mix."""
    if enabled(level):
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        _write({"timestamp": now, "level": level, "message": message, **fields})


def metrics(values: dict[str, float]) -> None:
    """Write the figures as CloudWatch metrics too, if `METRICS_NAMESPACE` is set.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    namespace = os.environ.get("METRICS_NAMESPACE")
    if not namespace:
        return
    names = [{"Name": name} for name in values]
    directive = {"Namespace": namespace, "Dimensions": [["FunctionName"]], "Metrics": names}
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")
    _write({"_aws": about, "FunctionName": function, **values})


def _write(line: dict[str, object]) -> None:
    # ASCII: a key with a lone surrogate must not make the log line fail too.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
