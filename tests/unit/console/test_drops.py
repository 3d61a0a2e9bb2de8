"""Drops: what is still to come, and what a closed tab left."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.console.server.drops import MAX_FILES, Drops
from pipeline.console.sources.watch import Found
from pipeline.errors import PipelineError
from tests.support.page.console_server import TOKEN, Served, serve


@pytest.fixture
def drops() -> Drops:
    return Drops(lambda kind, data: None)


def keys(drops: Drops) -> list[list[str]]:
    return [drop["keys"] for drop in drops.left()]


def test_what_a_page_uploads_is_left_once_the_page_is_gone(drops: Drops) -> None:
    drops.join("a")
    drops.begin("a", ["1", "2", "3"])
    drops.done("2")
    assert drops.left() == []
    drops.leave("a")
    assert keys(drops) == [["1", "3"]]
    assert (drops.left()[0]["count"], drops.left()[0]["total"]) == (2, 3)


def test_a_page_that_connects_again_has_left_nothing(drops: Drops) -> None:
    drops.join("a")
    drops.begin("a", ["1"])
    # The new connection may come before the old one is seen to have ended.
    drops.join("a")
    drops.leave("a")
    assert drops.left() == []


def test_whatever_page_uploads_a_key_it_is_left_no_longer(drops: Drops) -> None:
    drops.begin("gone", ["1", "2"])
    drops.done("1")
    drops.done("not of this drop")
    assert keys(drops) == [["2"]]
    drops.done("2")
    assert drops.left() == []


def test_a_cancelled_drop_leaves_nothing(drops: Drops) -> None:
    number = drops.begin("gone", ["1"])
    drops.end(number)
    drops.end(number)
    assert drops.left() == []


def test_the_oldest_drops_are_forgotten(drops: Drops) -> None:
    for number in range(6):
        drops.begin("gone", [f"{number}/{each}" for each in range(4000)])
    assert [drop["keys"][0] for drop in drops.left()] == [f"{number}/0" for number in range(1, 6)]


def _none() -> Found:
    raise PipelineError("No stack was applied yet.")


@pytest.fixture(scope="module")
def writes() -> Iterator[Served]:
    with serve(_none, write=True) as served:
        yield served


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b""),
        (400, b"[]"),
        (400, b'{"page": "a"}'),
        (400, b'{"page": "a", "keys": []}'),
        (400, b'{"page": 1, "keys": ["a"]}'),
        (400, b'{"page": "a", "keys": [1]}'),
        (400, b"[" * 100_000),
        (413, json.dumps({"page": "a", "keys": ["a"] * (MAX_FILES + 1)}).encode()),
        (413, b"1" * (8 * 1024 * 1024 + 1)),
        (201, json.dumps({"page": "a", "keys": ["\ud800", "a" * 2000]}).encode()),
    ],
)
def test_a_drop_is_noted_or_refused_with_a_reason(writes: Served, status: int, body: bytes) -> None:
    answer = writes.ask("POST", f"/{TOKEN}/drops", body)
    assert answer.status == status, answer.body
    found: dict[str, Any] = answer.json()
    assert found.get("error", "").endswith(".") == (status != 201)


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "x", "%C2%B2"])
def test_a_drop_that_is_no_number_is_not_found(writes: Served, number: str) -> None:
    answer = writes.ask("DELETE", f"/{TOKEN}/drops/{number}")
    assert (answer.status, answer.json()) == (404, {"error": "There is no such drop."})


def test_a_page_is_told_at_once_what_another_left(writes: Served) -> None:
    writes.ask("POST", f"/{TOKEN}/drops", json.dumps({"page": "gone", "keys": ["left"]}))
    with writes.listen() as wait_for:
        assert wait_for("left")[-1]["keys"] == ["left"]
