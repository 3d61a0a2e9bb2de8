"""Which stages a pipeline has, and whether each is OK."""

import itertools
import json
import time
from typing import Any, Literal

import pytest

from pipeline.console.board.board import Board
from pipeline.console.board.memory import Check
from pipeline.console.board.stages import NOTHING, Stage, stages
from pipeline.deployed.stream import StreamRecord
from pipeline.deployed.target import Target

URL = "https://sqs.eu-west-1.amazonaws.com/111122223333"
OUTPUTS: dict[str, Any] = {
    "bucket_name": "uploads",
    "function_name": "processor",
    "table_name": "events",
    "table_stream_arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/events/stream/1",
    "topic_arn": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "failure_queue_url": f"{URL}/failures",
    "buffer_queue_url": None,
    "log_group_name": "/aws/lambda/processor",
    "alarm_names": ["FailureQueueAlert"],
    "delivery": {"via": "notification", "filters": [], "buffered": False},
}
DELIVERIES: dict[str, dict[str, Any]] = {
    f"{via}{'-buffer' if buffered else ''}": {
        "delivery": {"via": via, "filters": [], "buffered": buffered},
        "buffer_queue_url": f"{URL}/buffer" if buffered else None,
    }
    for via, buffered in itertools.product(("notification", "eventbridge"), (False, True))
}
LAST = ["function", "table", "failures", "alarms", "topic"]
EXPECTED = {
    "notification": ["bucket", "delivery"],
    "notification-buffer": ["bucket", "delivery"],
    "eventbridge": ["bucket", "rule"],
    "eventbridge-buffer": ["bucket", "rule", "delivery"],
}
PANELS = ("records", "log", "failures", "alarms", "notifications", "metrics", "checks")
CHECKS = ("notification", "rule", "permission", "buffer", "function", "role", "table", "topic")


def target(**outputs: Any) -> Target:
    return Target(OUTPUTS | outputs, "The test", (), "eu-west-1")


def new() -> Board:
    return Board("uploads", (), lambda kind, data: None)


@pytest.fixture
def board() -> Board:
    return new()


def make_ok(board: Board, *names: str) -> None:
    """Every check but `names` is OK."""
    for panel in PANELS:
        board.set_unknown(panel, None)
    board.checks = {name: Check("ok", f"{name} is OK") for name in CHECKS if name not in names}
    board.depths = {"failures": (0, 0), "buffer": (0, 0)}
    board.set("alarms", [alarm("FailureQueueAlert", "OK")])


def alarm(name: str, state: str, section: str = "") -> dict[str, Any]:
    return {"name": name, "state": state, "section": section or name}


def drawn(board: Board, **outputs: Any) -> dict[str, Stage]:
    return {stage.id: stage for stage in stages(board, target(**outputs))}


def figure(stage: Stage, label: str) -> str:
    return next(figure.value for figure in stage.figures if figure.label == label)


def test_several_buckets_have_a_rule_and_a_figure_each(board: Board) -> None:
    now = time.time()
    make_ok(board)
    records = [("uploads", now), ("theirs", now), ("theirs", now), ("theirs", now - 1000)]
    board.load_records(
        [
            {"objectId": {"S": str(n)}, "bucket": {"S": name}, "timestamp": {"N": f"{at:.0f}"}}
            for n, (name, at) in enumerate(records)
        ],
        complete=True,
    )
    delivery = OUTPUTS["delivery"] | {"buckets": ["theirs", "partners"]}
    found = drawn(board, delivery=delivery)
    assert list(found)[:3] == ["bucket", "rule", "delivery"]
    bucket = found["bucket"]
    assert (bucket.title, bucket.resource) == ("Buckets", "uploads, theirs, partners")
    assert [(each.label, each.value) for each in bucket.figures[1:]] == [
        ("uploads", "1"),
        ("theirs", "2"),
        ("partners", "0"),
    ]


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_the_stages_are_those_of_the_delivery(board: Board, delivery: str) -> None:
    found = stages(board, target(**DELIVERIES[delivery]))
    assert [stage.id for stage in found] == EXPECTED[delivery] + LAST
    titles = {stage.id: stage.title for stage in found}
    if "delivery" in titles:
        assert titles["delivery"] == ("Buffer" if "buffer" in delivery else "Notification")


