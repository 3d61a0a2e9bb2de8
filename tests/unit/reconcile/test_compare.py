"""What of a bucket and a table agrees, and what does not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.deployed.bucket import Version, by_identity
from pipeline.deployed.filters import EVERYTHING, Filter
from pipeline.deployed.table import Record
from pipeline.reconcile.compare import Comparison, Scope, compare

NOW = 1_800_000_000
SINCE = NOW - 86_400
AT = NOW - 600
SCOPE = Scope(["ours"], [EVERYTHING], SINCE, NOW + 0.5)
PUT_ONLY = replace(SCOPE, filters=[Filter("", "", frozenset({"Put"}))])


def version(key: str = "k", version_id: str = "v1", modified: int = AT, **more: Any) -> Version:
    given = {"etag": "e", "size": 3, "latest": True, "bucket": "ours", **more}
    return Version(key, version_id, modified, **given)


def record(key: str = "k", version_id: str = "v1", timestamp: int = AT, **more: Any) -> Record:
    given: dict[str, Any] = {
        "object_id": "id",
        "bucket": "ours",
        "name": "ObjectCreated:Put",
        "ttl": timestamp + 86_400,
        "sequencer": "01",
        "etag": "e",
        "size": 3,
        **more,
    }
    return Record(key=key, version_id=version_id, timestamp=timestamp, **given)


def found(
    versions: Sequence[Version], records: Sequence[Record], scope: Scope = SCOPE
) -> dict[str, Any]:
    """What was found, without what was not."""
    compared: Comparison = compare(scope, by_identity(versions), records)
    lists = {
        "missing": [version.key for version in compared.missing],
        "doubled": [sorted(record.object_id for record in twins) for twins in compared.doubled],
        "stale": [stale.why for stale in compared.stale],
    }
    counted = {name: value for name, value in vars(compared).items() if isinstance(value, int)}
    nonzero = {name: value for name, value in {**counted, **lists}.items() if value}
    assert compared.agrees == (not nonzero.keys() & lists.keys())
    return nonzero


BARE: dict[str, Any] = {"name": "ObjectCreated:Backfill", "sequencer": "", "object_id": "bare"}
CASES: dict[str, tuple[list[Version], list[Record], dict[str, Any]]] = {
    "agreeing": ([version()], [record()], {"expected": 1, "agreeing": 1}),
    "missing": ([version()], [], {"expected": 1, "missing": ["k"]}),
    "a record of another version": (
        [version(), version(version_id="v2")],
        [record(version_id="v2")],
        {"expected": 2, "agreeing": 1, "missing": ["k"]},
    ),
    "hidden by a delete marker": (
        [version(latest=False)],
        [record()],
        {"expected": 1, "agreeing": 1},
    ),
    "older than records live": ([version(modified=SINCE - 1)], [], {"outside": 1}),
    "uploaded while it was listed": (
        [version(modified=NOW + 1)],
        [],
        {"expected": 1, "missing": ["k"]},
    ),
    "doubled": (
        [version()],
        [record(), record(object_id="twin")],
        {"expected": 1, "doubled": [["id", "twin"]]},
    ),
    "gone": ([], [record()], {"stale": ["its object is not in the bucket"]}),
    "gone, and recorded": (
        [],
        [record(), record(object_id="x", name="ObjectRemoved:Delete", timestamp=AT + 5)],
        {"removed": 1, "other_events": 1},
    ),
    "expired by a rule, and recorded": (
        [],
        [record(), record(object_id="x", name="LifecycleExpiration:Delete")],
        {"removed": 1, "other_events": 1},
    ),
    "newer than the listing": ([], [record(timestamp=NOW + 1)], {"late": 1}),
    "expired": ([], [record(ttl=NOW)], {"expired": 1}),
    "expired, but there": (
        [version()],
        [record(ttl=NOW)],
        {"expired": 1, "expected": 1, "agreeing": 1},
    ),
    "filled in for an old object": (
        [version(modified=1)],
        [record(timestamp=1, ttl=NOW + 9)],
        {"outside": 1},
    ),
    "of another bucket": ([], [record(bucket="theirs")], {"other_buckets": 1}),
    "of another event": ([], [record(name="ObjectTagging:Put")], {"other_events": 1}),
    "another eTag": (
        [version()],
        [record(etag="f")],
        {"expected": 1, "stale": ["its eTag is f, the object's is e"]},
    ),
    "another size": (
        [version()],
        [record(size=4)],
        {"expected": 1, "stale": ["its size is 4 bytes, the object's is 3"]},
    ),
    "a record without size and eTag": (
        [version()],
        [record(size=None, etag="")],
        {"expected": 1, "agreeing": 1},
    ),
    # Without version ids.
    "unversioned": (
        [version(version_id="")],
        [record(version_id="", timestamp=AT + 1)],
        {"expected": 1, "agreeing": 1},
    ),
    "unversioned, overwritten": (
        [version(version_id="", etag="f")],
        [
            record(version_id="", timestamp=AT - 90),
            record(version_id="", object_id="new", etag="f", sequencer="02"),
        ],
        {"expected": 1, "agreeing": 1, "superseded": 1},
    ),
    "unversioned, the record of the last upload is missing": (
        [version(version_id="", etag="f")],
        [record(version_id="", timestamp=AT - 90)],
        {"expected": 1, "missing": ["k"], "superseded": 1},
    ),
    "unversioned, the same bytes again": (
        [version(version_id="")],
        [
            record(version_id="", timestamp=AT - 90),
            record(version_id="", object_id="2", sequencer="02"),
        ],
        {"expected": 1, "agreeing": 1, "superseded": 1},
    ),
    "unversioned, the same bytes within a second": (
        [version(version_id="")],
        [record(version_id=""), record(version_id="", object_id="2", sequencer="02")],
        {"expected": 1, "agreeing": 1},
    ),
    "unversioned, doubled": (
        [version(version_id="")],
        [record(version_id=""), record(version_id="", object_id="twin")],
        {"expected": 1, "doubled": [["id", "twin"]]},
    ),
    "unversioned, filled in beside its event": (
        [version(version_id="")],
        [record(version_id="", timestamp=AT + 2), record(version_id="", **BARE)],
        {"expected": 1, "doubled": [["bare", "id"]]},
    ),
    "unversioned, filled in, then the same bytes uploaded": (
        [version(version_id="")],
        [record(version_id=""), record(version_id="", timestamp=AT - 60, **BARE)],
        {"expected": 1, "agreeing": 1, "superseded": 1},
    ),
    "unversioned, gone": (
        [],
        [record(version_id="")],
        {"stale": ["its object is not in the bucket"]},
    ),
    "unversioned, removed, then uploaded and gone": (
        [],
        [
            record(version_id=""),
            record("k", "", AT - 9, object_id="x", name="ObjectRemoved:Delete"),
        ],
        {"stale": ["its object is not in the bucket"], "other_events": 1},
    ),
    "unversioned, an upload in parts that took days": (
        [version(version_id="", etag="e-2", modified=SINCE + 9)],
        [record(version_id="", etag="e-2")],
        {"expected": 1, "agreeing": 1},
    ),
}


@pytest.mark.parametrize(("versions", "records", "expected"), CASES.values(), ids=CASES)
def test_bucket_and_table_are_compared(
    versions: list[Version], records: list[Record], expected: dict[str, Any]
) -> None:
    assert found(versions, records) == expected


def test_what_a_listing_does_not_show_is_not_missing() -> None:
    assert found([version()], [], PUT_ONLY) == {"unjudged": 1}
    assert found([version()], [record()], PUT_ONLY) == {}
    assert found([version(etag="e-2")], [], PUT_ONLY) == {"ignored": 1}


def test_what_no_filter_takes_needs_no_record() -> None:
    scope = replace(SCOPE, filters=[Filter("ü b+/", "%.txt", EVERYTHING.operations)])
    versions = [version("ü b+/a%.txt"), version("ü b+/a.txt"), version("u b+/a%.txt")]
    assert found(versions, [], scope) == {"expected": 1, "missing": ["ü b+/a%.txt"], "ignored": 2}


def test_a_record_that_is_older_than_asked_for_is_left_out() -> None:
    scope = replace(SCOPE, since=AT + 1, narrowed=True)
    assert found([], [record()], scope) == {"early": 1}


def test_a_key_in_two_buckets_is_two_objects_and_counted_by_bucket() -> None:
    scope = replace(SCOPE, buckets=["ours", "theirs", "none"])
    versions = [version(), version(bucket="theirs"), version("only", bucket="theirs")]
    records = [
        record(),
        record(bucket="another"),
        record("only", bucket="theirs"),
        record("gone", bucket="theirs"),
    ]
    compared = compare(scope, by_identity(versions), records)
    assert (compared.expected, compared.other_buckets) == (3, 1)
    figures = {"expected": 1, "agreeing": 1, "missing": 0, "doubled": 0, "stale": 0}
    assert compared.of("ours") == figures
    assert compared.of("theirs") == figures | {"expected": 2, "missing": 1, "stale": 1}
    assert compared.of("none") == dict.fromkeys(figures, 0)


def test_an_object_that_was_found_later_is_neither_missing_nor_its_record_stale() -> None:
    later = by_identity([version(), version("other")])
    compared = compare(SCOPE, {}, [record()], later)
    assert compared.agrees
    assert compared.expected == 0
