"""The server on a stack: uploads, searches, replays, and what it does when something is missing."""

import contextlib
import functools
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline.console.board.memory import Memory
from pipeline.console.sources import watch as watch_module
from pipeline.console.sources.watch import Found, Watch
from pipeline.deployed import failure_queue
from pipeline.deployed.target import Target
from pipeline.emulator.ports import HOST
from pipeline.errors import PipelineError
from tests.support.page.console_server import TOKEN, Clients, Send, Served, event, item, serve
from tests.support.poll import until


@pytest.fixture
def page(target: Target) -> Iterator[Served]:
    """A console that may write, with a page open."""
    with (
        serve(lambda: Found(target, None, embedded=False), write=True) as served,
        served.listen() as wait_for,
    ):
        if "origin" not in wait_for("snapshot")["stack"]:
            assert wait_for("snapshot")["stack"]["origin"] == target.origin
        yield served


@pytest.fixture
def put(page: Served) -> Callable[..., Any]:
    def put(key: str, body: Any) -> Any:
        return page.ask("PUT", f"/{TOKEN}/objects?key={key}", body)

    return put


def stored(aws: Clients, target: Target) -> list[str]:
    found = aws("s3").list_objects_v2(Bucket=target.bucket_name)
    return [content["Key"] for content in found.get("Contents", [])]


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ("a.txt", "a.txt"),
        ("a%2Fb%20c.txt", "a/b c.txt"),
        ("%3Cscript%3E%2B%25%26%3F%23", "<script>+%&?#"),
        ("..%2F..%2Fother", "../../other"),
        ("gr%C3%B6%C3%9Fe%E2%80%A8", "größe\u2028"),
        ("a" * 1024, "a" * 1024),
    ],
)
def test_a_file_is_put_under_its_key_and_nowhere_else(
    put: Callable[..., Any], target: Target, asked: str, key: str, aws: Clients
) -> None:
    answer = put(asked, b"hello")
    assert answer.status == 200, answer.body
    found = answer.json()
    assert (found["key"], found["size"]) == (key, 5)
    assert found["versionId"]
    body = aws("s3").get_object(Bucket=target.bucket_name, Key=key)["Body"].read()
    assert body == b"hello"


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


def test_a_file_of_unknown_length_is_bounded_too(
    put: Callable[..., Any], target: Target, aws: Clients
) -> None:
    assert put("fits", chunks(1_000_000)).status == 200
    # It may be refused while it is still being sent.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        assert put("over", chunks(1_001_000)).status == 413
    assert stored(aws, target) == ["fits"]


def test_a_file_that_was_not_received_whole_is_not_put(
    page: Served, put: Callable[..., Any], target: Target, aws: Clients
) -> None:
    for _ in range(6):
        connection = http.client.HTTPConnection(HOST, page.port, timeout=30)
        connection.putrequest("PUT", f"/{TOKEN}/objects?key=part")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"half")
        connection.close()
    # More than are received at once.
    assert put("whole", b"x").status == 200
    assert stored(aws, target) == ["whole"]


def test_what_s3_rejects_is_answered_with_the_reason(
    put: Callable[..., Any], page: Served, target: Target, aws: Clients
) -> None:
    aws("s3").delete_bucket(Bucket=target.bucket_name)
    answer = put("a", b"x")
    assert answer.status == 502
    assert answer.json()["error"].startswith("The bucket does not exist: run `terraform apply`")
    _, board = page.console.watch().current()
    (upload,) = board.snapshot()["uploads"]
    assert (upload["state"], upload["reason"]) == ("rejected", answer.json()["error"])


