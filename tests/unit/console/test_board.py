"""What is known of a pipeline is bounded, and figures are of the last minutes."""

import json
import threading
import time
from typing import Any

import pytest

from pipeline.console.board import board as boards
from pipeline.console.board import figures
from pipeline.console.board.board import Board
from pipeline.console.server.hub import encode
from pipeline.deployed import failure_queue
from pipeline.deployed.stream import StreamRecord
from tests.support.aws import s3_events

NOW = 1_795_600_000.0


class Pages:
    """Keeps what was published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Any]] = []

    def __call__(self, kind: str, data: Any) -> None:
        # As the hub does, at once.
        self.published.append((kind, json.loads(encode(data))))

    def newest(self, kind: str) -> Any:
        return [data for published, data in self.published if published == kind][-1]


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


def change(image: dict[str, Any] | None, kind: Any = "INSERT", identity: str = "") -> StreamRecord:
    keys = {"objectId": {"S": identity or str(image and image["objectId"]["S"])}}
    return StreamRecord(0.0, kind, keys, image)


def done(number: int, at: float = NOW, **more: Any) -> dict[str, Any]:
    """The log line of an invoke."""
    found = {
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
        "message": json.dumps(found),
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
    assert board.function_figures(NOW) == {"invocations": 0, "errors": 0, "p50": None, "p99": None}
    board.add_log_events([done(n, NOW - 1000) for n in range(1, 51)], NOW - 1000)
    board.add_log_events([done(n, NOW, failed=int(n > 198)) for n in range(101, 201)], NOW)
    found = board.function_figures(NOW)
    assert found == {"invocations": 100, "errors": 2, "p50": 150.0, "p99": 199.0}
    assert board.function_figures(NOW + 901)["invocations"] == 0


@pytest.mark.parametrize(
    ("took", "half", "most"),
    [([7], 7, 7), ([1, 9], 1, 9), ([3, 1, 2], 2, 3), (list(range(1, 201)), 100, 198)],
)
def test_half_of_the_invocations_take_no_longer_than_p50(
    board: Board, took: list[int], half: float, most: float
) -> None:
    board.add_log_events([done(n) for n in took], NOW)
    found = board.function_figures(NOW)
    assert (found["p50"], found["p99"]) == (half, most)


def test_an_invocation_is_counted_once_however_often_its_lines_are_read(board: Board) -> None:
    named = "RequestId: 11111111-1111-4111-8111-111111111111"
    report = f"REPORT {named}\tDuration: 5.00 ms"
    start = {"logStreamName": "s", "timestamp": int(NOW * 1000), "message": f"START {named}"}
    board.add_log_events([start], NOW)
    assert board.function_figures(NOW)["invocations"] == 0
    for number in range(3):
        end = start | {"message": report, "timestamp": int(NOW * 1000) + number}
        board.add_log_events([end], NOW)
    assert board.function_figures(NOW)["invocations"] == 1


def test_late_lines_do_not_keep_older_ones_in_the_figures(board: Board) -> None:
    board.add_log_events([done(1, NOW)], NOW)
    board.add_log_events([done(2, NOW - 600)], NOW)
    assert board.function_figures(NOW + 400)["invocations"] == 1


def test_invocations_beyond_the_limit_cost_no_memory(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_MAX_SAMPLES", 50)
    board.add_log_events([done(n) for n in range(1, 201)], NOW)
    # They count all the same; durations are of the newest.
    assert board.function_figures(NOW)["invocations"] == 200
    assert board.function_figures(NOW)["p50"] == 175
    assert len(board.figures._samples) == 50


def test_samples_since_the_page_was_opened_are_taken_once(board: Board) -> None:
    now = float(int(time.time()) + 1)
    ends = [
        done(number, now) | {"message": f'{{"type": "platform.report", "record": {record}}}'}
        for number, record in (
            (1, '{"requestId": "request-1", "metrics": {"durationMs": 99}}'),
            (2, '{"requestId": "request-2", "status": "error"}'),
        )
    ]
    board.add_log_events([done(0, now - 60), done(1, now), done(2, now)], now)
    board.apply_changes([change(item("a")), change(item("b"))])
    # How an invocation ends is not known before Lambda's own line.
    assert board.take_new_samples() == (2, [])
    board.add_log_events(ends, now)
    _, taken = board.take_new_samples()
    assert [(sample.at, sample.milliseconds, sample.failing) for sample in taken] == [
        (now, 99.0, False),
        (now, 2.0, True),
    ]
    assert board.take_new_samples() == (0, [])
    assert board.function_figures(now)["errors"] == 1


def test_writes_are_of_the_last_fifteen_minutes(board: Board) -> None:
    board.apply_changes([change(item("a")), change(item("a"), "MODIFY")])
    board.apply_changes([change(None, "REMOVE", "a")])
    assert board.writes(time.time()) == 2
    assert board.writes(time.time() + 901) == 0


def test_only_the_newest_records_are_kept_and_published(board: Board, pages: Pages) -> None:
    board.load_records([item(f"old{n}", NOW - n) for n in range(5000)], complete=False)
    board.apply_changes([change(item(f"new{n}", NOW + 10)) for n in range(1000)])
    found = board.snapshot()["records"]["items"]
    assert len(found) == boards.RECORDS
    assert all(item["objectId"]["S"].startswith("new") for item in found)
    assert len(pages.newest("records")["items"]) == boards.RECORDS
    assert len(board.snapshot()["uploads"]) == 200


def test_a_record_that_was_removed_goes(board: Board, pages: Pages) -> None:
    board.apply_changes([change(item("a"))])
    board.apply_changes([change(None, "REMOVE", "a"), change(None, "REMOVE", "never seen")])
    assert pages.newest("removed") == ["a"]
    assert board.snapshot()["records"]["items"] == []


def test_a_scan_brings_what_an_interrupted_stream_missed(board: Board, pages: Pages) -> None:
    now = time.time()
    board.load_records([item("kept", now - 5000), item("gone", now - 5000)], complete=True)
    waiting = [board.begin_upload(f"{n}.txt", 5) for n in range(30)]
    for number, upload in enumerate(waiting):
        board.upload_stored(upload, f"v{number}")
    meanwhile = [
        item(str(upload.object_id), now, objectKey={"S": upload.key}, versionId={"S": "v"})
        for upload in waiting
    ]
    board.load_records([item("kept", now - 5000), *meanwhile], complete=True)
    assert {upload.state for upload in waiting} == {"recorded"}
    assert pages.newest("removed") == ["gone"]
    assert len(board.snapshot()["records"]["items"]) == 31
    # Of a table that was read in part nothing can be said to be gone.
    board.load_records([], complete=False)
    assert len(board.snapshot()["records"]["items"]) == 31


def test_the_page_begins_with_the_newest_uploads(board: Board) -> None:
    now = time.time()
    board.load_records(
        [item(f"new{n:02}", now - n) for n in range(40)] + [item("old", now - 5000)], complete=True
    )
    found = board.snapshot()["uploads"]
    assert [upload["key"] for upload in found] == [f"new{n:02}" for n in range(19, -1, -1)]
    assert {upload["state"] for upload in found} == {"recorded"}


def test_a_failure_of_a_record_that_exists_already_is_not_in_progress(board: Board) -> None:
    now = time.time()
    board.load_records([item("x", now - 60)], complete=True)
    refused = {
        "message": "Record not stored",
        "level": "ERROR",
        "bucket": "uploads",
        "key": "x",
        "objectId": "x",
        "reason": "throttled",
        "requestId": "request-1",
    }
    board.add_log_events([done(1, now - 60) | {"message": json.dumps(refused)}], now)
    assert {upload["state"] for upload in board.snapshot()["uploads"]} == {"recorded"}


def test_log_lines_show_whether_an_invocation_failed(board: Board) -> None:
    assert [invoke.failing for invoke in board.add_log_events([done(1)], NOW)] == [False]
    assert [invoke.failing for invoke in board.add_log_events([done(2, failed=1)], NOW)] == [True]
    assert board.add_log_events([done(2, failed=1)], NOW) == []
    assert board.last["error"] == NOW


def test_only_the_newest_invocations_are_published(board: Board, pages: Pages) -> None:
    board.add_log_events([done(n, NOW + n / 1000) for n in range(5000)], NOW + 5)
    found = board.snapshot()["invokes"]
    assert [invoke["request"] for invoke in found] == [f"request-{n}" for n in range(4700, 5000)]
    assert len(pages.newest("invokes")) == 300


def test_messages_are_published_without_their_receipt_handles(board: Board, pages: Pages) -> None:
    board.set_failures(map(waits, range(1, 151)))
    found = pages.newest("failures")
    assert [failure["id"] for failure in found] == [f"m{n}" for n in range(51, 151)]
    assert found[0]["objects"] == [["uploads", "a.txt", "ObjectCreated:Put"]]
    assert "secret-handle" not in json.dumps(pages.published)
    assert board.oldest_failure() == 1.0


def test_a_message_without_an_event_is_shown_with_the_reason(board: Board, pages: Pages) -> None:
    board.set_failures([failure_queue.read({"Body": "{", "MessageId": "m"})])
    (found,) = pages.newest("failures")
    assert (found["how"], found["objects"], found["attempts"]) == ("unreadable", [], None)
    assert "no JSON document" in found["reason"]
    assert board.oldest_failure() is None


def test_messages_that_another_reader_hides_stay(board: Board, pages: Pages) -> None:
    upload = board.begin_upload("a.txt", 5)
    board.upload_stored(upload, "v1")
    body = s3_events.notification(s3_events.record("a.txt", versionId="v1"))
    message = failure_queue.read({"Body": json.dumps(body), "MessageId": "m"})
    board.set_failures([message])
    board.set_failures([], complete=False)
    assert board.snapshot()["uploads"][0]["state"] == "failed"
    assert [failure["id"] for failure in pages.newest("failures")] == ["m"]
    board.set_failures([])
    assert upload.state == "in_progress"
    assert pages.newest("failures") == []


def test_a_message_that_was_taken_off_the_queue_is_removed_at_once(
    board: Board, pages: Pages
) -> None:
    board.set_failures(map(waits, (1, 2)))
    board.remove_failure("m1")
    board.remove_failure("m1")
    assert [failure["id"] for failure in pages.newest("failures")] == ["m2"]
    assert [kind for kind, _ in pages.published] == ["failures", "failures"]


def test_nothing_unchanged_is_published_twice(board: Board, pages: Pages) -> None:
    alarm = {"name": "a", "state": "OK"}
    for _ in range(2):
        board.set_failures([waits(1)])
        board.set("alarms", [dict(alarm)])
        board.set("datapoints", {"a": [(1.0, 2.0)]})
        board.set("notifications", [])
        board.add_log_events([done(1)], NOW)
    assert sorted(kind for kind, _ in pages.published) == [
        "alarms",
        "datapoints",
        "failures",
        "invokes",
    ]
    assert board.set("alarms", [alarm | {"state": "ALARM"}])


def test_a_table_with_other_attributes_does_not_stop_the_page(board: Board, pages: Pages) -> None:
    odd: dict[str, Any] = {
        "objectId": {"S": "x"},
        "blob": {"B": b"\0"},
        "tags": {"SS": ["a"]},
        "m": {"M": {}},
    }
    board.load_records([odd], complete=True)
    board.apply_changes([change(odd), change(None)])
    assert pages.newest("records")["items"][0]["blob"] == {"B": "AA=="}
    encode(board.snapshot())


def test_an_upload_is_in_progress_until_it_is_recorded(board: Board) -> None:
    assert not board.uploads_in_progress()
    upload = board.begin_upload("a.txt", 5)
    assert board.uploads_in_progress()
    board.upload_stored(upload, "v1")
    assert board.uploads_in_progress()
    board.apply_changes([change(item(str(upload.object_id)))])
    assert not board.uploads_in_progress()
    board.upload_rejected(board.begin_upload("b.txt", 5), "no")
    assert not board.uploads_in_progress()


def test_many_threads_may_write_and_read_at_once(board: Board) -> None:
    wrong: list[BaseException] = []
    stop = threading.Event()

    def again(work: Any) -> threading.Thread:
        def run() -> None:
            number = 0
            try:
                while not stop.is_set():
                    number += 1
                    work(number)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test shows it
                wrong.append(error)

        return threading.Thread(target=run)

    threads = [
        again(lambda n: board.apply_changes([change(item(f"x{n}"))])),
        again(lambda n: board.add_log_events([done(n, NOW + n)], NOW + n)),
        again(lambda n: board.set_failures([waits(n)])),
        again(lambda n: board.upload_stored(board.begin_upload(f"k{n}", 5), "")),
        again(lambda _: encode(board.snapshot())),
        again(lambda _: (board.function_figures(NOW), board.writes(NOW), board.oldest_failure())),
        again(lambda _: (board.uploads_in_progress(), board.take_new_samples())),
    ]
    for thread in threads:
        thread.start()
    stop.wait(1.0)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_own_uploads_and_the_last_replay_outlive_a_board_of_the_same_bucket(board: Board) -> None:
    upload = board.begin_upload("mine.txt", 5)
    board.upload_stored(upload, "v1")
    board.replayed(2)
    again = Board("uploads", (), lambda kind, data: None, board.memory)
    assert again.recovery is not None
    again.load_records([item(str(upload.object_id), time.time())], complete=True)
    (found,) = again.snapshot()["uploads"]
    assert (found["from_page"], found["state"]) == (True, "recorded")
    other = Board("others", (), lambda kind, data: None, board.memory)
    assert (other.snapshot()["uploads"], other.recovery) == ([], None)


def test_records_are_counted_as_far_as_they_are_known(
    board: Board, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert board.snapshot()["records"]["total"] is None
    board.load_records([item(f"r{n}") for n in range(boards.RECORDS)], complete=True)
    assert pages.newest("records")["total"] == boards.RECORDS
    # The stream may bring again what the scan has.
    board.apply_changes([change(item("r1")), change(item("new")), change(None, "REMOVE", "r2")])
    board.apply_changes([change(None, "REMOVE", "r3")])
    assert pages.newest("records")["total"] == boards.RECORDS - 1
    monkeypatch.setattr(boards, "_MAX_COUNTED", 100)
    assert board.snapshot()["records"]["total"] is None
    board.load_records([item("r1")], complete=False)
    assert pages.newest("records")["total"] is None


def test_what_was_read_is_told_once(board: Board, pages: Pages) -> None:
    for panel in "log", "records", "log":
        board.set_unknown(panel, None)
    assert [data for kind, data in pages.published if kind == "read"] == [
        ["log"],
        ["log", "records"],
    ]
    assert board.snapshot()["read"] == ["log", "records"]
