"""What is known of a pipeline is bounded, and figures are of the last minutes."""

import json
import threading
import time
from typing import Any

import pytest

from pipeline.console.board import board as boards
from pipeline.console.board.board import Board, Depth
from pipeline.console.server.hub import encoded
from pipeline.deployed import failure_queue
from pipeline.deployed.stream import Arrival
from tests.support.aws import s3_events

NOW = 1_795_600_000.0


class Pages:
    """What pages were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __call__(self, kind: str, data: Any) -> None:
        # As the hub does, at once.
        self.told.append((kind, json.loads(encoded(data))))

    def newest(self, kind: str) -> Any:
        return [data for one, data in self.told if one == kind][-1]


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def board(pages: Pages) -> Board:
    return Board("uploads", (), pages)


def item(identity: str, at: float = NOW, **more: Any) -> dict[str, Any]:
    return {
        "objectId": {"S": identity},
        "objectKey": {"S": identity},
        "eventName": {"S": "ObjectCreated:Put"},
        "timestamp": {"N": str(int(at))},
    } | more


def change(image: dict[str, Any] | None, kind: Any = "INSERT", identity: str = "") -> Arrival:
    keys = {"objectId": {"S": identity or str(image and image["objectId"]["S"])}}
    return Arrival(0.0, kind, keys, image)


def done(number: int, at: float = NOW, **more: Any) -> dict[str, Any]:
    """The log line of an invoke."""
    told = {
        "message": "Invoke done",
        "level": "INFO",
        "requestId": f"request-{number}",
        "milliseconds": number,
        "received": 1,
        "stored": 1,
        "failed": 0,
        "objectIds": [],
    } | more
    return {
        "logStreamName": "s",
        "timestamp": int(at * 1000),
        "message": json.dumps(told),
    }


def waits(number: int, key: str = "a.txt") -> Any:
    """A message of the failure queue."""
    body = s3_events.notification(s3_events.record(key, sequencer=f"{number:016X}"))
    return failure_queue.read(
        {
            "Body": json.dumps(body),
            "MessageId": f"m{number}",
            "ReceiptHandle": "secret-handle",
            "Attributes": {"SentTimestamp": str(number * 1000)},
        }
    )


def test_figures_are_of_the_last_fifteen_minutes(board: Board) -> None:
    assert board.function_figures(NOW) == {"invokes": 0, "errors": 0, "p50": None, "p99": None}
    board.logged([done(n, NOW - 1000) for n in range(1, 51)], NOW - 1000)
    board.logged([done(n, NOW, failed=int(n > 198)) for n in range(101, 201)], NOW)
    told = board.function_figures(NOW)
    assert told == {"invokes": 100, "errors": 2, "p50": 150.0, "p99": 199.0}
    assert board.function_figures(NOW + 901)["invokes"] == 0


@pytest.mark.parametrize(
    ("took", "half", "most"),
    [([7], 7, 7), ([1, 9], 1, 9), ([3, 1, 2], 2, 3), (list(range(1, 201)), 100, 198)],
)
def test_half_of_the_invokes_take_no_longer_than_p50(
    board: Board, took: list[int], half: float, most: float
) -> None:
    board.logged([done(n) for n in took], NOW)
    told = board.function_figures(NOW)
    assert (told["p50"], told["p99"]) == (half, most)


def test_an_invoke_is_counted_once_however_often_its_lines_come(board: Board) -> None:
    named = "RequestId: 11111111-1111-4111-8111-111111111111"
    report = f"REPORT {named}\tDuration: 5.00 ms"
    start = {"logStreamName": "s", "timestamp": int(NOW * 1000), "message": f"START {named}"}
    board.logged([start], NOW)
    assert board.function_figures(NOW)["invokes"] == 0
    for number in range(3):
        end = start | {"message": report, "timestamp": int(NOW * 1000) + number}
        board.logged([end], NOW)
    assert board.function_figures(NOW)["invokes"] == 1


def test_lines_that_come_late_do_not_keep_older_ones_in_the_figures(board: Board) -> None:
    board.logged([done(1, NOW)], NOW)
    board.logged([done(2, NOW - 600)], NOW)
    assert board.function_figures(NOW + 400)["invokes"] == 1


def test_more_invokes_than_are_kept_cost_no_more(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "_SAMPLES", 50)
    board.logged([done(n) for n in range(1, 201)], NOW)
    assert board.function_figures(NOW)["invokes"] == 50
    assert len(board._counted) == len(board._samples) == 50


def test_news_are_what_happened_since_the_page_is_open_and_are_taken_once(board: Board) -> None:
    now = float(int(time.time()) + 1)
    board.logged([done(0, now - 60), done(1, now), done(2, now, failed=1)], now)
    board.arrived([change(item("a")), change(item("b"))])
    assert board.take_news() == (2, [(now, 1.0, False), (now, 2.0, True)])
    assert board.take_news() == (0, [])


def test_writes_are_of_the_last_fifteen_minutes(board: Board) -> None:
    board.arrived([change(item("a")), change(item("a"), "MODIFY")])
    board.arrived([change(None, "REMOVE", "a")])
    assert board.writes(time.time()) == 2
    assert board.writes(time.time() + 901) == 0


def test_only_the_newest_records_are_kept_and_told(board: Board, pages: Pages) -> None:
    board.fill_records([item(f"old{n}", NOW - n) for n in range(5000)], complete=False)
    board.arrived([change(item(f"new{n}", NOW + 10)) for n in range(1000)])
    told = board.told()["records"]["items"]
    assert len(told) == boards.RECORDS
    assert all(one["objectId"]["S"].startswith("new") for one in told)
    assert len(pages.newest("records")["items"]) == boards.RECORDS
    assert len(board.told()["travels"]) == 200


def test_a_record_that_was_removed_goes(board: Board, pages: Pages) -> None:
    board.arrived([change(item("a"))])
    board.arrived([change(None, "REMOVE", "a"), change(None, "REMOVE", "never seen")])
    assert pages.newest("removed") == ["a"]
    assert board.told()["records"]["items"] == []


def test_what_a_broken_stream_did_not_tell_the_table_does(board: Board, pages: Pages) -> None:
    now = time.time()
    board.fill_records([item("kept", now - 5000), item("gone", now - 5000)], complete=True)
    waiting = [board.begin(f"{n}.txt", 5) for n in range(30)]
    for number, travel in enumerate(waiting):
        board.put(travel, f"v{number}", 5)
    meanwhile = [
        item(str(one.object_id), now, objectKey={"S": one.key}, versionId={"S": "v"})
        for one in waiting
    ]
    board.fill_records([item("kept", now - 5000), *meanwhile], complete=True)
    assert {one.state for one in waiting} == {"arrived"}
    assert pages.newest("removed") == ["gone"]
    assert len(board.told()["records"]["items"]) == 31
    # Of a table that was read in part nothing can be said to be gone.
    board.fill_records([], complete=False)
    assert len(board.told()["records"]["items"]) == 31


def test_the_page_begins_with_the_newest_uploads(board: Board) -> None:
    now = time.time()
    board.fill_records(
        [item(f"new{n:02}", now - n) for n in range(40)] + [item("old", now - 5000)], complete=True
    )
    told = board.told()["travels"]
    assert [one["key"] for one in told] == [f"new{n:02}" for n in range(19, -1, -1)]
    assert {one["state"] for one in told} == {"arrived"}


def test_a_failure_of_a_record_that_has_long_been_there_is_not_on_its_way(board: Board) -> None:
    now = time.time()
    board.fill_records([item("x", now - 60)], complete=True)
    refused = {
        "message": "Record not stored",
        "level": "ERROR",
        "bucket": "uploads",
        "key": "x",
        "objectId": "x",
        "reason": "throttled",
        "requestId": "request-1",
    }
    board.logged([done(1, now - 60) | {"message": json.dumps(refused)}], now)
    assert {one["state"] for one in board.told()["travels"]} == {"arrived"}


def test_lines_tell_whether_something_failed(board: Board) -> None:
    assert [one.broken for one in board.logged([done(1)], NOW)] == [False]
    assert [one.broken for one in board.logged([done(2, failed=1)], NOW)] == [True]
    assert board.logged([done(2, failed=1)], NOW) == []
    assert board.last["error"] == NOW


def test_only_the_newest_invokes_are_told(board: Board, pages: Pages) -> None:
    board.logged([done(n, NOW + n / 1000) for n in range(5000)], NOW + 5)
    told = board.told()["invokes"]
    assert [one["request"] for one in told] == [f"request-{n}" for n in range(4700, 5000)]
    assert len(pages.newest("invokes")) == 300


def test_the_failure_queue_is_told_without_what_could_take_a_message_off_it(
    board: Board, pages: Pages
) -> None:
    board.failed(map(waits, range(1, 151)))
    told = pages.newest("failures")
    assert [one["id"] for one in told] == [f"m{n}" for n in range(51, 151)]
    assert told[0]["objects"] == [["uploads", "a.txt", "ObjectCreated:Put"]]
    assert "secret-handle" not in json.dumps(pages.told)
    assert board.oldest_failure() == 1.0


def test_a_message_that_holds_no_event_is_told_with_the_reason(board: Board, pages: Pages) -> None:
    board.failed([failure_queue.read({"Body": "{", "MessageId": "m"})])
    (told,) = pages.newest("failures")
    assert (told["how"], told["objects"], told["attempts"]) == ("unreadable", [], None)
    assert "no JSON document" in told["reason"]
    assert board.oldest_failure() is None


def test_what_somebody_else_reads_just_now_has_not_gone(board: Board, pages: Pages) -> None:
    travel = board.begin("a.txt", 5)
    board.put(travel, "v1", 5)
    body = s3_events.notification(s3_events.record("a.txt", versionId="v1"))
    message = failure_queue.read({"Body": json.dumps(body), "MessageId": "m"})
    board.failed([message])
    board.failed([], complete=False)
    assert board.told()["travels"][0]["state"] == "failed"
    assert [one["id"] for one in pages.newest("failures")] == ["m"]
    board.failed([])
    assert travel.state == "travelling"
    assert pages.newest("failures") == []


def test_a_message_that_was_taken_off_goes_at_once(board: Board, pages: Pages) -> None:
    board.failed(map(waits, (1, 2)))
    board.taken("m1")
    board.taken("m1")
    assert [one["id"] for one in pages.newest("failures")] == ["m2"]
    assert [kind for kind, _ in pages.told] == ["failures", "failures"]


def test_nothing_is_told_twice_that_has_not_changed(board: Board, pages: Pages) -> None:
    alarm = {"name": "a", "state": "OK"}
    for _ in range(2):
        board.failed([waits(1)])
        board.rang([dict(alarm)])
        board.drawn({"a": [(1.0, 2.0)]})
        board.mailed([])
        board.logged([done(1)], NOW)
    assert sorted(kind for kind, _ in pages.told) == ["alarms", "failures", "invokes", "points"]
    assert board.rang([alarm | {"state": "ALARM"}])


def test_a_table_of_somebody_elses_shape_does_not_stop_the_page(board: Board, pages: Pages) -> None:
    odd: dict[str, Any] = {
        "objectId": {"S": "x"},
        "blob": {"B": b"\0"},
        "tags": {"SS": ["a"]},
        "m": {"M": {}},
    }
    board.fill_records([odd], complete=True)
    board.arrived([change(odd), change(None)])
    assert pages.newest("records")["items"][0]["blob"] == {"B": "AA=="}
    encoded(board.told())


def test_an_upload_is_under_way_until_it_has_arrived(board: Board) -> None:
    assert not board.under_way()
    travel = board.begin("a.txt", 5)
    assert board.under_way()
    board.put(travel, "v1", 5)
    assert board.under_way()
    board.arrived([change(item(str(travel.object_id)))])
    assert not board.under_way()
    board.refuse(board.begin("b.txt", 5), "no")
    assert not board.under_way()


def test_many_threads_may_tell_and_ask_at_once(board: Board) -> None:
    wrong: list[BaseException] = []
    stop = threading.Event()

    def again(work: Any) -> threading.Thread:
        def run() -> None:
            number = 0
            try:
                while not stop.is_set():
                    number += 1
                    work(number)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
                wrong.append(error)

        return threading.Thread(target=run)

    threads = [
        again(lambda n: board.arrived([change(item(f"x{n}"))])),
        again(lambda n: board.logged([done(n, NOW + n)], NOW + n)),
        again(lambda n: board.failed([waits(n)])),
        again(lambda n: board.put(board.begin(f"k{n}", 5), "", 5)),
        again(lambda n: board.queues({"failures": Depth(n, 0)})),
        again(lambda _: encoded(board.told())),
        again(lambda _: (board.function_figures(NOW), board.writes(NOW), board.oldest_failure())),
        again(lambda _: (board.under_way(), board.take_news())),
    ]
    for thread in threads:
        thread.start()
    stop.wait(1.0)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
