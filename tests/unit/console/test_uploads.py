"""Uploads are followed, in whatever order their stages are read."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipeline.console.board import uploads as module
from pipeline.console.board.uploads import Upload, Uploads
from pipeline.deployed.invokes import Invoke, NotStored
from pipeline.handler import events, records

BUCKET = "uploads"
AT = 1_795_600_000_000.0


def identity(key: str, version: str) -> str:
    event = events.ObjectEvent(BUCKET, key, "ObjectCreated:Put", "", 0, version_id=version)
    return records.object_id(event)


def item(object_id: str, key: str = "a.txt", at: float = AT, **more: Any) -> dict[str, Any]:
    """A record as DynamoDB has it."""
    return {
        "objectId": {"S": object_id},
        "objectKey": {"S": key},
        "bucket": {"S": BUCKET},
        "eventName": {"S": "ObjectCreated:Put"},
        "timestamp": {"N": str(int(at // 1000))},
        "size": {"N": "5"},
    } | more


def invoke(*object_ids: str, not_stored: tuple[NotStored, ...] = ()) -> Invoke:
    return Invoke(
        "r",
        at=int(AT) + 40,
        milliseconds=12.5,
        object_ids=list(object_ids),
        not_stored=list(not_stored),
        done_at=int(AT) + 40,
    )


def failure(object_id: str, key: str = "a.txt", **more: Any) -> Mapping[str, Any]:
    """A message of the failure queue as the page's panel has it."""
    return {
        "id": "m",
        "objectIds": [object_id],
        "objects": [[BUCKET, key, "ObjectCreated:Put"]],
        "reason": "AccessDenied",
        "failed_at": AT / 1000 + 60,
    } | more


def test_one_key_in_two_buckets_is_two_uploads_and_failures_of_others_are_left_out() -> None:
    uploads = Uploads(BUCKET, (), ["theirs"])
    theirs, another = (
        NotStored("theirs", "a.txt", "", "no"),
        NotStored("another", "a.txt", "", "no"),
    )
    uploads.begin("a.txt", 5, AT)
    uploads.record(item("1", bucket={"S": "theirs"}), AT + 50)
    uploads.invoked(invoke(not_stored=(theirs, another)))
    uploads.set_failures([failure("3", objects=[["theirs", "a.txt", "ObjectCreated:Put"]])])
    assert {(each.key, each.state) for each in uploads.newest()} == {
        ("a.txt", "uploading"),
        ("s3://theirs/a.txt", "recorded"),
        ("s3://theirs/a.txt", "failed"),
    }


def only(uploads: Uploads) -> Upload:
    (upload,) = uploads.newest()
    return upload


@pytest.mark.parametrize("version", ["v1", ""], ids=["versions", "no versions"])
@pytest.mark.parametrize("order", list(itertools.permutations(("put", "invoke", "record"))))
def test_an_upload_passes_every_stage_in_any_order(order: tuple[str, ...], version: str) -> None:
    uploads = Uploads(BUCKET, ())
    upload = uploads.begin("a.txt", 5, AT)
    object_id = identity("a.txt", version)
    happen: dict[str, Callable[[], object]] = {
        "put": lambda: uploads.put(upload, version, AT + 20),
        "invoke": lambda: uploads.invoked(invoke(object_id)),
        "record": lambda: uploads.record(item(object_id), AT + 60),
    }
    for name in order:
        happen[name]()
    assert uploads.newest() == [upload]
    assert (upload.state, upload.reason) == ("recorded", None)
    assert upload.stages == {"bucket": 20.0, "delivery": 27.5, "function": 40.0, "table": 40.0}


def before(first: str, second: str) -> Callable[[tuple[str, ...]], bool]:
    return lambda order: order.index(first) < order.index(second)


STEPS = ("put", "refused", "failed", "gone", "stored", "record")
# The function can't store it again before it was matches off the queue.
ORDERS = [
    order
    for order in itertools.permutations(STEPS)
    if before("failed", "gone")(order) and before("gone", "record")(order)
]


@pytest.mark.parametrize("version", ["v1", ""], ids=["versions", "no versions"])
@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_an_upload_that_failed_and_was_replayed_is_recorded_in_any_order(
    order: tuple[str, ...], version: str
) -> None:
    uploads = Uploads(BUCKET, ())
    upload = uploads.begin("a.txt", 5, AT)
    object_id = identity("a.txt", version)
    refused = invoke(not_stored=(NotStored(BUCKET, "a.txt", object_id, "throttled"),))
    happen: dict[str, Callable[[], object]] = {
        "put": lambda: uploads.put(upload, version, AT + 20),
        "refused": lambda: uploads.invoked(refused),
        "failed": lambda: uploads.set_failures([failure(object_id)]),
        "gone": lambda: uploads.set_failures([]),
        "stored": lambda: uploads.invoked(invoke(object_id)),
        "record": lambda: uploads.record(item(object_id), AT + 90),
    }
    for name in order:
        happen[name]()
        if name == "failed":
            assert (upload.state, upload.message) == ("failed", "m")
            assert upload.reason in ("throttled", "AccessDenied")
    assert uploads.newest() == [upload]
    assert (upload.state, upload.reason, upload.message) == ("recorded", None, None)


