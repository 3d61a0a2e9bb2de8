"""What an operator reads: one JSON object a line, and in it what happened."""

import datetime
import io
import json
import sys
import threading
from typing import Any

import pytest

import answer
import lambda_function
import logs
from pipeline.cost import module_usage
from tests.support import poll
from tests.support.aws import faulty_dynamodb as faults
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB
from tests.unit.handler.conftest import Context, Handle


def test_an_invoke_writes_one_line_that_tells_it_all(handle: Handle, lines: Any) -> None:
    batch = s3.sqs(
        s3.notification(s3.record("a"), s3.record("b")),
        s3.eventbridge("a"),
        s3.TEST_EVENT,
        "{",
    )
    context = Context()
    handle(batch, context=context)
    error, line = lines()
    assert error["level"] == "ERROR"
    assert line.pop("milliseconds") >= 0
    assert len(line.pop("objectIds")) == 2
    assert isinstance(line.pop("coldStart"), bool)
    assert datetime.datetime.fromisoformat(line.pop("timestamp")).tzinfo is datetime.UTC
    assert line == {
        "level": "INFO",
        "message": "Invoke done",
        "received": 5,
        "stored": 2,
        "duplicatesFolded": 1,
        "ignored": 1,
        "failed": 1,
        "requestId": context.aws_request_id,
    }


