"""The failure queue is read: messages of three senders, and anything else."""

import json
from typing import Any

import pytest

import events
import records
from pipeline.deployed import failure_queue
from pipeline.deployed.failure_queue import FailedEvent, Unreadable, read
from tests.support.aws import s3_events

SENT = 1_795_340_400.123
RULE = {
    "RULE_ARN": "arn:aws:events:eu-central-1:123456789012:rule/uploads",
    "TARGET_ARN": "arn:aws:lambda:eu-central-1:123456789012:function:S3ToDynamoProcessor",
    "ERROR_CODE": "NO_PERMISSIONS",
    "ERROR_MESSAGE": "not authorized to perform lambda:InvokeFunction",
    "RETRY_ATTEMPTS": "0",
}


def message(
    body: Any, attributes: dict[str, str] | None = None, **system: str | None
) -> dict[str, Any]:
    """A message as ReceiveMessage gives it; keyword None leaves a system attribute out."""
    given = {
        "SenderId": "AIDAEXAMPLE",
        "SentTimestamp": str(int(SENT * 1000)),
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": "1795340500000",
        **system,
    }
    found: dict[str, Any] = {
        "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "ReceiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "Attributes": {name: value for name, value in given.items() if value is not None},
    }
    if attributes:
        found["MessageAttributes"] = {
            name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()
        }
    return found


def invocation_record(event: Any, **parts: Any) -> dict[str, Any]:
    """What Lambda documents that it sends to an on-failure destination; None leaves a part out."""
    record = {
        "version": "1.0",
        "timestamp": "2026-11-22T09:46:05.568Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
            "functionArn": "arn:aws:lambda:eu-central-1:123456789012:function:S3ToDynamo:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {
            "errorMessage": "1 of the records not stored",
            "errorType": "NotStoredError",
            "stackTrace": [],
        },
        **parts,
    }
    return {name: value for name, value in record.items() if value is not None}


def event_of(found: object) -> FailedEvent:
    assert isinstance(found, FailedEvent), found
    return found


def expected_ids(event: Any) -> tuple[str, ...]:
    """The `objectId`s under which the function stores an event."""
    delivery = events.read(event)
    items, _, _ = records.build((event for _, event in delivery.events), 0, 0)
    return tuple(items)


def test_a_destination_record_gives_the_event_and_why_and_when_lambda_gave_up() -> None:
    event = s3_events.notification(s3_events.record("für +.txt"), s3_events.record("b"))
    found = event_of(read(message(invocation_record(event))))
    assert found.how == "destination"
    assert found.event == event
    assert found.reason == "RetriesExhausted: NotStoredError: 1 of the records not stored"
    assert found.attempts == 3
    assert found.failed_at == 1_795_340_765.568
    assert found.objects == (
        ("uploads", "für +.txt", "ObjectCreated:Put"),
        ("uploads", "b", "ObjectCreated:Put"),
    )
    assert found.object_ids == expected_ids(event)
    assert len(found.object_ids) == 2
    assert found.refusals == ()


def test_a_destination_record_may_hold_a_batch_of_sqs() -> None:
    batch = s3_events.sqs(s3_events.notification(s3_events.record("one")), s3_events.eventbridge())
    found = event_of(read(message(invocation_record(batch))))
    assert found.event == batch
    assert [key for _, key, _ in found.objects] == ["one", "a/b.txt"]
    assert found.object_ids == expected_ids(batch)


def test_of_a_function_that_never_ran_there_is_the_condition() -> None:
    context = {"condition": "EventAgeExceeded", "approximateInvokeCount": 0}
    record = invocation_record(
        s3_events.eventbridge(), requestContext=context, responseContext=None, responsePayload=None
    )
    found = event_of(read(message(record)))
    assert found.reason == "EventAgeExceeded"
    assert found.attempts == 0


@pytest.mark.parametrize("odd", [None, "text", [], 7, {}])
@pytest.mark.parametrize(
    "part", ["timestamp", "requestContext", "responseContext", "responsePayload", "version"]
)
def test_whatever_a_destination_record_lacks_its_event_is_found(part: str, odd: Any) -> None:
    event = s3_events.eventbridge()
    found = event_of(read(message(invocation_record(event, **{part: odd}))))
    assert (found.how, found.event) == ("destination", event)
    assert found.failed_at == (1_795_340_765.568 if part != "timestamp" else SENT)


def test_a_rules_dead_letter_is_the_event_with_the_reason_beside_it() -> None:
    event = s3_events.eventbridge()
    found = event_of(read(message(event, RULE)))
    assert (found.how, found.event) == ("rule", event)
    assert found.reason == "NO_PERMISSIONS: not authorized to perform lambda:InvokeFunction"
    assert found.attempts == 1
    assert found.failed_at == SENT
    assert found.object_ids == expected_ids(event)


def test_a_rules_dead_letter_names_the_limit_that_ended_the_retries() -> None:
    limit = {"EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts", "RETRY_ATTEMPTS": "185"}
    found = event_of(read(message(s3_events.eventbridge(), RULE | limit)))
    assert (found.reason or "").startswith("MaximumRetryAttempts: NO_PERMISSIONS: not")
    assert found.attempts == 186