@pytest.mark.parametrize("via", ["notification", "eventbridge"])
def test_a_buffer_that_drains_is_drawn_beside_the_path_of_new_events(
    board: Board, via: str
) -> None:
    draining = {"via": via, "filters": [], "buffered": False}
    make_ok(board)
    found = drawn(board, delivery=draining, buffer_queue_url=f"{URL}/buffer")
    assert list(found) == [*EXPECTED[via], "buffer", *LAST]
    assert (found["buffer"].title, found["buffer"].resource) == ("Buffer, draining", "buffer")


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_before_anything_is_read_every_stage_is_unknown(board: Board, delivery: str) -> None:
    for stage in stages(board, target(**DELIVERIES[delivery])):
        assert stage.status == "unknown", stage
        assert {part.value for part in stage.figures} == {NOTHING}


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_where_every_check_is_ok_every_stage_is(board: Board, delivery: str) -> None:
    make_ok(board)
    found = drawn(board, **DELIVERIES[delivery])
    assert {stage.status for stage in found.values()} == {"ok"}
    assert all(stage.detail for stage in found.values())


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("verdict", ["failing", "unknown"])
def test_each_check_shows_on_the_stage_that_it_is_about(
    delivery: str, verdict: Literal["failing", "unknown"]
) -> None:
    homes = {
        "notification": {"bucket"} | ({"delivery"} if delivery == "notification" else set()),
        "rule": {"rule"} if "eventbridge" in delivery else set(),
        "permission": {"rule"} if "eventbridge" in delivery else {"delivery"},
        "buffer": {"delivery"} if "buffer" in delivery else set(),
        "function": {"function"},
        "role": {"function"},
        "table": {"table"},
        "topic": {"topic"},
    }
    if delivery == "eventbridge-buffer":
        homes["permission"].add("delivery")
    for name in CHECKS:
        board = new()
        make_ok(board)
        board.checks[name] = Check(verdict, f"{name}: fix it.")
        found = drawn(board, **DELIVERIES[delivery])
        shown = {stage.id for stage in found.values() if stage.status == verdict}
        assert shown == homes[name], name
        assert all(found[stage].detail == f"{name}: fix it." for stage in shown)
        assert {stage.status for stage in found.values()} - {verdict} == {"ok"}


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_that_can_not_be_read_makes_its_stage_unknown_and_no_other(
    delivery: str, panel: str
) -> None:
    board = new()
    make_ok(board)
    board.function_figures(0)
    board.set_unknown(panel, "Access denied.")
    found = drawn(board, **DELIVERIES[delivery])
    unknown = {stage.id for stage in found.values() if stage.status == "unknown"}
    buffer = {"delivery"} if "buffer" in delivery else set()
    homes = {
        "log": {"function"},
        "records": {"table"},
        "failures": {"failures"} | buffer,
        "alarms": {"alarms"},
    }
    assert unknown == homes.get(panel, set())
    assert all(found[stage].detail == "Access denied." for stage in unknown)
    assert all(
        part.value == NOTHING
        for stage in unknown - {"delivery"}
        for part in found[stage].figures
        if part.label not in ("throttled", "oldest")
    )


def test_where_nothing_could_be_checked_stages_say_why(board: Board) -> None:
    board.depths = {"failures": (0, 0)}
    board.set_unknown("checks", "No credentials.")
    found = drawn(board)
    for name in "bucket", "delivery", "function", "table", "topic":
        assert (found[name].status, found[name].detail) == ("unknown", "No credentials.")
    assert found["failures"].detail == "Empty."


def test_a_failing_stage_stays_failing_where_its_panel_can_not_be_read(board: Board) -> None:
    make_ok(board)
    board.checks["function"] = Check("failing", "It may not run.")
    board.set_unknown("log", "Denied.")
    assert drawn(board)["function"].status == "failing"


def test_messages_in_the_failure_queue_make_it_failing(board: Board) -> None:
    make_ok(board)
    for depth in (3, 0), (0, 3):
        board.depths = {"failures": depth}
        found = drawn(board)["failures"]
        assert (found.status, figure(found, "waiting")) == ("failing", "3")
        assert "replay them" in found.detail


def test_alarms_in_alarm_are_named_and_a_stack_without_alarms_says_so(board: Board) -> None:
    make_ok(board)
    board.set(
        "alarms",
        [alarm("first", "ALARM"), alarm("second", "OK"), alarm("third", "INSUFFICIENT_DATA")],
    )
    found = drawn(board)["alarms"]
    assert (found.status, found.detail) == ("failing", "first")
    assert (figure(found, "in alarm"), figure(found, "OK")) == ("1", "1")
    board.set("alarms", [])
    found = drawn(board)["alarms"]
    assert (found.status, found.detail) == ("ok", "The stack has no alarms.")


def test_an_invocation_that_failed_lately_makes_the_function_failing(board: Board) -> None:
    make_ok(board)
    line = {"logStreamName": "s", "timestamp": int(time.time() * 1000) - 60_000}
    board.add_log_events([line | {"message": '{"requestId": "r", "level": "ERROR"}'}], time.time())
    found = drawn(board)["function"]
    assert found.status == "failing"
    assert found.detail == "An invocation failed: see the log."
    assert found.since == pytest.approx(time.time() - 60, abs=5)
    board.last["error"] = time.time() - 301
    assert drawn(board)["function"].status == "ok"