def test_a_failed_attempt_shows_until_another_succeeds() -> None:
    uploads = Uploads(BUCKET, ())
    upload = uploads.put(uploads.begin("a.txt", 5, AT), "v1", AT + 20)
    not_stored = NotStored(BUCKET, "a.txt", str(upload.object_id), "throttled")
    assert uploads.invoked(invoke(not_stored=(not_stored,))) == [upload]
    assert (upload.state, upload.reason) == ("retrying", "throttled")
    uploads.invoked(invoke(str(upload.object_id)))
    assert (upload.state, upload.reason) == ("in_progress", None)
    # The line of the first attempt, once more.
    uploads.invoked(invoke(not_stored=(not_stored,)))
    assert upload.state == "in_progress"


def test_what_was_taken_off_the_failure_queue_is_in_progress_again() -> None:
    uploads = Uploads(BUCKET, ())
    upload = uploads.put(uploads.begin("a.txt", 5, AT), "v1", AT + 20)
    assert uploads.set_failures([failure(str(upload.object_id))]) == [upload]
    assert uploads.set_failures([failure(str(upload.object_id))]) == []
    assert uploads.set_failures([], complete=False) == []
    assert upload.state == "failed"
    assert uploads.set_failures([]) == [upload]
    assert (upload.state, upload.reason, upload.message) == ("in_progress", None, None)


@pytest.mark.parametrize("answered_first", [0, 1])
def test_two_uploads_of_a_key_are_distinguished_by_version(answered_first: int) -> None:
    uploads = Uploads(BUCKET, ())
    two = [uploads.begin("a.txt", 5, AT), uploads.begin("a.txt", 5, AT + 1)]
    uploads.put(two[answered_first], f"v{answered_first}", AT + 20)
    for number in 0, 1:
        assert uploads.record(item(identity("a.txt", f"v{number}")), AT + 50) is two[number]
    rest = 1 - answered_first
    uploads.put(two[rest], f"v{rest}", AT + 60)
    assert uploads.newest() == two
    assert [upload.state for upload in two] == ["recorded", "recorded"]


def test_two_uploads_of_a_key_without_versions_are_both_recorded() -> None:
    uploads = Uploads(BUCKET, ())
    two = [uploads.put(uploads.begin("a.txt", 5, AT + n), "", AT + 20 + n) for n in (0, 1)]
    assert uploads.record(item("first"), AT + 50) is two[0]
    assert uploads.record(item("second"), AT + 51) is two[1]
    assert uploads.newest() == two


def test_an_older_failure_of_the_same_key_is_not_the_new_uploads() -> None:
    uploads = Uploads(BUCKET, ())
    named = uploads.put(uploads.begin("a.txt", 5, AT), "v1", AT + 20)
    assert uploads.set_failures([failure(identity("a.txt", "v0"))]) == []
    unnamed = uploads.begin("b.txt", 5, AT)
    old = failure("other", "b.txt", failed_at=AT / 1000 - 3600)
    removed = failure("x", "b.txt", objects=[[BUCKET, "b.txt", "ObjectRemoved:Delete"]])
    assert uploads.set_failures([old, removed]) == []
    assert (named.state, unnamed.state) == ("in_progress", "uploading")
    assert uploads.set_failures([failure("other", "b.txt", failed_at=None)]) == [unnamed]


def test_a_message_with_a_record_twice_fails_the_upload_with_its_id_and_no_other() -> None:
    uploads = Uploads(BUCKET, ())
    first, second = (
        uploads.put(uploads.begin(key, 5, AT), version, AT + 20)
        for key, version in (("a.txt", "v1"), ("b.txt", ""))
    )
    twice = failure(
        str(first.object_id),
        objects=[[BUCKET, key, "ObjectCreated:Put"] for key in ("b.txt", "a.txt")],
    )
    assert uploads.set_failures([twice]) == [first]
    assert second.state == "in_progress"


def test_uploads_from_elsewhere_show_with_their_record() -> None:
    uploads = Uploads(BUCKET, ())
    upload = uploads.record(item("x", "<script>"), AT + 5000)
    assert upload is not None
    assert (upload.key, upload.from_page, upload.size, upload.at) == ("<script>", False, 5, AT)
    assert upload.stages == {"bucket": None, "delivery": None, "function": None, "table": None}
    # Delivered twice, and what is removed.
    assert uploads.record(item("x", "<script>"), AT + 6000) is None
    assert uploads.record(item("y", eventName={"S": "ObjectRemoved:Delete"}), AT) is None


def test_a_failure_from_elsewhere_shows_once_and_is_recorded_by_its_id() -> None:
    uploads = Uploads(BUCKET, ())
    not_stored = NotStored(BUCKET, "a.txt", "x", "throttled")
    first, again = (uploads.invoked(invoke(not_stored=(not_stored,))) for _ in range(2))
    assert first == again == [only(uploads)]
    assert uploads.record(item("x"), AT + 90) is only(uploads)
    assert uploads.invoked(invoke(not_stored=(not_stored,))) == []
    other = NotStored("another-bucket", "a.txt", "z", "r")
    assert (
        uploads.invoked(invoke(not_stored=(other, NotStored(BUCKET, "", "", "unreadable")))) == []
    )


