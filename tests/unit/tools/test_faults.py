"""The result of a fault run: what it must show."""

from collections import Counter
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tools.faults import command
from tools.faults.counts import Counts, Upload
from tools.faults.deployment import Deployment
from tools.faults.faults import FAULTS
from tools.faults.proxy import FaultProxy
from tools.faults.run import Result, judge
from tools.faults.trial import Trial

FINE, BAD = Upload("fine", "1"), Upload("bad", "2")
ITEMS: Any = {"id-fine": {"size": {"N": "1"}}}


def judged(before: Counts, after: Counts, *, either: bool = False) -> Result:
    """The result for FINE, which should be recorded, and BAD, which should fail and be replayed."""
    nothing: Any = None
    deployment = Deployment("notification", nothing, nothing, FaultProxy())
    trial = Trial(deployment, 2, "prefix/", lambda what, done, total: None)
    trial.uploads, trial.refused, trial.either = [FINE, BAD], {BAD}, either
    return judge("poison", trial, before, after, replayed=1, seconds=1.0)


BEFORE = Counts(ITEMS, Counter([FINE]), Counter([BAD]))
AFTER = Counts(ITEMS, Counter([FINE, BAD]))


def test_a_run_is_ok_in_which_each_upload_went_where_it_belongs() -> None:
    result = judged(BEFORE, AFTER)
    assert result.ok
    assert (result.uploads, result.recorded, result.in_failure_queue) == (2, 1, 1)
    assert (result.doubled, result.lost) == (0, 0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(Counts(ITEMS, Counter([FINE])), AFTER, id="neither recorded nor failed"),
        pytest.param(BEFORE, Counts(ITEMS, Counter([FINE])), id="not recorded by the replay"),
        pytest.param(BEFORE, Counts(ITEMS, Counter([BAD])), id="gone after the replay"),
    ],
)
def test_a_loss_shows(before: Counts, after: Counts) -> None:
    result = judged(before, after, either=True)
    assert not result.ok
    assert result.lost == 1
    assert "lost" in result.problems[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            BEFORE, Counts(ITEMS, Counter([FINE, FINE, BAD])), id="two records of one upload"
        ),
        pytest.param(
            Counts(ITEMS, Counter([FINE]), Counter([BAD, BAD])), AFTER, id="two messages of one"
        ),
    ],
)
def test_an_upload_counted_twice_shows(before: Counts, after: Counts) -> None:
    result = judged(before, after, either=True)
    assert not result.ok
    assert result.doubled == 1


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (Counts({}, Counter(), Counter([FINE, BAD])), AFTER, "nothing was wrong"),
        (Counts(ITEMS, Counter([FINE, BAD]), Counter([BAD])), AFTER, "though they were refused"),
        (Counts(ITEMS, Counter([FINE]), Counter([BAD]), without_event=1), AFTER, "of no upload"),
        (
            Counts(ITEMS, Counter([FINE]), Counter([BAD, Upload("foreign", "3")])),
            AFTER,
            "of no upload",
        ),
        (
            BEFORE,
            Counts({"id-fine": {"size": {"N": "2"}}}, AFTER.records),
            "changed in the replay",
        ),
    ],
)
def test_what_is_where_it_does_not_belong_shows(
    before: Counts, after: Counts, problem: str
) -> None:
    result = judged(before, after)
    assert not result.ok
    assert problem in " ".join(result.problems)


def test_an_upload_that_is_recorded_and_failed_is_counted_and_no_problem() -> None:
    result = judged(Counts(ITEMS, Counter([FINE]), Counter([FINE, BAD])), AFTER)
    assert result.ok
    assert result.both == 1


def test_an_unknown_fault_is_refused_before_anything_starts_and_all_are_explained() -> None:
    with pytest.raises(PipelineError, match="There is no fault 'nonsense'") as refused:
        command.faults(["poison", "nonsense"])
    for name, fault in FAULTS.items():
        assert f"{name}: {(fault.__doc__ or '').splitlines()[0]}" in str(refused.value)


def test_the_documentation_names_every_fault() -> None:
    text = (ROOT / "docs/start/how-it-works.md").read_text(encoding="utf-8")
    for name in FAULTS:
        assert f"| `{name}` |" in text, name
