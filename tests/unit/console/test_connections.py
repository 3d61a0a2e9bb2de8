"""Whoever lacks the link takes little from the page."""

import contextlib
import http.client
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from pipeline.console.server import connections
from pipeline.console.sources.watch import Found
from pipeline.deployed.target import Target
from pipeline.emulator.ports import HOST
from pipeline.paths import ROOT
from tests.support.page.console_server import TOKEN, Served, serve
from tests.support.poll import until

OPEN_FILES, IDLE = 200, 220
NAMES = ("bucket_name=b", "table_name=t", "function_name=f", "delivery=notification")


@pytest.fixture
def page(target: Target, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(connections, "_SHARE", 10**9)
    with serve(lambda: Found(target, None, embedded=False), write=False) as served:
        yield served


def idle(port: int, number: int) -> contextlib.ExitStack:
    """Connections that say nothing."""
    opened = contextlib.ExitStack()
    for _ in range(number):
        opened.enter_context(socket.create_connection((HOST, port), timeout=30))
    return opened


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def test_idle_connections_beyond_the_open_files_cost_nothing_and_lock_nobody_out(
    tmp_path: Path,
) -> None:
    limits = (OPEN_FILES, OPEN_FILES)
    log = tmp_path / "stderr"
    with log.open("w") as errors:
        console = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline", "console", "--json"),
                *(word for name in NAMES for word in ("--set", name)),
            ],
            cwd=ROOT,
            env=os.environ
            | {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
        )
    try:
        assert console.stdout is not None
        link = urlsplit(json.loads(console.stdout.readline())["url"])
        assert link.port is not None
        with idle(link.port, IDLE):
            before = psutil.Process(console.pid).cpu_times().user
            assert status(link.port, link.path) == 200
            assert status(link.port, "/") == 403
            assert psutil.Process(console.pid).num_fds() < OPEN_FILES / 2
            assert psutil.Process(console.pid).cpu_times().user - before < 5
        assert status(link.port, link.path) == 200
    finally:
        console.terminate()
        console.wait(30)
    assert "Traceback" not in log.read_text()
    assert len(log.read_text().splitlines()) < 20


def test_a_page_with_the_link_stays_whoever_else_comes(page: Served) -> None:
    with page.listen() as wait_for:
        wait_for("snapshot")
        with idle(page.port, 40):
            page.console.hub.publish("told", {"still": "here"})
            assert wait_for("told") == {"still": "here"}


def test_a_storm_of_reconnecting_pages_leaves_no_listener_and_the_page_at_work(
    page: Served,
) -> None:
    for _ in range(200):
        with page.listen():
            pass
    with page.listen() as wait_for:
        wait_for("snapshot")
        until(lambda: page.console.hub.listeners == 1)
    assert page.ask().status == 200


def test_without_room_the_oldest_stranger_makes_room(page: Served) -> None:
    with socket.create_connection((HOST, page.port), timeout=30) as oldest, idle(page.port, 16):
        assert oldest.recv(1) == b""
        assert page.ask(path=f"/{TOKEN}/").status == 200


def test_headers_that_do_not_come_end_the_connection(
    page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_STRANGER_SECONDS", 0.2)
    with socket.create_connection((HOST, page.port), timeout=30) as slow:
        slow.sendall(b"GET /" + TOKEN.encode() + b"/ HTTP/1.1\r\nHost: ")
        assert slow.recv(1) == b""


def test_what_is_no_http_is_refused_without_a_line_in_the_log(
    page: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(20):
        with socket.create_connection((HOST, page.port), timeout=30) as other:
            other.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
            assert other.recv(100).startswith(b"HTTP/1.1 400 ")
    assert capfd.readouterr().err == ""
