"""Read values of logs, messages and alarm histories, which can hold anything."""

import json
import math
from datetime import UTC, datetime
from typing import Any


def json_object(value: Any) -> dict[str, Any] | None:
    """The JSON object in a text, or the object itself; None for anything else."""
    try:
        document = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def epoch_ms(text: Any) -> float | None:
    """Epoch milliseconds of an ISO time, in UTC unless it names a zone; None for anything else."""
    try:
        time = datetime.fromisoformat(str(text))
        return time.replace(tzinfo=time.tzinfo or UTC).timestamp() * 1000
    except (ValueError, OverflowError):
        return None


def number(value: Any) -> float | None:
    """A finite number, since JSON of a page has no NaN and no Infinity; None for anything else."""
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:
        return None
