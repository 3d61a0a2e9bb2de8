"""Where a run happens: the account, the roots that it applied, and how it waits."""

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.accept.journal import Journal
from pipeline.deployed import aws
from pipeline.deployed.session import FailingError, Session
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.lab.root import outputs
from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment

# The emulator answers at once, but the machine may be busy.
EMULATOR_SECONDS = 240.0
_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
# What AWS, and Terraform about AWS, say where a session is over or the network is gone.
_LOST = re.compile(
    r"ExpiredToken|InvalidClientTokenId|RequestExpired|no such host|connection refused|dial tcp"
    r"|No valid credential sources|failed to refresh cached credentials"
)
_LACKING = re.compile(r"not authorized to perform:\s+([\w-]+:\w+)")


class StoppedError(Exception):
    """The run is being ended while this waited."""


class LostError(PipelineError):
    """The session is over or AWS can't be reached: nothing more can be made or deleted now."""


@dataclass(eq=False)
class Sandbox:
    """A run's place: everything that it makes here has names with `journal.prefix`.

    `emulator`: the account is an emulator's. `environment` is Terraform's.
    """

    journal: Journal
    partition: str
    emulator: bool
    environment: dict[str, str]
    stopped: threading.Event = field(default_factory=threading.Event)
    uploaded: Counter[str] = field(default_factory=Counter)
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def prefix(self) -> str:
        return self.journal.prefix

    @property
    def provider(self) -> dict[str, Any]:
        """The AWS provider's configuration: no other account is ever touched."""
        return {"region": self.journal.region, "allowed_account_ids": [self.journal.account]}

    def client(self, service: str) -> Any:
        """A client of `service`, shared by all threads."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = aws.client(
                    service, attempts=6, parallel=20, region_name=self.journal.region
                )
            return self._clients[service]

    def folder(self, name: str) -> Path:
        """The folder of the Terraform root `name`, with the module's address from there."""
        return self.journal.folder / name / "root"

    def source(self, name: str) -> str:
        """The module, as the root `name` calls it."""
        return os.path.relpath(ROOT, self.folder(name).resolve())

    def apply(self, name: str, configuration: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Apply the root `name`, as it is or with another configuration; its outputs.

        Raises PipelineError, and StoppedError when the run is ended meanwhile.
        """
        folder = self.folder(name)
        self.journal.note(f"root {name}")
        if configuration is not None:
            terraform.write_root(folder, configuration)
        if not (folder / ".terraform").exists():
            terraform.init(folder, self.environment)
        self._terraform(folder, "apply")
        self.journal.note(f"applied {name}")
        return outputs(folder.parent)

    def destroy(self, name: str) -> None:
        """Destroy the root `name`, as far as its state knows it. Raises PipelineError."""
        folder = self.folder(name)
        if (folder / "terraform.tfstate").exists():
            self._terraform(folder, "destroy")

    def _terraform(self, folder: Path, action: Any) -> None:
        log = folder / f"{action}.log"
        try:
            with closing(terraform.stream(folder, self.environment, action, log)) as events:
                for _ in events:
                    if action == "apply":
                        self.check()
        except PipelineError as error:
            raise explained(error) from error

    def session(self, made: Mapping[str, Any], name: str) -> Session:
        """The pipeline with these outputs of the module."""
        target = Target(made, f"The root {name}", (), self.journal.region)
        return _Session(target, self.journal.account, box=self)

    def check(self) -> None:
        """Raise StoppedError while the run is being ended."""
        if self.stopped.is_set():
            raise StoppedError

    def pause(self, seconds: float) -> None:
        """Wait, in AWS only. Raises StoppedError."""
        if not self.emulator:
            self.stopped.wait(seconds)
        self.check()

    def until[T](self, look: Callable[[], T], seconds: float, what: str) -> T:
        """Look until something truthy is there and return it.

        `what` is what is waited for. Raises FailingError after `seconds`, StoppedError.
        """
        seconds = min(seconds, EMULATOR_SECONDS) if self.emulator else seconds
        began, pause = time.monotonic(), _PAUSE_SECONDS
        while not (found := look()):
            if time.monotonic() - began > seconds:
                raise FailingError(f"{what} did not come within {seconds:.0f} s")
            self.stopped.wait(pause)
            self.check()
            pause = pause if self.emulator else min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        return found


@dataclass(frozen=True, eq=False)
class _Session(Session):
    """A pipeline's, with the sandbox's clients, which wait longer than those of a command."""

    box: Sandbox = field(kw_only=True, repr=False)

    def make_client(self, service: str) -> Any:
        return self.box.client(service)


def environment(folder: Path, *, emulator: bool) -> dict[str, str]:
    """Terraform's environment for the account of this process's own. Raises PipelineError."""
    given = terraform_environment(folder)
    # These keep the tooling's other roots from the operator's account, which is meant here.
    for name in "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED":
        given.pop(name, None)
    given |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    if emulator:
        given.pop("AWS_CA_BUNDLE", None)
        # What the emulator answers costs nothing, and each resource mostly waits.
        given |= {
            "TF_CLI_ARGS_apply": "-parallelism=100",
            "TF_CLI_ARGS_destroy": "-parallelism=100",
        }
    return given


def explained(error: Exception) -> PipelineError:
    """An error of Terraform's or AWS's in a sentence that names the right or the lost session."""
    if isinstance(error, LostError):
        return error
    cause = error.__cause__ if isinstance(error, PipelineError) else error
    text = " ".join(str(error).split())
    if aws.is_stale(cause) or isinstance(cause, aws.UNREACHED) or _LOST.search(text):
        return LostError(
            f"The session is over, or AWS can't be reached ({text:.200}): log in again, then go on "
            "with --resume, or delete what was made with --clean."
        )
    if lacking := _LACKING.search(text):
        return PipelineError(
            f"These credentials lack the right to {lacking[1]}: give it to them, and run it again."
        )
    if isinstance(error, ClientError | BotoCoreError):
        text = aws.sentence(error, "the account", "try again")
    return PipelineError(text)
