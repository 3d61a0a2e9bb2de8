"""Read JSON that others wrote, which can hold anything."""

import json
import math
from typing import Any

from pipeline import times


def json_object(value: Any) -> dict[str, Any] | None:
    """The JSON object in a text, or the object itself; None for anything else."""
    try:
        document = json.loads(value) if isinstance(value, str | bytes) else value
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def text(value: Any, at_most: int = 500) -> str:
    """A value as a short text."""
    try:
        return f"{value!s:.{at_most}}"
    except RecursionError:
        return "(too deeply nested to be shown)"


def epoch_ms(text: Any) -> float | None:
    """Epoch milliseconds of an ISO time, in UTC unless it names a zone; None for anything else."""
    try:
        return times.epoch(text) * 1000
    except ValueError:
        return None


def number(value: Any) -> float | None:
    """A finite number, since JSON of a page has no NaN and no Infinity; None for anything else."""
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:
        return None
