"""Whatever fails meanwhile, each upload has exactly one record in the end.

Run on the module as Terraform applied it, in each delivery, with IAM and signatures enforced.
"""

import functools
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tools.faults.deployment import DELIVERIES, Deployment
from tools.faults.faults import FAULTS
from tools.faults.run import Result, run_fault

# Few, since each upload with direct delivery takes a worker process.
UPLOADS = {"worker-killed": 4, "poison": 9, "emulator-restarted": 3, "burst": 40}
OTHERS = 6
# In these no other delivery may be busy: they share an emulator.
ALONE = {"emulator-restarted"}


# One delivery for each fault, each delivery for two of them; the rest waits for a soak.
REPRESENTATIVE = dict(zip(FAULTS, itertools.cycle(DELIVERIES), strict=False))

Results = Callable[[str], dict[str, Result]]


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
def results(deployments: dict[str, Deployment], request: pytest.FixtureRequest) -> Results:
    """The results of one fault by delivery; these run side by side, as they mostly wait."""
    wanted = {
        (item.callspec.params["fault"], item.callspec.params["delivery"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and "fault" in item.fixturenames
    }

    @functools.cache
    def of(fault: str) -> dict[str, Result]:
        chosen = [name for name in deployments if (fault, name) in wanted]
        with ThreadPoolExecutor(1 if fault in ALONE else len(chosen)) as pool:
            done = pool.map(
                lambda name: run_fault(fault, deployments[name], UPLOADS.get(fault, OTHERS)), chosen
            )
            return dict(zip(chosen, done, strict=True))

    return of


@pytest.mark.parametrize(("fault", "delivery"), params(FAULTS))
def test_no_upload_is_lost_or_counted_twice(fault: str, delivery: str, results: Results) -> None:
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


@pytest.mark.parametrize(("fault", "delivery"), params(REFUSED))
def test_what_could_not_be_written_waits_in_the_failure_queue_and_nothing_else_does(
    fault: str, delivery: str, results: Results
) -> None:
    assert results(fault)[delivery].in_failure_queue == REFUSED[fault]


@pytest.mark.parametrize(("fault", "delivery"), params(["burst"]))
def test_what_a_burst_brings_that_can_not_be_written_waits_in_the_failure_queue(
    fault: str, delivery: str, results: Results
) -> None:
    # Two, and whatever this machine did not get done in time.
    assert results(fault)[delivery].in_failure_queue >= 2
