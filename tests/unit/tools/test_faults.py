"""A fault run's judgement: what must not be hidden."""

from collections import Counter
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tools.faults import command as fault_command
from tools.faults.counts import Tally, Upload
from tools.faults.faults import FAULTS, Report, judge
from tools.faults.proxy import FaultProxy
from tools.faults.scene import Scene
from tools.faults.site import Pipeline, Site

FINE, BAD = Upload("fine", "1"), Upload("bad", "2")
PIPELINE = Pipeline("notification", "bucket", "function", "role", "table", "failures", None)
ITEMS: Any = {"id-fine": {"size": {"N": "1"}}}


def judged(before: Tally, after: Tally, *, either: bool = False) -> Report:
    """The report on FINE, which should be recorded, and BAD, which should fail and be replayed."""
    power: Any = None
    scene = Scene(Site(PIPELINE, power, FaultProxy()), 2, "prefix/", lambda what, done, total: None)
    scene.uploads, scene.refused, scene.either = [FINE, BAD], {BAD}, either
    return judge("poison", scene, before, after, replayed=1, seconds=1.0)


BEFORE = Tally(ITEMS, Counter([FINE]), Counter([BAD]))
AFTER = Tally(ITEMS, Counter([FINE, BAD]))


def test_a_run_holds_in_which_each_upload_went_where_it_belongs() -> None:
    report = judged(BEFORE, AFTER)
    assert report.holds
    assert (report.uploads, report.recorded, report.in_failure_queue) == (2, 1, 1)
    assert (report.doubled, report.lost) == (0, 0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(Tally(ITEMS, Counter([FINE])), AFTER, id="neither recorded nor failed"),
        pytest.param(BEFORE, Tally(ITEMS, Counter([FINE])), id="not recorded by the replay"),
        pytest.param(BEFORE, Tally(ITEMS, Counter([BAD])), id="gone after the replay"),
    ],
)
def test_a_loss_shows(before: Tally, after: Tally) -> None:
    report = judged(before, after, either=True)
    assert not report.holds
    assert report.lost == 1
    assert "lost" in report.problems[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            BEFORE, Tally(ITEMS, Counter([FINE, FINE, BAD])), id="two records of one upload"
        ),
        pytest.param(
            Tally(ITEMS, Counter([FINE]), Counter([BAD, BAD])), AFTER, id="two messages of one"
        ),
    ],
)
def test_an_upload_counted_twice_shows(before: Tally, after: Tally) -> None:
    report = judged(before, after, either=True)
    assert not report.holds
    assert report.doubled == 1


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (Tally({}, Counter(), Counter([FINE, BAD])), AFTER, "nothing was wrong"),
        (Tally(ITEMS, Counter([FINE, BAD]), Counter([BAD])), AFTER, "though they were refused"),
        (Tally(ITEMS, Counter([FINE]), Counter([BAD]), strangers=1), AFTER, "of no upload"),
        (
            Tally(ITEMS, Counter([FINE]), Counter([BAD, Upload("foreign", "3")])),
            AFTER,
            "of no upload",
        ),
        (
            BEFORE,
            Tally({"id-fine": {"size": {"N": "2"}}}, AFTER.records),
            "changed in the replay",
        ),
    ],
)
def test_what_is_where_it_does_not_belong_shows(before: Tally, after: Tally, problem: str) -> None:
    report = judged(before, after)
    assert not report.holds
    assert problem in " ".join(report.problems)


def test_an_upload_that_is_recorded_and_failed_is_told_and_no_problem() -> None:
    report = judged(Tally(ITEMS, Counter([FINE]), Counter([FINE, BAD])), AFTER)
    assert report.holds
    assert report.both == 1


def test_an_unknown_fault_is_refused_before_anything_starts_and_all_are_explained() -> None:
    with pytest.raises(PipelineError, match="There is no fault 'nonsense'") as refused:
        fault_command.faults(["poison", "nonsense"])
    for name, fault in FAULTS.items():
        assert f"{name}: {(fault.__doc__ or '').splitlines()[0]}" in str(refused.value)


def test_the_documentation_names_every_fault() -> None:
    text = (ROOT / "docs/start/how-it-works.md").read_text(encoding="utf-8")
    for name in FAULTS:
        assert f"| `{name}` |" in text, name
