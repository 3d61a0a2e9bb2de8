"""`pipeline console` from its link to its end."""

import http.client
import json
import signal
import socket
import urllib.parse
from collections.abc import Iterator
from subprocess import Popen

import pytest

from pipeline.console.serve import choose, has_desktop
from pipeline.emulator.ports import HOST
from pipeline.emulator.process import client_environment
from pipeline.options import Named
from tests.support.stacks.kept import start

GIVEN = {
    "bucket_name": "b",
    "table_name": "t",
    "function_name": "f",
    "failure_queue_url": "http://127.0.0.1/111122223333/q",
}
STACK = [part for name, value in GIVEN.items() for part in ("--set", f"{name}={value}")]


@pytest.fixture
def nobody() -> Iterator[dict[str, str]]:
    """The environment of an account that does not answer: nobody listens there."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        yield client_environment(f"http://{HOST}:{taken.getsockname()[1]}") | {
            "AWS_MAX_ATTEMPTS": "1"
        }


def console(environment: dict[str, str], *arguments: str) -> "Popen[str]":
    return start("console", *STACK, *arguments, **environment)


def test_the_link_works_as_soon_as_it_is_printed_and_ctrl_c_ends_it_with_pages_open(
    nobody: dict[str, str],
) -> None:
    process = console(nobody, "--json")
    try:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        assert found["write"] is False
        link = urllib.parse.urlsplit(found["url"])
        assert link.hostname == HOST
        assert len(link.path.strip("/")) >= 32
        page = http.client.HTTPConnection(HOST, link.port or 0, timeout=30)
        page.request("GET", f"{link.path}events")
        answer = page.getresponse()
        assert answer.readline() == b"retry: 1000\n"
        process.send_signal(signal.SIGINT)
        assert answer.read().endswith(b"\n\n")
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (0, "")
    assert "The page has ended." in err
    assert "Traceback" not in err
    assert "ERROR" not in err
    # The link is printed once.
    assert err.count(link.path) == 1


def test_a_taken_port_is_named(nobody: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = console(nobody, "--port", str(port))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"Port {port} on 127.0.0.1 is taken" in " ".join(err.split())


def test_options_choose_a_stack_and_none_the_lab() -> None:
    given = [f"{name}={value}" for name, value in GIVEN.items()]
    find, lab = choose(Named(None, None, None, given, None))
    assert lab is None
    assert find().bucket_name == "b"
    _, lab = choose(Named(None, None, None, None, None))
    assert lab is not None


@pytest.mark.parametrize(
    ("environment", "terminal", "platform", "opened"),
    [
        ({"DISPLAY": ":0"}, True, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, "linux", True),
        ({}, True, "darwin", True),
        ({}, True, "linux", False),
        ({"DISPLAY": ":0"}, False, "linux", False),
        ({"DISPLAY": ":0", "CI": "true"}, True, "linux", False),
        ({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, True, "darwin", False),
    ],
)
def test_a_browser_is_opened_only_where_somebody_sits_before_it(
    environment: dict[str, str],
    terminal: bool,
    platform: str,
    opened: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setattr("sys.platform", platform)
    assert has_desktop(environment) is opened
