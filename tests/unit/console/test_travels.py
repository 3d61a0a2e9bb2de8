"""Uploads are followed in whatever order their stages are heard of."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipeline.console.board.invokes import Invoke, Refused
from pipeline.console.board.travels import LIMIT, Travel, Travels
from pipeline.handler import events, records

BUCKET = "uploads"
AT = 1_795_600_000_000.0


def identity(key: str, version: str) -> str:
    event = events.ObjectEvent(BUCKET, key, "ObjectCreated:Put", "", 0, version_id=version)
    return records.object_id(event)


def item(object_id: str, key: str = "a.txt", at: float = AT, **more: Any) -> dict[str, Any]:
    """A record as DynamoDB tells it."""
    return {
        "objectId": {"S": object_id},
        "objectKey": {"S": key},
        "bucket": {"S": BUCKET},
        "eventName": {"S": "ObjectCreated:Put"},
        "timestamp": {"N": str(int(at // 1000))},
        "size": {"N": "5"},
    } | more


def invoke(*object_ids: str, refused: tuple[Refused, ...] = (), request: str = "r") -> Invoke:
    return Invoke(
        request,
        at=int(AT) + 40,
        milliseconds=12.5,
        object_ids=list(object_ids),
        refused=list(refused),
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


def only(travels: Travels) -> Travel:
    (travel,) = travels.newest()
    return travel


@pytest.mark.parametrize("version", ["v1", ""], ids=["versions", "no versions"])
@pytest.mark.parametrize("order", list(itertools.permutations(("put", "invoke", "record"))))
def test_an_upload_passes_every_stage_in_whatever_order_they_are_heard_of(
    order: tuple[str, ...], version: str
) -> None:
    travels = Travels(BUCKET, ())
    travel = travels.begin("a.txt", 5, AT)
    object_id = identity("a.txt", version)
    happen: dict[str, Callable[[], object]] = {
        "put": lambda: travels.put(travel, version, 5, AT + 20),
        "invoke": lambda: travels.invoked(invoke(object_id)),
        "record": lambda: travels.arrive(item(object_id), AT + 60),
    }
    for name in order:
        happen[name]()
    assert travels.newest() == [travel]
    assert (travel.state, travel.reason, travel.request) == ("arrived", None, "r")
    assert travel.stages == {"bucket": 20.0, "delivery": 27.5, "function": 40.0, "table": 40.0}


def before(one: str, other: str) -> Callable[[tuple[str, ...]], bool]:
    return lambda order: order.index(one) < order.index(other)


STEPS = ("put", "refused", "failed", "gone", "stored", "record")
# The function can't store it again before it was taken off the queue.
ORDERS = [
    order
    for order in itertools.permutations(STEPS)
    if before("failed", "gone")(order) and before("gone", "record")(order)
]


@pytest.mark.parametrize("version", ["v1", ""], ids=["versions", "no versions"])
@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_an_upload_that_failed_and_was_replayed_arrives_in_whatever_order_that_is_heard_of(
    order: tuple[str, ...], version: str
) -> None:
    travels = Travels(BUCKET, ())
    travel = travels.begin("a.txt", 5, AT)
    object_id = identity("a.txt", version)
    refused = invoke(refused=(Refused(BUCKET, "a.txt", object_id, "throttled"),), request="first")
    happen: dict[str, Callable[[], object]] = {
        "put": lambda: travels.put(travel, version, 5, AT + 20),
        "refused": lambda: travels.invoked(refused),
        "failed": lambda: travels.waiting([failure(object_id)]),
        "gone": lambda: travels.waiting([]),
        "stored": lambda: travels.invoked(invoke(object_id, request="second")),
        "record": lambda: travels.arrive(item(object_id), AT + 90),
    }
    for name in order:
        happen[name]()
        if name == "failed":
            assert (travel.state, travel.message) == ("failed", "m")
            assert travel.reason in ("throttled", "AccessDenied")
    assert travels.newest() == [travel]
    assert (travel.state, travel.reason, travel.message) == ("arrived", None, None)
    assert travel.request == "second"


def test_an_attempt_that_failed_shows_until_another_one_is_through() -> None:
    travels = Travels(BUCKET, ())
    travel = travels.put(travels.begin("a.txt", 5, AT), "v1", 5, AT + 20)
    refused = Refused(BUCKET, "a.txt", str(travel.object_id), "throttled")
    assert travels.invoked(invoke(refused=(refused,))) == [travel]
    assert (travel.state, travel.reason) == ("retrying", "throttled")
    travels.invoked(invoke(str(travel.object_id)))
    assert (travel.state, travel.reason) == ("travelling", None)
    # The line of the first attempt, once more.
    travels.invoked(invoke(refused=(refused,)))
    assert travel.state == "travelling"


def test_what_was_taken_off_the_failure_queue_is_on_its_way_again() -> None:
    travels = Travels(BUCKET, ())
    travel = travels.put(travels.begin("a.txt", 5, AT), "v1", 5, AT + 20)
    assert travels.waiting([failure(str(travel.object_id))]) == [travel]
    assert travels.waiting([failure(str(travel.object_id))]) == []
    assert travels.waiting([], complete=False) == []
    assert travel.state == "failed"
    assert travels.waiting([]) == [travel]
    assert (travel.state, travel.reason, travel.message) == ("travelling", None, None)


@pytest.mark.parametrize("answered_first", [0, 1])
def test_two_uploads_of_one_key_are_told_apart_by_version(answered_first: int) -> None:
    travels = Travels(BUCKET, ())
    two = [travels.begin("a.txt", 5, AT), travels.begin("a.txt", 5, AT + 1)]
    travels.put(two[answered_first], f"v{answered_first}", 5, AT + 20)
    for number in 0, 1:
        assert travels.arrive(item(identity("a.txt", f"v{number}")), AT + 50) is two[number]
    rest = 1 - answered_first
    travels.put(two[rest], f"v{rest}", 5, AT + 60)
    assert travels.newest() == two
    assert [one.state for one in two] == ["arrived", "arrived"]


def test_two_uploads_of_one_key_without_versions_both_arrive() -> None:
    travels = Travels(BUCKET, ())
    two = [travels.put(travels.begin("a.txt", 5, AT + n), "", 5, AT + 20 + n) for n in (0, 1)]
    assert travels.arrive(item("first"), AT + 50) is two[0]
    assert travels.arrive(item("second"), AT + 51) is two[1]
    assert travels.newest() == two


def test_an_older_failure_of_the_same_key_is_not_the_new_uploads() -> None:
    travels = Travels(BUCKET, ())
    named = travels.put(travels.begin("a.txt", 5, AT), "v1", 5, AT + 20)
    assert travels.waiting([failure(identity("a.txt", "v0"))]) == []
    unnamed = travels.begin("b.txt", 5, AT)
    old = failure("other", "b.txt", failed_at=AT / 1000 - 3600)
    removed = failure("x", "b.txt", objects=[[BUCKET, "b.txt", "ObjectRemoved:Delete"]])
    assert travels.waiting([old, removed]) == []
    assert (named.state, unnamed.state) == ("travelling", "uploading")
    assert travels.waiting([failure("other", "b.txt", failed_at=None)]) == [unnamed]


def test_a_message_with_one_record_twice_fails_what_has_its_id_and_nothing_else() -> None:
    travels = Travels(BUCKET, ())
    one, other = (
        travels.put(travels.begin(key, 5, AT), version, 5, AT + 20)
        for key, version in (("a.txt", "v1"), ("b.txt", ""))
    )
    twice = failure(
        str(one.object_id),
        objects=[[BUCKET, key, "ObjectCreated:Put"] for key in ("b.txt", "a.txt")],
    )
    assert travels.waiting([twice]) == [one]
    assert other.state == "travelling"


def test_uploads_from_elsewhere_show_with_their_record() -> None:
    travels = Travels(BUCKET, ())
    travel = travels.arrive(item("x", "<script>"), AT + 5000)
    assert travel is not None
    assert (travel.key, travel.here, travel.size, travel.at) == ("<script>", False, 5, AT)
    assert travel.stages == {"bucket": None, "delivery": None, "function": None, "table": None}
    # Delivered twice, and what is removed.
    assert travels.arrive(item("x", "<script>"), AT + 6000) is None
    assert travels.arrive(item("y", eventName={"S": "ObjectRemoved:Delete"}), AT) is None


def test_a_failure_from_elsewhere_shows_once_and_arrives_by_its_id() -> None:
    travels = Travels(BUCKET, ())
    refused = Refused(BUCKET, "a.txt", "x", "throttled")
    first, again = (travels.invoked(invoke(refused=(refused,))) for _ in range(2))
    assert first == again == [only(travels)]
    assert travels.arrive(item("x"), AT + 90) is only(travels)
    assert travels.invoked(invoke(refused=(refused,))) == []
    other = Refused("another-bucket", "a.txt", "z", "r")
    assert travels.invoked(invoke(refused=(other, Refused(BUCKET, "", "", "unreadable")))) == []


def test_an_unreadable_record_is_found_by_its_key() -> None:
    travels = Travels(BUCKET, ())
    travel = travels.put(travels.begin("a.txt", 5, AT), "v1", 5, AT + 20)
    assert travels.invoked(invoke(refused=(Refused(BUCKET, "a.txt", "", "no eTag"),))) == [travel]
    assert (travel.state, travel.reason) == ("retrying", "no eTag")


@pytest.mark.parametrize(
    ("filters", "taken"),
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
        # Given by hand.
        ([{}, "odd", None], True),
        ([{"prefix": "out/"}], False),
    ],
)
def test_a_key_that_no_filter_takes_ends_in_the_bucket(filters: list[Any], taken: bool) -> None:
    travels = Travels(BUCKET, filters)
    travel = travels.put(travels.begin("in/a.csv", 5, AT), "v1", 5, AT + 20)
    if taken:
        assert (travel.state, travel.reason) == ("travelling", None)
    else:
        assert travel.state == "untaken"
        assert travel.reason == "No filter of delivery.filters takes this key."
    # Whatever the filters say, a record is a record.
    travels.arrive(item(identity("in/a.csv", "v1"), "in/a.csv"), AT + 60)
    assert (travel.state, travel.reason) == ("arrived", None)


def test_what_s3_does_not_take_goes_no_further() -> None:
    travels = Travels(BUCKET, ())
    travel = travels.refuse(travels.begin("a.txt", 5, AT), "AccessDenied")
    assert (travel.state, travel.reason, travel.stages) == ("refused", "AccessDenied", {})
    # Somebody else's of that key, later.
    assert travels.arrive(item("x"), AT + 60) is not travel
    assert travel.state == "refused"


def test_a_record_that_was_there_before_is_not_an_upload_that_has_just_begun() -> None:
    travels = Travels(BUCKET, ())
    travel = travels.begin("a.txt", 5, AT)
    old = travels.arrive(item("old", at=AT - 60_000), AT, old=True)
    assert old is not travel
    assert travel.state == "uploading"
    assert travels.arrive(item("new", at=AT), AT + 60, old=True) is travel


def test_a_record_that_no_function_of_ours_made_does_no_harm() -> None:
    travels = Travels(BUCKET, ())
    assert travels.arrive({"objectId": {"S": "x"}}, AT) is None
    odd: dict[str, Any] = {"timestamp": {"S": "noon"}, "size": {"B": b"\0"}, "objectKey": {"L": []}}
    travel = travels.arrive(item("x", **odd), AT)
    assert travel is not None
    assert (travel.key, travel.at, travel.size) == ("", 0.0, None)
    for name in "eventName", "bucket":
        travels.arrive(item("y") | {name: {"NULL": True}}, AT)
        travels.arrive(item("z") | {name: {}}, AT)


def test_only_the_newest_are_kept() -> None:
    travels = Travels(BUCKET, ())
    first = travels.begin("first", 5, AT)
    for number in range(2 * LIMIT):
        travels.arrive(item(f"x{number}", f"k{number}"), AT)
        travels.invoked(invoke(*(f"y{number}.{n}" for n in range(25))))
    assert [one.key for one in travels.newest()] == [f"k{n}" for n in range(LIMIT, 2 * LIMIT)]
    # It may still be under way.
    assert travels.put(first, "v1", 5, AT).state == "travelling"
    assert len(travels._stored) <= 10 * LIMIT
