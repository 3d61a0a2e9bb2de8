"""What end-to-end tests run on: stacks on ministack, IAM and signatures enforced.

Each takes minutes to make, most of it waiting, so that all that the collected tests ask for are
begun when the session begins, some at a time.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from pipeline.emulator.process import Emulator, emulator
from pipeline.terraform.provider import terraform_environment
from pipeline.terraform.shared_provider import shared_provider
from tests.support.aws import failing
from tests.support.aws.clients import client
from tests.support.page import browser as chromium
from tests.support.page.console import Lab, Served, serve, settled
from tests.support.stacks import accepting, adopting, examples, kept, switching, upgrading
from tests.support.stacks import deliveries as configurations
from tests.support.stacks.stack import ROOMY, Stack, apply_examples, destroy, empty_bucket, run_last
from tools.faults import deployment as faulty


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    run_last(items, "destroyed")


@dataclass(frozen=True)
class Cloud:
    """The emulated account: what clients need, and the applied examples by name."""

    environment: dict[str, str]
    stacks: dict[str, Stack]

    def client(self, service: str) -> Any:
        return client(service, self.environment)


Shown = tuple[Cloud, dict[str, examples.Applied]]
Deliveries = tuple[Cloud, configurations.Applied]
Owner = contextlib.ExitStack
Labs = dict[str, kept.Kept]
# What the collected tests ask for: names of fixtures, and the deliveries.
Wanted = Mapping[str, Set[Any]]


def _account(work: Path, owner: Owner, beside: str) -> tuple[dict[str, str], dict[str, str]]:
    """An emulated account: Terraform's environment, with a provider that runs already, a client's.

    To start a provider takes Terraform more processor time than most of what it does here. It reads
    files from where it was started: in a folder beside the roots.
    """
    running = owner.enter_context(emulator(work))
    place = work / beside / "provider"
    environment = terraform_environment(place) | running.environment | ROOMY
    attach = owner.enter_context(shared_provider(environment, place))
    return environment | attach, running.environment


def _examples(work: Path, owner: Owner, _: Wanted) -> Cloud:
    environment, account = _account(work, owner, "module/beside")
    return Cloud(account, apply_examples(["minimal", "complete"], work / "module", environment))


def _shown(work: Path, owner: Owner, _: Wanted) -> Shown:
    environment, account = _account(work, owner, "module")
    return Cloud(account, {}), examples.apply(examples.NAMES, work / "module", environment)


def _deliveries(work: Path, owner: Owner, wanted: Wanted) -> Deliveries:
    environment, account = _account(work, owner, "module")
    chosen = [
        each
        for each in configurations.DELIVERIES
        if each in wanted["delivery"] or each.name in configurations.REPRESENTATIVE
    ]
    return Cloud(account, {}), configurations.apply(chosen, work / "module", environment)


def _switched(work: Path, owner: Owner, _: Wanted) -> switching.Report:
    environment, account = _account(work, owner, "module")
    return switching.run(work / "module", environment, account)


def _upgraded(work: Path, owner: Owner, _: Wanted) -> upgrading.Upgraded:
    environment, account = _account(work, owner, "")
    return upgrading.run(work, environment, account)


def _adopted(work: Path, owner: Owner, _: Wanted) -> adopting.Adopted:
    environment, account = _account(work, owner, "adopted/beside")
    return adopting.run(work, environment, account)


def _accepted(work: Path, owner: Owner, _: Wanted) -> accepting.Report:
    running = owner.enter_context(emulator(work))
    return accepting.killed(accepting.place(work / "run", running))


def _faulty(work: Path, owner: Owner, _: Wanted) -> dict[str, faulty.Deployment]:
    return owner.enter_context(faulty.deployments(work))


def _labs(work: Path, owner: Owner, wanted: Wanted) -> dict[str, kept.Kept]:
    """A lab for each fixture that wants one: made once, and copied while it is stopped."""
    names = [name for name in LABS if name in wanted["fixture"]]
    for name in names:
        owner.callback(kept.down, work / name)
    return kept.copies(work, names)


# In the order in which they are begun: what takes longest, or is asked for first.
LABS = ("lab", "embedded", "staying")
MADE: dict[str, Callable[[Path, Owner, Wanted], Any]] = {
    "labs": _labs,
    "adopted": _adopted,
    "switched": _switched,
    "upgraded": _upgraded,
    "accepted": _accepted,
    "shown": _shown,
    "deliveries": _deliveries,
    "deployments": _faulty,
    "cloud": _examples,
}
# Each mostly waits, but a provider that starts takes a core.
_AT_ONCE = 4


@pytest.fixture(scope="session", autouse=True)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Any]]]:
    """What the collected tests ask for, by the fixture's name, begun at once."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    if asked.intersection(LABS):
        asked.add("labs")
    parameters = [
        item.callspec.params
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    ]
    wanted = {"fixture": asked, "delivery": {p["delivery"] for p in parameters if "delivery" in p}}
    with contextlib.ExitStack() as owner, ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            name: pool.submit(make, tmp_path_factory.mktemp(name), owner, wanted)
            for name, make in MADE.items()
            if name in asked
        }


