"""Which messages are replayed, and how names look on a terminal."""

import json

import pytest

from pipeline.deployed.failure_queue import Failure, read
from pipeline.errors import PipelineError
from pipeline.replay.choice import Choice
from pipeline.terminal import printable
from tests.support.aws import s3_events

ID = "1b2c3d4e-0000-4000-8000-000000000000"


def message(*keys: str) -> Failure:
    body = s3_events.notification(*map(s3_events.record, keys))
    return read({"Body": json.dumps(body), "MessageId": ID, "ReceiptHandle": "h"})


MATCHING = ["a/*", "a/[[]x].txt", "a/[x].txt", "*"]


@pytest.mark.parametrize("glob", [*MATCHING, "a", "A/*", "a/x.txt"])
def test_a_key_is_matched_as_a_pattern_or_as_it_is(glob: str) -> None:
    choice = Choice(keys=[glob])
    assert choice.takes(message("other/x", "a/[x].txt")) is (glob in MATCHING)
    assert choice.unmatched == ([] if glob in MATCHING else [glob])


def test_a_message_is_chosen_by_its_id_or_the_first_characters_of_it() -> None:
    choice = Choice(messages=[ID, ID[:8], "ffffffff"])
    assert choice.takes(message("a"))
    assert (choice.unmatched, choice.complete) == (["ffffffff"], False)
    with pytest.raises(PipelineError, match=r"'1b2c3d4' is too short: give the id"):
        Choice(messages=[ID[:7]])


def test_what_is_no_event_has_no_key_to_be_chosen_by() -> None:
    unreadable = read({"Body": "{", "MessageId": ID, "ReceiptHandle": "h"})
    assert not Choice(keys=["*"]).takes(unreadable)
    by_id = Choice(messages=[ID])
    assert by_id.takes(unreadable)
    assert by_id.complete


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 測試.txt", "größe 測試.txt"),
        ("a\x1b[31m\x9b\n\x7f", "a\\x1b[31m\\x9b\\n\\x7f"),
        ("right\u202eleft", "right\\u202eleft"),
        ("\ud800", "\\ud800"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 19 + "…"),
    ],
    ids=["names", "controls", "direction", "surrogate", "fits", "cut"],
)
def test_a_name_does_nothing_to_a_terminal_and_is_cut(text: str, shown: str) -> None:
    assert printable(text, 20) == shown
