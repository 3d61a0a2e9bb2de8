"""What a replay is asked to put through, and how names look on a terminal."""

import json

import pytest

from pipeline.deployed.failure_queue import Failure, read
from pipeline.errors import PipelineError
from pipeline.replay.report import Choice
from pipeline.terminal import printable
from tests.support.aws import s3_events

ID = "1b2c3d4e-0000-4000-8000-000000000000"


def message(*keys: str) -> Failure:
    body = s3_events.notification(*map(s3_events.record, keys))
    return read({"Body": json.dumps(body), "MessageId": ID, "ReceiptHandle": "h"})


@pytest.mark.parametrize("glob", ["a/*", "a/[[]x].txt", "a/[x].txt", "*"])
def test_a_key_is_matched_as_a_pattern_or_as_it_is(glob: str) -> None:
    assert Choice(keys=(glob,)).why(message("other", "a/[x].txt")) == {glob}


@pytest.mark.parametrize("glob", ["a", "A/*", "a/x.txt"])
def test_a_key_that_differs_is_not_chosen(glob: str) -> None:
    assert Choice(keys=(glob,)).why(message("a/[x].txt")) == set()


def test_a_message_is_chosen_by_its_id_or_the_first_characters_of_it() -> None:
    choice = Choice(messages=(ID, ID[:8], "ffffffff"))
    assert choice.why(message("a")) == {ID, ID[:8]}
    with pytest.raises(PipelineError, match=r"'1b2c3d4' is too short: give the id"):
        Choice(messages=(ID[:7],))


def test_what_is_no_event_has_no_key_to_be_chosen_by() -> None:
    unreadable = read({"Body": "{", "MessageId": ID, "ReceiptHandle": "h"})
    assert Choice(keys=("*",)).why(unreadable) == set()
    assert Choice(messages=(ID,)).why(unreadable) == {ID}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 測試.txt", "größe 測試.txt"),
        ("a\x1b[31m\x9b\n\x7f", "a\\x1b[31m\\x9b\\n\\x7f"),
        ("right\u202eleft", "right\\u202eleft"),
        ("\ud800", "\\ud800"),
    ],
    ids=["names", "controls", "direction", "surrogate"],
)
def test_a_name_does_nothing_to_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_reason_is_cut_where_asked() -> None:
    assert printable("x" * 10, 5) == "xxxx…"
    assert printable("x" * 5, 5) == "xxxxx"
