"""Which calls a page makes: reads, counted, and the few writes that were asked for."""

import functools
import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.console.sources.session import (
    READS,
    WRITES,
    Calls,
    Clock,
    ReadOnlyError,
    ReadSession,
    connect,
)
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

with warnings.catch_warnings():
    # Of setuptools' own, which parliament finds its data with.
    warnings.simplefilter("ignore")
    import parliament

# An operation whose action has another name.
ACTIONS = {"GetBucketNotificationConfiguration": "GetBucketNotification"}
TARGET = Target({}, "The test", (), "eu-west-1")

Make = Callable[[bool], ReadSession]


@pytest.fixture
def asked() -> list[str]:
    """What reached AWS."""
    return []


@pytest.fixture
def make(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a session of an AWS that refuses everything."""

    class Refusing(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            asked.append(self.headers.get("X-Amz-Target") or f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b"<ErrorResponse><Error><Code>No</Code></Error></ErrorResponse>"
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = refuse  # noqa: N815

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=functools.partial(server.serve_forever, 0.02))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    yield lambda write: ReadSession(TARGET, "123456789012", write=write)
    server.shutdown()
    server.server_close()
    thread.join()


WRITING: list[tuple[str, str, dict[str, Any]]] = [
    ("s3", "put_object", {"Bucket": "b", "Key": "k"}),
    ("s3", "delete_object", {"Bucket": "b", "Key": "k"}),
    ("sqs", "delete_message", {"QueueUrl": "http://127.0.0.1/q", "ReceiptHandle": "h"}),
    (
        "sqs",
        "change_message_visibility",
        {"QueueUrl": "http://127.0.0.1/q", "ReceiptHandle": "h", "VisibilityTimeout": 0},
    ),
    ("dynamodb", "put_item", {"TableName": "t", "Item": {}}),
    ("lambda", "invoke", {"FunctionName": "f"}),
    ("cloudwatch", "set_alarm_state", {"AlarmName": "a", "StateValue": "OK", "StateReason": "x"}),
    ("sns", "publish", {"TopicArn": "t", "Message": "m"}),
]


@pytest.mark.parametrize(("service", "method", "arguments"), WRITING)
def test_a_read_only_session_raises_before_a_write_is_sent(
    make: Make, asked: list[str], service: str, method: str, arguments: dict[str, Any]
) -> None:
    session = make(False)
    with pytest.raises(ReadOnlyError, match="must not call"):
        getattr(session.client(service), method)(**arguments)
    assert asked == []
    assert session.calls.counts() == {}


@pytest.mark.parametrize(("service", "method", "arguments"), WRITING[1:])
def test_a_session_that_may_write_uploads_and_nothing_else(
    make: Make, asked: list[str], service: str, method: str, arguments: dict[str, Any]
) -> None:
    session = make(True)
    with pytest.raises(ReadOnlyError):
        getattr(session.client(service), method)(**arguments)
    assert asked == []
    with pytest.raises(ClientError):
        session.client("s3").put_object(Bucket="b", Key="k")
    assert asked == ["PUT /b/k"]
    assert session.calls.counts() == {"PutObject": 1}


def test_every_call_is_counted_of_all_clients_together(make: Make, asked: list[str]) -> None:
    session = make(False)
    for same in session, session.uncached():
        with pytest.raises(ClientError):
            same.client("dynamodb").scan(TableName="t")
    with pytest.raises(ClientError):
        session.client("sts").get_caller_identity()
    assert session.calls.counts() == {"Scan": 2, "GetCallerIdentity": 1}
    assert len(asked) == 3


def test_the_call_for_the_account_counts_too(make: Make) -> None:
    calls = Calls()
    with pytest.raises(PipelineError):
        connect(TARGET, write=False, calls=calls)
    assert calls.counts() == {"GetCallerIdentity": 1}


def test_calls_of_many_threads_are_all_counted() -> None:
    calls = Calls()

    def count() -> None:
        for _ in range(500):
            calls.add("Scan")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.counts() == {"Scan": 4000}


def test_every_operation_that_is_allowed_without_write_is_a_read_in_awss_own_list() -> None:
    levels: dict[tuple[str, str], str] = {}
    for service in parliament.iam_definition:
        for action in service["privileges"]:
            levels[service["prefix"], action["privilege"]] = action["access_level"]

    def level(service: str, operation: str) -> str:
        return levels[service.removesuffix("streams"), ACTIONS.get(operation, operation)]

    reads = [(service, name) for service, names in READS.items() for name in names]
    assert [read for read in reads if level(*read) not in ("Read", "List")] == []
    assert all(level(service, name) == "Write" for service in WRITES for name in WRITES[service])


def test_by_how_much_awss_clock_is_ahead_is_told_from_the_dates_of_its_answers() -> None:
    clock, at = Clock(), 1_795_600_000.0
    assert clock.ahead == 0
    clock.saw(None, at, at)
    clock.saw("yesterday", at, at)
    # An answer within the same second: both may agree.
    clock.saw(formatdate(at), at + 0.1, at + 0.2)
    assert clock.ahead == 0
    # Three minutes ahead, to the second by one answer, and closer by another.
    ahead = Clock()
    # A server may be late with its Date.
    clock.saw(formatdate(at - 3), at + 0.1, at + 0.2)
    assert clock.ahead == 0
    ahead.saw(formatdate(at + 180), at, at + 0.2)
    assert ahead.ahead == pytest.approx(180.4)
    ahead.saw(formatdate(at + 185), at + 5.9, at + 6.0)
    assert ahead.ahead == pytest.approx(179.95)
    assert ahead.now() == pytest.approx(time.time() + 179.95, abs=1)
    # Then it was set right.
    ahead.saw(formatdate(at + 10), at + 10.1, at + 10.2)
    assert ahead.ahead == 0


def test_every_answer_sets_the_clock(make: Make) -> None:
    session = make(False)
    with pytest.raises(ClientError):
        session.client("logs").filter_log_events(logGroupName="g")
    assert session.clock._most < math.inf
    assert session.clock.ahead == 0
