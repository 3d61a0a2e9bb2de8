"""What became of the uploads is said as far as it is known."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.deployed.table import ThrottledError
from pipeline.load.figures import figures_of, problems
from pipeline.load.results import Results, results_of
from tests.unit.load.test_load import plan


def upload(number: int) -> Any:
    return SimpleNamespace(
        number=number, key=f"in/{number}", began=0.0, answered=1.0, due=None, error=None
    )


class Busy:
    """A table that answers once, then is throttled."""

    name = "records"

    def __init__(self) -> None:
        self._asked = 0

    def stored(self, object_ids: Iterable[str]) -> set[str]:
        self._asked += 1
        if self._asked > 1:
            raise ThrottledError("The table records was throttled for 300 s.")
        return {object_id for object_id in object_ids if object_id != "0"}


def test_a_table_that_is_throttled_to_the_end_leaves_the_figures_without_what_it_would_tell() -> (
    None
):
    uploads = [upload(number) for number in range(250)]
    messages = SimpleNamespace(receive_message=lambda **_: {})
    load: Any = SimpleNamespace(
        taken=uploads,
        sent=uploads,
        plan=plan(),
        found=SimpleNamespace(
            buffer_queue_url=None, delivery={}, settings={"region_name": "-"}, log_group_name="log"
        ),
        table=Busy(),
        sqs=messages,
        bucket="uploads",
        queue_url="url",
        parallel=1,
        poll_seconds=1.0,
        has_keys=True,
        # The last hundred were seen on the stream.
        recorded_at=lambda upload: 2.0 if upload.number >= 150 else None,
        object_ids=lambda upload: {str(upload.number)},
    )
    results = results_of(load, lambda *_: None)
    figures = figures_of(load, results, 60.0, results.ended_by)
    assert figures["lost"] == ["in/0"]
    assert len(figures["unconfirmed"]) == 50
    assert (figures["unseen"], figures["recorded"], figures["confirmed"]) == (99, 199, 0)
    assert figures["latency_ms"]["p50"] == 1000
    assert "throttled for 300 s" in figures["ended_by"]
    assert len(problems(figures)["not confirmed"]) == 50


@pytest.mark.parametrize(
    ("cold", "apart"),
    [
        ({0, 1}, (2000, 1000)),
        (set(), (None, None)),
        (None, (None, None)),
        ({0, 1, 2, 3}, (None, None)),
    ],
)
def test_uploads_that_met_a_cold_start_are_told_apart(
    cold: set[int] | None, apart: tuple[float | None, ...]
) -> None:
    uploads = [upload(number) for number in range(4)]
    latency = {each.number: 2.0 if each.number in (cold or ()) else 1.0 for each in uploads}
    load: Any = SimpleNamespace(
        taken=uploads,
        sent=uploads,
        plan=plan(),
        found=SimpleNamespace(delivery={}),
        table=Busy(),
        bucket="uploads",
        parallel=1,
        poll_seconds=1.0,
        has_keys=True,
        recorded_at=lambda upload: 3.0,
    )
    results = Results(latency, [], [], [], [], [], 4, [], None, cold)
    figures = figures_of(load, results, 60.0, None)
    assert figures["cold_starts"] == (None if cold is None else len(cold))
    spreads = figures["cold_ms"], figures["warm_ms"]
    assert tuple(spread and spread["p50"] for spread in spreads) == apart