def test_a_rules_dead_letter_may_lack_everything_but_its_code() -> None:
    found = event_of(read(message(s3_events.eventbridge(), {"ERROR_CODE": "SDK_CLIENT_ERROR"})))
    assert (found.how, found.reason, found.attempts) == ("rule", "SDK_CLIENT_ERROR", None)


@pytest.mark.parametrize(
    "event", [s3_events.notification(s3_events.record()), s3_events.eventbridge()]
)
def test_a_message_of_the_buffer_is_the_event_and_has_no_reason(event: Any) -> None:
    source = "arn:aws:sqs:eu-central-1:123456789012:uploads"
    found = event_of(
        read(message(event, ApproximateReceiveCount="6", DeadLetterQueueSourceArn=source))
    )
    assert (found.how, found.event, found.reason) == ("buffer", event, None)
    assert found.attempts == 5
    assert found.failed_at == SENT
    assert found.object_ids == expected_ids(event)


def test_a_message_of_the_buffer_is_taken_out_of_its_sns_envelope() -> None:
    event = s3_events.notification(s3_events.record())
    found = event_of(read(message(s3_events.sns(event))))
    assert (found.how, found.event) == ("buffer", event)


def test_without_any_attribute_nothing_is_made_up() -> None:
    found = event_of(
        read(
            message(s3_events.eventbridge(), SentTimestamp=None, ApproximateReceiveCount=None)
            | {"MessageAttributes": None}
        )
    )
    assert (found.reason, found.attempts, found.failed_at) == (None, None, None)


def test_a_test_event_asks_for_no_record() -> None:
    found = event_of(read(message(s3_events.TEST_EVENT)))
    assert (found.objects, found.object_ids, found.refusals) == ((), (), ())


def test_an_event_delivered_twice_in_one_message_has_one_record() -> None:
    record = s3_events.record()
    found = event_of(read(message(s3_events.notification(record, record))))
    assert len(found.objects) == 2
    assert len(found.object_ids) == 1


@pytest.mark.parametrize(
    "key",
    [
        "ü/日本語/🎉.txt",
        "a b+100%/50%25.txt",
        "a=b&c=d;e?f#g",
        "'\" \\",
        " ",
        "\u0001\u007f",
        "k" * 1024,
    ],
    ids=lambda key: key[:12],
)
def test_odd_keys_are_read_as_their_owner_wrote_them_in_each_wrapping(key: str) -> None:
    notification = s3_events.notification(s3_events.record(key))
    event = s3_events.eventbridge(key)
    for given in (
        message(invocation_record(notification)),
        message(notification),
        message(event, RULE),
        message(invocation_record(event)),
    ):
        found = event_of(read(given))
        assert found.objects == (("uploads", key, "ObjectCreated:Put"),)
        assert found.object_ids == expected_ids(notification)


def test_a_bad_record_is_named_beside_its_good_neighbour() -> None:
    event = s3_events.notification(s3_events.record("good"), s3_events.record("x", key="%zz"))
    found = event_of(read(message(event)))
    assert [key for _, key, _ in found.objects] == ["good"]
    assert found.refusals == ("the key is not URL-encoded UTF-8",)


def test_an_event_that_is_none_of_s3s_is_kept_with_the_reason() -> None:
    found = event_of(read(message(invocation_record({"hello": "world"}))))
    assert found.event == {"hello": "world"}
    assert found.object_ids == ()
    assert "no list of Records" in found.refusals[0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "no JSON"),
        ("hello", "no JSON"),
        ('{"Records": [', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1]", "not list"),
        ("null", "not NoneType"),
        ('"text"', "not str"),
        ('{"Type": "Notification", "Message": "hello"}', "no JSON"),
        ('{"Type": "Notification"}', "no JSON"),
        ('{"Type": "Notification", "Message": 1}', "no JSON"),
    ],
    ids=range(10),
)
def test_what_holds_no_event_is_kept_with_the_reason(body: str, reason: str) -> None:
    found = read(message(body))
    assert isinstance(found, Unreadable)
    assert found.body == body
    assert reason in found.reason
    assert found.receipt_handle == "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a"
    assert found.failed_at == SENT


class SlowQueue:
    """A queue of SQS's behaviour, each receive of which takes `seconds`."""

    def __init__(self, messages: int, seconds: float) -> None:
        self.now, self._seconds = 0.0, seconds
        self.visible_at = dict.fromkeys(map(str, range(messages)), 0.0)

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        self.now += self._seconds
        visible = [name for name, at in self.visible_at.items() if at <= self.now]
        for name in (page := visible[: asked["MaxNumberOfMessages"]]):
            self.visible_at[name] = self.now + asked["VisibilityTimeout"]
        return {"Messages": [{"MessageId": name, "ReceiptHandle": name} for name in page]}

    def change_message_visibility_batch(self, **asked: Any) -> None:
        for entry in asked["Entries"]:
            self.visible_at[entry["ReceiptHandle"]] = self.now + entry["VisibilityTimeout"]


@pytest.mark.parametrize("seconds", [0.1, 5, 40])
def test_a_queue_that_takes_longer_to_read_than_messages_hide_is_read_to_its_end(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = SlowQueue(400, seconds)
    monkeypatch.setattr("time.monotonic", lambda: queue.now)
    found = failure_queue.peek(queue, "url")
    assert len(found) == 400
    assert all(at <= queue.now for at in queue.visible_at.values())
