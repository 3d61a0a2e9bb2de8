"""What is known of an upload's way, in parts that follow each other."""

import json
from typing import Any

import pytest

from pipeline.console.board.places import places, stage_of
from pipeline.console.board.trace import candidates, lines, spans
from pipeline.console.board.uploads import Upload
from pipeline.deployed.invokes import Invoke, Invokes, attempts_of

AT = 1_795_600_000_000.0
REQUEST = "11111111-1111-4111-8111-111111111111"
RECORD = {"eventTime": {"S": "2026-11-25T09:46:40Z"}, "objectKey": {"S": "a"}}


def own(**more: Any) -> Upload:
    return Upload(1, "a", AT, True, object_id="x", put_ms=20.0, **more)


def invoke(*attempts: tuple[float, list[str]], report: str = "") -> Invoke:
    """An invocation whose attempts end so many milliseconds after the upload."""
    found = Invokes()
    for at, texts in attempts:
        whole = [f"START RequestId: {REQUEST}", *texts]
        whole.append(f"REPORT RequestId: {REQUEST}\tDuration: 30.00 ms{report}")
        found.add(
            {"logStreamName": "s", "timestamp": int(AT + at), "message": text} for text in whole
        )
    (only,) = found.newest()
    return only


def done(at: float, **more: Any) -> str:
    line = {
        "message": "Invoke done",
        "requestId": REQUEST,
        "timestamp": int(AT + at),
        "milliseconds": 12.0,
        "objectIds": ["x"],
    }
    return json.dumps(line | more)


def parts(
    upload: Upload | None, record: Any, invokes: list[Invoke], failed_at: float | None
) -> list[tuple[str, float, float | None]]:
    found = spans(upload, record, invokes, failed_at, "Wait for the notification")
    return [
        (span.name, span.start - AT, None if span.end is None else span.end - AT) for span in found
    ]


def test_an_upload_of_this_page_is_known_from_its_first_byte() -> None:
    found = parts(own(state="recorded"), RECORD, [invoke((100, [done(100)]))], None)
    assert found == [
        ("Upload to S3", 0, 20),
        ("Wait for the notification", 20, 88),
        ("Invocation, with the write", 88, 100),
    ]


def test_the_start_of_an_environment_is_apart_in_aws_and_on_the_emulator() -> None:
    timed = invoke((400, [done(400)]), report="\tInit Duration: 80.00 ms")
    assert ("Start of the environment", 308, 388) in parts(own(), None, [timed], None)
    found = Invokes()
    lines = [done(400, coldStart=True), f"REPORT RequestId: {REQUEST}\tDuration: 212.00 ms"]
    found.add({"logStreamName": "s", "timestamp": int(AT + 400), "message": t} for t in lines)
    assert ("Start of the environment", 188, 388) in parts(own(), None, found.newest(), None)


def test_each_attempt_is_a_part_with_its_reason_and_what_waits_goes_on() -> None:
    raised = ["Traceback (most recent call last):", "KeyError: 'x'"]
    tried = invoke((100, raised), (200, raised), (300, raised))
    assert [len(attempt.lines) for attempt in attempts_of(tried)] == [4, 4, 4]
    found = spans(own(state="failed"), None, [tried], AT + 350, "Wait")
    assert [(span.name, span.kind) for span in found] == [
        ("Upload to S3", "upload"),
        ("Wait", "wait"),
        ("Attempt 1", "failed"),
        ("Wait for the next attempt", "wait"),
        ("Attempt 2", "failed"),
        ("Wait for the next attempt", "wait"),
        ("Attempt 3", "failed"),
        ("In the failure queue", "queue"),
    ]
    assert {span.reason for span in found if span.kind == "failed"} == {"KeyError: 'x'"}
    assert (found[-1].start, found[-1].end) == (AT + 350, None)


def test_from_elsewhere_only_the_second_is_known() -> None:
    upload = Upload(1, "a", AT, False, state="recorded", object_id="x")
    first, run = spans(upload, RECORD, [invoke((900, [done(900)]))], None, "Wait")
    assert (first.name, first.start, first.approximate, run.kind) == ("Wait", AT, True, "run")
    exact = RECORD | {"eventTime": {"S": "2026-11-25T09:46:40.250Z"}}
    first, _ = spans(upload, exact, [invoke((900, [done(900)]))], None, "Wait")
    assert (first.start, first.approximate) == (AT + 250, False)


@pytest.mark.parametrize("record", [None, RECORD, {"eventTime": {"NULL": True}}, {"eventTime": {}}])
def test_where_little_is_known_little_is_said(record: Any) -> None:
    assert spans(None, record, [], None, "Wait") == []
    assert [span.name for span in spans(None, record, [], AT, "Wait")] == ["In the failure queue"]
    waiting = spans(own(), None, [], None, "Wait")
    assert [(span.name, span.end) for span in waiting][1:] == [("Wait", None)]
    sent = Upload(1, "a", AT, True, state="uploading")
    assert [span.name for span in spans(sent, None, [], None, "Wait")] == ["Upload to S3"]


def test_failed_invocations_that_name_no_record_may_be_of_the_upload() -> None:
    raised = invoke((100, ["Traceback (most recent call last):", "KeyError: 'x'"]))
    assert candidates([raised], AT, None) == [raised]
    assert candidates([raised], AT + 200, None) == []
    assert candidates([raised], AT, AT + 50) == []
    assert candidates([invoke((100, [done(100)]))], AT, None) == []
    assert len(lines([raised])) == 4


def test_a_stage_has_the_names_that_the_stack_gives_and_its_alarms() -> None:
    found = places({"table_name": "events", "table_arn": "arn", "table_stream_arn": None})
    assert found["table"] == [("Name", "events"), ("ARN", "arn")]
    assert found["bucket"] == []
    assert stage_of("LambdaErrorsAlert") == "function"
    assert stage_of("") == "alarms"
