"""What can't be read is refused alone, by name; nothing good is lost for it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import answer
import events
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB
from tests.unit.handler.conftest import Handle


def changed(path: str, value: Any) -> Any:
    """A record in which the field at `path` is `value`, or missing if that is `...`."""
    record = s3.record("bad")
    *parents, last = path.split(".")
    place = record
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return record


BAD_RECORDS = {
    "none": (None, "NoneType"),
    "text": ("x", "str"),
    "number": (5, "int"),
    "list": ([], "list"),
    "empty": ({}, "s3 is missing"),
    "no s3": (changed("s3", ...), "s3 is missing"),
    "s3 is a list": (changed("s3", []), "s3 is list"),
    "no bucket": (changed("s3.bucket", ...), "bucket is missing"),
    "no bucket name": (changed("s3.bucket.name", ...), "name is missing or empty"),
    "bucket name is a number": (changed("s3.bucket.name", 5), "name is int"),
    "no object": (changed("s3.object", ...), "object is missing"),
    "no key": (changed("s3.object.key", ...), "key is missing or empty"),
    "empty key": (changed("s3.object.key", ""), "key is missing or empty"),
    "key is null": (changed("s3.object.key", None), "key is missing or empty"),
    "key is a list": (changed("s3.object.key", ["a"]), "key is list"),
    "half an escape": (changed("s3.object.key", "100%"), "not URL-encoded UTF-8"),
    "escape of no digits": (changed("s3.object.key", "%zz"), "not URL-encoded UTF-8"),
    "escaped Latin-1": (changed("s3.object.key", "%FC"), "not URL-encoded UTF-8"),
    "escaped surrogate": (changed("s3.object.key", "%ED%A0%80"), "not URL-encoded UTF-8"),
    "surrogate": (changed("s3.object.key", "a\ud800"), "surrogate"),
    "surrogate in an encoded key": (changed("s3.object.key", "a+\ud800"), "UTF-8"),
    "size below zero": (changed("s3.object.size", -1), "size is -1"),
    "size is text": (changed("s3.object.size", "5"), "size is '5'"),
    "size is a fraction": (changed("s3.object.size", 5.0), "size is 5.0"),
    "size is true": (changed("s3.object.size", True), "size is True"),
    "size beyond DynamoDB": (changed("s3.object.size", 10**40), "size is 1000"),
    "no time": (changed("eventTime", ...), "eventTime is missing or empty"),
    "time is garbage": (changed("eventTime", "yesterday"), "the event time is 'yesterday'"),
    "time without a zone": (changed("eventTime", "2026-11-22T09:40:00"), "no time zone"),
    "time out of range": (changed("eventTime", "0001-01-01T00:00:00+14:00"), "event time"),
    "time is a number": (changed("eventTime", 1795340400), "eventTime is int"),
    "no name": (changed("eventName", ...), "eventName is missing or empty"),
    "sequencer is a number": (changed("s3.object.sequencer", 5), "sequencer is int"),
    "eTag is a list": (changed("s3.object.eTag", []), "eTag is list"),
    "versionId is a number": (changed("s3.object.versionId", 5), "versionId is int"),
    "version is a number": (changed("eventVersion", 2.1), "event version 2.1"),
    "another version": (changed("eventVersion", "3.0"), "event version '3.0'"),
}
BAD_ENVELOPES: dict[str, Any] = {
    "none": None,
    "text": "x",
    "list": [s3.record("a")],
    "number": 5,
    "empty": {},
    "records is text": {"Records": "x"},
    "records is an object": {"Records": {}},
    "another source": s3.eventbridge() | {"source": "aws.ec2"},
    "no detail": {"detail-type": "Object Created", "source": "aws.s3"},
    "detail is text": s3.eventbridge() | {"detail": "x"},
    "detail type is a list": s3.eventbridge() | {"detail-type": []},
    "another test": {"Event": "other:TestEvent"},
}
BAD_BODIES = {
    **{name: json.dumps(envelope) for name, envelope in BAD_ENVELOPES.items()},
    "not json": "{",
    "empty text": "",
    "deep": "[" * 100_000,
    "a long number": "9" * 10_000,
    "sns of no json": json.dumps(s3.sns("{")),
    "sns of a number": json.dumps(s3.sns("5")),
    "sns without a message": json.dumps({"Type": "Notification"}),
    "sns of an object": json.dumps({"Type": "Notification", "Message": {}}),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_a_bad_record_is_refused_alone_and_named(
    bad: Any, reason: str, handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    with pytest.raises(answer.NotStoredError, match=r"^1 of the records not stored") as raised:
        handle(s3.notification(s3.record("good-1"), bad, s3.record("good-2")))
    assert reason in str(raised.value)
    assert {item["objectKey"]["S"] for item in dynamodb.items.values()} == {"good-1", "good-2"}
    (line,) = lines("ERROR")
    assert reason in line["reason"]


@pytest.mark.parametrize("bad", BAD_ENVELOPES.values(), ids=BAD_ENVELOPES)
def test_an_unknown_event_fails_the_invoke(bad: Any, handle: Handle, lines: Any) -> None:
    with pytest.raises(answer.NotStoredError):
        handle(bad)
    assert len(lines("ERROR")) == 1


@pytest.mark.parametrize("bad", BAD_BODIES.values(), ids=BAD_BODIES)
def test_only_the_bad_message_of_a_batch_comes_again(
    bad: str, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    batch = s3.sqs(s3.notification(s3.record("good")), bad, s3.eventbridge("fine"))
    assert handle(batch) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert {item["objectKey"]["S"] for item in dynamodb.items.values()} == {"good", "fine"}


@pytest.mark.parametrize("body", [None, 5, {}, []], ids=repr)
def test_a_message_whose_body_is_no_text_comes_again(body: Any, handle: Handle) -> None:
    batch = s3.sqs(s3.TEST_EVENT)
    batch["Records"][0]["body"] = body
    assert handle(batch) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_a_message_with_one_bad_record_of_two_comes_again_and_the_good_one_is_stored(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    mixed = s3.notification(s3.record("good"), s3.record("bad", size=-1))
    assert handle(s3.sqs(mixed)) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert [item["objectKey"]["S"] for item in dynamodb.writes] == ["good"]


def test_a_message_with_two_bad_records_is_named_once(handle: Handle) -> None:
    bad = s3.notification(s3.record("a", size=-1), s3.record("b", size=-1))
    assert handle(s3.sqs(bad)) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


@pytest.mark.parametrize("message_id", [..., None, "", 5], ids=repr)
def test_a_failed_message_that_has_no_id_fails_the_batch(message_id: Any, handle: Handle) -> None:
    batch = s3.sqs("{", s3.TEST_EVENT)
    batch["Records"][0]["messageId"] = message_id
    if message_id is ...:
        del batch["Records"][0]["messageId"]
    with pytest.raises(answer.NotStoredError):
        handle(batch)


def test_records_that_only_look_like_messages_fail_the_invoke_aloud(handle: Handle) -> None:
    # Nobody but SQS reads batchItemFailures: answered with that, the record would be lost.
    batch = s3.sqs("{")
    del batch["Records"][0]["eventSource"]
    with pytest.raises(answer.NotStoredError, match="s3 is missing"):
        handle(batch)


SQS, SNS = (
    wrapped(s3.notification(s3.record("good")))["Records"] for wrapped in (s3.sqs, s3.from_sns)
)
STRAY = {
    "s3 among sqs": (SQS, s3.record("stray"), "a record of aws:s3 among messages of aws:sqs"),
    "sns among sqs": (SQS, SNS[0], "a record of aws:sns among messages of aws:sqs"),
    "s3 among sns": (SNS, s3.record("stray"), "a record of aws:s3 among messages of aws:sns"),
    "nothing among sns": (SNS, None, "a record of no source among messages of aws:sns"),
    "odd among sqs": (SQS, {"eventSource": 5}, "a record of no source among messages of aws:sqs"),
    "dynamodb among s3": (
        [s3.record("good")],
        {"eventSource": "aws:dynamodb", "dynamodb": {}},
        "s3 is missing or empty",
    ),
}


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
@pytest.mark.parametrize(("records", "stray", "reason"), STRAY.values(), ids=STRAY)
def test_a_record_of_another_source_is_refused_alone_and_fails_the_invoke(
    records: Any,
    stray: Any,
    reason: str,
    first: bool,
    handle: Handle,
    dynamodb: FaultyDynamoDB,
    lines: Any,
) -> None:
    with pytest.raises(answer.NotStoredError, match=r"^1 of the records not stored"):
        handle({"Records": [stray, *records] if first else [*records, stray]})
    assert [item["objectKey"]["S"] for item in dynamodb.writes] == ["good"]
    (line,) = lines("ERROR")
    assert line["reason"] == reason
    assert line["key"] == ("stray" if "aws:s3" in reason else None)


@pytest.mark.parametrize("message", ["{", "5", "[]", '"text"'])
def test_a_message_of_sns_that_holds_no_event_fails_the_invoke(
    message: str, handle: Handle, lines: Any
) -> None:
    with pytest.raises(answer.NotStoredError):
        handle(s3.from_sns(message))
    assert len(lines("ERROR")) == 1


@pytest.mark.parametrize("sns", [..., None, 5, [], {}, {"Type": "Notification"}], ids=repr)
def test_a_record_of_sns_without_its_message_fails_the_invoke(sns: Any, handle: Handle) -> None:
    event = s3.from_sns(s3.notification(s3.record("a")))
    event["Records"][0]["Sns"] = sns
    if sns is ...:
        del event["Records"][0]["Sns"]
    with pytest.raises(answer.NotStoredError):
        handle(event)


def test_a_batch_of_test_events_succeeds(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    assert handle(s3.sqs(s3.TEST_EVENT)) == {"batchItemFailures": []}
    assert not dynamodb.requests


def test_a_direct_test_event_succeeds(handle: Handle, dynamodb: FaultyDynamoDB) -> None:
    assert handle(s3.TEST_EVENT)["statusCode"] == 200
    assert not dynamodb.requests


def test_an_empty_list_of_records_is_nothing_to_do(
    handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    assert handle(s3.notification())["statusCode"] == 200
    assert not dynamodb.requests
    (line,) = lines()
    assert (line["ignored"], line["stored"]) == (1, 0)


def test_a_refusal_says_which_object_it_is_about(handle: Handle, lines: Any) -> None:
    with pytest.raises(answer.NotStoredError, match=r"s3://uploads/a%2Fb \(0A\)"):
        handle(s3.notification(s3.record(key="a%2Fb", size=-1, sequencer="0A")))
    (line,) = lines("ERROR")
    assert (line["bucket"], line["key"], line["sequencer"]) == ("uploads", "a%2Fb", "0A")


def test_the_error_of_a_thousand_bad_records_fits_a_message(handle: Handle, lines: Any) -> None:
    with pytest.raises(answer.NotStoredError, match=r"\(the log has more\)$") as raised:
        handle(s3.notification(*(s3.record(f"bad-{n}", size=-1) for n in range(1000))))
    assert len(str(raised.value)) < 5000
    assert len(lines("ERROR")) == 1000


def test_the_error_of_a_key_that_is_no_utf_8_is_text_that_is(handle: Handle) -> None:
    # Lambda's runtime dies of an error that it can't encode.
    with pytest.raises(answer.NotStoredError, match="surrogate") as raised:
        handle(s3.eventbridge("a\ud800"))
    assert str(raised.value).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Records",
                    "s3",
                    "body",
                    "eventSource",
                    "object",
                    "bucket",
                    "detail",
                    "detail-type",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_document_makes_the_reader_raise(document: Any) -> None:
    delivery = events.read(document)
    assert delivery.events == []
    assert delivery.refusals or delivery.ignored


@given(JSON)
def test_no_message_makes_the_reader_raise(document: Any) -> None:
    delivery = events.read(s3.sqs(document))
    assert delivery.events == []
    assert {refusal.messageId for refusal in delivery.refusals} <= {"m0"}


@given(st.sampled_from(["s3", "eventTime", "eventName", "eventVersion"]), JSON)
def test_no_field_makes_the_reader_raise(name: str, value: Any) -> None:
    delivery = events.read(s3.notification(s3.record("a") | {name: value}))
    assert len(delivery.events) + len(delivery.refusals) == 1