def test_an_event_that_the_rule_could_not_deliver_makes_it_failing(board: Board) -> None:
    make_ok(board)
    outputs = DELIVERIES["eventbridge"]
    board.set("alarms", [alarm("theirs", "OK", "RuleFailuresAlert")])
    board.set("datapoints", {"theirs": [(time.time() - 2000, 5.0)]})
    assert drawn(board, **outputs)["rule"].status == "ok"
    board.set("datapoints", {"theirs": [(time.time() - 2000, 5.0), (time.time() - 60, 2.0)]})
    found = drawn(board, **outputs)["rule"]
    assert (found.status, figure(found, "failed")) == ("failing", "2")


def test_throttled_writes_make_the_table_failing(board: Board) -> None:
    make_ok(board)
    board.metrics = {"write_throttles": 3.0, "writes": 1200.0, "throttles": 7.0}
    assert drawn(board)["table"].status == "ok"
    board.last["throttled"] = time.time() - 60
    found = drawn(board)
    assert found["table"].status == "failing"
    assert figure(found["table"], "writes") == "1,200"
    assert figure(found["function"], "throttled") == "7"


def test_stages_are_busy_while_something_goes_through_them(board: Board) -> None:
    make_ok(board)
    board.begin_upload("a.txt", 5)
    board.last |= {"function": time.time(), "table": time.time()}
    board.depths = {"failures": (0, 0), "buffer": (2, 1)}
    for delivery, outputs in DELIVERIES.items():
        found = drawn(board, **outputs)
        busy = {stage.id for stage in found.values() if stage.status == "busy"}
        assert busy == {*EXPECTED[delivery], "function", "table"}


@pytest.mark.parametrize("missing", sorted(OUTPUTS))
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_stack_that_lacks_an_output_still_has_all_stages(delivery: str, missing: str) -> None:
    values: list[Any] = [None, "", 5, [], "{"]
    for value in values:
        board = new()
        make_ok(board)
        found = stages(board, target(**(DELIVERIES[delivery] | {missing: value})))
        assert {"bucket", *LAST} <= {stage.id for stage in found}


def test_a_stack_without_outputs_has_the_default_stages(board: Board) -> None:
    found = stages(board, Target({}, "The test"))
    assert [stage.id for stage in found] == [*EXPECTED["notification"], *LAST]
    assert found[0].resource == "unknown"


def test_a_count_is_a_dash_where_nobody_tells_it(board: Board) -> None:
    make_ok(board)
    assert figure(drawn(board)["table"], "writes") == "0"
    request = "11111111-1111-4111-8111-111111111111"
    report = f"REPORT RequestId: {request}\tDuration: 5.00 ms"
    line = {"logStreamName": "s", "timestamp": int(time.time() * 1000)}
    board.add_log_events([line | {"message": report}], time.time())
    # A handler that is not ours does not say what it stored.
    found = drawn(board)
    assert figure(found["function"], "invocations") == "1"
    assert (figure(found["bucket"], "received"), found["bucket"].series) == (NOTHING, None)
    assert figure(found["table"], "writes") == NOTHING
    board.apply_changes([StreamRecord(0.0, "INSERT", {"objectId": {"S": "x"}}, None)])
    assert figure(drawn(board)["table"], "writes since opened") == "1"
    board.metrics = {"writes": 7.0}
    assert figure(drawn(board)["table"], "writes") == "7"


def test_a_page_that_was_opened_afterwards_has_the_writes_of_the_log(board: Board) -> None:
    make_ok(board)
    lines = [
        {
            "logStreamName": "s",
            "timestamp": int(time.time() * 1000) - 60_000,
            "message": json.dumps(
                {"message": "Invoke done", "requestId": f"r{n}", "received": 2, "stored": 2}
            ),
        }
        for n in range(3)
    ]
    board.add_log_events(lines, time.time())
    found = drawn(board)
    assert figure(found["table"], "writes") == "6"
    assert figure(found["bucket"], "received") == "6"
    assert sum(point or 0 for point in found["table"].series or ()) == 6


def test_alarms_without_a_datapoint_are_not_ok(board: Board) -> None:
    make_ok(board)
    board.set("alarms", [alarm("first", "INSUFFICIENT_DATA")])
    assert drawn(board)["alarms"].status == "unknown"


def test_an_alarm_that_only_says_that_much_is_written_is_no_failure(board: Board) -> None:
    make_ok(board)
    board.set("alarms", [alarm("mine", "ALARM", "DynamoDBWriteActivityAlert")])
    assert drawn(board)["alarms"].status == "busy"
    board.set("alarms", [*(board.alarms or ()), alarm("other", "ALARM")])
    assert drawn(board)["alarms"].status == "failing"


def test_a_gauge_stays_where_it_was_seen_and_is_unknown_before(board: Board) -> None:
    make_ok(board)
    now = time.time()
    board.gauges["failures"].show(now - 300, 2)
    board.gauges["failures"].show(now - 300, 1)
    series = drawn(board)["failures"].series
    assert series is not None
    assert (series[0], series[-2], len(series)) == (None, 1, 30)
