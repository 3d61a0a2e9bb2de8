"""How long the lab waits."""

import pytest

from pipeline.lab.observe import NotSeenError, wait_for


def test_waiting_ends_with_the_first_answer() -> None:
    answers = iter([None, None, "seen"])
    assert wait_for(lambda: next(answers), "the answer") == "seen"


def test_what_does_not_show_in_time_is_named() -> None:
    with pytest.raises(NotSeenError, match="the answer did not show within 0 s"):
        wait_for(lambda: None, "the answer", seconds=0.01)
