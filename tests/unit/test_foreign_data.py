"""Readers of what others wrote raise nothing but the error that a person understands."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pipeline import find, times
from pipeline.backfill.checkpoint import Checkpoint
from pipeline.console.board import notifications
from pipeline.console.board.shapes import failure_json, invoke_json
from pipeline.console.board.uploads import Uploads
from pipeline.console.server.hub import encode
from pipeline.cost import plan
from pipeline.deployed import failure_queue, log, subscriber, table
from pipeline.deployed.filters import filters_of, retention_seconds
from pipeline.deployed.invokes import Invokes
from pipeline.deployed.policies import admits
from pipeline.deployed.target import SETTABLE, Target
from pipeline.errors import PipelineError
from pipeline.lab import folder as lab
from pipeline.lab import root, texts
from pipeline.replay import report, run
from pipeline.replay.choice import Choice
from pipeline.replay.run import Outcome
from pipeline.terraform import run as terraform
from tests.support import hostile
from tests.support.aws import s3_events as s3

# Each reader with what it is given, by the name of what it reads.
READERS: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {}

EVENT = s3.notification(s3.record("a", versionId="v1"))
RECORD = {
    "timestamp": "2026-11-22T09:40:00.000Z",
    "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
    "requestPayload": EVENT,
    "responsePayload": {"errorType": "NotStoredError", "errorMessage": "throttled"},
}
BODIES = [RECORD, EVENT, s3.eventbridge("a"), s3.sns(EVENT), s3.TEST_EVENT]
ITEM = {
    "objectId": {"S": "e53bf4e7-c912-5179-ae16-3257b313c9cd"},
    "bucket": {"S": "uploads"},
    "objectKey": {"S": "a"},
    "timestamp": {"N": "1795340400"},
    "ttl": {"N": "1795426800"},
    "eventName": {"S": "ObjectCreated:Put"},
    "size": {"N": "3"},
}
LINES = [
    {
        "timestamp": "2026-11-22T09:40:00.000Z",
        "level": "INFO",
        "message": "Invoke done",
        "requestId": "id",
        "stored": 1,
        "failed": 0,
        "milliseconds": 1.5,
        "objectIds": ["e53bf4e7"],
    },
    {"level": "ERROR", "message": "Record not stored", "requestId": "id", "key": "a"},
    {
        "time": "2026-11-22T09:40:00.000Z",
        "type": "platform.report",
        "record": {"requestId": "id", "status": "success", "metrics": {"durationMs": 1.5}},
    },
]
CHANGE = {
    "AlarmName": "activity",
    "NewStateValue": "ALARM",
    "OldStateValue": "OK",
    "StateChangeTime": "2026-11-22T09:40:00.000+0000",
    "Trigger": {"MetricName": "Errors", "Period": 60, "Threshold": 1.0},
}
OUTPUTS = {
    "bucket_name": "uploads",
    "table_name": "records",
    "function_name": "function",
    "failure_queue_url": "https://sqs.eu-central-1.amazonaws.com/123456789012/failures",
    "topic_arn": "arn:aws:sns:eu-central-1:123456789012:alerts",
    "alarm_names": ["one"],
    "delivery": {
        "via": "notification",
        "filters": [{"prefix": "", "suffix": "", "events": ["s3:ObjectCreated:*"]}],
        "buffered": False,
    },
}
POLICY = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": ["sqs:SendMessage"],
            "Condition": {"ArnLike": {"aws:SourceArn": ["arn:aws:s3:::uploads"]}},
        }
    ]
}
PLAN = {
    "format_version": "1.2",
    "planned_values": {
        "root_module": {
            "resources": [{"address": "aws_s3_bucket.a", "type": "aws_s3_bucket", "values": {}}],
            "child_modules": [{"resources": []}],
        }
    },
    "resource_changes": [{"address": "aws_s3_bucket.a", "change": {"after_unknown": {"a": True}}}],
}
KEPT = {"endpoint": "http://127.0.0.1:4566", "port": 4566, "pid": 0, "ready": True, "since": 1.0}
PLACE = {"about": {"bucket": "uploads"}, "place": {"prefix": "a", "after": "b"}}
PROGRESS = [
    {"type": "planned_change", "change": {"resource": {"addr": "a"}, "action": "create"}},
    {
        "type": "apply_complete",
        "hook": {"resource": {"addr": "a"}, "action": "create", "elapsed_seconds": 1},
    },
    {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": "a", "detail": "b"}},
]


def reads(*given_with: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Have a function try its reader, in a folder of its own, with what these strategies draw."""

    def noted(reader: Callable[..., None]) -> Callable[..., None]:
        READERS[reader.__name__] = reader, given_with
        return reader

    return noted


