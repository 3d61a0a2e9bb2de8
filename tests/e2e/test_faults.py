"""Whatever breaks on the way, each upload has one record in the end, and none has two.

Run on the module as Terraform applied it, each delivery of it, with IAM and signatures enforced.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.faults.faults import FAULTS, Report, run
from tools.faults.site import DELIVERIES, Site

# Few, since each upload that goes direct takes a worker process of its own.
UPLOADS = {"worker-killed": 4, "poison": 9, "emulator-restarted": 3, "burst": 40}
OTHERS = 6
# With these all deliveries have to be at rest: they share an emulator.
ALONE = {"emulator-restarted"}


@pytest.fixture(scope="module")
def reports(sites: dict[str, Site]) -> Callable[[str], dict[str, Report]]:
    """The reports of one fault by delivery; these run side by side, as they mostly wait."""

    @functools.cache
    def of(fault: str) -> dict[str, Report]:
        with ThreadPoolExecutor(1 if fault in ALONE else len(sites)) as pool:
            done = pool.map(
                lambda site: run(fault, site, UPLOADS.get(fault, OTHERS)), sites.values()
            )
            return dict(zip(sites, done, strict=True))

    return of


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_upload_is_lost_or_counted_twice(
    fault: str, delivery: str, reports: Callable[[str], dict[str, Report]]
) -> None:
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


@pytest.mark.parametrize(("fault", "expected"), REFUSED.items())
def test_what_could_not_be_written_waits_in_the_failure_queue_and_nothing_else_does(
    fault: str, expected: int, reports: Callable[[str], dict[str, Report]]
) -> None:
    found = {name: report.in_failure_queue for name, report in reports(fault).items()}
    assert found == dict.fromkeys(found, expected)


def test_what_a_burst_brings_that_can_not_be_written_waits_in_the_failure_queue(
    reports: Callable[[str], dict[str, Report]],
) -> None:
    # Two, and whatever this machine did not get done in time.
    assert all(report.in_failure_queue >= 2 for report in reports("burst").values())
