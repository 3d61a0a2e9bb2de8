"""What end-to-end tests run on: stacks on ministack, IAM and signatures enforced.

Each takes minutes to make, most of it waiting, so that workers run side by side: a stack and its
tests are one worker's, and so is a file of tests without one.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from xdist.scheduler.loadscope import LoadScopeScheduling

from pipeline.accept.deliveries import Delivery
from pipeline.emulator.process import Emulator, emulator
from pipeline.errors import PipelineError
from pipeline.terraform.provider import terraform_environment
from tests.support.aws import failing
from tests.support.aws.clients import client
from tests.support.page import browser as chromium
from tests.support.page.console import Lab, Served, serve, settled
from tests.support.stacks import accepting, adopting, examples, kept, switching, upgrading
from tests.support.stacks import deliveries as configurations
from tests.support.stacks.stack import ROOMY, Stack, apply_examples, destroy, empty_bucket, run_last
from tools.faults import deployment as faulty
from tools.shared_provider import shared_provider

# Files whose tests share a stack.
SHARED = ("batch_operations", "deliveries", "permissions", "pipeline", "rename")
SHARE = dict.fromkeys((f"test_{name}.py" for name in SHARED), "stacks")
# These take longest and come first: no worker is left alone with one of them in the end.
LONG = (
    "test_pipeline.py",
    "test_switching.py",
    "test_console.py",
    "test_examples.py",
    "test_faults.py",
    "test_demo.py",
    "test_upgrade.py",
    "test_stay.py",
    "test_verify.py",
    "test_accept.py",
    "test_adopt_console_lab.py",
    "test_encryption.py",
)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker takes a file of tests whole, and with it those of the same stacks."""
    config.option.loadscopereorder = False
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _work_of
    return scheduler


def _work_of(nodeid: str) -> str:
    file = Path(nodeid.partition("::")[0]).name
    return SHARE.get(file, file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (*LONG, item.path.name).index(item.path.name))
    for fixture in "stopped", "destroyed":
        run_last(items, fixture)


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


def _asked(
    request: pytest.FixtureRequest,
    parameter: str,
    deliveries: list[Delivery],
    representative: Collection[str],
) -> list[Delivery]:
    """The representative deliveries, and those that collected tests have as this parameter."""
    wanted = {
        item.callspec.params.get(parameter)
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    }
    return [each for each in deliveries if each in wanted or each.name in representative]


@pytest.fixture(scope="session")
def owner() -> Iterator[Owner]:
    """What ends with the session."""
    with Owner() as owner:
        yield owner


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, owner: Owner) -> Cloud:
    """The examples minimal and complete."""
    work = tmp_path_factory.mktemp("cloud")
    environment, account = _account(work, owner, "module/beside")
    return Cloud(account, apply_examples(["minimal", "complete"], work / "module", environment))


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory, owner: Owner) -> Shown:
    """All other examples, in one account."""
    work = tmp_path_factory.mktemp("shown")
    environment, account = _account(work, owner, "module")
    return Cloud(account, {}), examples.apply(examples.NAMES, work / "module", environment)


@pytest.fixture(scope="session")
def deliveries(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, owner: Owner
) -> Deliveries:
    """The module with each delivery that the collected tests ask for."""
    chosen = _asked(request, "delivery", configurations.DELIVERIES, configurations.REPRESENTATIVE)
    work = tmp_path_factory.mktemp("deliveries")
    environment, account = _account(work, owner, "module")
    return Cloud(account, {}), configurations.apply(chosen, work / "module", environment)


@pytest.fixture(scope="session")
def deployments(
    tmp_path_factory: pytest.TempPathFactory, owner: Owner
) -> dict[str, faulty.Deployment]:
    """The module in each delivery, with a fault proxy before each table."""
    return owner.enter_context(faulty.deployments(tmp_path_factory.mktemp("deployments")))


@pytest.fixture(scope="session")
def switched(tmp_path_factory: pytest.TempPathFactory, owner: Owner) -> switching.Report:
    """What became of uploads while delivery changed."""
    work = tmp_path_factory.mktemp("switched")
    environment, account = _account(work, owner, "module")
    return switching.run(work / "module", environment, account)


@pytest.fixture(scope="session")
def upgraded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, owner: Owner
) -> upgrading.Upgraded:
    """What an upgrade from 1.0.0 did to each delivery that the collected tests ask for."""
    chosen = _asked(request, "instance", upgrading.INSTANCES, upgrading.REPRESENTATIVE)
    work = tmp_path_factory.mktemp("upgraded")
    environment, account = _account(work, owner, "")
    return upgrading.run(chosen, work, environment, account)


@pytest.fixture(scope="session")
def adopted(tmp_path_factory: pytest.TempPathFactory, owner: Owner) -> adopting.Adopted:
    """What became of a lab that was built by hand."""
    work = tmp_path_factory.mktemp("adopted")
    environment, account = _account(work, owner, "adopted/beside")
    return adopting.run(work, environment, account)


@pytest.fixture(scope="session")
def accepted(tmp_path_factory: pytest.TempPathFactory, owner: Owner) -> accepting.Report:
    """What became of a run of `pipeline accept` that was killed twice."""
    work = tmp_path_factory.mktemp("accepted")
    running = owner.enter_context(emulator(work))
    return accepting.killed(accepting.place(work / "run", running))


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> kept.Original:
    """The lab of which all others are copies."""
    return kept.Original(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def labs(
    tmp_path_factory: pytest.TempPathFactory, owner: Owner, original: kept.Original
) -> Callable[[str], kept.Kept]:
    """A lab by name: made once for all workers, stopped, and copied."""
    place = tmp_path_factory.mktemp("labs")

    def named(name: str) -> kept.Kept:
        owner.callback(kept.down, place / name)
        return original.copy(place / name)

    return named


@pytest.fixture(scope="session")
def embedded(labs: Callable[[str], kept.Kept]) -> kept.Kept:
    """The embedded lab, as `up` makes it."""
    return labs("embedded")


@pytest.fixture(scope="session")
def staying(labs: Callable[[str], kept.Kept]) -> Path:
    """The folder of another one, which is stopped and killed, and gone in the end."""
    return labs("staying").folder


@pytest.fixture(scope="session")
def lab(labs: Callable[[str], kept.Kept]) -> Lab:
    """Another lab, for the tests of its page."""
    return Lab(labs("lab").folder)


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
    # To draw what moves takes a good part of the browser's work.
    with chromium.opened(browser, reduced_motion="reduce") as opened:
        yield settled(opened, console.url)


@pytest.fixture(scope="session")
def stopped(cloud: Cloud) -> tuple[Cloud, str]:
    """The same, after a `terraform destroy` of minimal with an object in its bucket; what it said.

    It comes last, since it destroys what it can.
    """
    minimal = cloud.stacks["minimal"]
    cloud.client("s3").put_object(Bucket=minimal.outputs["bucket_name"], Key="kept", Body=b"x")
    with pytest.raises(PipelineError) as failed:
        destroy([minimal])
    return cloud, str(failed.value)


@pytest.fixture(scope="session")
def destroyed(stopped: tuple[Cloud, str]) -> Cloud:
    """The same, after `terraform destroy` of all."""
    cloud, _ = stopped
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
