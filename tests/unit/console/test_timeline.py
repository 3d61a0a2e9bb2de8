"""Each upload is a dot at its time, as high as it took; of too many some are left out."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.console.board import timeline
from pipeline.console.board.board import Board
from pipeline.console.board.timeline import Dots
from pipeline.console.board.uploads import Upload
from pipeline.console.sources.timeline import periods
from pipeline.deployed.invokes import Invoke, NotStored

AT = 1_795_600_000_000.0
WRITTEN = "2026-11-25T09:46:40"


def record(name: str, written: str = f"{WRITTEN}Z") -> dict[str, Any]:
    return {
        "objectId": {"S": name},
        "objectKey": {"S": f"key of {name}"},
        "eventTime": {"S": written},
    }


def invoke(*names: str, at: float = 500, **more: Any) -> Invoke:
    done = int(AT + at)
    return Invoke("r", at=done, done_at=done, milliseconds=12.0, object_ids=list(names), **more)


def test_an_upload_is_as_high_as_it_took_by_the_best_that_is_known() -> None:
    dots = Dots()
    dots.invoked([invoke("a")])
    # Nobody tells when it was sent.
    assert dots.all() == [("a", "", AT + 500, None, 12.0, 0, 1)]
    dots.recorded([record("a")])
    assert dots.all() == [("a", "key of a", AT, 500.0, 12.0, 0, 1)]
    dots.recorded([record("a", f"{WRITTEN}.100Z")])
    assert dots.all() == [("a", "key of a", AT + 100, 400.0, 12.0, 0, 0)]
    dots.sent([Upload(1, "key of a", AT + 50, True, object_id="a", state="recorded")])
    assert dots.all() == [("a", "key of a", AT + 50, 450.0, 12.0, 0, 0)]
    assert dots.take_changed() == dots.all()
    assert dots.take_changed() == []


def test_what_failed_is_red_until_it_is_stored() -> None:
    dots = Dots()
    refused = NotStored("uploads", "k", "a", "denied")
    dots.invoked([invoke(not_stored=[refused])])
    assert [dot[5] for dot in dots.all()] == [1]
    dots.invoked([invoke("a", at=9000)])
    assert [(dot[5], dot[2]) for dot in dots.all()] == [(0, AT + 9000)]
    # The line of the first attempt, late.
    dots.invoked([invoke(not_stored=[refused])])
    assert [dot[5] for dot in dots.all()] == [0]
    dots.sent([Upload(1, "b", AT, True, object_id="b", state="failed")])
    assert [dot[5] for dot in dots.all()] == [1, 0]


def test_a_log_without_our_lines_leaves_dots_without_a_duration() -> None:
    dots = Dots()
    dots.recorded([record("a"), record("b", "noon"), {"objectId": {"S": "c"}}, {}])
    dots.invoked([Invoke("r", at=int(AT), ended=True)])
    assert dots.all() == [("a", "key of a", AT, None, None, 0, 1)]


def test_a_clock_that_is_behind_makes_no_negative_duration() -> None:
    dots = Dots()
    dots.sent([Upload(1, "a", AT + 60_000, True, object_id="a")])
    dots.invoked([invoke("a")])
    assert dots.all()[0][3] == 12.0


def test_of_a_hundred_thousand_some_are_left_out_evenly_and_none_that_failed() -> None:
    dots = Dots()
    for start in range(0, 100_000, 1000):
        dots.invoked([invoke(*(f"id-{n}" for n in range(start, start + 1000)), at=start)])
        refused = NotStored("uploads", "k", f"failed-{start}", "denied")
        dots.invoked([invoke(not_stored=[refused], at=start)])
    drawn = dots.all()
    assert len(drawn) <= timeline.MAX_DOTS
    assert dots.every == 32
    assert sum(dot[5] for dot in drawn) == 100
    halves = [sum(dot[2] < AT + 50_000 for dot in drawn), len(drawn)]
    assert halves[0] / halves[1] == pytest.approx(0.5, abs=0.05)


def test_where_everything_failed_the_newest_are_kept() -> None:
    dots = Dots()
    for number in range(12_000):
        refused = NotStored("uploads", "k", f"f{number}", "denied")
        dots.invoked([invoke(not_stored=[refused], at=number)])
    drawn = dots.all()
    assert len(drawn) <= timeline.MAX_DOTS
    assert drawn[-1][0] == "f11999"


def change(name: str, seconds: float, state: str) -> dict[str, Any]:
    data = json.dumps({"newState": {"stateValue": state}})
    at = datetime.fromtimestamp(AT / 1000 + seconds, UTC)
    return {"AlarmName": name, "Timestamp": at, "HistoryData": data}


def test_an_alarms_time_in_alarm_is_a_period_that_may_last() -> None:
    items = [
        change("a", 300, "ALARM"),
        change("b", 200, "INSUFFICIENT_DATA"),
        change("b", 100, "ALARM"),
        change("a", 60, "OK"),
        change("a", 10, "ALARM"),
        {**change("c", 5, "ALARM"), "HistoryData": "{"},
    ]
    assert periods(items, 0) == [
        ("a", AT + 10_000, AT + 60_000),
        ("b", AT + 100_000, AT + 200_000),
        ("a", AT + 300_000, None),
    ]
    # One that ended before is not shown.
    assert len(periods(items, AT / 1000 + 70)) == 2


def test_a_change_of_the_function_is_marked_once_and_its_code_apart() -> None:
    board = Board("uploads", (), lambda kind, data: None)
    for at, code in (1.0, "x"), (1.0, "x"), (None, "x"), (2.0, "x"), (3.0, "y"):
        board.set_function(at, code)
    assert board.changes == [
        (1.0, "Function changed"),
        (2.0, "Configuration changed"),
        (3.0, "Code changed"),
    ]


def test_the_page_gets_new_dots_and_asks_for_all_where_they_are_many() -> None:
    published: list[Any] = []
    board = Board(
        "uploads", (), lambda kind, data: published.append(data) if kind == "dots" else None
    )
    board.load_records([record("a")], complete=True)
    assert published == [[("a", "key of a", AT, None, None, 0, 1)]]
    board.load_records([record(f"{n}") for n in range(600)], complete=False)
    assert published[-1] is None
    dots, every = board.dots_since(AT / 1000)
    assert (len(dots), every) == (601, 1)
    assert board.dots_since(time.time() * 2) == ([], 1)
