"""The page's benchmark shows in its table and exit code whether a promise holds."""

import os

import pytest

from bench import console as bench


def test_a_figure_is_judged_by_what_95_in_100_do_not_exceed() -> None:
    figure = bench.spread("delay", [float(number) for number in range(1, 101)], "ms", 95.0)
    assert (figure.value, figure.median, figure.worst) == (95.0, 50.5, 100.0)
    assert figure.holds
    assert not bench.spread("delay", [1.0, 2.0, 96.0], "ms", 95.0).holds


def test_a_missed_promise_shows_and_a_figure_without_one_passes() -> None:
    figures = [
        bench.Figure("paint", 301.0, "ms", 300.0),
        bench.Figure("idle", 1.5, "% of a core", 2.0),
        bench.Figure("elements", 1e9, ""),
    ]
    assert [figure.holds for figure in figures] == [False, True, True]
    _, paint, idle, elements, _ = bench.table(figures).splitlines()
    assert paint.endswith("MISS")
    assert idle.endswith("pass")
    assert elements.endswith("1,000,000,000")


def test_cpu_time_is_read_of_any_process() -> None:
    before = bench.cpu_seconds(os.getpid())
    while bench.cpu_seconds(os.getpid()) < before + 0.05:
        sum(range(10_000))
    spent = sum(os.times()[:2])
    assert bench.cpu_seconds(os.getpid()) == pytest.approx(spent, abs=0.1)
