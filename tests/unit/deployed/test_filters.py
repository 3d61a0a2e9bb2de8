"""What should be in the table, as far as a listing and the filters tell."""

from typing import Any

import pytest

from pipeline.deployed.filters import EVERYTHING, Filter, filters_of, judge, prefixes
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError


def target(*filters: dict[str, Any]) -> Target:
    return Target({"delivery": {"via": "notification", "filters": list(filters)}}, "The root r")


def one(*events: str) -> dict[str, Any]:
    return {"prefix": "", "suffix": "", "events": [f"s3:{event}" for event in events]}


@pytest.mark.parametrize(
    ("filters", "whole", "in_parts"),
    [
        ([one("ObjectCreated:*")], "expected", "expected"),
        ([one("ObjectCreated:Put")], "unjudged", "ignored"),
        ([one("ObjectCreated:CompleteMultipartUpload")], "ignored", "expected"),
        (
            [one("ObjectCreated:Put", "ObjectCreated:Copy"), one("ObjectCreated:Post")],
            "expected",
            "ignored",
        ),
        ([one("ObjectRemoved:*"), one("ObjectCreated:*")], "expected", "expected"),
    ],
)
def test_an_etag_tells_an_upload_in_parts_and_nothing_else(
    filters: list[dict[str, Any]], whole: str, in_parts: str
) -> None:
    read = filters_of(target(*filters))
    assert (judge(read, "k", "e"), judge(read, "k", "e-2")) == (whole, in_parts)


def test_filters_without_creations_leave_nothing_to_compare() -> None:
    with pytest.raises(PipelineError, match="no filter that takes s3:ObjectCreated events"):
        filters_of(target(one("ObjectRemoved:*", "ObjectTagging:*")))


def test_names_given_by_hand_take_everything() -> None:
    assert filters_of(Target({"bucket_name": "b"}, "--set")) == (EVERYTHING,)


@pytest.mark.parametrize("filters", [[{"prefix": ""}], ["x"], 3])
def test_filters_of_another_shape_are_told(filters: Any) -> None:
    with pytest.raises(PipelineError, match=r"delivery\.filters of another shape"):
        filters_of(Target({"delivery": {"filters": filters}}, "The root r"))


@pytest.mark.parametrize(
    ("given", "within", "listed"),
    [
        ([""], "", [""]),
        ([""], "a/", ["a/"]),
        (["a/", "a/b/", "c"], "", ["a/", "c"]),
        (["a/", "c"], "a/b", ["a/b"]),
        (["a/x", "a/y", "b"], "a/", ["a/x", "a/y"]),
    ],
)
def test_no_more_is_listed_than_the_filters_take(
    given: list[str], within: str, listed: list[str]
) -> None:
    filters = [Filter(prefix, "", EVERYTHING.ways) for prefix in given]
    assert prefixes(filters, within) == listed


def test_a_prefix_that_no_filter_takes_is_told() -> None:
    with pytest.raises(PipelineError, match="No filter of the pipeline takes keys below 'b/'"):
        prefixes([Filter("a/", "", EVERYTHING.ways)], "b/")
