"""What a load run uploads, and how its figures are counted."""

from pathlib import Path
from typing import Any, get_args

import pytest

from pipeline.errors import PipelineError
from pipeline.load.figures import duration, percentile, spread
from pipeline.load.plan import Plan, Shape, place, sizes

REPOSITORY = Path(__file__).parents[3]
EVERYTHING = {"prefix": "", "suffix": "", "events": ["s3:ObjectCreated:*"]}


def plan(shape: Shape = "plain", rate: float | None = None, at_most: int = 2000) -> Plan:
    return Plan(1000, rate, (100, at_most), shape, "in/load-1/", ".txt", seed=7)


def delivery(*filters: dict[str, Any]) -> dict[str, Any]:
    return {"via": "notification", "filters": list(filters), "buffered": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0, 0)),
        ("4096", (4096, 4096)),
        ("2kB", (2000, 2000)),
        ("1KiB-1MiB", (1024, 1048576)),
        ("10 - 20 B", (10, 20)),
    ],
)
def test_a_size_is_bytes_or_a_range_of_them(text: str, expected: tuple[int, int]) -> None:
    assert sizes(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "takes bytes"),
        ("big", "takes bytes"),
        ("-1", "takes bytes"),
        ("1-2-3", "takes bytes"),
        ("1.5MiB", "takes bytes"),
        ("2KiB-1KiB", "ends before it begins"),
        ("1-101MiB", "100MiB at most"),
    ],
)
def test_what_is_no_size_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(PipelineError, match=sentence):
        sizes(text)


def test_uploads_are_due_at_even_distances_or_at_once() -> None:
    steady, burst = plan(rate=20), plan()
    assert [steady.due(number) for number in (0, 1, 20, 200)] == [0, 0.05, 1, 10]
    assert burst.due(500) is None


def test_contents_differ_keep_to_their_sizes_and_come_again_with_the_same_seed() -> None:
    bodies = [plan().body(number) for number in range(200)]
    assert len(set(bodies)) == 200
    assert all(100 <= len(body) <= 2000 for body in bodies)
    assert len(set(map(len, bodies))) > 100
    assert bodies == [plan().body(number) for number in range(200)]


@pytest.mark.parametrize("shape", get_args(Shape))
def test_each_upload_has_a_key_of_its_own_that_the_filter_takes(shape: Shape) -> None:
    keys = [plan(shape).key(number) for number in range(1000)]
    assert len(set(keys)) == 1000
    assert all(key.startswith("in/load-1/") and key.endswith(".txt") for key in keys)


@pytest.mark.parametrize(
    ("filters", "prefix", "expected"),
    [
        ([EVERYTHING], None, ("load-r/", "")),
        ([EVERYTHING], "team a/", ("team a/load-r/", "")),
        (
            [
                {"prefix": "gone/", "suffix": "", "events": ["s3:ObjectRemoved:*"]},
                {"prefix": "in/", "suffix": ".pdf", "events": ["s3:ObjectCreated:Put"]},
            ],
            None,
            ("in/load-r/", ".pdf"),
        ),
        (
            [
                {"prefix": "a/", "suffix": ".pdf", "events": ["s3:ObjectCreated:*"]},
                {"prefix": "b/", "suffix": ".txt", "events": ["s3:ObjectCreated:*"]},
            ],
            "b/sub",
            ("b/subload-r/", ".txt"),
        ),
    ],
)
def test_keys_are_where_a_filter_takes_uploads(
    filters: list[dict[str, Any]], prefix: str | None, expected: tuple[str, str]
) -> None:
    assert place(delivery(*filters), prefix, "r") == expected


@pytest.mark.parametrize(
    ("filters", "prefix", "sentence"),
    [
        ([], None, "No filter of the pipeline takes uploads"),
        ([{**EVERYTHING, "events": ["s3:ObjectCreated:Copy"]}], None, "takes uploads"),
        ([{**EVERYTHING, "prefix": "in/"}], "out/", "key prefix 'out/': let --prefix begin"),
        ([EVERYTHING], "ü" * 500, "too long"),
    ],
)
def test_a_pipeline_that_takes_no_such_upload_is_refused(
    filters: list[dict[str, Any]], prefix: str | None, sentence: str
) -> None:
    with pytest.raises(PipelineError, match=sentence):
        place(delivery(*filters), prefix, "r")


def test_no_key_is_longer_than_s3_takes() -> None:
    folder, suffix = place(delivery(EVERYTHING), "x" * 970, "r")
    for shape in get_args(Shape):
        long = Plan(100, None, (1, 1), shape, folder, suffix, 0)
        assert max(len(long.key(number).encode()) for number in range(100)) <= 1024


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(100, 0.5, 50), (100, 0.99, 99), (1000, 0.999, 999), (1, 0.5, 1), (3, 0.5, 2), (2, 1.0, 2)],
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
    count: int, share: float, expected: float
) -> None:
    assert percentile([float(number) for number in range(1, count + 1)], share) == expected


def test_nothing_has_no_spread() -> None:
    assert spread([]) is None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0"), (0.0083, "8.3 ms"), (0.12, "120 ms"), (0.9996, "1.0 s"), (95, "95 s")],
)
def test_a_duration_has_two_figures_or_three(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
