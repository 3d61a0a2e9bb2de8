"""Both examples, applied on moto once per session."""

import logging
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from pipeline.emulator.ports import HOST
from pipeline.emulator.process import client_environment
from pipeline.terraform.provider import terraform_environment
from tests.support.stacks.stack import Stack, apply_examples, destroy, run_last


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    run_last(items, "destroyed")


@pytest.fixture(scope="session")
def moto_environment() -> Iterator[dict[str, str]]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(HOST, 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield client_environment(f"http://{HOST}:{port}")
    server.stop()


@pytest.fixture(scope="session")
def stacks(
    moto_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Stack]:
    """The applied examples by name. The server's end is theirs."""
    work = tmp_path_factory.mktemp("moto")
    environment = terraform_environment(work) | moto_environment
    return apply_examples(["minimal", "complete"], work / "module", environment)


@pytest.fixture(scope="session")
def destroyed(stacks: dict[str, Stack]) -> dict[str, Stack]:
    """The same, after `terraform destroy`."""
    destroy(stacks.values())
    return stacks
