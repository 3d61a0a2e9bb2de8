"""Durations and times: as options take them, as others write them, and as they are shown.

Whatever a number or text is, nothing here raises but what it says.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from pipeline.errors import PipelineError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
# A century.
_LONGEST_SECONDS = 36_525 * 86_400
_START = datetime(1970, 1, 1, tzinfo=UTC)
# From the year 1 to 9999, as far as a date has a spelling.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
_UNKNOWN = "time unknown"


def seconds(text: str, option: str) -> float:
    """A duration like `90s`, `15m`, `6h` or `2d` in seconds, a century at most.

    Raises PipelineError naming `option`.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise PipelineError(f"{option} is {text!r}: write a duration like 90s, 15m, 6h or 2d.")
    found = float(match[1]) * _UNITS[match[2]]
    if found > _LONGEST_SECONDS:
        raise PipelineError(f"{option} is {text!r:.80}, more than a century: write less.")
    return found


def moment(text: str, now: float, option: str) -> float:
    """Epoch seconds of a duration before `now`, or of an ISO time.

    Raises PipelineError naming `option`.
    """
    if _DURATION.fullmatch(text):
        return now - seconds(text, option)
    try:
        return epoch(text)
    except ValueError as error:
        raise PipelineError(
            f"{option} is {text!r}: write how long ago (90s, 15m, 6h, 2d), or a time like "
            "2026-11-22T09:40:00Z."
        ) from error


def epoch(text: object) -> float:
    """Epoch seconds of an ISO time between the years 1 and 9999, in UTC unless it names a zone.

    Raises ValueError for anything else.
    """
    parsed = datetime.fromisoformat(str(text))
    return checked(parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp())


def checked(epoch: float) -> float:
    """Epoch seconds between the years 1 and 9999. Raises ValueError for others."""
    if not _EARLIEST <= epoch <= _LATEST:
        raise ValueError("outside the years 1 to 9999")
    return float(epoch)


def iso(epoch: float) -> str:
    """Epoch seconds as in a record: `2026-11-22T09:40:00Z`; "time unknown" outside the calendar."""
    return _shown(epoch, "%Y-%m-%dT%H:%M:%SZ")


def iso_ms(epoch_ms: float) -> str:
    """Epoch milliseconds as an ISO time in UTC, as a log has them."""
    return _in_zone(epoch_ms, "milliseconds", UTC)


def local(epoch: float) -> str:
    """Epoch seconds as an ISO time in this machine's zone: `2026-11-22T10:40:00+01:00`."""
    return _in_zone(epoch * 1000, "seconds")


def local_ms(epoch_ms: float) -> str:
    """Epoch milliseconds in the same way: `2026-11-22T10:40:00.123+01:00`."""
    return _in_zone(epoch_ms, "milliseconds")


def _in_zone(epoch_ms: float, precision: str, zone: tzinfo | None = None) -> str:
    try:
        milliseconds = round(checked(epoch_ms / 1000) * 1000)
        shown = (_START + timedelta(milliseconds=milliseconds)).astimezone(zone)
    except (ValueError, OverflowError):
        return _UNKNOWN
    return shown.isoformat(timespec=precision).replace("+00:00", "Z" if zone else "+00:00")


def utc(epoch: float) -> str:
    """Epoch seconds as people read them: `2026-11-22 09:40:00 UTC`; else as `iso`."""
    return _shown(epoch, "%Y-%m-%d %H:%M:%S UTC")


def _shown(epoch: float, form: str) -> str:
    try:
        date = _START + timedelta(seconds=checked(epoch) // 1)
    except ValueError:
        return _UNKNOWN
    # The platform's own year has no leading zeros everywhere.
    return date.strftime(form.replace("%Y", f"{date.year:04}"))
