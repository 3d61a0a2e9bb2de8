"""The pipeline as it is drawn: which stages there are, and whether each is well."""

import itertools
import time
from typing import Any

import pytest

from pipeline.console.board.board import Board, Check, Depth
from pipeline.console.board.stages import NOTHING, Stage, stages
from pipeline.console.sources.watch import _ASKED
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
WAYS: dict[str, dict[str, Any]] = {
    f"{via}{'-buffer' if buffered else ''}": {
        "delivery": {"via": via, "filters": [], "buffered": buffered},
        "buffer_queue_url": f"{URL}/buffer" if buffered else None,
    }
    for via, buffered in itertools.product(("notification", "eventbridge"), (False, True))
}
LAST = ["function", "table", "failures", "alarms", "topic"]
DRAWN = {
    "notification": ["bucket", "delivery"],
    "notification-buffer": ["bucket", "delivery"],
    "eventbridge": ["bucket", "rule"],
    "eventbridge-buffer": ["bucket", "rule", "delivery"],
}
CHECKS = ("notification", "rule", "permission", "buffer", "function", "role", "table", "topic")


def target(**outputs: Any) -> Target:
    return Target(OUTPUTS | outputs, "The test", (), "eu-west-1")


def new() -> Board:
    return Board("uploads", (), lambda kind, data: None)


@pytest.fixture
def board() -> Board:
    return new()


def well(board: Board, *names: str) -> None:
    """Every look but those at `names` says that all is as it should be."""
    board.checks = {one: Check("ok", f"{one} is well") for one in CHECKS if one not in names}
    board.queues({"failures": Depth(0, 0), "buffer": Depth(0, 0)})
    board.rang([alarm("FailureQueueAlert", "OK")])


def alarm(name: str, state: str, section: str = "") -> dict[str, Any]:
    return {"name": name, "state": state, "section": section or name}


def told(board: Board, blind: dict[str, str] | None = None, **outputs: Any) -> dict[str, Stage]:
    return {one.id: one for one in stages(board, target(**outputs), blind or {})}


def figure(stage: Stage, label: str) -> str:
    return next(one.value for one in stage.figures if one.label == label)


@pytest.mark.parametrize("way", WAYS)
def test_the_stages_are_those_of_the_way_that_events_come(board: Board, way: str) -> None:
    found = stages(board, target(**WAYS[way]), {})
    assert [one.id for one in found] == DRAWN[way] + LAST
    titles = {one.id: one.title for one in found}
    if "delivery" in titles:
        assert titles["delivery"] == ("Buffer" if "buffer" in way else "Notification")


@pytest.mark.parametrize("via", ["notification", "eventbridge"])
def test_a_buffer_that_drains_is_drawn_beside_the_way_that_events_come(
    board: Board, via: str
) -> None:
    draining = {"via": via, "filters": [], "buffered": False}
    well(board)
    found = told(board, delivery=draining, buffer_queue_url=f"{URL}/buffer")
    assert list(found) == [*DRAWN[via], "buffer", *LAST]
    assert (found["buffer"].title, found["buffer"].resource) == ("Buffer, draining", "buffer")


@pytest.mark.parametrize("way", WAYS)
def test_before_anything_is_known_nothing_is_said_to_be_well(board: Board, way: str) -> None:
    for one in stages(board, target(**WAYS[way]), {}):
        assert one.health == "unknown", one
        assert {part.value for part in one.figures} <= {NOTHING, "0"}


@pytest.mark.parametrize("way", WAYS)
def test_where_every_look_is_content_every_stage_is_well(board: Board, way: str) -> None:
    well(board)
    found = told(board, **WAYS[way])
    assert {one.health for one in found.values()} == {"healthy"}
    assert all(one.says for one in found.values())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verdict", ["broken", "unknown"])
