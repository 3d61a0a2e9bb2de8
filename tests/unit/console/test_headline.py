"""The headline names the first cause, since when, and what to press."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from pipeline.console.board.board import FAILING_SECONDS, Board
from pipeline.console.board.headline import Headline, headline
from pipeline.console.board.memory import Check
from pipeline.console.board.stages import stages
from pipeline.deployed import failure_queue
from tests.support.aws import s3_events
from tests.unit.console.test_stages import alarm, make_ok, new, target

REQUEST = "11111111-1111-4111-8111-111111111111"
NOW = float(int(time.time()))


@pytest.fixture
def board() -> Board:
    board = new()
    board.now = lambda: NOW
    make_ok(board)
    return board


def said(board: Board) -> Headline:
    return headline(board, stages(board, target()))


def log(board: Board, at: float, *lines: str, request: str = REQUEST) -> None:
    """An invocation's lines, and Lambda's around them."""
    report = f"REPORT RequestId: {request}\tDuration: 1743.12 ms\tInit Duration: 80.00 ms"
    texts = [f"START RequestId: {request}", *lines, report]
    board.add_log_events(
        [
            {"logStreamName": request, "timestamp": int(at * 1000), "message": text}
            for text in texts
        ],
        NOW,
    )


def done(request: str = REQUEST) -> str:
    return json.dumps(
        {
            "message": "Invoke done",
            "level": "INFO",
            "requestId": request,
            "received": 1,
            "stored": 1,
            "failed": 0,
            "milliseconds": 18,
            "coldStart": True,
        }
    )


def waits(board: Board, *keys: str) -> None:
    """Events in the failure queue."""
    messages = [
        {
            "Body": json.dumps(s3_events.notification(s3_events.record(key))),
            "MessageId": key,
            "Attributes": {"SentTimestamp": str(int(NOW - 60) * 1000)},
        }
        for key in keys
    ]
    board.set_failures(map(failure_queue.read, messages))
    board.set_depths({"failures": (len(keys), 0)})


def test_nothing_is_ok_before_it_is_known() -> None:
    assert said(new()) == Headline("unknown", "Checking the pipeline …")
    board = new()
    board.set_unknown("checks", "No credentials.")
    found = said(board)
    assert (found.status, found.detail) == ("unknown", "No credentials.")
    assert "function" in found.stages


def test_a_pipeline_that_works_says_what_it_did_and_nothing_more(board: Board) -> None:
    assert said(board).text == "OK: configured as it should be. No upload in the last 15 minutes."
    log(board, NOW - 60, done())
    assert said(board) == Headline(
        "ok", "OK: 1 record written, 1 invocation, 0 failed, in the last 15 minutes."
    )


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["Traceback (most recent call last):", '  File "a.py"', "KeyError: 'x'"], "KeyError: 'x'"),
        (["Traceback (most recent call last):\n  File\nKeyError: 'x'\n"], "KeyError: 'x'"),
        (["it broke\nTraceback (most recent call last):\n  File\nOSError: no"], "OSError: no"),
        ([f"2026-11-25T10:00:30Z {REQUEST} Task timed out after 30.03 seconds"], "Task timed out"),
        (
            [f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed"],
            "Runtime exited with error: signal: killed",
        ),
        ([f"REPORT RequestId: {REQUEST}\tStatus: error\tError Type: Runtime.OutOfMemory"], "OutOf"),
        (['{"errorType": "KeyError", "errorMessage": "x", "stackTrace": []}'], "KeyError: x"),
    ],
)
def test_an_invoke_that_raised_timed_out_or_was_killed_is_an_error_everywhere(
    board: Board, lines: list[str], why: str
) -> None:
    log(board, NOW - 60, *lines)
    found = said(board)
    assert (found.status, found.stages, found.since) == ("failing", ("function",), NOW - 60)
    assert found.text.startswith("Function failing: ")
    assert why in found.text
    (shown,) = board.snapshot()["invokes"]
    assert (shown["failing"], why in shown["reason"]) == (True, True)
    assert board.function_figures(NOW)["errors"] == 1


def test_attempts_count_each_and_one_that_succeeds_is_no_error(board: Board) -> None:
    for ago, lines in (50, ["[ERROR] KeyError: 'x'"]), (40, []), (30, []):
        log(board, NOW - ago, *lines)
    found = board.function_figures(NOW)
    assert (found["invocations"], found["errors"], found["p50"]) == (3, 1, 1743.12)


def test_what_follows_from_a_cause_is_its_detail(board: Board) -> None:
    log(board, NOW - 90, "Traceback (most recent call last):", "KeyError: 'x'")
    waits(board, "a.txt", "b.txt")
    board.set("alarms", [alarm("FailureQueueAlert", "ALARM") | {"since": NOW - 30}])
    found = said(board)
    assert found.text == "Function failing: KeyError: 'x'"
    assert found.detail == (
        "2 events wait in the failure queue. In alarm: FailureQueueAlert. "
        "Fix the cause, then press Replay all."
    )
    assert (found.since, found.action) == (NOW - 90, "replay")
    assert found.stages == ("function", "failures", "alarms")


def test_a_misconfigured_stage_comes_before_what_it_caused(board: Board) -> None:
    log(board, NOW - 90, "[ERROR] KeyError: 'x'")
    board.checks["notification"] = Check("failing", "It was deleted: run `terraform apply`.")
    found = said(board)
    assert found.text == "Bucket failing: It was deleted: run `terraform apply`."
    assert "Function: KeyError: 'x'" in found.detail
    assert found.since is None
    board.set_checks(board.checks)
    assert said(board).since == NOW


def test_a_replay_that_ended_well_turns_the_headline(board: Board) -> None:
    log(board, NOW - 90, "[ERROR] KeyError: 'x'")
    waits(board, "a.txt")
    waiting = alarm("FailureQueueAlert", "ALARM") | {"since": NOW - 30, "reason": "1 > 0"}
    board.set("alarms", [waiting])
    board.remove_failure("a.txt")
    board.set_depths({"failures": (0, 0)})
    board.replayed(1)
    found = said(board)
    assert found.status == "busy"
    assert "1 event replayed, the failure queue is empty." in found.text
    assert found.detail.startswith("In alarm: FailureQueueAlert.")
    board.set("alarms", [waiting | {"state": "OK"}])
    assert said(board).status == "ok"
    # An older line that comes late changes nothing, a new error does.
    log(board, NOW - 95, "[ERROR] KeyError: 'x'", request=REQUEST.replace("1", "2"))
    assert said(board).status == "ok"
    log(board, NOW + 5, "[ERROR] OSError: y", request=REQUEST.replace("1", "3"))
    found = said(board)
    assert (found.text, found.since) == ("Function failing: OSError: y", NOW + 5)


def test_an_alarm_alone_is_said_with_its_reason(board: Board) -> None:
    fired = alarm("Writes", "ALARM") | {"since": NOW - 5, "reason": "30 is over 20."}
    board.set("alarms", [fired])
    found = said(board)
    assert (found.text, found.detail, found.since) == (
        "In alarm: Writes.",
        "30 is over 20.",
        NOW - 5,
    )


def test_many_writes_are_no_fault(board: Board) -> None:
    fired = alarm("Writes", "ALARM", "DynamoDBWriteActivityAlert")
    board.set("alarms", [fired])
    found = said(board)
    assert (found.status, found.detail) == ("ok", "In alarm: Writes.")


def test_events_that_wait_say_why_the_newest_failed(board: Board) -> None:
    waits(board, "a.txt")
    found = said(board)
    assert found.text.startswith("1 event waits in the failure queue.")
    assert (found.since, found.action) == (NOW - 60, "replay")


def test_old_errors_are_over(board: Board) -> None:
    log(board, NOW - FAILING_SECONDS - 20, "[ERROR] KeyError: 'x'")
    found = said(board)
    assert found.status == "ok"
    assert found.detail.startswith("The last one failed at ")


def test_a_headline_needs_no_stages(board: Board) -> None:
    assert headline(board, []).status == "unknown"
    first = stages(board, target())[0]
    odd: Any = replace(first, status="failing", detail="")
    assert headline(board, [odd]).text == "Bucket failing: "
