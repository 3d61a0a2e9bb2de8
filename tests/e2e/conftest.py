"""Both examples, applied on ministack once per session, IAM and signatures enforced."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.emulator import emulator
from lab.provider import terraform_environment
from tests.support.clients import client
from tests.support.stack import Stack, apply_examples, destroy, empty_bucket, run_last


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    run_last(items, "destroyed")


@dataclass(frozen=True)
class Cloud:
    """The emulated account: what clients need, and the applied examples by name."""

    environment: dict[str, str]
    stacks: dict[str, Stack]

    def client(self, service: str) -> Any:
        return client(service, self.environment)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    work = tmp_path_factory.mktemp("ministack")
    with emulator(work) as running:
        environment = terraform_environment(work) | running.environment
        stacks = apply_examples(["minimal", "complete"], work / "module", environment)
        yield Cloud(running.environment, stacks)


@pytest.fixture(scope="session")
def destroyed(cloud: Cloud) -> Cloud:
    """The same, after `terraform destroy`."""
    empty_bucket(cloud.client("s3"), cloud.stacks["minimal"].outputs["bucket_name"])
    destroy(cloud.stacks.values())
    return cloud