@pytest.fixture(scope="session")
def cloud(made: Mapping[str, Future[Cloud]]) -> Cloud:
    """The examples minimal and complete."""
    return made["cloud"].result()


@pytest.fixture(scope="session")
def shown(made: Mapping[str, Future[Shown]]) -> Shown:
    """All other examples, in one account."""
    return made["shown"].result()


@pytest.fixture(scope="session")
def deliveries(made: Mapping[str, Future[Deliveries]]) -> Deliveries:
    """The module with each delivery."""
    return made["deliveries"].result()


@pytest.fixture(scope="session")
def deployments(
    made: Mapping[str, Future[dict[str, faulty.Deployment]]],
) -> dict[str, faulty.Deployment]:
    """The module in each delivery, with a fault proxy before each table."""
    return made["deployments"].result()


@pytest.fixture(scope="session")
def switched(made: Mapping[str, Future[switching.Report]]) -> switching.Report:
    """What became of uploads while delivery changed."""
    return made["switched"].result()


@pytest.fixture(scope="session")
def upgraded(made: Mapping[str, Future[upgrading.Upgraded]]) -> upgrading.Upgraded:
    """What an upgrade from 1.0.0 did to each delivery."""
    return made["upgraded"].result()


@pytest.fixture(scope="session")
def adopted(made: Mapping[str, Future[adopting.Adopted]]) -> adopting.Adopted:
    """What became of a lab that was built by hand."""
    return made["adopted"].result()


@pytest.fixture(scope="session")
def accepted(made: Mapping[str, Future[accepting.Report]]) -> accepting.Report:
    """What became of a run of `pipeline accept` that was killed twice."""
    return made["accepted"].result()


@pytest.fixture(scope="session")
def embedded(made: Mapping[str, Future[Labs]]) -> kept.Kept:
    """The embedded lab, as `up` makes it."""
    return made["labs"].result()["embedded"]


@pytest.fixture(scope="session")
def staying(made: Mapping[str, Future[Labs]]) -> Path:
    """The folder of another one, which is stopped and killed, and gone in the end."""
    return made["labs"].result()["staying"].folder


@pytest.fixture(scope="session")
def lab(made: Mapping[str, Future[Labs]]) -> Lab:
    """Another lab, for the tests of its page."""
    return Lab(made["labs"].result()["lab"].folder)


@pytest.fixture(scope="module")
def console(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Its page, which may upload and replay."""
    log = tmp_path_factory.mktemp("console") / "console.log"
    with serve(log, "--work-dir", str(lab.folder)) as served:
        yield served


# No longer than a module's tests: while it runs, nothing else may run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    if chromium.chromium() is None:
        pytest.skip(chromium.WHY_NONE)
    with chromium.browser() as started:
        yield started


@pytest.fixture
def page(browser: Browser, console: Served) -> Iterator[Page]:
    """The page, open and with its stages; an error in its script fails the test."""
    with chromium.opened(browser) as opened:
        yield settled(opened, console.url)


@pytest.fixture(scope="session")
def destroyed(cloud: Cloud) -> Cloud:
    """The same, after `terraform destroy`."""
    empty_bucket(cloud.client("s3"), cloud.stacks["minimal"].outputs["bucket_name"])
    destroy(cloud.stacks.values())
    return cloud


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator for what is made with boto3."""
    with emulator(tmp_path_factory.mktemp("replay")) as running:
        yield running


@pytest.fixture(scope="session")
def role_arn(running: Emulator) -> str:
    """The role of the function that replays go through."""
    return failing.create_role(running)


@pytest.fixture(scope="session")
def function(running: Emulator, role_arn: str) -> None:
    """That function, and its table."""
    failing.create_pipeline(running, role_arn)


@pytest.fixture
def site(
    running: Emulator, role_arn: str, function: None, request: pytest.FixtureRequest
) -> Iterator[failing.Site]:
    """The same, with one test's own failure queue."""
    sqs = client("sqs", running.environment)
    # Its name is the test's, as far as SQS takes names.
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:80]
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "180"})["QueueUrl"]
    yield failing.Site(running, url, role_arn)
    sqs.delete_queue(QueueUrl=url)
