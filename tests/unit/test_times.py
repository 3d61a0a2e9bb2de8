"""How options take durations and times."""

import math
import time

import pytest

from pipeline import times
from pipeline.errors import PipelineError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("0s", 0), ("1.5m", 90), ("6h", 21_600), ("2d", 172_800)]
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert times.seconds(text, "--grace") == seconds
    assert times.moment(text, 1_000_000, "--since") == 1_000_000 - seconds


@pytest.mark.parametrize(
    "text", ["2026-11-22T09:40:00Z", "2026-11-22T09:40", "2026-11-22T10:40:00+01:00"]
)
def test_a_time_is_utc_unless_it_names_a_zone(text: str) -> None:
    moment = times.moment(text, 0, "--since")
    assert times.iso(moment) == "2026-11-22T09:40:00Z"


@pytest.mark.parametrize("text", ["", "6", "h", "-1h", "6 weeks", "1e9d", "yesterday"])
def test_what_is_neither_is_refused_and_the_option_named(text: str) -> None:
    with pytest.raises(PipelineError, match=r"^--since is .*90s, 15m, 6h, 2d"):
        times.moment(text, 0, "--since")
    with pytest.raises(PipelineError, match=r"^--grace is .* 90s, 15m, 6h or 2d\.$"):
        times.seconds(text, "--grace")


def test_on_screen_a_time_is_iso_in_the_machines_zone_and_for_programs_in_utc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        at = times.epoch("2026-11-22T09:40:00.123Z")
        assert times.local(at) == "2026-11-22T10:40:00+01:00"
        assert times.local_ms(at * 1000) == "2026-11-22T10:40:00.123+01:00"
        assert times.iso_ms(at * 1000) == "2026-11-22T09:40:00.123Z"
    finally:
        monkeypatch.undo()
        time.tzset()
    for beyond in (math.inf, math.nan, -1e20, 1e20, times.epoch("0001-01-01"), 253402300799):
        assert times.local(beyond)
        assert times.iso_ms(beyond * 1000)
