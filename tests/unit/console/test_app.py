"""The page's server, asked as a browser asks it, and as others would."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.console.server import app, console
from pipeline.console.server.safety import HEADERS
from pipeline.console.sources.watch import Found
from pipeline.emulator.ports import HOST
from pipeline.errors import PipelineError
from tests.support.page.console_server import TOKEN, Answer, Served, serve
from tests.support.poll import until

NONE = "No stack was applied yet."


def find() -> Found:
    raise PipelineError(NONE)


@pytest.fixture(scope="module")
def reads() -> Iterator[Served]:
    """A read-only console, without a stack."""
    with serve(find, write=False) as served:
        yield served


@pytest.fixture(scope="module")
def writes() -> Iterator[Served]:
    """A console that may act, without a stack; of an upload it takes 1,000 bytes."""
    with serve(find, write=True, largest=1000) as served:
        yield served


def error(answer: Answer) -> str:
    found = answer.json()
    assert list(found) == ["error"]
    return str(found["error"])


def raw(served: Served, request: bytes) -> bytes:
    """What is answered to these bytes, after which nothing comes."""
    with socket.create_connection((HOST, served.port), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


@pytest.mark.parametrize(
    ("name", "kind", "begins"),
    [
        ("", "text/html; charset=utf-8", b"<!doctype html>"),
        ("page.css", "text/css; charset=utf-8", b""),
        ("page.js", "text/javascript; charset=utf-8", b'"use strict"'),
        ("drops.js", "text/javascript; charset=utf-8", b"// Uploads"),
        ("breaks.js", "text/javascript; charset=utf-8", b"// Break"),
        ("actions.css", "text/css; charset=utf-8", b""),
    ],
)
def test_the_page_and_its_files_are_served(
    reads: Served, name: str, kind: str, begins: bytes
) -> None:
    answer = reads.ask(path=f"/{TOKEN}/{name}")
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert answer.body.startswith(begins)
    assert reads.ask("HEAD", f"/{TOKEN}/{name}").status == 200


def test_the_page_in_all_is_smaller_than_120_kb() -> None:
    assert sum(file.stat().st_size for file in app.PAGE.iterdir()) < 120_000


def test_a_link_without_its_last_slash_leads_to_the_page(reads: Served) -> None:
    answer = reads.ask(path=f"/{TOKEN}")
    assert (answer.status, answer.headers["location"]) == (308, f"/{TOKEN}/")


REQUESTS: list[tuple[int, str, str, dict[str, str]]] = [
    (200, "GET", f"/{TOKEN}/", {}),
    (308, "GET", f"/{TOKEN}", {}),
    (404, "GET", f"/{TOKEN}/nothing", {}),
    (404, "GET", f"/{TOKEN}/app.py", {}),
    (404, "GET", f"/{TOKEN}/events/", {}),
    (404, "GET", f"/{TOKEN}//events", {}),
    (404, "GET", f"/{TOKEN}/../app.py", {}),
    (404, "GET", f"/{TOKEN}/%2e%2e%2fapp.py", {}),
    (404, "GET", f"/{TOKEN}/..%5capp.py", {}),
    (404, "GET", f"/{TOKEN}//etc/passwd", {}),
    (405, "POST", f"/{TOKEN}/", {}),
    (404, "GET", f"/{TOKEN}/objects", {}),
    (404, "GET", f"/{TOKEN}/replay", {}),
    (403, "PUT", f"/{TOKEN}/objects?key=a", {}),
    (403, "POST", f"/{TOKEN}/drops", {}),
    (403, "DELETE", f"/{TOKEN}/drops/1", {}),
    (403, "DELETE", f"/{TOKEN}/drops/{'9' * 5000}", {}),
    # A stack is never broken on purpose.
    (403, "GET", f"/{TOKEN}/breaks", {}),
    (403, "POST", f"/{TOKEN}/break", {}),
    (403, "POST", f"/{TOKEN}/fix", {}),
    (403, "POST", f"/{TOKEN}/recover", {}),
    (404, "GET", f"/{TOKEN}/break", {}),
    (403, "POST", f"/{TOKEN}/break", {"Origin": "https://evil.example"}),
    (403, "POST", f"/{TOKEN}/fix", {"Sec-Fetch-Site": "cross-site"}),
    (421, "POST", f"/{TOKEN}/break", {"Host": "evil.example"}),
    (403, "POST", f"/{TOKEN}/replay", {}),
    (403, "GET", "/", {}),
    (403, "GET", "/events", {}),
    (403, "GET", f"/{TOKEN}x/events", {}),
    (403, "OPTIONS", f"/{TOKEN}/objects", {"Origin": "https://evil.example"}),
    (403, "GET", f"/{TOKEN}/", {"Origin": "https://evil.example"}),
    (403, "GET", f"/{TOKEN}/page.js", {"Sec-Fetch-Site": "cross-site"}),
    (421, "GET", f"/{TOKEN}/", {"Host": "evil.example"}),
    (421, "GET", f"/{TOKEN}/", {"Host": "[::1]"}),
    (502, "GET", f"/{TOKEN}/records", {}),
    (502, "GET", f"/{TOKEN}/calls", {}),
    (502, "GET", f"/{TOKEN}/alarm?name=a", {}),
    (502, "GET", f"/{TOKEN}/log?request=a", {}),
    (400, "GET", f"/{TOKEN}/log?request=%22%20a", {}),
    (400, "GET", f"/{TOKEN}/log?request={'a' * 65}", {}),
    (400, "GET", f"/{TOKEN}/log", {}),
    (400, "GET", f"/{TOKEN}/records?since=noon", {}),
    (400, "GET", f"/{TOKEN}/records?since=nan", {}),
    (400, "GET", f"/{TOKEN}/records?since=-inf", {}),
    (400, "GET", f"/{TOKEN}/records?since=1e999", {}),
]


@pytest.mark.parametrize(("status", "method", "path", "headers"), REQUESTS)
def test_every_answer_has_the_headers_that_restrict_browsers(
    reads: Served, status: int, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = reads.ask(method, path, headers=headers)
    assert answer.status == status
    for name, value in HEADERS.items():
        assert answer.headers[name.lower()] == value
    assert TOKEN.encode() not in answer.body


def test_a_request_with_two_hosts_is_refused(reads: Served) -> None:
    answer = raw(
        reads,
        f"GET /{TOKEN}/ HTTP/1.1\r\nHost: evil.example\r\nHost: {reads.host}\r\n\r\n".encode(),
    )
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_read_only_page_refuses_uploads_and_replays(reads: Served) -> None:
    for method, path in ("PUT", "objects?key=a"), ("POST", "replay"):
        answer = reads.ask(method, f"/{TOKEN}/{path}", b'{"messages": "all"}')
        assert answer.status == 403
        assert "start `pipeline console` with --write" in error(answer)


@pytest.mark.parametrize(
    ("key", "body", "status", "reason"),
    [
        ("", b"x", 400, "The key has 0 bytes; S3 takes 1 to 1024."),
        ("a" * 1025, b"x", 400, "The key has 1025 bytes; S3 takes 1 to 1024."),
        ("%C3%BC" * 513, b"x", 400, "The key has 1026 bytes; S3 takes 1 to 1024."),
        ("a", b"x" * 1001, 413, "The file is larger than 1,000 bytes: use `aws s3 cp`."),
    ],
    ids=["no key", "ascii", "not ascii", "too large"],
)
def test_an_upload_that_can_not_be_put_is_refused_before_a_byte_is_read(
    writes: Served, key: str, body: bytes, status: int, reason: str
) -> None:
    answer = writes.ask("PUT", f"/{TOKEN}/objects?key={key}", body)
    assert (answer.status, error(answer)) == (status, reason)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"all"',
        b"{}",
        b'{"messages": []}',
        b'{"messages": "some"}',
        b'{"messages": [1]}',
        b'{"messages": ["a", null]}',
        b'{"messages": {"a": 1}}',
        b"\xff\xfe",
        b"[" * 60_000,
    ],
)
def test_a_replay_without_message_ids_is_refused(writes: Served, body: bytes) -> None:
    answer = writes.ask("POST", f"/{TOKEN}/replay", body)
    assert answer.status == 400
    assert error(answer) == 'Send {"messages": "all"}, or a list of message ids.'
    too_long = json.dumps({"messages": ["x" * 36] * 5000}).encode()
    assert writes.ask("POST", f"/{TOKEN}/replay", too_long).status == 413


def test_a_request_that_is_not_received_whole_ends_quietly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serve(find, write=True, lab=tmp_path) as served:
        for path in "replay", "drops", "break":
            line = f"POST /{TOKEN}/{path} HTTP/1.1\r\nHost: {served.host}\r\n"
            raw(served, f"{line}Content-Length: 500\r\n\r\nhalf".encode())
        assert served.ask(path=f"/{TOKEN}/breaks").status == 200
    assert capfd.readouterr().err == ""


def test_without_a_page_nothing_is_done_and_nothing_read(writes: Served) -> None:
    until(lambda: writes.console._watch is None)
    upload = writes.ask("PUT", f"/{TOKEN}/objects?key=a", b"x")
    replay = writes.ask("POST", f"/{TOKEN}/replay", b'{"messages": "all"}')
    assert (upload.status, replay.status) == (503, 409)
    assert error(upload) == error(replay) == "No page is open: open the link first."
    assert writes.console._watch is None


def test_without_a_stack_the_page_stays_up_and_says_so(
    writes: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_LINGER_SECONDS", 0.01)
    with writes.listen() as wait_for:
        found = wait_for("snapshot")
        assert (found["write"], found["stages"], found["replay"]) == (True, [], None)
        if found["stack"]["problem"] != NONE:
            assert wait_for("stack") == {"problem": NONE}
        upload = writes.ask("PUT", f"/{TOKEN}/objects?key=a", b"x")
        assert (upload.status, error(upload)) == (503, NONE)
        replay = writes.ask("POST", f"/{TOKEN}/replay", b'{"messages": ["a"]}')
        assert (replay.status, error(replay)) == (409, NONE)
        assert writes.ask(path=f"/{TOKEN}/calls").json() == {}
    # It is closed: nothing is asked any more.
    until(lambda: writes.console._watch is None)
    assert writes.console.hub.listeners == 0


def test_every_page_gets_events_and_a_page_that_is_gone_is_noticed(reads: Served) -> None:
    with reads.listen() as first, reads.listen() as second:
        first("snapshot")
        second("snapshot")
        reads.console.hub.publish("notifications", [{"subject": "</script>\u2028\r\n"}])
        for wait_for in first, second:
            assert wait_for("notifications") == [{"subject": "</script>\u2028\r\n"}]
        assert reads.console.hub.listeners == 2
    until(lambda: reads.console.hub.listeners == 0)


def test_an_unexpected_error_while_the_stack_is_found_does_not_end_the_watch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    faults: list[Any] = [KeyError("odd"), PipelineError("Still none.")]

    def faulty() -> Found:
        raise faults.pop(0) if len(faults) > 1 else faults[0]

    with serve(faulty, write=False) as served, served.listen() as wait_for:
        found = wait_for("snapshot")["stack"]["problem"]
        while found != "Still none.":
            found = wait_for("stack")["problem"]
    assert "KeyError" in capsys.readouterr().err


def test_a_page_that_is_open_when_the_console_ends_is_disconnected() -> None:
    with serve(find, write=False) as served, served.listen() as wait_for:
        wait_for("snapshot")
        served.console.close()
        with pytest.raises(AssertionError, match="disconnected"):
            wait_for("never")
