"""The probe of `pipeline verify`: a key that the filters take, and what its record must be."""

from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.handler import events
from pipeline.verify import probe

AT = 1_795_340_400
MARK = "pipeline-verify-0123456789ab"
PROBE = probe.Probe(f"in/{MARK}.csv", "ObjectCreated:Put", MARK)
EVENT = events.ObjectEvent("b", PROBE.key, PROBE.event, "", 0, version_id="v1", etag="abc", size=5)
SENT = probe.Upload(PROBE, AT, EVENT, ("v1",))


def filters(*events: str, prefix: str = "", suffix: str = "") -> dict[str, Any]:
    return {"prefix": prefix, "suffix": suffix, "events": list(events)}


@pytest.mark.parametrize(
    ("given", "event"),
    [
        ([filters("s3:ObjectCreated:*")], "s3:ObjectCreated:Put"),
        ([filters("s3:ObjectCreated:Put")], "s3:ObjectCreated:Put"),
        ([filters("s3:ObjectCreated:Copy")], "s3:ObjectCreated:Copy"),
        (
            [filters("s3:ObjectCreated:Post", "s3:ObjectCreated:CompleteMultipartUpload")],
            "s3:ObjectCreated:CompleteMultipartUpload",
        ),
        ([filters("s3:ObjectRemoved:*")], "s3:ObjectRemoved:Delete"),
        (
            [filters("s3:ObjectRemoved:*"), filters("s3:ObjectCreated:Put")],
            "s3:ObjectCreated:Put",
        ),
    ],
)
def test_the_probe_does_what_a_filter_takes(given: list[dict[str, Any]], event: str) -> None:
    assert f"s3:{probe.choose(given).event}" == event


def test_its_key_has_the_filters_prefix_and_suffix_and_a_random_mark() -> None:
    given = [
        filters("s3:ObjectRemoved:*"),
        filters("s3:ObjectCreated:*", prefix="ein gang/ü+", suffix="%.csv"),
    ]
    first, second = probe.choose(given), probe.choose(given)
    assert first.key.startswith("ein gang/ü+pipeline-verify-")
    assert first.key.endswith("%.csv")
    assert first.key != second.key
    assert first.mark in first.key


def test_filters_that_no_probe_can_meet_are_named() -> None:
    with pytest.raises(PipelineError, match=r"s3:ObjectRestore:Post.*by hand"):
        probe.choose([filters("s3:ObjectRestore:Post")])


def record(**changed: tuple[str, str]) -> dict[str, dict[str, str]]:
    assert SENT.object_id is not None
    values: dict[str, tuple[str, str]] = {
        "objectId": ("S", SENT.object_id),
        "bucket": ("S", "b"),
        "objectKey": ("S", PROBE.key),
        "timestamp": ("N", str(AT)),
        "ttl": ("N", str(AT + 3600)),
        "eventName": ("S", "ObjectCreated:Put"),
        "eventTime": ("S", "2026-11-22T09:40:00Z"),
        "sequencer": ("S", "0065"),
        "versionId": ("S", "v1"),
        "eTag": ("S", "abc"),
        "size": ("N", "5"),
    }
    return {name: dict([value]) for name, value in (values | changed).items()}


def test_a_record_that_is_right_has_no_differences() -> None:
    assert probe.differences(record(), SENT, 3600) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"objectId": ("S", "x")}, "objectId is 'x' (S), not"),
        ({"objectKey": ("S", "in%2F")}, "objectKey is 'in%2F' (S), not 'in/pipe"),
        ({"size": ("S", "5")}, "size is '5' (S), not '5' (N)"),
        ({"eTag": ("S", '"abc"')}, "eTag is"),
        ({"eventName": ("S", "s3:ObjectCreated:Put")}, "eventName is"),
        ({"sequencer": ("S", "")}, "sequencer is missing"),
        ({"ttl": ("N", "5")}, f"ttl is '5' (N), not '{AT + 3600}' (N)"),
        ({"timestamp": ("N", "1")}, f"timestamp is '1' (N), not '{AT}' (N)"),
        (
            {"eventTime": ("S", "2026-11-22T09:40:07Z")},
            "eventTime is '2026-11-22T09:40:07Z' (S), not",
        ),
        ({"timestamp": ("S", "soon")}, "timestamp is 'soon' (S), not"),
    ],
)
def test_each_attribute_that_is_not_right_is_named(
    changed: dict[str, tuple[str, str]], sentence: str
) -> None:
    found = probe.differences(record(**changed), SENT, 3600)
    assert any(sentence in difference for difference in found), found


def test_without_a_version_the_record_has_a_key_that_nobody_can_know() -> None:
    unversioned = probe.Upload(PROBE, AT, EVENT._replace(version_id=""), ("null",))
    assert unversioned.object_id is None
