"""Read values of logs, messages and alarm histories, which can hold anything."""

import math
from typing import Any

from pipeline import times


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