def on_paper() -> Console:
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    return file


@reads(
    hostile.texts_of(hostile.spoilt(BODIES)),
    st.dictionaries(st.sampled_from(["SentTimestamp", "ApproximateReceiveCount"]), hostile.DIGITS),
    st.dictionaries(
        st.sampled_from(["RULE_ARN", "RETRY_ATTEMPTS", "ERROR_CODE", "ERROR_MESSAGE"]),
        st.fixed_dictionaries({}, optional={"StringValue": hostile.TEXTS | hostile.DIGITS}),
    ),
)
def a_message_of_the_failure_queue(folder: Path, body: str, system: Any, attributes: Any) -> None:
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": body, "Attributes": system}
    found = failure_queue.read(message | {"MessageAttributes": attributes})
    Choice(keys=["*"]).takes(found)
    outcome = Outcome(found, done=False, reason=found.reason)
    report._print_messages(on_paper(), [found], 0)
    report._stayed_line(outcome)
    json.dumps(report._as_json(outcome, False), allow_nan=False)
    uploads = Uploads("uploads", [])
    uploads.begin("a", 3, 0)
    failure = failure_json(found)
    uploads.set_failures([failure])
    encode(failure)


@reads(st.dictionaries(st.sampled_from([*ITEM]), hostile.ATTRIBUTES), st.sampled_from([*ITEM]))
def an_item_of_the_table(folder: Path, others: Any, without: str) -> None:
    item = {name: value for name, value in (ITEM | others).items() if name != without}
    record = table.read(item)
    if record is not None:
        more = table.added(item | {"more": others})
        encode(table.document(record, more))
        table.sentence(record.key, record, more)
    texts.record(on_paper(), item)
    Uploads("uploads", []).record(item, 0, old=True)


@reads(st.lists(hostile.texts_of(hostile.spoilt(LINES)), max_size=4))
def lines_of_the_log(folder: Path, lines: list[str]) -> None:
    invokes = Invokes()
    for line in lines:
        log.document(line)
        texts.log_line(on_paper(), line)
        invokes.add([{"logStreamName": "s", "timestamp": 1, "message": line}])
    for invoke in invokes.newest():
        encode(invoke_json(invoke))
        uploads = Uploads("uploads", [])
        uploads.begin("a", 3, 0)
        uploads.invoked(invoke)


@reads(hostile.texts_of(hostile.spoilt([CHANGE])), hostile.VALUES)
def a_message_of_the_topic(folder: Path, change: str, odd: Any) -> None:
    for body in (json.dumps({"Type": "Notification", "Message": change, "Timestamp": odd}), change):
        encode(vars(notifications.from_queue("m", body)))
        subscriber.about(body, "activity")


@reads(hostile.texts_of(hostile.VALUES), st.none() | hostile.TEXTS)
def the_functions_answer(folder: Path, body: str, error: str | None) -> None:
    run._refusal(error, body.encode(errors="surrogatepass"))
    run._skipped(body.encode(errors="surrogatepass"))


@reads(
    hostile.texts_of(
        hostile.spoilt([OUTPUTS, {"pipeline": OUTPUTS}, {"a": {"sensitive": 0, "value": OUTPUTS}}])
    )
)
def terraforms_outputs(folder: Path, printed: str) -> None:
    with contextlib.suppress(PipelineError):
        outputs = find._choose(find._parsed(printed, "It"), None, "It")
        target = Target(outputs, "It")
        for name in (*SETTABLE, "filters", "settings"):
            with contextlib.suppress(PipelineError, AttributeError):
                assert getattr(target, name) is not NotImplemented
        with contextlib.suppress(PipelineError):
            filters_of(target)


@reads(hostile.texts_of(hostile.spoilt([POLICY])))
def a_policy(folder: Path, policy: str) -> None:
    admits(policy, "s3.amazonaws.com", "sqs:SendMessage", "arn:aws:s3:::uploads", "123456789012")


