"""There is one check for each line that was not run, and checks come in an order that holds."""

import re

import pytest

from pipeline.accept.checks import CHECKS, DESTROYED, choose, is_late, places
from pipeline.accept.deliveries import DELIVERIES
from pipeline.accept.trial import Check
from pipeline.errors import PipelineError
from pipeline.paths import ROOT

LIMITS = ROOT / "docs/reference/limits.md"


def test_every_line_that_was_not_run_has_one_check_and_no_check_is_without_its_line() -> None:
    page = LIMITS.read_text(encoding="utf-8")
    part = page.partition("## Checked in the plan, not run")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([a-z-]+)` \|", part, re.MULTILINE)
    assert sorted(listed) == sorted(check.id for check in CHECKS.values() if check.line)


def test_every_delivery_is_tried_with_either_key() -> None:
    assert {f"deliver-{name}" for name in DELIVERIES} <= CHECKS.keys()
    kinds = {(each.via, each.buffered, each.customer_key) for each in DELIVERIES.values()}
    assert len(kinds) == 8


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_what_a_check_needs_is_tried_before_it(check: Check) -> None:
    order = list(CHECKS)
    for need in check.needs:
        first = CHECKS[need]
        if is_late(first) == is_late(check):
            assert order.index(need) < order.index(check.id)
        else:
            assert is_late(check)
        assert is_late(check) or first.places == check.places


def test_a_choice_takes_along_what_it_needs_and_the_end() -> None:
    chosen = [check.id for check in choose("replay")]
    assert chosen == ["failed-event-kept", "replay", DESTROYED]
    assert places(choose("replay")) == ["ndns"]


@pytest.mark.parametrize("only", ["nonsense", "replay,nonsense", "", " , "])
def test_a_choice_of_nothing_is_refused_with_what_there_is(only: str) -> None:
    with pytest.raises(PipelineError, match="write some of deliver-ndns"):
        choose(only)
