"""The benchmark says what it measured, and by its exit code whether that is enough."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import handler as bench
from tools import package


def turn_of(measurement: str, values: Mapping[str, float]) -> bench.Run:
    return {handler: {measurement: value} for handler, value in values.items()}


@pytest.mark.parametrize(
    ("ours", "obvious", "holds"), [(1.0, 9.1, True), (1.0, 9.0, True), (1.0, 8.9, False)]
)
def test_a_promise_holds_from_nine_tenths_of_its_figure_upwards(
    ours: float, obvious: float, holds: bool
) -> None:
    promise = bench.Promise("cold start", "import", 10, "less")
    turn = {"ours": ours, "obvious": obvious, "powertools": 20.0, "limit": 0.5}
    outcome = bench.judge(promise, [turn_of("import", turn), turn_of("other", turn)])
    assert outcome.holds is holds
    assert outcome.ratio == pytest.approx(obvious / ours)
    assert outcome.limit == pytest.approx(obvious / 0.5)
    assert outcome.powertools == 20
    assert ("pass" if holds else "MISS") in bench.table([outcome], 0).splitlines()[1]


@pytest.mark.parametrize(("floor", "holds"), [(0.91, True), (0.89, False)])
def test_a_promise_of_the_limit_is_compared_with_raw_sockets(floor: float, holds: bool) -> None:
    promise = bench.Promise("latency", "warm", 1, "less", of_limit=True)
    outcome = bench.judge(promise, [turn_of("warm", {"ours": 1, "obvious": 5, "limit": floor})])
    assert (outcome.ratio, outcome.holds, outcome.powertools) == (floor, holds, None)


def test_a_hooks_figure_is_of_the_turns_that_have_one() -> None:
    promise = bench.Promise("with a hook", "warm", None, "less", handler="hooked")
    hooked = {"ours": 1, "hooked": 2, "obvious": 8, "limit": 1}
    plain = {"ours": 1, "obvious": 100, "limit": 1}
    outcome = bench.judge(promise, [turn_of("warm", hooked), turn_of("warm", plain)])
    assert (outcome.ratio, outcome.ours, outcome.holds) == (4, 2, True)


def test_the_interval_encloses_the_median_and_is_the_same_each_time() -> None:
    ratios = [9.0, 9.5, 10.0, 10.5, 30.0]
    low, high = bench.interval(ratios)
    assert 9.0 <= low <= 10.0 <= high <= 30.0
    assert bench.interval(ratios) == (low, high)


def test_a_package_that_is_not_of_these_sources_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "PACKAGE", tmp_path / "lambda.zip")
    with pytest.raises(bench.NotTriedError, match=r"python -m tools package.*does not exist"):
        bench.unpacked(tmp_path, [])


def test_a_handler_that_does_not_run_is_not_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lambda_function.py").write_text("raise RuntimeError('no table')")
    monkeypatch.setattr(bench, "OBVIOUS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench.handler", "--quick"])
    assert bench.main() == 2
    assert "no table" in capsys.readouterr().err
