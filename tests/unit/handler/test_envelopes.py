"""Whatever envelope an event comes in, the same record is read from it."""

import json
from pathlib import Path
from typing import Any

import pytest

import events
from tests.support.aws import s3_events as s3

FIXTURES = Path(__file__).parents[2] / "fixtures" / "events"

UPLOAD = events.ObjectEvent(
    bucket="uploads",
    key="a b/ü+1.txt",
    name="ObjectCreated:Put",
    time="2026-11-22T09:40:00Z",
    timestamp=1795340400,
    sequencer="0055AED6DCD90281E5",
    version_id="v1",
    etag="49f68a5c8493ec2c0bf489821c21fc3b",
    size=3,
    request_id=s3.REQUEST_ID,
)
NOTIFIED = s3.notification(s3.record("a b/ü+1.txt", versionId="v1"))
BRIDGED = s3.eventbridge("a b/ü+1.txt", version_id="v1")


def only(event: Any) -> events.ObjectEvent:
    delivery = events.read(event)
    assert not delivery.refusals
    ((_, read),) = delivery.events
    return read


@pytest.mark.parametrize("upload", [NOTIFIED, BRIDGED], ids=["notification", "eventbridge"])
@pytest.mark.parametrize(
    "envelope",
    [
        lambda event: event,
        lambda event: s3.sqs(event),
        lambda event: s3.sqs(s3.sns(event)),
        lambda event: s3.from_sns(event),
    ],
    ids=["direct", "sqs", "sns-in-sqs", "sns"],
)
def test_the_same_upload_reads_alike_in_every_envelope(upload: Any, envelope: Any) -> None:
    assert only(envelope(upload)) == UPLOAD


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", None])
def test_every_version_of_the_notification_is_read(version: str | None) -> None:
    record = s3.record("a b/ü+1.txt", versionId="v1")
    record["eventVersion"] = version
    if version is None:
        del record["eventVersion"]
    assert only(s3.notification(record)) == UPLOAD


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.27"])
def test_every_minor_version_of_an_eventbridge_event_is_read(version: str) -> None:
    event = s3.eventbridge("a b/ü+1.txt", version_id="v1")
    event["detail"]["event-version"] = version
    assert only(event) == UPLOAD


def test_an_eventbridge_event_of_another_major_version_is_refused() -> None:
    event = s3.eventbridge("a")
    event["detail"]["event-version"] = "2.0"
    (refusal,) = events.read(event).refusals
    assert "event version '2.0'" in refusal.reason


