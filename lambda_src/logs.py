"""One JSON object a line on stdout.

Not through `logging`: Lambda's own handler would wrap each line in a second JSON object.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from typed import Any

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def enabled(level: str) -> bool:
    """Whether `AWS_LAMBDA_LOG_LEVEL` (default INFO) lets lines of this level through."""
    wanted = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO").upper()
    return _LEVELS.index(level) >= _LEVELS.index(wanted if wanted in _LEVELS else "INFO")


def write(level: str, message: str, **fields: object) -> None:
    """Write one line, at once, so that lines of threads and processes never mix."""
    if enabled(level):
        _write(level, {"message": message, **fields})


def write_each(level: str, message: str, lines: Sequence[Mapping[str, Any]], end: float) -> None:
    """Write a line for each of `lines` until `end`, the first in any case; then how many are left.

    `end` is `time.monotonic()` seconds: a log must not keep the answer from getting out in time.
    """
    for written, fields in enumerate(lines, 1):
        write(level, message, **fields)
        if written < len(lines) and time.monotonic() >= end:
            write(level, f"{message}: no time for more lines", unlogged=len(lines) - written)
            return


def metrics(values: dict[str, float]) -> None:
    """Write the figures in CloudWatch's embedded metric format, if `METRICS_NAMESPACE` is set."""
    namespace = os.environ.get("METRICS_NAMESPACE")
    if not namespace:
        return
    names = [{"Name": name} for name in values]
    directive = {"Namespace": namespace, "Dimensions": [["FunctionName"]], "Metrics": names}
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")
    _write("INFO", {"_aws": about, "FunctionName": function, **values})


def _write(level: str, fields: dict[str, object]) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    # The longest key takes 3,072 characters; what is longer is somebody's bad input.
    cut = {name: text[:4000] if isinstance(text, str) else text for name, text in fields.items()}
    # ASCII: a key with a lone surrogate must not make the log line fail too.
    sys.stdout.write(json.dumps({"timestamp": now, "level": level, **cut}) + "\n")
    sys.stdout.flush()
