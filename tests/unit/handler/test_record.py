"""The record is a pure function of its event."""

import json
import re
import string
import uuid
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import events
import records
from pipeline.paths import ROOT
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB
from tests.unit.handler.conftest import Handle

NOW = 1795340460
DAY = 86400
# Every string that UTF-8 has a spelling for, control characters too.
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)

REPLICATION = {
    "replicationRuleId": "eu",
    "destinationBucket": "arn:aws:s3:::eu",
    "s3Operation": "OBJECT_PUT",
    "requestTime": "2026-11-22T09:39:58.000Z",
    "failureReason": "AssumeRoleNotPermitted",
}
# Every event type of S3, by what tells two of its events apart.
REQUESTED = (
    "ObjectTagging:Put",
    "ObjectTagging:Delete",
    "ObjectAcl:Put",
    "ObjectRestore:Post",
    "ObjectAnnotation:Put",
    "ObjectAnnotation:Delete",
    "ObjectRetention:Put",
)
UNREQUESTED = (
    "ObjectRestore:Completed",
    "ObjectRestore:Delete",
    "LifecycleTransition",
    "IntelligentTiering",
    "ReducedRedundancyLostObject",
)
SEQUENCED = (
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
    "LifecycleExpiration:Delete",
    "LifecycleExpiration:DeleteMarkerCreated",
)
REPLICATED = (
    "Replication:OperationFailedReplication",
    "Replication:OperationMissedThreshold",
    "Replication:OperationNotTracked",
    "Replication:OperationReplicatedAfterThreshold",
)


def build(*found: Any, now: int = NOW) -> dict[str, records.Item]:
    arrived = [event for raw in found for _, event in events.read(raw).events]
    assert len(arrived) == len(found)
    return records.build(arrived, now, DAY)[0]


def only(event: Any, now: int = NOW) -> records.Item:
    (item,) = build(event, now=now).values()
    return item


def test_a_created_version_leaves_exactly_these_attributes() -> None:
    event = s3.notification(s3.record("a b/ü+1.txt", versionId="v1"))
    assert only(event) == {
        "objectId": {"S": "e53bf4e7-c912-5179-ae16-3257b313c9cd"},
        "bucket": {"S": "uploads"},
        "objectKey": {"S": "a b/ü+1.txt"},
        "timestamp": {"N": "1795340400"},
        "ttl": {"N": "1795426800"},
        "eventName": {"S": "ObjectCreated:Put"},
        "eventTime": {"S": "2026-11-22T09:40:00Z"},
        "sequencer": {"S": "0055AED6DCD90281E5"},
        "versionId": {"S": "v1"},
        "eTag": {"S": "49f68a5c8493ec2c0bf489821c21fc3b"},
        "size": {"N": "3"},
    }


def test_what_the_event_lacks_the_record_lacks() -> None:
    bare = s3.record("a", size=None, eTag=None, sequencer=None)
    assert set(only(s3.notification(bare))) == {
        "objectId",
        "bucket",
        "objectKey",
        "timestamp",
        "ttl",
        "eventName",
        "eventTime",
    }


def test_an_empty_object_has_size_zero() -> None:
    assert only(s3.notification(s3.record("a", size=0)))["size"] == {"N": "0"}


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        ({"versionId": "v1"}, '["uploads","a/ü\\"","v1","ObjectCreated"]'),
        ({}, '["uploads","a/ü\\"","","ObjectCreated","0055AED6DCD90281E5"]'),
        (
            {"sequencer": None},
            '["uploads","a/ü\\"","","ObjectCreated:Put","2026-11-22T09:40:00Z",'
            '"49f68a5c8493ec2c0bf489821c21fc3b"]',
        ),
        (
            {"name": "ObjectRemoved:Delete"},
            '["uploads","a/ü\\"","","ObjectRemoved","0055AED6DCD90281E5"]',
        ),
        (
            {"name": "LifecycleExpiration:Delete"},
            '["uploads","a/ü\\"","","LifecycleExpiration","0055AED6DCD90281E5"]',
        ),
        (
            {"name": "ObjectRestore:Completed", "versionId": "v1"},
            '["uploads","a/ü\\"","v1","ObjectRestore:Completed","2026-11-22T09:40:00Z",'
            '"49f68a5c8493ec2c0bf489821c21fc3b"]',
        ),
        (
            {"sequencer": None, "eTag": None},
            '["uploads","a/ü\\"","","ObjectCreated:Put","2026-11-22T09:40:00Z",""]',
        ),
        (
            {"name": "ObjectTagging:Put", "versionId": "v1"},
            '["uploads","a/ü\\"","v1","ObjectTagging:Put","2026-11-22T09:40:00Z",'
            '"49f68a5c8493ec2c0bf489821c21fc3b","N4N7GDK58NMKJ12R"]',
        ),
        (
            {"name": "ObjectTagging:Put", "versionId": "v1", "request_id": ""},
            '["uploads","a/ü\\"","v1","ObjectTagging:Put","2026-11-22T09:40:00Z",'
            '"49f68a5c8493ec2c0bf489821c21fc3b"]',
        ),
        (
            {"name": "Replication:OperationFailedReplication", "replication": REPLICATION},
            '["uploads","a/ü\\"","","Replication:OperationFailedReplication",'
            '"2026-11-22T09:40:00Z","49f68a5c8493ec2c0bf489821c21fc3b","eu","arn:aws:s3:::eu",'
            '"OBJECT_PUT","2026-11-22T09:39:58.000Z"]',
        ),
    ],
    ids=[
        "version",
        "created",
        "time and eTag",
        "removed",
        "expired",
        "restored",
        "time",
        "tagged",
        "tagged by nobody knows which request",
        "replicated",
    ],
)
def test_the_identity_is_the_documented_uuid(thing: dict[str, Any], name: str) -> None:
    # Written out, not computed: tables out there hold these.
    namespace = uuid.UUID("5b9aca6c-30a9-4133-b9ca-5ff848fd892d")
    expected = str(uuid.uuid5(namespace, name))
    assert list(build(s3.notification(s3.record('a/ü"', **thing)))) == [expected]