def test_an_alarm_has_its_history_and_the_runbooks_section(
    page: Served, target: Target, aws: Clients
) -> None:
    (name,) = target.alarm_names
    aws("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="<b>")
    until(lambda: page.console.watch().current()[1].alarms)
    found = page.ask(path=f"/{TOKEN}/alarm?name={name}")
    assert found.status == 200, found.body
    assert ["strong", "Means:"] in found.json()["runbook"][0]
    newest = found.json()["history"][0]
    assert (newest["to"], newest["reason"]) == ("ALARM", "<b>")
    none = page.ask(path=f"/{TOKEN}/alarm?name=%3Cb%3E")
    assert (none.status, none.json()) == (502, {"error": "The stack has no alarm '<b>'."})


def test_records_and_lines_are_searched_for(page: Served, target: Target, aws: Clients) -> None:
    odd = {"blob": {"B": b"\0"}}
    aws("dynamodb").put_item(TableName=target.table_name, Item=item("x", "k", **odd))
    found = page.ask(path=f"/{TOKEN}/records?prefix=k")
    assert found.status == 200, found.body
    assert found.json()["complete"]
    assert found.json()["items"][0]["blob"] == {"B": "AA=="}
    none = page.ask(path=f"/{TOKEN}/log?request=11111111-1111")
    assert (none.status, none.json()) == (200, {"invokes": []})


def test_a_request_that_was_searched_for_shows_how_it_ended(
    page: Served, target: Target, aws: Clients
) -> None:
    request = "22222222-2222-4222-8222-222222222222"
    line = {"requestId": request, "level": "ERROR", "message": "Record not stored", "key": "a"}
    # An hour ago: the page has not read it.
    event = {"timestamp": int(time.time() - 3600) * 1000, "message": json.dumps(line)}
    logs, names = aws("logs"), {"logGroupName": target.log_group_name, "logStreamName": "old"}
    logs.create_log_stream(**names)
    logs.put_log_events(**names, logEvents=[event])
    found = page.ask(path=f"/{TOKEN}/log?request={request}")
    assert found.status == 200, found.body
    (invoke,) = found.json()["invokes"]
    assert (invoke["request"], invoke["level"], invoke["failing"]) == (request, "ERROR", True)


def test_a_read_only_page_reads_all_of_its_panels(target: Target, aws: Clients, send: Send) -> None:
    send(event("a"))
    with (
        serve(lambda: Found(target, None, embedded=False), write=False) as served,
        served.listen() as wait_for,
    ):
        wait_for("snapshot")
        assert until(lambda: shown(served)) == ["a"]
        made = served.ask(path=f"/{TOKEN}/calls").json()
    assert made["ReceiveMessage"] >= 1
    sqs = aws("sqs")
    assert failure_queue.depth(sqs, target.failure_queue_url) == (1, 0)


def unknown(served: Served, panel: str) -> str:
    """Why that panel can't be read; empty if it can."""
    return str(served.console.watch().snapshot().get("unknown", {}).get(panel, ""))


def shown(served: Served) -> list[str]:
    """Keys of the failure queue's messages on the page."""
    found = served.console.watch().snapshot().get("failures", [])
    return [failure["objects"][0][1] for failure in found]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("watch")]


def test_a_watch_that_ends_while_the_stack_is_found_leaves_nothing_running(target: Target) -> None:
    until(lambda: not threads())
    found = threading.Event()

    def find() -> Found:
        watch.end()
        found.set()
        return Found(target, None, embedded=False)

    watch = Watch(find, lambda kind, data: None, Memory(), write=False)
    watch.start()
    assert found.wait(30)
    until(lambda: not threads())
    with pytest.raises(PipelineError):
        watch.current()


@pytest.mark.parametrize(
    "odd",
    [
        {"delivery": "post"},
        {"delivery": None, "bucket_name": None, "alarm_names": None},
        {"table_stream_arn": None, "topic_arn": None, "failure_queue_url": None},
        {"delivery": {"via": "notification", "filters": "odd"}},
    ],
    ids=["no way", "no delivery", "no stream", "no filters"],
)
def test_a_half_applied_stack_is_read_as_far_as_it_goes(
    target: Target, odd: dict[str, Any]
) -> None:
    until(lambda: not threads())
    half = replace(target, outputs={**target.outputs, **odd})
    finds: list[int] = []

    def find() -> Found:
        finds.append(1)
        return Found(half, None, embedded=False)

    with serve(find, write=False) as served, served.listen() as wait_for:
        found = wait_for("stages")
        assert [stage["id"] for stage in found][-5:] == [
            *("function", "table", "failures", "alarms", "topic"),
        ]
        for name, value in odd.items():
            if value is None and name in ("alarm_names", "table_stream_arn", "failure_queue_url"):
                panels = {"alarm_names": "alarms", "table_stream_arn": "records"}
                why = until(functools.partial(unknown, served, panels.get(name, "failures")))
                assert f"gives no {name}" in why
        # One watch, and one thread a panel.
        assert len(finds) == 1
        assert len(threads()) == len(set(threads())) == 9


def test_a_panel_that_could_not_be_read_is_read_once_it_can_be(
    target: Target, aws: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_FIRST_PAUSE_SECONDS", 0.01)
    aws("logs").delete_log_group(logGroupName=target.log_group_name)
    with (
        serve(lambda: Found(target, None, embedded=False), write=False) as served,
        served.listen() as wait_for,
    ):
        wait_for("snapshot")
        assert until(lambda: unknown(served, "log")) == (
            "The log group does not exist: run `terraform apply` in the stack's root."
        )
        aws("logs").create_log_group(logGroupName=target.log_group_name)
        until(lambda: not unknown(served, "log"))


def test_a_replay_that_can_not_run_says_why_and_leaves_the_messages(
    target: Target, send: Send
) -> None:
    send(event("a"))
    with (
        serve(lambda: Found(target, None, embedded=False), write=True) as served,
        served.listen() as wait_for,
    ):
        wait_for("snapshot")
        assert until(lambda: shown(served)) == ["a"]
        asked = b'{"messages": "all"}'
        assert served.ask("POST", f"/{TOKEN}/replay", asked).status == 202
        found = wait_for("replay")
        while found["running"]:
            found = wait_for("replay")
        assert found["problem"].startswith(f"The function {target.function_name} does not exist")
        assert (found["done"], found["stayed"]) == (0, 0)
        assert shown(served) == ["a"]