def test_a_notification_of_another_major_version_is_refused() -> None:
    record = s3.record("a") | {"eventVersion": "3.0"}
    (refusal,) = events.read(s3.notification(record)).refusals
    assert "event version '3.0'" in refusal.reason


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (s3.eventbridge(reason="PutObject"), "ObjectCreated:Put"),
        (s3.eventbridge(reason="POST Object"), "ObjectCreated:Post"),
        (s3.eventbridge(reason="CopyObject"), "ObjectCreated:Copy"),
        (
            s3.eventbridge(reason="CompleteMultipartUpload"),
            "ObjectCreated:CompleteMultipartUpload",
        ),
        (s3.eventbridge(reason="Some New Way"), "ObjectCreated:SomeNewWay"),
        (s3.eventbridge(reason=None), "ObjectCreated"),
        (
            s3.eventbridge(
                detail_type="Object Deleted",
                reason="DeleteObject",
                deletion_type="Permanently Deleted",
            ),
            "ObjectRemoved:Delete",
        ),
        (
            s3.eventbridge(
                detail_type="Object Deleted",
                reason="DeleteObject",
                deletion_type="Delete Marker Created",
            ),
            "ObjectRemoved:DeleteMarkerCreated",
        ),
        (
            s3.eventbridge(
                detail_type="Object Deleted",
                reason="Lifecycle Expiration",
                deletion_type="Permanently Deleted",
            ),
            "LifecycleExpiration:Delete",
        ),
        (
            s3.eventbridge(
                detail_type="Object Deleted",
                reason="Lifecycle Expiration",
                deletion_type="Delete Marker Created",
            ),
            "LifecycleExpiration:DeleteMarkerCreated",
        ),
        (s3.eventbridge(detail_type="Object Restore Initiated"), "ObjectRestore:Post"),
        (s3.eventbridge(detail_type="Object Restore Completed"), "ObjectRestore:Completed"),
        (s3.eventbridge(detail_type="Object Restore Expired"), "ObjectRestore:Delete"),
        (s3.eventbridge(detail_type="Object Storage Class Changed"), "LifecycleTransition"),
        (s3.eventbridge(detail_type="Object Access Tier Changed"), "IntelligentTiering"),
        (s3.eventbridge(detail_type="Object Tags Added"), "ObjectTagging:Put"),
        (s3.eventbridge(detail_type="Object Tags Deleted"), "ObjectTagging:Delete"),
        (s3.eventbridge(detail_type="Object ACL Updated"), "ObjectAcl:Put"),
        (s3.eventbridge(detail_type="Async Copy Completion"), "AsyncCopyCompletion"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_eventbridge_event_bears_the_name_of_its_notification(event: Any, name: str) -> None:
    assert only(event).name == name


@pytest.mark.parametrize(
    "spelled", ["s3:ObjectCreated:Put", "ObjectCreated:Put"], ids=["prefixed", "bare"]
)
def test_the_prefix_of_an_event_name_is_dropped(spelled: str) -> None:
    assert only(s3.notification(s3.record("a", name=spelled))).name == "ObjectCreated:Put"


@pytest.mark.parametrize(
    "spelled",
    [
        "2026-11-22T09:40:00Z",
        "2026-11-22T09:40:00.000Z",
        "2026-11-22T09:40:00.999Z",
        "2026-11-22T10:40:00+01:00",
    ],
)
def test_one_moment_has_one_spelling(spelled: str) -> None:
    event = only(s3.notification(s3.record("a") | {"eventTime": spelled}))
    assert (event.time, event.timestamp) == ("2026-11-22T09:40:00Z", 1795340400)


def test_hexadecimal_case_and_quotes_around_an_etag_make_no_difference() -> None:
    bare = s3.record("a", sequencer="00ABCDEF", eTag="ab")
    dressed = s3.record("a", sequencer="00abcdef", eTag='"ab"')
    assert only(s3.notification(bare)) == only(s3.notification(dressed))


def test_the_null_version_is_no_version() -> None:
    assert only(s3.notification(s3.record("a", versionId="null"))).version_id == ""


def test_what_an_event_lacks_is_empty() -> None:
    bare = s3.record("a", size=None, eTag=None, sequencer=None)
    event = only(s3.notification(bare))
    assert (event.size, event.etag, event.sequencer, event.version_id) == (None, "", "", "")


@pytest.mark.parametrize(
    ("event", "buffered"),
    [
        (s3.TEST_EVENT, False),
        (s3.sqs(s3.TEST_EVENT), True),
        (s3.sqs(s3.sns(s3.TEST_EVENT)), True),
        (s3.from_sns(s3.TEST_EVENT), False),
    ],
    ids=["direct", "sqs", "sns-in-sqs", "sns"],
)
def test_a_test_event_is_ignored(event: Any, buffered: bool) -> None:
    assert events.read(event) == events.Delivery(buffered, [], [], ignored=1)


def test_events_keep_the_name_of_their_message() -> None:
    batch = s3.sqs(
        s3.notification(s3.record("a"), s3.record("b")), s3.TEST_EVENT, s3.eventbridge("c")
    )
    delivery = events.read(batch)
    assert [(message, event.key) for message, event in delivery.events] == [
        ("m0", "a"),
        ("m0", "b"),
        ("m2", "c"),
    ]
    assert delivery.ignored == 1


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_the_events_of_the_aws_documentation_are_read(path: Path) -> None:
    case = json.loads(path.read_text())
    delivery = events.read(case["event"])
    assert not delivery.refusals
    read_as = [
        event._asdict() | {"replication": [*event.replication]} for _, event in delivery.events
    ]
    assert read_as == case["read_as"]
