"""Whatever fails meanwhile, each upload has exactly one record in the end.

Run on the module as Terraform applied it, in each delivery, with IAM and signatures enforced.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.faults.deployment import DELIVERIES, Deployment
from tools.faults.faults import FAULTS
from tools.faults.run import Result, run_fault

# Few, since each upload with direct delivery takes a worker process.
UPLOADS = {"worker-killed": 4, "poison": 9, "emulator-restarted": 3, "burst": 40}
OTHERS = 6
# In these no other delivery may be busy: they share an emulator.
ALONE = {"emulator-restarted"}


@pytest.fixture(scope="module")
def results(deployments: dict[str, Deployment]) -> Callable[[str], dict[str, Result]]:
    """The results of a fault by delivery; these run side by side, as they mostly wait."""

    @functools.cache
    def of(fault: str) -> dict[str, Result]:
        count = UPLOADS.get(fault, OTHERS)
        with ThreadPoolExecutor(1 if fault in ALONE else len(deployments)) as pool:
            done = pool.map(lambda each: run_fault(fault, each, count), deployments.values())
            return dict(zip(deployments, done, strict=True))

    return of


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_upload_is_lost_or_counted_twice(
    fault: str, delivery: str, results: Callable[[str], dict[str, Result]]
) -> None:
    result = results(fault)[delivery]
    assert result.problems == ()
    assert (result.lost, result.doubled) == (0, 0)
    assert result.uploads == UPLOADS.get(fault, OTHERS)
    assert result.recorded + result.in_failure_queue - result.both == result.uploads
    assert result.replayed == result.in_failure_queue


REFUSED = {
    "worker-killed": 0,
    "poison": 3,
    "table-deleted": OTHERS,
    "permission-lost": OTHERS,
    "duplicates": OTHERS,
}


@pytest.mark.parametrize(("fault", "expected"), REFUSED.items())
def test_what_could_not_be_written_waits_in_the_failure_queue_and_nothing_else_does(
    fault: str, expected: int, results: Callable[[str], dict[str, Result]]
) -> None:
    found = {name: result.in_failure_queue for name, result in results(fault).items()}
    assert found == dict.fromkeys(found, expected)


def test_what_can_not_be_written_in_a_burst_waits_in_the_failure_queue(
    results: Callable[[str], dict[str, Result]],
) -> None:
    # Two, and whatever timed out on this machine.
    assert all(result.in_failure_queue >= 2 for result in results("burst").values())
