"""What faults are tried on: the module, applied on an emulator, a fault proxy before each table.

One Terraform root holds an instance of the module for each delivery.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config

from pipeline.deployed import aws
from pipeline.deployed.target import Target
from pipeline.emulator.process import REGION, Emulator, emulator
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment
from tools.faults.proxy import FaultProxy, fault_proxy
from tools.module import copy_module

DELIVERIES = ("notification", "notification-buffered", "eventbridge", "eventbridge-buffered")

# Short enough to wait for: a message that fails in the buffer comes back after a bit more.
TIMEOUT_SECONDS = 2

# A request to loopback would get lost in a proxy.
_CONFIG = Config(retries={"total_max_attempts": 5}, max_pool_connections=20, proxies={})


class RestartableEmulator(contextlib.ExitStack):
    """An emulator that keeps its address and its state when it is restarted."""

    def __init__(self, folder: Path) -> None:
        """Start it; it ends with the block. Raises PipelineError."""
        super().__init__()
        self._folder = folder
        self.running: Emulator = self._start(None)

    def restart(self) -> None:
        """End it as an operator would (SIGTERM), and start it again. Raises PipelineError."""
        self.close()
        self.running = self._start(self.running.port)

    def _start(self, port: int | None) -> Emulator:
        return self.enter_context(
            emulator(self._folder, state_dir=self._folder / "state", port=port)
        )


@dataclass(frozen=True)
class Deployment:
    """A pipeline, its emulator, and the proxy between its function and its table."""

    delivery: str
    pipeline: Target
    emulator: RestartableEmulator
    proxy: FaultProxy
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A boto3 client for the emulator, with root keys."""
        if service not in self._clients:
            self._clients[service] = _client(service, self.emulator.running)
        return self._clients[service]


@contextlib.contextmanager
def deployments(
    folder: Path,
    deliveries: Sequence[str] = DELIVERIES,
    apply: Callable[[Path, Mapping[str, str]], None] = terraform.apply,
) -> Iterator[dict[str, Deployment]]:
    """A deployment for each of `deliveries`, by name; all end with the block.

    `apply` gets the root's folder and Terraform's environment. Nothing is destroyed: the emulator
    ends. The files in `folder` stay. Raises PipelineError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        cloud = stack.enter_context(RestartableEmulator(folder))
        proxies = {
            name: stack.enter_context(fault_proxy(cloud.running.endpoint)) for name in deliveries
        }
        root = folder / "root"
        module = os.path.relpath(copy_module(folder / "module"), root)
        calls = {name: _call(module, name, proxies[name].url) for name in deliveries}
        outputs = {name: {"value": f"${{module.{name}}}"} for name in deliveries}
        terraform.write_root(root, {"module": calls, "output": outputs})
        # The provider mostly waits: with the default of 10 the instances would queue up.
        environment = terraform_environment(folder) | cloud.running.environment
        environment["TF_CLI_ARGS_apply"] = "-parallelism=100"
        terraform.init(root, environment)
        apply(root, environment)
        made = terraform.outputs(root, environment)
        yield {
            name: Deployment(name, Target(made[name], name), cloud, proxies[name])
            for name in deliveries
        }


def _call(module: str, delivery: str, proxy_url: str) -> dict[str, Any]:
    via, _, buffered = delivery.partition("-")
    return {
        "source": module,
        "name_prefix": f"{via[0]}{'b' if buffered else 'd'}-",
        "delivery": {"via": via, "buffer": {} if buffered else None},
        "function": {
            "timeout_seconds": TIMEOUT_SECONDS,
            "environment": {"AWS_ENDPOINT_URL_DYNAMODB": proxy_url},
        },
    }


def _client(service: str, running: Emulator) -> Any:
    return aws.client(
        service,
        _CONFIG,
        endpoint_url=running.endpoint,
        region_name=REGION,
        aws_access_key_id=running.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=running.environment["AWS_SECRET_ACCESS_KEY"],
    )
