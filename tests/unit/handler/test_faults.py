"""Whatever DynamoDB and the network do, nothing is reported as stored that is not."""

import calendar
import contextlib
import gzip
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import answer
import dynamodb as writer
import lambda_function
import service
from bench import certificate
from tests.support import poll
from tests.support.aws import faulty_dynamodb as faults
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import Fault, FaultyDynamoDB
from tests.unit.handler.conftest import Context, Handle

SUCCESS = {"statusCode": 200, "body": '"Item stored"'}
ONE = s3.notification(s3.record("only"))
THROTTLES = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
]


def _not_stored_in_time(handle: Handle, reason: str) -> None:
    """The invoke fails with that reason, and before Lambda would end it."""

    def invoked(pace: int) -> None:
        context = Context(800 * pace)
        with pytest.raises(answer.NotStoredError, match=reason):
            handle(ONE, context=context)
        assert context.get_remaining_time_in_millis() > 0

    poll.at_some_pace(invoked)


def many(count: int = 60) -> Any:
    return s3.sqs(*(s3.notification(s3.record(f"key-{number:02}")) for number in range(count)))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same waits as in production, shorter."""
    monkeypatch.setattr(service, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(writer, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(writer, "LONGEST_PAUSE_SECONDS", 0.05)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PASSING: dict[str, list[Fault]] = {
    **{code: [faults.error(400, code)] * 4 for code in THROTTLES},
    "written in another region": [faults.error(400, "ReplicatedWriteConflictException")],
    "throttled by status": [faults.raw(faults.message(429, b"{}"))],
    "500": [faults.error(500, "InternalServerError")] * 2,
    "503": [faults.error(503, "ServiceUnavailable")] * 2,
    "503 without json": [faults.raw(faults.message(503, b"<html>busy</html>"))],
    "closed before the answer": [faults.hang_up] * 3,
    "reset": [faults.reset] * 3,
    "stored, closed before the answer": [faults.store_and_hang_up],
    "stored, closed within the answer": [faults.store_and_stop_midway],
    "closed after the answer": [faults.answer_then_hang_up],
    "slower than we wait": [faults.silence],
    "byte by byte": [faults.drip],
    "200 without json": [faults.raw(faults.message(200, b"<html>login</html>"))],
    "200 with half the json": [faults.raw(faults.message(200, b'{"UnprocessedItems"'))],
    "200 with a list": [faults.raw(faults.message(200, b"[]"))],
    "200 and empty": [faults.raw(faults.message(200, b""))],
    "400 without json": [faults.raw(faults.message(400, b"<html>proxy</html>"))],
    "checksum of something else": [
        faults.raw(faults.message(200, b'{"UnprocessedItems":{}}', {"x-amz-crc32": "1"}))
    ],
    "not http": [faults.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", then_hang_up=True)],
    "nothing after continue": [
        faults.raw(b"HTTP/1.1 100 Continue\r\n\r\n", then_hang_up=True),
    ],
    "no length, cut short": [faults.raw(b"HTTP/1.1 200 OK\r\n\r\n{", then_hang_up=True)],
    "chunks cut short": [faults.raw(CHUNKED + b"1\r\n{\r\n", then_hang_up=True)],
    "chunks without size": [faults.raw(CHUNKED + b"\r\n{}\r\n0\r\n\r\n")],
    "chunk of a negative size": [faults.raw(CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n")],
    "a length of a gigabyte": [faults.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n")],
    "http 2": [faults.raw(b"HTTP/2 200\r\ncontent-length: 2\r\n\r\n{}")],
    "endless head": [faults.raw(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000)],
}


@pytest.mark.parametrize("script", PASSING.values(), ids=PASSING)
def test_one_record_survives_a_passing_fault(
    script: list[Fault], handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    dynamodb.script.extend(script)
    assert handle(ONE) == SUCCESS
    assert len(dynamodb.items) == 1


@pytest.mark.parametrize("script", PASSING.values(), ids=PASSING)
def test_a_batch_survives_a_passing_fault(
    script: list[Fault], handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    dynamodb.script.extend(script)
    assert handle(many()) == {"batchItemFailures": []}
    assert len(dynamodb.items) == 60


# Each the whole answer of a body, and whether the connection can go on.
FRAMES: dict[str, tuple[Any, bool]] = {
    "continue": (lambda body: b"HTTP/1.1 100 Continue\r\n\r\n" + faults.message(200, body), True),
    "chunked": (
        lambda body: (
            CHUNKED
            + b"1;x=y\r\n{\r\n%X \r\n%b\r\n" % (len(body) - 1, body[1:])
            # What a trailer says is of no use.
            + b"0\r\nx: y\r\n\r\n"
        ),
        True,
    ),
    "http 1.0": (
        lambda body: b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
        False,
    ),
    "http 1.0 without length": (lambda body: b"HTTP/1.0 200 OK\r\n\r\n" + body, False),
    "no length": (lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body, False),
    "no word of unprocessed items": (lambda body: faults.message(200, b"{}"), True),
}


@pytest.mark.parametrize("event", [ONE, many(20)], ids=["one", "batch"])
@pytest.mark.parametrize(("frame", "kept"), FRAMES.values(), ids=FRAMES)
def test_what_was_written_is_not_written_again_however_the_answer_is_framed(
    frame: Any, kept: bool, event: Any, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    def answered(endpoint: Any, client: socket.socket, request: faults.Request) -> None:
        data = frame(endpoint.answer(request).partition(b"\r\n\r\n")[2])
        client.sendall(data)
        if not kept and b"Length" not in data:
            raise faults.Hangup

    dynamodb.rule = lambda request: answered
    for _ in range(2):
        assert handle(event) in (SUCCESS, {"batchItemFailures": []})
    assert [request.connection for request in dynamodb.requests] == [0, 0 if kept else 1]
    assert all(request.headers["accept-encoding"] == "identity" for request in dynamodb.requests)


REFUSED = {
    "redirect": (
        faults.message(307, b"", {"Location": "https://else.where/Path"}),
        "HTTP 307 to https://else.where/Path: redirects are not followed, correct AWS_ENDPOINT_URL",
    ),
    "gzip": (
        faults.message(
            200, gzip.compress(b'{"UnprocessedItems":{}}'), {"content-encoding": "gzip"}
        ),
        "HTTP 200 in gzip, though identity was asked for",
    ),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_no_other_attempt_changes_is_one_clear_refusal(
    data: bytes, reason: str, handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    dynamodb.rule = lambda request: faults.raw(data)
    assert len(handle(many(20))["batchItemFailures"]) == 20
    assert len(dynamodb.requests) == 1
    assert {line["reason"] for line in lines("ERROR")} == {reason}


LASTING: dict[str, Fault] = {
    **{code: faults.error(400, code) for code in THROTTLES},
    "500": faults.error(500, "InternalServerError"),
    "reset": faults.reset,
    "slow": faults.silence,
    "byte by byte": faults.drip,
    "200 without json": faults.raw(faults.message(200, b"<html>login</html>")),
    "denied": faults.error(400, "AccessDeniedException"),
    "no table": faults.error(400, "ResourceNotFoundException"),
    "invalid": faults.error(400, "ValidationException"),
    "expired token": faults.error(400, "ExpiredTokenException"),
    "bad signature": faults.error(400, "InvalidSignatureException"),
    "bad token": faults.error(400, "UnrecognizedClientException"),
}


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_a_lasting_fault_fails_every_message_within_the_invoke_s_time(
    fault: Fault, handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    dynamodb.rule = lambda request: fault

    def invoked(pace: int) -> Any:
        context = Context(1000 * pace)
        failed = handle(many(), context=context)["batchItemFailures"]
        logged = lines("ERROR")
        assert context.get_remaining_time_in_millis() > 0
        return failed, logged

    failed, logged = poll.at_some_pace(invoked)
    assert {failure["itemIdentifier"] for failure in failed} == {
        f"m{number}" for number in range(60)
    }
    assert not dynamodb.items
    assert len(logged) == 60


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_a_lasting_fault_fails_a_direct_invoke_within_its_time(
    fault: Fault, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    dynamodb.rule = lambda request: fault
    _not_stored_in_time(handle, "s3://uploads/only")


@pytest.mark.parametrize(
    ("count", "fault"),
    [
        *((count, faults.error(400, code)) for count in (1, 30) for code in THROTTLES),
        (30, faults.unprocessed(lambda item: False)),
    ],
    ids=[*(f"{count} {code}" for count in (1, 30) for code in THROTTLES), "30 unprocessed"],
)
def test_a_direct_invoke_soon_leaves_throttling_to_lambda(
    count: int,
    fault: Fault,
    handle: Handle,
    dynamodb: FaultyDynamoDB,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lambda_function, "DIRECT_PATIENCE_SECONDS", 0.3)
    event = s3.notification(*(s3.record(f"key-{number}") for number in range(count)))
    dynamodb.rule = lambda request: fault
    context = Context(30_000)
    with pytest.raises(answer.NotStoredError):
        handle(event, context=context)
    assert len(dynamodb.requests) > 1
    assert context.get_remaining_time_in_millis() > 20_000


def test_a_buffered_invoke_goes_on_while_throttled_for_as_long_as_it_may(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_function, "DIRECT_PATIENCE_SECONDS", 0.0)
    dynamodb.script.extend([faults.error(400, THROTTLES[0])] * 20)
    assert handle(many(10)) == {"batchItemFailures": []}


def test_unprocessed_items_and_only_those_are_sent_again(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    a_few = faults.unprocessed(lambda item: item["objectKey"]["S"].endswith(("0", "5")))
    dynamodb.script.extend([a_few] * 3)
    assert handle(many()) == {"batchItemFailures": []}
    assert len(dynamodb.items) == len(dynamodb.writes) == 60


def test_items_never_processed_fail_alone(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    dynamodb.rule = lambda request: faults.unprocessed(
        lambda item: item["objectKey"]["S"] not in {"key-07", "key-42"}
    )
    failed = handle(many(), 1200)["batchItemFailures"]
    assert sorted(failure["itemIdentifier"] for failure in failed) == ["m42", "m7"]
    assert len(dynamodb.items) == 58


@pytest.mark.parametrize(
    "left",
    [
        {"events": "x"},
        {"events": [{}]},
        {"events": [{"PutRequest": {"Item": {"objectId": {"S": "somebody else's"}}}}]},
        [],
        None,
        "x",
    ],
    ids=repr,
)
def test_unprocessed_items_that_make_no_sense_count_as_nothing_stored(
    left: Any, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    body = json.dumps({"UnprocessedItems": left}).encode()
    dynamodb.rule = lambda request: faults.raw(faults.message(200, body))
    assert len(handle(many(5), 800)["batchItemFailures"]) == 5


def test_a_bad_item_of_a_batch_is_named_and_its_neighbours_are_stored(
    handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    dynamodb.rule = faults.refuses("^key-42$")
    assert handle(many()) == {"batchItemFailures": [{"itemIdentifier": "m42"}]}
    assert len(dynamodb.items) == 59
    (line,) = lines("ERROR")
    assert line["key"] == "key-42"
    assert "Item size has exceeded" in line["reason"]


def test_a_validation_error_is_not_retried(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    dynamodb.rule = faults.refuses("only")
    with pytest.raises(answer.NotStoredError):
        handle(ONE)
    assert len(dynamodb.requests) == 1


@pytest.mark.parametrize("fault", [faults.hang_up, faults.reset], ids=["closed", "reset"])
def test_a_connection_that_died_while_frozen_is_replaced_without_a_pause(
    fault: Fault, handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FIRST_PAUSE_SECONDS", 3600)
    monkeypatch.setattr(writer, "LONGEST_PAUSE_SECONDS", 3600)
    handle(ONE)
    dynamodb.script.append(fault)
    assert handle(s3.notification(s3.record("next"))) == SUCCESS
    assert [request.connection for request in dynamodb.requests] == [0, 0, 1]


def test_of_many_kept_connections_that_fell_silent_one_is_waited_for(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    handle(many(400))
    before = dynamodb.connections
    dynamodb.rule = lambda request: faults.silence if request.connection < before else None
    del dynamodb.requests[:]
    assert before > 1
    assert handle(ONE) == SUCCESS
    assert [request.connection >= before for request in dynamodb.requests] == [False, True]


def test_a_connection_closed_by_the_server_between_invokes_is_replaced(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    dynamodb.script.append(faults.answer_then_hang_up)
    assert handle(ONE) == handle(s3.notification(s3.record("next"))) == SUCCESS
    assert len(dynamodb.items) == 2


def test_an_answer_that_says_close_is_the_connection_s_last(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    good = faults.message(200, b"{}", {"connection": "close"})
    dynamodb.script.append(faults.raw(good))
    handle(ONE)
    handle(ONE)
    assert [request.connection for request in dynamodb.requests] == [0, 1]


@pytest.mark.parametrize(
    "head",
    [
        b"CONTENT-LENGTH:2\r\nConnection: keep-alive",
        b"content-length: \t 2 \t\r\nx-empty:\r\nconnection:keep-alive ",
        b"Content-Length: 2",
    ],
)
def test_headers_are_read_however_they_are_spelled(
    head: bytes, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    dynamodb.script.append(faults.raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n{}"))
    for _ in range(2):
        assert handle(ONE) == SUCCESS
    assert [request.connection for request in dynamodb.requests] == [0, 0]


def test_bytes_after_the_answer_are_not_taken_for_the_next_one(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    dynamodb.script.append(faults.raw(faults.message(200, b"{}") + faults.message(200, b"{}")))
    handle(ONE)
    assert not dynamodb.items  # the fault stored nothing: the second must reach the table itself
    assert handle(ONE) == SUCCESS
    assert len(dynamodb.items) == 1
    assert [request.connection for request in dynamodb.requests] == [0, 1]


def test_a_head_without_end_is_not_read_for_ever(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    endless = b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000
    dynamodb.rule = lambda request: faults.raw(endless)
    with pytest.raises(answer.NotStoredError, match="the answer's head does not end"):
        handle(ONE, 700)


@pytest.mark.parametrize(
    "code", ["InvalidSignatureException", "RequestTimeTooSkewed", "RequestExpired"]
)
@pytest.mark.parametrize("hours", [-2, 2])
def test_a_wrong_clock_is_set_by_the_server_s(
    code: str, hours: int, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + hours * 3600))
    dynamodb.script.append(faults.error(400, code, "Signature expired", {"date": date}))
    handle(ONE)
    handle(ONE)
    wrong, right, later = (request.headers["x-amz-date"] for request in dynamodb.requests)
    assert wrong != right
    expected = time.strftime("%Y%m%dT%H", time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT"))
    assert {right[:11], later[:11]} <= {expected, f"{expected[:9]}{int(expected[9:]) + 1:02}"}


def test_a_clock_that_is_an_hour_off_costs_each_of_40_batches_one_request_and_no_record(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    together = threading.Barrier(writer.CONNECTIONS)

    def skewed(request: faults.Request) -> Fault | None:
        signed = calendar.timegm(time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
        if abs(server_time() - signed) < 300:
            return None
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(server_time()))
        said = faults.error(400, "InvalidSignatureException", "Signature expired", {"date": date})

        def answered(endpoint: Any, client: socket.socket, request: faults.Request) -> None:
            # All that are under way learn of it before the first of them comes again.
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(2)
            said(endpoint, client, request)

        return answered

    def server_time() -> float:
        return time.time() + 3600

    dynamodb.rule = skewed
    assert handle(many(1000)) == {"batchItemFailures": []}
    assert len(dynamodb.items) == 1000
    tries = Counter(min(request.keys) for request in dynamodb.requests)
    assert len(tries) == 40
    assert max(tries.values()) == 2


def test_servers_whose_clocks_disagree_can_not_hold_an_invoke(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    def elsewhen(request: faults.Request) -> Fault:
        moment = time.gmtime(time.time() + (len(dynamodb.requests) % 2) * 7200)
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", moment)
        return faults.error(400, "InvalidSignatureException", "expired", {"date": date})

    dynamodb.rule = elsewhen
    _not_stored_in_time(handle, "InvalidSignatureException: expired")


@pytest.mark.parametrize("date", ["", "yesterday", "now"])
def test_a_bad_signature_of_the_right_time_is_final(
    date: str, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    headers = {} if date == "now" else {"date": date}
    dynamodb.rule = lambda request: faults.error(400, "InvalidSignatureException", "no", headers)
    with pytest.raises(answer.NotStoredError, match="InvalidSignatureException: no"):
        handle(ONE)
    assert len(dynamodb.requests) == 1


def test_an_expired_token_is_final_and_says_so(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    dynamodb.rule = lambda request: faults.error(400, "ExpiredTokenException", "token is expired")
    with pytest.raises(answer.NotStoredError, match="ExpiredTokenException: token is expired"):
        handle(ONE)
    assert len(dynamodb.requests) == 1


def test_a_token_refreshed_meanwhile_is_tried_at_once(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refresh(endpoint: Any, client: Any, request: Any) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", "fresh")
        faults.error(400, "ExpiredTokenException")(endpoint, client, request)

    dynamodb.script.append(refresh)
    assert handle(ONE) == SUCCESS
    assert dynamodb.requests[1].headers["x-amz-security-token"] == "fresh"


def test_a_refusal_that_quotes_the_request_gives_no_secret_away(
    handle: Handle, dynamodb: FaultyDynamoDB, capsys: pytest.CaptureFixture[str]
) -> None:
    quoted = (
        "bad token-EXAMPLETOKEN\n\nThe Canonical String was\nx-amz-security-token:token-EXAMPLE"
    )
    dynamodb.rule = lambda request: faults.error(400, "InvalidSignatureException", quoted)
    with pytest.raises(answer.NotStoredError) as raised:
        handle(ONE)
    said = str(raised.value) + capsys.readouterr().out
    assert "bad ***" in said
    assert "EXAMPLETOKEN" not in said
    assert "Canonical" not in said


def test_no_server_at_all_is_a_failure_in_time(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faults.faulty_dynamodb() as gone:
        url = gone.url
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    _not_stored_in_time(handle, "ConnectionRefusedError")


def test_an_invoke_without_time_left_tries_nothing(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    with pytest.raises(answer.NotStoredError, match="out of time"):
        handle(ONE, 0)
    assert not dynamodb.requests


def test_a_fault_of_our_own_in_one_writer_is_not_taken_for_success(
    dynamodb: FaultyDynamoDB,
) -> None:
    items: dict[str, Any] = {
        str(number): {"objectId": {"S": str(number)}, "objectKey": {"S": "a"}}
        for number in range(75)
    }
    items["30"]["objectKey"] = {"S": object()}  # which no JSON can hold
    end = time.monotonic() + 20
    table = writer.Table("events", "eu-central-1", dynamodb.url)
    failures = set(table.write(items, end, end))
    assert failures == {str(number) for number in range(25, 50)}
    assert failures.isdisjoint(dynamodb.items)


def test_a_first_address_that_takes_no_connection_leaves_time_for_the_second(
    dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as hole, contextlib.ExitStack() as fill:
        # A listener whose queue is full leaves further ones unanswered.
        hole.bind(("127.0.0.2", 0))
        hole.listen(0)
        for _ in range(4):
            waiting = fill.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(hole.getsockname())
        good = ("127.0.0.1", int(dynamodb.url.rpartition(":")[2]))
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
            for address in (hole.getsockname(), good)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: list(found))
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://two.test")

        def invoked(pace: int) -> Any:
            monkeypatch.setattr(service, "CONNECT_SECONDS", 0.6 * pace)
            lambda_function.table.cache_clear()
            return lambda_function.lambda_handler(ONE, Context(2500 * pace))

        assert poll.at_some_pace(invoked) == SUCCESS


def test_a_name_server_that_never_answers_is_a_failure_in_time(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [dynamodb.ended.wait(60)][:0])
    _not_stored_in_time(handle, "an address of 127")


def test_a_slow_name_server_costs_nothing_of_the_time_to_connect(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def slow(*given: Any) -> Any:
        dynamodb.ended.wait(0.4)
        return real(*given)

    monkeypatch.setattr(service, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert handle(ONE, 3000) == SUCCESS
    assert len(dynamodb.requests) == 1


@pytest.mark.parametrize("quoting", ["error", "html", "head"])
def test_a_quoted_secret_is_hidden_however_long_it_is(
    quoting: str,
    handle: Handle,
    dynamodb: FaultyDynamoDB,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token, secret = "TOKEN" * 160, "secretEXAMPLE/KEY"
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    quoted = f"{secret} {'x' * 40} {token}"
    fault = {
        "error": faults.error(400, quoted, quoted),
        "html": faults.raw(faults.message(403, quoted.encode())),
        "head": faults.raw(f"{quoted}\r\n\r\n".encode(), then_hang_up=True),
    }[quoting]
    dynamodb.rule = lambda request: fault
    with pytest.raises(answer.NotStoredError) as raised:
        handle(ONE, 3000)
    said = str(raised.value) + capsys.readouterr().out
    assert "***" in said
    assert "tokentoken" not in said.lower()
    assert "example/key" not in said.lower()


@pytest.mark.parametrize("count", [1, 30])
def test_a_table_named_by_arn_is_handed_back_by_name(
    count: int, handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_NAME", "arn:aws:dynamodb:eu-central-1:123456789012:table/events")

    def by_name(request: faults.Request) -> Fault | None:
        if request.operation == "PutItem":
            return faults.error(400, THROTTLES[0])
        left = [{"PutRequest": {"Item": item}} for item in request.items]
        body = json.dumps({"UnprocessedItems": {"events": left}}).encode()
        return faults.raw(faults.message(200, body))

    dynamodb.rule = by_name
    assert len(handle(many(count), 700)["batchItemFailures"]) == count


def test_a_second_answer_that_comes_late_is_not_taken_for_the_next_one(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    said = threading.Event()

    def twice(endpoint: FaultyDynamoDB, client: socket.socket, request: faults.Request) -> None:
        client.sendall(endpoint.answer(request))
        answered.wait(10)
        client.sendall(faults.message(200, b"{}"))
        said.set()

    answered = threading.Event()
    dynamodb.script.append(twice)
    handle(ONE)
    answered.set()
    assert said.wait(10)
    assert handle(s3.notification(s3.record("next"))) == SUCCESS
    assert len(dynamodb.items) == 2
    assert [request.connection for request in dynamodb.requests] == [0, 1]


def test_sick_items_do_not_keep_the_batches_behind_them_from_being_written(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    began = time.monotonic()
    assert not handle(many(1250))["batchItemFailures"]
    # What this machine takes at the moment, several times over.
    milliseconds = 3000 + round(5000 * (time.monotonic() - began))
    dynamodb.items.clear()
    dynamodb.requests.clear()
    # One in each of the first 20 batches, as many as there are connections, of 50.
    sick = {f"key-{number:02}" for number in range(0, 500, 25)}
    dynamodb.rule = lambda request: faults.unprocessed(
        lambda item: item["objectKey"]["S"] not in sick
    )
    failed = handle(many(1250), milliseconds)["batchItemFailures"]
    assert {failure["itemIdentifier"] for failure in failed} == {f"m{n}" for n in range(0, 500, 25)}
    assert len(dynamodb.items) == 1230
    first_again = next(
        i for i, request in enumerate(dynamodb.requests) if request.operation == "PutItem"
    )
    assert first_again >= 50 - writer.CONNECTIONS


def test_disagreeing_clocks_are_answered_with_a_pause_but_once(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []

    def pause(attempts: int) -> float:
        pauses.append(attempts)
        return 0.05

    monkeypatch.setattr(writer, "_pause", pause)

    def elsewhen(request: faults.Request) -> Fault:
        moment = time.gmtime(time.time() + (len(dynamodb.requests) % 2) * 7200)
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", moment)
        return faults.error(400, "InvalidSignatureException", "expired", {"date": date})

    dynamodb.rule = elsewhen
    with pytest.raises(answer.NotStoredError):
        handle(ONE, 600)
    assert pauses == list(range(2, len(pauses) + 2))
    # The time may be up after a request or after a pause.
    assert len(dynamodb.requests) - len(pauses) in (0, 1)


def test_pauses_grow_at_random_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(writer, "LONGEST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(os, "urandom", lambda count: b"\x80" + bytes(count - 1))
    halves = [writer._pause(attempts) for attempts in (1, 2, 3, 4, 5, 6, 7, 1000)]
    assert halves == [0.025, 0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5]
    monkeypatch.setattr(os, "urandom", lambda count: bytes(count))
    assert writer._pause(5) == 0.0


def test_a_request_that_timed_out_is_not_sent_again_at_once(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []

    def pause(attempts: int) -> float:
        pauses.append(attempts)
        return 0.0

    monkeypatch.setattr(writer, "_pause", pause)
    handle(ONE)
    dynamodb.script.append(faults.silence)
    assert handle(s3.notification(s3.record("next"))) == SUCCESS
    assert pauses == [1]


def test_a_silent_kept_connection_leaves_time_for_a_new_one(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ANSWER_SECONDS", 60)
    handle(ONE)
    dynamodb.script.append(faults.silence)
    assert handle(s3.notification(s3.record("next")), 1500) == SUCCESS


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"1" * 5000,
        b"HTTP/1.1 200 OK\r\nx: y" + b" " * 60_000 + b"z",
    ],
    ids=["endless length", "blanks"],
)
def test_an_absurd_head_is_a_failure_like_any_other(
    head: bytes, handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    dynamodb.rule = lambda request: faults.raw(head + b"\r\n\r\n")
    assert len(handle(many(30), 700)["batchItemFailures"]) == 30
    assert len(lines("ERROR")) == 30


@pytest.mark.parametrize("url", ["http://localhost:99999", "http://a..b"])
def test_an_endpoint_that_can_not_be_is_a_failure_with_its_log_line(
    url: str, handle: Handle, monkeypatch: pytest.MonkeyPatch, lines: Any
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert len(handle(many(30), 700)["batchItemFailures"]) == 30
    assert len(lines("ERROR")) == 30


def test_with_too_few_threads_fewer_connections_write_it_all(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(ONE)  # a kept connection needs no thread to find its address
    dynamodb.items.clear()
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.endswith("(work)"):
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert handle(many(200)) == {"batchItemFailures": []}
    assert len(dynamodb.items) == 200


def test_a_direct_invoke_soon_leaves_a_refusing_proxy_to_lambda(
    handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_function, "DIRECT_PATIENCE_SECONDS", 0.2)
    dynamodb.rule = lambda request: faults.raw(faults.message(403, b"<html>Forbidden</html>"))
    context = Context(30_000)
    with pytest.raises(answer.NotStoredError, match="HTTP 403 without JSON: <html>Forbidden"):
        handle(ONE, context=context)
    assert context.get_remaining_time_in_millis() > 20_000


class TestTls:
    @pytest.fixture
    def secure(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyDynamoDB]:
        pem, context = certificate.make(tmp_path)
        with faults.faulty_dynamodb(context) as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.url)
            monkeypatch.setenv("AWS_CA_BUNDLE", str(pem))
            yield endpoint

    def test_records_go_over_tls(self, secure: FaultyDynamoDB) -> None:
        assert lambda_function.lambda_handler(many(), Context()) == {"batchItemFailures": []}
        assert len(secure.items) == 60

    @pytest.mark.parametrize(
        "script",
        [[faults.hang_up], [faults.store_and_stop_midway], [faults.silence], [faults.drip]],
        ids=["closed", "cut short", "silent", "byte by byte"],
    )
    def test_faults_under_tls_pass(self, script: list[Fault], secure: FaultyDynamoDB) -> None:
        secure.script.extend(script)
        assert lambda_function.lambda_handler(ONE, Context()) == SUCCESS
        assert len(secure.items) == 1

    def test_a_stale_tls_connection_is_replaced(self, secure: FaultyDynamoDB) -> None:
        secure.script.append(faults.answer_then_hang_up)
        for key in ("a", "b"):
            event = s3.notification(s3.record(key))
            assert lambda_function.lambda_handler(event, Context()) == SUCCESS
        assert len(secure.items) == 2

    def test_a_handshake_that_stays_silent_is_bounded(
        self, handle: Handle, secure: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{mute.getsockname()[1]}")
            _not_stored_in_time(handle, "TimeoutError")
