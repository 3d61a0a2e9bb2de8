"""The benchmark says what it measured, and by its exit code whether that is enough."""

import io
import sys
import zipfile
from pathlib import Path

import pytest

from bench import handler as bench


@pytest.mark.parametrize(
    ("ours", "obvious", "holds"), [(1.0, 9.1, True), (1.0, 9.0, True), (1.0, 8.9, False)]
)
def test_a_promise_holds_from_its_figure_upwards(ours: float, obvious: float, holds: bool) -> None:
    promise = bench.Promise("import", "import", 9, "less")
    outcome = bench.judge(promise, [{"import": (ours, obvious, 0.5)}, {"other": (1, 1, 1)}])
    assert outcome.holds is holds
    assert outcome.ratio == pytest.approx(obvious / ours)
    assert outcome.limit == pytest.approx(obvious / 0.5)
    assert ("pass" if holds else "MISS") in bench.table([outcome], 0).splitlines()[1]


def test_the_interval_encloses_the_median_and_is_the_same_each_time() -> None:
    ratios = [9.0, 9.5, 10.0, 10.5, 30.0]
    low, high = bench.interval(ratios)
    assert 9.0 <= low <= 10.0 <= high <= 30.0
    assert bench.interval(ratios) == (low, high)


def test_the_package_s_size_is_that_of_a_zip_file() -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        for path in bench.OURS.glob("*.py"):
            archive.write(path, path.name)
    assert bench.package_bytes() == len(package.getvalue())


def test_a_handler_that_does_not_run_is_not_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lambda_function.py").write_text("raise RuntimeError('no table')")
    monkeypatch.setattr(bench, "OBVIOUS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench.handler", "--quick"])
    assert bench.main() == 2
    assert "no table" in capsys.readouterr().err