def test_each_look_shows_on_the_stage_that_it_is_about(way: str, verdict: str) -> None:
    homes = {
        "notification": {"bucket"} | ({"delivery"} if way == "notification" else set()),
        "rule": {"rule"} if "eventbridge" in way else set(),
        "permission": {"rule"} if "eventbridge" in way else {"delivery"},
        "buffer": {"delivery"} if "buffer" in way else set(),
        "function": {"function"},
        "role": {"function"},
        "table": {"table"},
        "topic": {"topic"},
    }
    if way == "eventbridge-buffer":
        homes["permission"].add("delivery")
    for name in CHECKS:
        board = new()
        well(board)
        board.checks[name] = Check(verdict, f"{name}: mend it.")
        found = told(board, **WAYS[way])
        shown = {one.id for one in found.values() if one.health == verdict}
        assert shown == homes[name], name
        assert all(found[one].says == f"{name}: mend it." for one in shown)
        assert {one.health for one in found.values()} - {verdict} == {"healthy"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("panel", sorted(_ASKED))
def test_a_panel_that_is_blind_makes_its_stage_unknown_and_no_other(way: str, panel: str) -> None:
    board = new()
    well(board)
    board.function_figures(0)
    found = told(board, {panel: "It is closed to you."}, **WAYS[way])
    unknown = {one.id for one in found.values() if one.health == "unknown"}
    buffer = {"delivery"} if "buffer" in way else set()
    homes = {
        "log": {"function"},
        "records": {"table"},
        "failures": {"failures"} | buffer,
        "alarms": {"alarms"},
    }
    assert unknown == homes.get(panel, set())
    assert all(found[one].says == "It is closed to you." for one in unknown)
    assert all(
        part.value == NOTHING
        for one in unknown - {"delivery"}
        for part in found[one].figures
        if part.label not in ("throttled", "oldest")
    )


def test_where_no_look_could_be_made_stages_say_why(board: Board) -> None:
    board.queues({"failures": Depth(0, 0)})
    found = told(board, {"checks": "No credentials."})
    for name in "bucket", "delivery", "function", "table", "topic":
        assert (found[name].health, found[name].says) == ("unknown", "No credentials.")
    assert found["failures"].says == "Nothing waits."


def test_a_broken_stage_stays_broken_where_its_panel_is_blind(board: Board) -> None:
    well(board)
    board.checks["function"] = Check("broken", "It may not run.")
    assert told(board, {"log": "Denied."})["function"].health == "broken"


def test_what_waits_in_the_failure_queue_breaks_it(board: Board) -> None:
    well(board)
    for depth in Depth(3, 0), Depth(0, 3):
        board.queues({"failures": depth})
        found = told(board)["failures"]
        assert (found.health, figure(found, "waiting")) == ("broken", str(depth.waiting))
        assert "replay them" in found.says


def test_an_alarm_that_is_on_is_named(board: Board) -> None:
    well(board)
    board.rang([alarm("one", "ALARM"), alarm("two", "OK"), alarm("three", "INSUFFICIENT_DATA")])
    found = told(board)["alarms"]
    assert (found.health, found.says) == ("broken", "one")
    assert (figure(found, "in alarm"), figure(found, "OK")) == ("1", "1")


def test_a_stack_without_alarms_says_so(board: Board) -> None:
    board.rang([])
    found = told(board)["alarms"]
    assert (found.health, found.says) == ("healthy", "The stack has no alarms.")


def test_an_invoke_that_failed_lately_breaks_the_function(board: Board) -> None:
    well(board)
    line = {"logStreamName": "s", "timestamp": int(time.time() * 1000) - 60_000}
    board.logged([line | {"message": '{"requestId": "r", "level": "ERROR"}'}], time.time())
    found = told(board)["function"]
    assert found.health == "broken"
    assert found.says == "An invoke failed 60 s ago; the log below says why."
    board.last["error"] = time.time() - 301
    assert told(board)["function"].health == "healthy"


def test_an_event_that_the_rule_could_not_hand_over_breaks_it(board: Board) -> None:
    well(board)
    ways = WAYS["eventbridge"]
    board.rang([alarm("theirs", "OK", "RuleFailuresAlert")])
    board.drawn({"theirs": [(time.time() - 2000, 5.0)]})
    assert told(board, **ways)["rule"].health == "healthy"
    board.drawn({"theirs": [(time.time() - 2000, 5.0), (time.time() - 60, 2.0)]})
    found = told(board, **ways)["rule"]
    assert (found.health, figure(found, "not handed over")) == ("broken", "2")


def test_throttled_writes_break_the_table(board: Board) -> None:
    well(board)
    board.metrics = {"write_throttles": 3.0, "writes": 1200.0, "throttles": 7.0}
    found = told(board)
    assert found["table"].health == "broken"
    assert figure(found["table"], "writes") == "1,200"
    assert figure(found["function"], "throttled") == "7"


def test_stages_are_busy_while_something_goes_through_them(board: Board) -> None:
    well(board)
    board.begin("a.txt", 5)
    board.last |= {"function": time.time(), "table": time.time()}
    board.queues({"failures": Depth(0, 0), "buffer": Depth(2, 1)})
    for way, outputs in WAYS.items():
        found = told(board, **outputs)
        busy = {one.id for one in found.values() if one.health == "busy"}
        assert busy == {*DRAWN[way], "function", "table"}


@pytest.mark.parametrize("missing", sorted(OUTPUTS))
@pytest.mark.parametrize("way", WAYS)
def test_a_stack_that_lacks_an_output_is_drawn_all_the_same(way: str, missing: str) -> None:
    values: list[Any] = [None, "", 5, [], "{"]
    for value in values:
        board = new()
        well(board)
        found = stages(board, target(**(WAYS[way] | {missing: value})), {})
        assert {"bucket", *LAST} <= {one.id for one in found}


def test_of_a_stack_that_tells_nothing_everything_is_drawn_as_by_default(board: Board) -> None:
    found = stages(board, Target({}, "The test"), {})
    assert [one.id for one in found] == [*DRAWN["notification"], *LAST]
    assert found[0].resource == "not told by the stack"
