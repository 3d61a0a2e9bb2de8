"""Durations and times, as options take them."""

import re
from datetime import UTC, datetime

from pipeline.errors import PipelineError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def seconds(text: str, option: str) -> float:
    """A duration like `90s`, `15m`, `6h` or `2d` in seconds.

    Raises PipelineError naming `option`.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise PipelineError(f"{option} is {text!r}: write a duration like 90s, 15m, 6h or 2d.")
    return float(match[1]) * _UNITS[match[2]]


def moment(text: str, now: float, option: str) -> float:
    """Epoch seconds of a duration before `now`, or of an ISO time.

    Raises PipelineError naming `option`.
    """
    if _DURATION.fullmatch(text):
        return now - seconds(text, option)
    try:
        return epoch(text)
    except (ValueError, OverflowError) as error:
        raise PipelineError(
            f"{option} is {text!r}: write how long ago (90s, 15m, 6h, 2d), or a time like "
            "2026-11-22T09:40:00Z."
        ) from error


def epoch(text: str) -> float:
    """Epoch seconds of an ISO time, in UTC unless it names a zone.

    Raises ValueError and OverflowError.
    """
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp()


def iso(epoch: float) -> str:
    """Epoch seconds as in a record: `2026-11-22T09:40:00Z`."""
    return datetime.fromtimestamp(int(epoch // 1), UTC).isoformat()[:19] + "Z"