@reads(hostile.texts_of(hostile.spoilt([PLAN])))
def a_plan(folder: Path, printed: str) -> None:
    with contextlib.suppress(PipelineError):
        plan.parse(printed, "It")


@reads(hostile.texts_of(hostile.spoilt(PROGRESS)))
def what_terraform_reports(folder: Path, line: str) -> None:
    terraform._event(line)


@reads(hostile.TEXTS | hostile.DYNAMODB_NUMBERS | st.just("9" * 5000))
def the_functions_retention(folder: Path, value: str) -> None:
    class Functions:
        def get_function_configuration(self, **_: Any) -> Any:
            return {"Environment": {"Variables": {"TTL_SECONDS": value}}}

    with contextlib.suppress(PipelineError):
        times.iso(1e9 - retention_seconds(Functions(), "function"))


@reads(hostile.texts_of(hostile.spoilt([KEPT])))
def what_was_noted_about_a_lab(folder: Path, text: str) -> None:
    written(folder, "kept.json", text)
    with contextlib.suppress(PipelineError):
        state, kept = lab.look(folder)
        if kept is not None:
            assert state != "none"
            times.utc(kept.since)


@reads(
    hostile.texts_of(
        hostile.spoilt(
            [
                {
                    "outputs": {
                        "pipeline": {"value": OUTPUTS},
                        "subscriber_queue_url": {"value": "http://127.0.0.1:4566/1/queue"},
                    }
                }
            ]
        )
    )
)
def a_labs_state(folder: Path, text: str) -> None:
    written(folder, "root/terraform.tfstate", text)
    with contextlib.suppress(PipelineError):
        outputs, subscriber = root.needed(folder)
        assert isinstance(outputs, dict)
        assert isinstance(subscriber, str)


@reads(hostile.texts_of(hostile.spoilt([PLACE])))
def how_far_a_backfill_got(folder: Path, text: str) -> None:
    checkpoint = Checkpoint(folder, PLACE["about"])
    written(folder, checkpoint.file.name, text)
    place = checkpoint.load()
    assert place is None or isinstance(place.after, str)


@reads(hostile.TEXTS | hostile.TIMES | st.from_regex(r"\d{1,500}[smhd]", fullmatch=True))
def a_time_that_an_option_takes(folder: Path, text: str) -> None:
    with contextlib.suppress(PipelineError):
        assert times.iso(times.moment(text, 1795340400, "--since"))
    with contextlib.suppress(PipelineError):
        times.seconds(text, "--grace")


@reads(hostile.NUMBERS)
def a_time_that_is_shown(folder: Path, epoch: float) -> None:
    for show in (times.iso, times.utc, times.local, times.iso_ms, times.local_ms):
        assert show(epoch)


def read(name: str, folder: Path, examples: int) -> None:
    reader, given_with = READERS[name]

    # Fixtures are not for what hypothesis calls.
    @settings(max_examples=examples)
    @given(st.tuples(*given_with))
    def with_each(drawn: tuple[Any, ...]) -> None:
        reader(folder, *drawn)

    with_each()


@pytest.mark.parametrize("name", READERS)
def test_whatever_is_read_only_an_error_that_a_person_understands_is_raised(
    name: str, tmp_path: Path
) -> None:
    read(name, tmp_path, 25)


@pytest.mark.soak
@pytest.mark.parametrize("name", READERS)
def test_whatever_is_read_for_long_only_such_an_error_is_raised(name: str, tmp_path: Path) -> None:
    read(name, tmp_path, 1000)


def test_a_message_with_a_date_past_the_calendar_is_shown(tmp_path: Path) -> None:
    body = '{"timestamp":"9999-12-31T23:59:59-14:00","requestPayload":{"Records":[1]}}'
    a_message_of_the_failure_queue(tmp_path, body, {"SentTimestamp": "1795340400123"}, {})
    message = {"Body": body, "Attributes": {"SentTimestamp": "1795340400123"}}
    assert report._row(failure_queue.read(message))["when"] == times.local(
        times.epoch("2026-11-22T09:40:00Z")
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("9999-12-31T23:59:59-14:00", "write how long ago"),
        ("36526d", "more than a century"),
        ("9" * 400 + "d", "more than a century"),
    ],
)
def test_an_option_past_the_calendar_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(PipelineError, match=f"^--since is .*{sentence}"):
        times.moment(text, 1795340400, "--since")