def test_an_unreadable_record_is_found_by_its_key() -> None:
    uploads = Uploads(BUCKET, ())
    upload = uploads.put(uploads.begin("a.txt", 5, AT), "v1", AT + 20)
    assert uploads.invoked(invoke(not_stored=(NotStored(BUCKET, "a.txt", "", "no eTag"),))) == [
        upload
    ]
    assert (upload.state, upload.reason) == ("retrying", "no eTag")


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ([], True),
        ([{"prefix": "", "suffix": "", "events": ["s3:ObjectCreated:*"]}], True),
        ([{"prefix": "in/", "suffix": ".csv", "events": ["s3:ObjectCreated:Put"]}], True),
        ([{"prefix": "in/", "suffix": ".txt", "events": ["s3:ObjectCreated:*"]}], False),
        ([{"prefix": "out/", "suffix": "", "events": ["s3:ObjectCreated:*"]}], False),
        ([{"prefix": "", "suffix": "", "events": ["s3:ObjectCreated:Copy"]}], False),
        ([{"prefix": "", "suffix": "", "events": ["s3:ObjectRemoved:*"]}], False),
        (
            [
                {"prefix": "out/", "suffix": "", "events": ["s3:ObjectCreated:*"]},
                {"prefix": "in/", "suffix": "", "events": ["s3:ObjectCreated:*"]},
            ],
            True,
        ),
    ],
)
def test_a_key_that_no_filter_matches_stays_in_the_bucket(
    filters: list[Any], matches: bool
) -> None:
    uploads = Uploads(BUCKET, filters)
    upload = uploads.put(uploads.begin("in/a.csv", 5, AT), "v1", AT + 20)
    if matches:
        assert (upload.state, upload.reason) == ("in_progress", None)
    else:
        assert upload.state == "filtered_out"
        assert upload.reason == "No filter of delivery.filters matches this key."
    # Whatever the filters say, a record is a record.
    uploads.record(item(identity("in/a.csv", "v1"), "in/a.csv"), AT + 60)
    assert (upload.state, upload.reason) == ("recorded", None)


def test_what_s3_rejects_goes_no_further() -> None:
    uploads = Uploads(BUCKET, ())
    upload = uploads.reject(uploads.begin("a.txt", 5, AT), "AccessDenied")
    assert (upload.state, upload.reason, upload.stages) == ("rejected", "AccessDenied", {})
    # Somebody else's of that key, later.
    assert uploads.record(item("x"), AT + 60) is not upload
    assert upload.state == "rejected"


def test_a_record_that_was_there_before_is_not_an_upload_that_has_just_begun() -> None:
    uploads = Uploads(BUCKET, ())
    upload = uploads.begin("a.txt", 5, AT)
    old = uploads.record(item("old", at=AT - 60_000), AT, old=True)
    assert old is not upload
    assert upload.state == "uploading"
    assert uploads.record(item("new", at=AT), AT + 60, old=True) is upload


def test_a_record_that_no_function_of_ours_made_does_no_harm() -> None:
    uploads = Uploads(BUCKET, ())
    assert uploads.record({"objectId": {"S": "x"}}, AT) is None
    odd: dict[str, Any] = {"timestamp": {"S": "noon"}, "size": {"B": b"\0"}, "objectKey": {"L": []}}
    upload = uploads.record(item("x", **odd), AT)
    assert upload is not None
    assert (upload.key, upload.at, upload.size) == ("", 0.0, None)
    for name in "eventName", "bucket":
        uploads.record(item("y") | {name: {"NULL": True}}, AT)
        uploads.record(item("z") | {name: {}}, AT)


def test_the_oldest_are_forgotten_those_first_that_are_over_and_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LIMIT", 200)
    uploads = Uploads(BUCKET, ())
    failed = uploads.put(uploads.begin("failed", 5, AT), "v1", AT)
    uploads.set_failures([failure(str(failed.object_id), "failed")])
    own = uploads.begin("own", 5, AT)
    uploads.record(item("own", "own"), AT)
    for number in range(400):
        uploads.record(item(f"x{number}", f"k{number}"), AT)
        uploads.invoked(invoke(*(f"y{number}.{n}" for n in range(25))))
    newest = [f"k{n}" for n in range(202, 400)]
    assert [upload.key for upload in uploads.newest()] == ["failed", "own", *newest]
    assert [upload.key for upload in uploads.shown()] == ["failed", "own", *newest]
    assert uploads.expects(str(failed.object_id))
    # Own ones are bounded, too, and one that was forgotten may still be under way.
    for number in range(400):
        uploads.begin(f"o{number}", 5, AT)
    assert len(uploads.newest()) == 200
    assert own not in uploads.newest()
    assert uploads.put(failed, "v2", AT).state == "failed"
    assert uploads.record(item("own", "own"), AT) is not own
    assert len(uploads._stored_by) <= 2000
    assert len(uploads._of_key) == 200
    assert len(uploads._of_id) <= 200
