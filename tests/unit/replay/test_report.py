"""What a replay says of the messages that left the queue."""

import json
from typing import Any

import pytest

from pipeline.deployed.failure_queue import read
from pipeline.replay.report import Report, _became
from pipeline.replay.run import Outcome
from tests.support.aws import s3_events as s3


def outcome(body: Any) -> Outcome:
    return Outcome(read({"Body": json.dumps(body)}), done=True)


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (s3.notification(s3.record("a"), s3.record("b")), 2),
        (s3.eventbridge("a"), 1),
        (s3.TEST_EVENT, 0),
        (s3.notification(), 0),
        ({"requestPayload": s3.TEST_EVENT}, 0),
    ],
    ids=["notification", "eventbridge", "test event", "empty", "test event that failed"],
)
def test_a_message_has_as_many_records_as_events_of_objects(body: Any, records: int) -> None:
    assert outcome(body).records == records


@pytest.mark.parametrize(
    ("done", "empty", "skipped", "sentence"),
    [
        (3, 0, 0, "the records are in the table t"),
        (3, 1, 0, "the records are in the table t (1 held no event of an object)"),
        (2, 2, 0, "2 held no event of an object"),
        (
            3,
            1,
            1,
            "the records are in the table t (1 held no event of an object, the hook skipped 1)",
        ),
        (1, 0, 1, "the hook skipped 1"),
    ],
)
def test_only_messages_with_records_are_said_to_have_records_in_the_table(
    done: int, empty: int, skipped: int, sentence: str
) -> None:
    report = Report("url", False, 0, done=done, without_record=empty, skipped=skipped)
    assert _became(report, "t") == sentence
