"""Which objects should have a record, by the listing and the filters."""

from typing import Any

import pytest

from pipeline.deployed.filters import EVERYTHING, Filter, filters_of, judge, prefixes
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError


def target(*filters: dict[str, Any]) -> Target:
    return Target({"delivery": {"via": "notification", "filters": list(filters)}}, "The root r")


def filter_of(*events: str) -> dict[str, Any]:
    return {"prefix": "", "suffix": "", "events": [f"s3:{event}" for event in events]}


@pytest.mark.parametrize(
    ("filters", "whole", "in_parts"),
    [
        ([filter_of("ObjectCreated:*")], "expected", "expected"),
        ([filter_of("ObjectCreated:Put")], "unjudged", "ignored"),
        ([filter_of("ObjectCreated:CompleteMultipartUpload")], "ignored", "expected"),
        (
            [filter_of("ObjectCreated:Put", "ObjectCreated:Copy"), filter_of("ObjectCreated:Post")],
            "expected",
            "ignored",
        ),
        ([filter_of("ObjectRemoved:*"), filter_of("ObjectCreated:*")], "expected", "expected"),
    ],
)
def test_an_etag_shows_a_multipart_upload_and_nothing_else(
    filters: list[dict[str, Any]], whole: str, in_parts: str
) -> None:
    read = filters_of(target(*filters))
    assert (judge(read, "k", "e"), judge(read, "k", "e-2")) == (whole, in_parts)


def test_filters_without_uploads_leave_nothing_to_compare() -> None:
    with pytest.raises(PipelineError, match="no filter that takes s3:ObjectCreated events"):
        filters_of(target(filter_of("ObjectRemoved:*", "ObjectTagging:*")))


def test_names_without_filters_take_everything() -> None:
    assert filters_of(Target({"bucket_name": "b"}, "--set")) == (EVERYTHING,)


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
    filters = [Filter(prefix, "", EVERYTHING.operations) for prefix in given]
    assert prefixes(filters, within) == listed


def test_a_prefix_that_no_filter_takes_is_refused() -> None:
    with pytest.raises(PipelineError, match="No filter of the pipeline takes keys below 'b/'"):
        prefixes([Filter("a/", "", EVERYTHING.operations)], "b/")
