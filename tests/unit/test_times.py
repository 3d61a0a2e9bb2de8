"""How options take durations and times."""

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