@pytest.mark.parametrize("name", REPLICATED)
@pytest.mark.parametrize(
    "other",
    [
        {"replicationRuleId": "us"},
        {"destinationBucket": "arn:aws:s3:::us"},
        {"s3Operation": "OBJECT_TAGGING"},
        {"requestTime": "2026-11-22T09:39:58.500Z"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_replications_that_differ_leave_a_record_each(name: str, other: dict[str, str]) -> None:
    first, second = (
        s3.record("a", name=name, versionId="v1", replication=REPLICATION | changed)
        for changed in ({}, other)
    )
    found = build(s3.notification(first), s3.notification(second)).values()
    assert len(found) == 2
    for item, changed in zip(found, ({}, other), strict=True):
        expected = {name: {"S": value} for name, value in (REPLICATION | changed).items()}
        del expected["failureReason"]
        assert item.items() >= expected.items()


@pytest.mark.parametrize("name", REQUESTED)
def test_two_requests_of_one_second_are_two_events(name: str) -> None:
    first, again, second = (
        s3.notification(s3.record("a", name=name, versionId="v1", request_id=request))
        for request in ("A", "A", "B")
    )
    found = build(first, again, second).values()
    assert [item["requestId"] for item in found] == [{"S": "A"}, {"S": "B"}]


@pytest.mark.parametrize("name", UNREQUESTED)
def test_what_s3_does_itself_is_one_event_whatever_request_id_it_bears(name: str) -> None:
    first, second = (
        s3.notification(s3.record("a", name=name, versionId="v1", request_id=request))
        for request in ("A", "B")
    )
    assert build(first) == build(second)


@pytest.mark.parametrize("name", SEQUENCED)
def test_what_has_a_sequencer_is_told_apart_by_that(name: str) -> None:
    first, again, second = (
        s3.notification(s3.record("a", name=name, sequencer=sequencer, request_id=request))
        for sequencer, request in (("01", "A"), ("01", "B"), ("02", "B"))
    )
    assert build(first) == build(again)
    assert len(build(first, second)) == 2


def test_every_event_type_that_the_module_takes_is_told_apart_here() -> None:
    text = (ROOT / "allowed_values.tf").read_text()
    types = {name for name in re.findall(r'"s3:([^"]+)"', text) if not name.endswith("*")}
    assert types == {*REQUESTED, *UNREQUESTED, *SEQUENCED, *REPLICATED}


@pytest.mark.parametrize(
    ("name", "detail_type"),
    [
        ("ObjectRestore:Post", "Object Restore Initiated"),
        ("ObjectRestore:Completed", "Object Restore Completed"),
        ("ObjectRestore:Delete", "Object Restore Expired"),
        ("LifecycleTransition", "Object Storage Class Changed"),
        ("IntelligentTiering", "Object Access Tier Changed"),
        ("ObjectTagging:Put", "Object Tags Added"),
        ("ObjectTagging:Delete", "Object Tags Deleted"),
        ("ObjectAcl:Put", "Object ACL Updated"),
    ],
)
def test_an_event_without_a_sequencer_of_its_own_has_one_record_in_either_envelope(
    name: str, detail_type: str
) -> None:
    # As S3 sends them: the upload's sequencer in a notification, none in an EventBridge event.
    notified = s3.notification(s3.record("a", name=name, versionId="v1"))
    bridged = s3.eventbridge("a", detail_type=detail_type, version_id="v1", sequencer=None)
    assert list(build(notified)) == list(build(bridged))


def test_a_deleted_version_is_another_event_than_its_creation() -> None:
    created = s3.record("a", versionId="v1", sequencer="01")
    deleted = s3.record("a", versionId="v1", sequencer="02", name="ObjectRemoved:Delete")
    assert len(build(s3.notification(created), s3.notification(deleted))) == 2


def test_a_version_has_one_record_however_it_was_created() -> None:
    known = s3.record("a", versionId="v1", sequencer="01")
    listed = s3.record("a", versionId="v1", sequencer=None, name="ObjectCreated:Copy")
    assert len(build(s3.notification(known), s3.notification(listed))) == 1


def test_events_without_sequencer_of_one_second_stay_apart_by_name() -> None:
    put = s3.eventbridge("a", detail_type="Object Tags Added", sequencer=None)
    deleted = s3.eventbridge("a", detail_type="Object Tags Deleted", sequencer=None)
    assert len(build(put, deleted)) == 2


@pytest.mark.parametrize(
    "names",
    [
        ("ObjectRestore:Post", "ObjectRestore:Completed", "ObjectRestore:Delete"),
        (
            "Replication:OperationMissedThreshold",
            "Replication:OperationReplicatedAfterThreshold",
        ),
    ],
    ids=["restore", "replication"],
)
def test_events_that_bear_the_sequencer_of_the_upload_stay_apart(names: tuple[str, ...]) -> None:
    assert len(build(*(s3.notification(s3.record("a", name=name)) for name in names))) == len(names)


def test_overwrites_of_an_unversioned_object_are_events_of_their_own() -> None:
    first, second = (s3.record("a", sequencer=number) for number in ("01", "02"))
    assert len(build(s3.notification(first), s3.notification(second))) == 2


@pytest.mark.parametrize(
    ("age", "ttl"),
    [(0, DAY), (DAY - 1, DAY), (DAY, DAY + DAY), (40 * DAY, 40 * DAY + DAY)],
    ids=["at once", "just in time", "just too old", "long after"],
)
def test_a_record_lives_on_from_its_event_or_if_that_is_over_from_now(age: int, ttl: int) -> None:
    item = only(s3.notification(s3.record("a")), now=1795340400 + age)
    assert int(item["ttl"]["N"]) - int(item["timestamp"]["N"]) == ttl


def test_of_two_that_differ_the_fuller_one_wins_in_either_order() -> None:
    full = s3.notification(s3.record("a", versionId="v1"))
    poor = s3.notification(s3.record("a", versionId="v1", size=None))
    assert build(full, poor) == build(poor, full) == build(full)


def test_of_two_that_say_as_much_the_same_one_wins_in_either_order() -> None:
    put = s3.notification(s3.record("a", versionId="v1"))
    copied = s3.notification(s3.record("a", versionId="v1", name="ObjectCreated:Copy"))
    assert build(put, copied) == build(copied, put)


@given(KEYS)
@example("a b/ü+1.txt")
@example("\x00\x01\x1f\x7f\u2028\ufeff")
@example("100%")
@example("%2B")
@example("𝄞" * 256)
def test_every_key_is_read_as_it_was_written(key: str) -> None:
    notified = only(s3.notification(s3.record(key, versionId="v1")))
    assert notified["objectKey"]["S"] == key
    assert notified == only(s3.eventbridge(key, version_id="v1"))


@given(KEYS, st.text(string.printable, max_size=10))
def test_every_spelling_of_an_encoded_key_reads_alike(key: str, safe: str) -> None:
    safe = safe.replace("%", "").replace("+", "").replace(" ", "")
    for encoded in (quote_plus(key, safe=safe), quote(key, safe=safe), quote(key).lower()):
        if encoded != quote(key).lower() or key == key.lower():
            assert only(s3.notification(s3.record(key=encoded)))["objectKey"]["S"] == key


UPLOADS = st.lists(
    st.builds(
        lambda key, version, sequencer, name: s3.record(
            key, versionId=version, sequencer=sequencer, name=name
        ),
        st.sampled_from(["a", "b", "c d"]),
        st.sampled_from(["v1", "v2", None]),
        st.sampled_from(["01", "02", None]),
        st.sampled_from(["ObjectCreated:Put", "ObjectRemoved:Delete", "ObjectTagging:Put"]),
    ),
    min_size=1,
    max_size=12,
)


@given(UPLOADS, st.randoms(use_true_random=False))
def test_redelivery_and_order_change_nothing(uploads: list[Any], random: Any) -> None:
    arrived = [s3.notification(record) for record in uploads]
    again = arrived + random.sample(arrived, k=len(arrived))
    random.shuffle(again)
    assert build(*again) == build(*arrived)


def test_writing_an_event_twice_writes_the_same_bytes(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    for _ in range(2):
        handle(s3.notification(s3.record("a")))
    first, second = dynamodb.writes
    assert json.dumps(first) == json.dumps(second)
