"""Whatever breaks on the way, each upload has one record in the end, and none has two.

Run on the module as Terraform applied it, each delivery of it, with IAM and signatures enforced.
"""

import functools
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tools.faults.faults import FAULTS, Report, run
from tools.faults.site import DELIVERIES, Site

# Few, since each upload that goes direct takes a worker process of its own.
UPLOADS = {"worker-killed": 4, "poison": 9, "emulator-restarted": 3, "burst": 40}
OTHERS = 6
# With these all deliveries have to be at rest: they share an emulator.
ALONE = {"emulator-restarted"}


# One delivery for each fault, each delivery for two of them; the rest waits for a soak.
REPRESENTATIVE = dict(zip(FAULTS, itertools.cycle(DELIVERIES), strict=False))

Reports = Callable[[str], dict[str, Report]]


def params(faults: Iterable[str]) -> list[Any]:
    """Faults and deliveries as a test's parameters, those that wait for a soak marked so."""
    return [
        pytest.param(
            fault,
            delivery,
            id=f"{fault}-{delivery}",
            marks=[] if REPRESENTATIVE[fault] == delivery else pytest.mark.soak,
        )
        for fault in faults
        for delivery in DELIVERIES
    ]


@pytest.fixture(scope="module")
def reports(sites: dict[str, Site], request: pytest.FixtureRequest) -> Reports:
    """The reports of one fault by delivery; these run side by side, as they mostly wait."""
    wanted = {
        (item.callspec.params["fault"], item.callspec.params["delivery"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and "fault" in item.fixturenames
    }

    @functools.cache
    def of(fault: str) -> dict[str, Report]:
        chosen = [name for name in sites if (fault, name) in wanted]
        with ThreadPoolExecutor(1 if fault in ALONE else len(chosen)) as pool:
            done = pool.map(
                lambda name: run(fault, sites[name], UPLOADS.get(fault, OTHERS)), chosen
            )
            return dict(zip(chosen, done, strict=True))

    return of


@pytest.mark.parametrize(("fault", "delivery"), params(FAULTS))
def test_no_upload_is_lost_or_counted_twice(fault: str, delivery: str, reports: Reports) -> None:
    report = reports(fault)[delivery]
    assert report.problems == ()
    assert (report.lost, report.doubled) == (0, 0)
    assert report.uploads == UPLOADS.get(fault, OTHERS)
    assert report.recorded + report.in_failure_queue - report.both == report.uploads
    assert report.replayed == report.in_failure_queue


REFUSED = {
    "worker-killed": 0,
    "poison": 3,
    "table-deleted": OTHERS,
    "permission-lost": OTHERS,
    "duplicates": OTHERS,
}


@pytest.mark.parametrize(("fault", "delivery"), params(REFUSED))
def test_what_could_not_be_written_waits_in_the_failure_queue_and_nothing_else_does(
    fault: str, delivery: str, reports: Reports
) -> None:
    assert reports(fault)[delivery].in_failure_queue == REFUSED[fault]


@pytest.mark.parametrize(("fault", "delivery"), params(["burst"]))
def test_what_a_burst_brings_that_can_not_be_written_waits_in_the_failure_queue(
    fault: str, delivery: str, reports: Reports
) -> None:
    # Two, and whatever this machine did not get done in time.
    assert reports(fault)[delivery].in_failure_queue >= 2
