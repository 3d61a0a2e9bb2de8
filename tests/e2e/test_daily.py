"""What an operator follows on a terminal: invokes, records, and all of it in one stream."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws import s3_events
from tests.support.poll import until
from tests.support.stacks.kept import REPOSITORY, Kept

ALARM = "LambdaErrorsAlert"
BAD = {"Records": [{"eventSource": "aws:s3"}]}


@contextmanager
def following(lab: Kept, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that follows the lab, until the block interrupts it or has ended."""
    process = lab.start(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def put(lab: Kept, key: str) -> None:
    lab.client("s3").put_object(Bucket=lab.outputs["bucket_name"], Key=key, Body=b"abc")


def stored(lab: Kept, key: str) -> None:
    """Upload, and wait for the record."""
    put(lab, key)
    table = {"TableName": lab.outputs["table_name"]}
    dynamodb = lab.client("dynamodb")
    until(
        lambda: any(item["objectKey"]["S"] == key for item in dynamodb.scan(**table)["Items"]), 30
    )


def invoke_later(lab: Kept, event: Any) -> None:
    """What S3 does: Lambda tries it, and sends it to the failure queue in the end."""
    lab.client("lambda").invoke(
        FunctionName=lab.outputs["function_name"],
        InvocationType="Event",
        Payload=json.dumps(event),
    )


def lines_until(process: "subprocess.Popen[str]", kinds: set[str]) -> list[dict[str, Any]]:
    """JSON lines until each of these kinds was there."""
    assert process.stdout is not None
    found: list[dict[str, Any]] = []
    while kinds - {line["kind"] for line in found}:
        line = process.stdout.readline()
        assert line, process.communicate()
        found.append(json.loads(line))
    return found


def interrupted(process: "subprocess.Popen[str]") -> str:
    """What it says on stderr after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    return err


def test_one_stream_has_uploads_records_errors_failures_and_alarms(embedded: Kept) -> None:
    with following(embedded, "tail", "--json") as process:
        assert process.stderr is not None
        # It follows from here on.
        assert "in the failure queue" in process.stderr.readline()
        put(embedded, "tail/ü b.txt")
        invoke_later(embedded, BAD)
        embedded.client("cloudwatch").set_alarm_state(
            AlarmName=ALARM, StateValue="ALARM", StateReason="tried"
        )
        found = lines_until(process, {"upload", "record", "error", "failure", "alarm"})
        said = interrupted(process)
    by_kind = {line["kind"]: line for line in found}
    assert by_kind["upload"]["key"] == by_kind["record"]["key"] == "tail/ü b.txt"
    assert by_kind["error"]["reason"] == "s3 is missing or empty"
    assert "s3 is missing or empty" in by_kind["failure"]["reason"]
    assert (by_kind["alarm"]["alarm"], by_kind["alarm"]["to"]) == (ALARM, "ALARM")
    assert all(line["time"].endswith("Z") for line in found)
    assert "1 upload, 1 record," in said


def test_each_invoke_is_a_line_with_its_keys_or_why_it_failed(embedded: Kept) -> None:
    stored(embedded, "logs/a.txt")
    with following(embedded, "logs", "--follow") as process:
        assert process.stdout is not None
        while "logs/a.txt" not in (line := process.stdout.readline()):
            assert line, process.communicate()
        assert "  INFO  " in line
        assert " ms  logs/a.txt" in line
        invoke_later(embedded, BAD)
        while "s3 is missing or empty" not in (line := process.stdout.readline()):
            assert line, process.communicate()
        assert "  ERROR  " in line
        assert " failed." in interrupted(process)

    status, out, err = embedded.lab("logs", "--level", "error", "--json")
    errors = [json.loads(line) for line in out.splitlines()]
    assert (status, {line["failing"] for line in errors}) == (0, {True})
    assert (
        err == f"{len(errors)} invokes of level ERROR or above since 10m, {len(errors)} failed.\n"
    )

    request = errors[-1]["requestId"]
    status, out, _ = embedded.lab("logs", "--request", request)
    assert status == 0
    # The emulator logs a traceback a line at a time, and only the first line names the request.
    assert "NotStoredError" in out
    assert embedded.lab("logs", "--request", "0" * 36)[0] == 1


def test_records_are_shown_by_prefix_and_as_they_come(embedded: Kept) -> None:
    for key in ("records/1.txt", "records/2.txt", "other.txt"):
        stored(embedded, key)
    status, out, err = embedded.lab("records", "records/", "--since", "1h", "--json")
    records = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "2 records.\n")
    assert [(each["key"], each["size"]) for each in records] == [
        ("records/1.txt", 3),
        ("records/2.txt", 3),
    ]
    with following(embedded, "records", "records/", "--since", "1h", "--follow") as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(2)]
        put(embedded, "other.txt")
        put(embedded, "records/3.txt")
        assert "records/3.txt  ObjectCreated:Put" in process.stdout.readline()
        assert interrupted(process) == "3 records.\n"
    assert ["records/1.txt" in line for line in first] == [True, False]


def test_an_event_from_a_file_is_stored_and_one_that_fails_says_why(
    embedded: Kept, tmp_path: Path
) -> None:
    event = s3_events.notification(s3_events.record("invoked.txt"))
    (tmp_path / "good.json").write_text(json.dumps(event), encoding="utf-16")
    (tmp_path / "bad.json").write_text(json.dumps(BAD))
    status, out, _ = embedded.lab("invoke", str(tmp_path / "good.json"), "--json")
    answer = json.loads(out)
    assert (status, answer["failed"], answer["answer"]["statusCode"]) == (0, False, 200)
    assert "Invoke done" in answer["log"][-1]
    assert "invoked.txt" in embedded.lab("records", "invoked")[1]

    status, out, _ = embedded.lab("invoke", str(tmp_path / "bad.json"))
    assert status == 1
    assert "failed" in out.splitlines()[-1]
    assert "s3 is missing or empty" in out.splitlines()[-1]


@pytest.mark.parametrize("arguments", [("logs",), ("records", "--since", "1h"), ("tail",)])
def test_a_pipe_that_closes_ends_what_follows_quietly(
    embedded: Kept, arguments: tuple[str, ...]
) -> None:
    stored(embedded, "piped.txt")
    follow = () if arguments == ("tail",) else ("--follow",)
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments, *follow, "--work-dir", embedded.folder],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    if follow:
        process.stdout.readline()
    else:
        process.stderr.readline()
    # Nothing more comes, so that no write could find out.
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == ""


def test_status_names_what_to_look_at_and_since_when(embedded: Kept) -> None:
    status, out, _ = embedded.lab("lab", "status")
    assert status == 0
    for part in (
        embedded.environment["AWS_ENDPOINT_URL"],
        f"  bucket         {embedded.outputs['bucket_name']}\n",
        f"  table          {embedded.outputs['table_name']}\n",
    ):
        assert part in out
    found = json.loads(embedded.lab("lab", "status", "--json")[1])
    assert datetime.fromisoformat(found["since"]).utcoffset() == timedelta(0)
