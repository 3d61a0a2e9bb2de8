"""Where faults are tried: the module, applied on an emulator, with a fault proxy before each table.

One Terraform root holds an instance of the module for each delivery. The buckets are made before,
as somebody else's: a bucket of the module's own takes the provider another minute.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import boto3
from botocore.config import Config

from pipeline.emulator.process import REGION, Emulator, emulator
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment
from tools.faults.proxy import FaultProxy, fault_proxy
from tools.module import copy_module

Via = Literal["notification", "eventbridge"]
# Delivery by name: where events come from, and whether a queue stands between.
DELIVERIES: dict[str, tuple[Via, bool]] = {
    "notification": ("notification", False),
    "notification+buffer": ("notification", True),
    "eventbridge": ("eventbridge", False),
    "eventbridge+buffer": ("eventbridge", True),
}

# Short enough to wait for: what fails in a buffer takes as many times a bit more than this.
TIMEOUT_SECONDS = 2

# Each is retried where it matters; loopback through a proxy would never arrive.
_ONCE = Config(retries={"total_max_attempts": 1}, max_pool_connections=20, proxies={})
_PATIENT = Config(retries={"total_max_attempts": 5}, max_pool_connections=20, proxies={})


@dataclass(frozen=True)
class Pipeline:
    """An applied module by its names; `buffer_queue_url` is None where delivery is direct."""

    delivery: str
    bucket: str
    function: str
    role: str
    table: str
    failure_queue_url: str
    buffer_queue_url: str | None


class Power:
    """An emulator that can be restarted, and keeps its address and its state when it is."""

    def __init__(self, folder: Path, owner: contextlib.ExitStack) -> None:
        """Start it; it ends with `owner`. Raises PipelineError."""
        self._folder = folder
        self._owner = owner
        self._current = contextlib.ExitStack()
        owner.callback(lambda: self._current.close())
        self.running: Emulator = self._start(None)

    def restart(self) -> None:
        """End it as an operator would (SIGTERM) and start it again. Raises PipelineError."""
        self._current.close()
        self._current = contextlib.ExitStack()
        self.running = self._start(self.running.port)

    def _start(self, port: int | None) -> Emulator:
        return self._current.enter_context(
            emulator(self._folder, state_dir=self._folder / "state", port=port)
        )


@dataclass(frozen=True)
class Site:
    """One pipeline, its emulator, and the proxy between its function and its table."""

    pipeline: Pipeline
    power: Power
    proxy: FaultProxy
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A boto3 client for the emulator, with root keys."""
        if service not in self._clients:
            self._clients[service] = _client(service, self.power.running)
        return self._clients[service]


Apply = Callable[[Path, Mapping[str, str]], None]


@contextlib.contextmanager
def sites(
    folder: Path, deliveries: Sequence[str] = tuple(DELIVERIES), apply: Apply = terraform.apply
) -> Iterator[dict[str, Site]]:
    """A site for each of `deliveries`, by name; all end with the block.

    `apply` is given the root's folder and Terraform's environment. Nothing is destroyed but by
    ending the emulator; what lies in `folder` stays. Raises PipelineError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as owner:
        power = Power(folder, owner)
        endpoint = power.running.endpoint
        proxies = {name: owner.enter_context(fault_proxy(endpoint)) for name in deliveries}
        _make_buckets(power.running, deliveries)
        root = folder / "root"
        module = copy_module(folder / "module")
        calls = {_word(name): _call(root, module, name, proxies[name].url) for name in deliveries}
        outputs = {name: {"value": f"${{module.{name}}}"} for name in calls}
        terraform.write_root(root, {"module": calls, "output": outputs})
        # The provider mostly waits: with the default of 10 the instances would queue up.
        environment = terraform_environment(folder) | power.running.environment
        environment["TF_CLI_ARGS_apply"] = "-parallelism=100"
        terraform.init(root, environment)
        apply(root, environment)
        made = terraform.outputs(root, environment)
        yield {
            name: Site(_pipeline(name, made[_word(name)]), power, proxies[name])
            for name in deliveries
        }


def _word(delivery: str) -> str:
    """The delivery's name where there may be no plus sign."""
    return delivery.replace("+", "-")


def _bucket(delivery: str) -> str:
    return f"{_word(delivery)}-faults"


def _make_buckets(running: Emulator, deliveries: Sequence[str]) -> None:
    s3 = _client("s3", running)
    for name in deliveries:
        bucket = _bucket(name)
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        if DELIVERIES[name][0] == "eventbridge":
            s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )


def _call(root: Path, module: Path, delivery: str, proxy_url: str) -> dict[str, Any]:
    via, buffered = DELIVERIES[delivery]
    return {
        "source": os.path.relpath(module, root),
        # Bucket names have little room.
        "name_prefix": f"{via[0]}{'b' if buffered else 'd'}-",
        "bucket": {
            "create": False,
            "name": _bucket(delivery),
            "take_over_notifications": via == "notification",
        },
        "delivery": {"via": via, "buffer": {} if buffered else None},
        "function": {
            "timeout_seconds": TIMEOUT_SECONDS,
            "environment": {"AWS_ENDPOINT_URL_DYNAMODB": proxy_url},
        },
    }


def _pipeline(delivery: str, outputs: Mapping[str, Any]) -> Pipeline:
    return Pipeline(
        delivery,
        bucket=outputs["bucket_name"],
        function=outputs["function_name"],
        role=outputs["role_name"],
        table=outputs["table_name"],
        failure_queue_url=outputs["failure_queue_url"],
        buffer_queue_url=outputs["buffer_queue_url"],
    )


def _client(service: str, running: Emulator) -> Any:
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=running.endpoint,
        region_name=REGION,
        aws_access_key_id=running.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=running.environment["AWS_SECRET_ACCESS_KEY"],
        config=_ONCE if service == "lambda" else _PATIENT,
    )