def test_the_line_names_the_first_25_records(
    handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    handle(s3.notification(*(s3.record(f"key-{number}") for number in range(40))))
    (line,) = lines("INFO")
    assert len(line["objectIds"]) == 25
    assert set(line["objectIds"]) < set(dynamodb.items)


def test_only_the_first_invoke_of_a_process_is_a_cold_start(
    handle: Handle, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_function, "cold_start", True)
    for _ in range(3):
        handle(s3.notification(s3.record("a")))
    assert [line["coldStart"] for line in lines("INFO")] == [True, False, False]


def test_an_invoke_whose_records_all_failed_still_writes_its_line(
    handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    dynamodb.rule = lambda request: faults.error(400, "AccessDeniedException", "no PutItem")
    with pytest.raises(answer.NotStoredError):
        handle(s3.notification(s3.record("a")))
    error, line = lines()
    assert (line["stored"], line["failed"], line["objectIds"]) == (0, 1, [])
    assert {"bucket": "uploads", "key": "a", "sequencer": "0055AED6DCD90281E5"}.items() <= (
        error.items()
    )
    assert error["reason"] == "AccessDeniedException: no PutItem"


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("TRACE", {"DEBUG", "INFO", "ERROR"}),
        ("DEBUG", {"DEBUG", "INFO", "ERROR"}),
        ("INFO", {"INFO", "ERROR"}),
        ("", {"INFO", "ERROR"}),
        ("nonsense", {"INFO", "ERROR"}),
        ("WARN", {"ERROR"}),
        ("error", {"ERROR"}),
        ("FATAL", set()),
    ],
)
def test_the_level_is_lambda_s(
    level: str, written: set[str], handle: Handle, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", level)
    handle(s3.sqs(s3.notification(s3.record("a")), "{"))
    assert {line["level"] for line in lines()} == written


def test_keys_are_written_at_debug_only(
    handle: Handle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(s3.notification(s3.record("private name")))
    assert "private name" not in capsys.readouterr().out
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "DEBUG")
    handle(s3.notification(s3.record("private name")))
    assert "private name" in capsys.readouterr().out


def test_no_line_holds_a_secret(
    handle: Handle,
    dynamodb: FaultyDynamoDB,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "TRACE")
    dynamodb.script.extend(
        [faults.error(400, "ThrottlingException"), faults.hang_up, faults.error(500, "Oops")]
    )
    handle(s3.sqs(s3.notification(s3.record("a")), s3.notification(s3.record("b")), "{"))
    out = "".join(capsys.readouterr())
    assert out
    assert "EXAMPLEKEY" not in out
    assert "EXAMPLETOKEN" not in out
    assert "Signature=" not in out


@pytest.mark.parametrize("key", ["a\ud800", "line\nbreak", "\u2028", '"quoted"\\'])
def test_any_key_leaves_a_line_that_is_one_json_object(
    key: str, handle: Handle, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "DEBUG")
    handle(s3.sqs(s3.notification(s3.record(key=key, size=-1))))
    (line,) = lines("ERROR")
    assert line["key"] == key


@pytest.mark.parametrize(
    "event",
    [
        {"x" * 300_000: 1},
        s3.notification(s3.record("a") | {"eventTime": "x" * 300_000}),
        s3.notification(s3.record(key="x" * 300_000, size=-1)),
    ],
    ids=["field name", "time", "key"],
)
def test_no_input_makes_a_line_too_long(event: Any, handle: Handle, lines: Any) -> None:
    handle(s3.sqs(event))
    (line,) = lines("ERROR")
    assert len(json.dumps(line)) < 10_000


def test_the_figures_add_up_when_duplicates_fail(
    handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    dynamodb.rule = faults.refuses("sick")
    again = [s3.notification(s3.record(key)) for key in ("sick", "sick", "healthy", "healthy")]
    handle(s3.sqs(*again, s3.TEST_EVENT, "{"))
    (line,) = lines("INFO")
    assert line["received"] == 6
    parts = line["stored"], line["duplicatesFolded"], line["ignored"], line["failed"]
    assert parts == (1, 1, 1, 3)


def test_lines_of_threads_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        for number in range(200):
            logs.write("INFO", "x" * 500, number=number)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert sorted(json.loads(line)["number"] for line in lines) == sorted([*range(200)] * 8)


def test_a_line_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(io.RawIOBase):
        def __init__(self) -> None:
            self.written: list[bytes] = []

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.written.append(bytes(data))
            return len(data)

    raw = Counting()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw)))
    logs.write("INFO", "short")
    logs.write("INFO", "long", text="x" * 100_000)
    assert [data[-1:] for data in raw.written] == [b"\n", b"\n"]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_a_slow_log_leaves_time_to_answer_and_says_how_many_lines_it_left_out(
    level: str, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(io.StringIO):
        seconds = 0.0

        def write(self, text: str) -> int:
            threading.Event().wait(self.seconds)
            return super().write(text)

    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", level)
    bad = [s3.notification(s3.record(f"bad-{number}", size=-1)) for number in range(300)]
    good = [s3.notification(s3.record(f"good-{number}")) for number in range(300)]

    def invoked(pace: int) -> tuple[dict[str, Any], io.StringIO]:
        slow = Slow()
        monkeypatch.setattr(sys, "stdout", slow)
        monkeypatch.setattr(Slow, "seconds", 0.005 * pace)
        context = Context(1000 * pace)
        answered = lambda_function.lambda_handler(s3.sqs(*good, *bad), context)
        assert context.get_remaining_time_in_millis() > 0
        return answered, slow

    answered, slow = poll.at_some_pace(invoked)
    assert len(answered["batchItemFailures"]) == 300
    lines = [json.loads(line) for line in slow.getvalue().splitlines()]
    each = [line for line in lines if line["message"] == "Record not stored"]
    (rest,) = [line for line in lines if line["message"].startswith("Record not stored: no time")]
    assert 0 < len(each) == 300 - rest["unlogged"]
    assert (lines[-1]["message"], lines[-1]["failed"]) == ("Invoke done", 300)


def test_metrics_are_off_unless_asked_for(handle: Handle, capsys: Any) -> None:
    handle(s3.notification(s3.record("a")))
    assert "_aws" not in capsys.readouterr().out


def test_metrics_are_cloudwatch_s_embedded_format(
    handle: Handle, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_NAMESPACE", "Uploads")
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "S3ToDynamoProcessor")
    handle(s3.notification(s3.record("a")))
    (line,) = lines()
    assert line["level"] == "INFO"
    assert datetime.datetime.fromisoformat(line["timestamp"]).tzinfo is datetime.UTC
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Uploads"
    assert directive["Dimensions"] == [["FunctionName"]]
    assert line["FunctionName"] == "S3ToDynamoProcessor"
    names = {metric["Name"] for metric in directive["Metrics"]}
    assert names == {
        "received",
        "stored",
        "duplicatesFolded",
        "ignored",
        "failed",
        "milliseconds",
    }
    assert all(isinstance(line[name], int | float) for name in names)


@pytest.mark.parametrize(
    ("records", "level"), [(1, "INFO"), (25, "INFO"), (40, "INFO"), (3, "DEBUG")]
)
def test_an_invoke_logs_as_many_bytes_as_its_costs_assume(
    records: int,
    level: str,
    handle: Handle,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", level)
    key = "folder/2026/11/22/file-{:09}.pdf"
    assert len(key.format(0)) == 36
    handle(s3.notification(*(s3.record(key.format(number)) for number in range(records))))
    expected = module_usage.LOG_BYTES + module_usage.LOG_BYTES_A_RECORD * min(
        records, module_usage.LOG_RECORDS
    )
    if level == "DEBUG":
        expected += records * module_usage.DEBUG_BYTES
    # A figure more or less in counts and times.
    assert len(capsys.readouterr().out) == pytest.approx(expected, abs=8)


def test_a_record_takes_as_many_bytes_as_its_costs_assume(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    handle(
        s3.notification(
            s3.record(
                "folder/2026/11/22/file-000000000.pdf",
                versionId="096fKKXTRTtl3on89fVO.nfljtsv6qko",
                size=1_000_000,
            )
        )
    )
    (item,) = dynamodb.items.values()
    size = sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())
    assert size == pytest.approx(module_usage.RECORD_BYTES, abs=20)
