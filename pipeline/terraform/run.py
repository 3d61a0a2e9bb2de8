"""Run Terraform in a root that belongs to the tooling.

Every function takes the root's folder and the environment from `pipeline.terraform.provider`; every
failure is a PipelineError that carries Terraform's own words.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import tftest

from pipeline.errors import PipelineError
from pipeline.terraform.diagnostics import sentence
from pipeline.terraform.guard import guarded
from pipeline.terraform.provider import (
    PROVIDER,
    PROVIDER_RANGE,
    PROVIDER_RUN,
    PROVIDER_VARIABLE,
    no_provider_error,
)

# Long enough for the slowest resource (an SQS queue or a lifecycle: under two minutes) many times.
COMMAND_SECONDS = 900.0
# An override file: it replaces what the root's other files require of the same provider.
_PIN = "provider_override.tf.json"
_LOCK = ".terraform.lock.hcl"
# How long Terraform may take to write its state after it was interrupted.
_STOP_SECONDS = 30.0
_PLAIN = ("-input=false", "-no-color")
# Pipes that every Terraform's guard keeps open: what watches one ends after Terraform has written
# its state, also where this process is killed.
HELD_OPEN: set[int] = set()


@dataclass(frozen=True)
class Event:
    """One thing that Terraform reported while it applied or destroyed.

    `kind` is Terraform's type of message (`resource_drift`, `planned_change`, `apply_start`,
    `apply_complete`, `apply_errored`), or `error` or `warning`, of which `text` is a sentence.
    `address` and `action` (`create`, `update`, `delete`, …) name the resource, `identifier` is its
    id once it has one, `seconds` how long it has taken so far.
    """

    kind: str
    address: str = ""
    action: str = ""
    seconds: float = 0.0
    identifier: str = ""
    text: str = ""


def write_root(folder: Path, configuration: Mapping[str, Any]) -> Path:
    """Write `configuration`, Terraform's JSON syntax as Python values, as the root in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf.json").write_text(json.dumps(configuration, indent=2), encoding="utf-8")
    return folder


def init(folder: Path, environment: Mapping[str, str]) -> str:
    """`terraform init` with exactly the provider that `environment` names; returns its version.

    Where only another version in the module's range is available, Terraform takes that.

    Raises PipelineError; without a provider it names what was looked for, where, and the fix.
    """
    wanted = environment.get(PROVIDER_VARIABLE, PROVIDER_RUN)
    driver = _Driver(folder, environment)
    _pin(folder, wanted)
    try:
        try:
            driver.init()
        except PipelineError as error:
            # The user's own mirror may have another version, which does if none was asked for.
            if "no available releases" not in str(error) or os.environ.get(PROVIDER_VARIABLE):
                raise
            _pin(folder, PROVIDER_RANGE)
            driver.init()
    except PipelineError as error:
        if "hashicorp/aws" in str(error) and "provider" in str(error):
            raise no_provider_error(_reason(str(error)), wanted) from error
        raise
    # A provider that runs already is in no lock file.
    return installed(folder) or wanted


def installed(folder: Path) -> str | None:
    """The provider's version that the root in `folder` was initialised with."""
    try:
        lock = (folder / _LOCK).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = re.search(rf'provider "{re.escape(PROVIDER)}" {{\s+version\s+= "(.+?)"', lock)
    return found[1] if found else None


def _pin(folder: Path, version: str) -> None:
    """Make the root in `folder` require that version, whatever its own files require."""
    required = {"aws": {"source": "hashicorp/aws", "version": version}}
    text = json.dumps({"terraform": {"required_providers": required}}, indent=2)
    file = folder / _PIN
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
        # It may name the version that was asked for before.
        (folder / _LOCK).unlink(missing_ok=True)


def plan(folder: Path, environment: Mapping[str, str]) -> tftest.TerraformPlanOutput:
    """`terraform plan` as tftest presents it: `resource_changes`, `outputs`, `modules`…

    Unknown and null outputs both read None: tell them apart by `resource_changes[…]`'s
    `after_unknown`. Raises PipelineError.
    """
    file = folder.resolve() / ".terraform" / "lab.tfplan"
    # With a provider that runs already and no modules, initialising leaves no such folder.
    file.parent.mkdir(exist_ok=True)
    try:
        run(folder, environment, "plan", *_PLAIN, f"-out={file}")
        shown = run(folder, environment, "show", "-no-color", "-json", str(file))
    finally:
        file.unlink(missing_ok=True)
    return tftest.TerraformPlanOutput(json.loads(shown.stdout))


def changes(planned: tftest.TerraformPlanOutput) -> dict[str, list[str]]:
    """What a plan would change, as actions by address; empty when nothing drifts."""
    return {
        address: list(change["change"]["actions"])
        for address, change in planned.resource_changes.items()
        if change["change"]["actions"] not in (["no-op"], ["read"])
    }


def apply(folder: Path, environment: Mapping[str, str]) -> None:
    """`terraform apply -auto-approve`. Raises PipelineError."""
    _Driver(folder, environment).apply()


def destroy(folder: Path, environment: Mapping[str, str]) -> None:
    """`terraform destroy -auto-approve`. Raises PipelineError."""
    _Driver(folder, environment).destroy()


def outputs(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """The root's outputs by name, as plain values. Raises PipelineError."""
    return dict(_Driver(folder, environment).output().items())


class _Driver(tftest.TerraformTest):  # type: ignore[misc]
    """tftest's commands, run by `run`.

    tftest's own way to run them hangs on much stderr, and takes a killed Terraform for success.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(str(folder.resolve()), cache_dir=str(folder))
        # Assigned, since tftest would add what it is given to the whole of os.environ.
        self.env = dict(environment)

    def execute_command(self, cmd: str, *cmd_args: str) -> tftest.TerraformCommandOutput:
        """Run one Terraform command; raises PipelineError for any status but 0."""
        done = run(Path(self.tfdir), self.env, cmd, *cmd_args)
        return tftest.TerraformCommandOutput(done.returncode, done.stdout, done.stderr)


def run(
    folder: Path,
    environment: Mapping[str, str],
    *arguments: str,
    expected: Sequence[int] = (0,),
    timeout: float = COMMAND_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Any other Terraform command, `timeout` in seconds.

    Raises PipelineError with Terraform's errors when its status is not among `expected`, which
    includes a Terraform that was killed.
    """
    command = ["terraform", *arguments]
    with _started(command, folder, environment, subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise PipelineError(
                f"`{' '.join(command)}` in {folder} took over {timeout:.0f} s and was stopped: "
                "try again, or look what it waits for with TF_LOG=debug."
            ) from error
    if process.returncode not in expected:
        raise _failed(command, folder, process.returncode, err or out)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def stream(
    folder: Path,
    environment: Mapping[str, str],
    action: Literal["apply", "destroy"],
    log: Path,
) -> Generator[Event]:
    """Apply or destroy, and yield each event as Terraform reports it; all of it goes to `log`.

    Closing the iterator, or an exception such as KeyboardInterrupt while it waits, interrupts
    Terraform once and waits until it has written its state; a second interrupt kills it.

    Raises PipelineError with Terraform's errors when it fails.
    """
    # A Terraform whose parent was killed may still be writing its state.
    patience = f"-lock-timeout={_STOP_SECONDS:.0f}s"
    command = ["terraform", action, "-json", "-auto-approve", "-input=false", patience]
    errors: list[str] = []
    with (
        log.open("w", encoding="utf-8") as transcript,
        _started(command, folder, environment, transcript) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - a pipe
        for line in process.stdout:
            transcript.write(line)
            event = _event(line)
            if event is not None and event.kind == "error":
                errors.append(event.text)
            elif event is not None:
                yield event
        process.wait()
    if process.returncode != 0:
        printed = "\n".join(errors) or log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise _failed(command, folder, process.returncode, printed)


@contextlib.contextmanager
def _started(
    command: list[str], folder: Path, environment: Mapping[str, str], stderr: int | IO[str]
) -> Iterator[subprocess.Popen[str]]:
    """A command under guard, with a pipe as stdout; it is stopped at the end of the block."""
    # Not Popen's own pipe, which communicate() closes at once: that ends what the guard guards.
    watched, open_end = os.pipe()
    process = subprocess.Popen(
        guarded(command, _STOP_SECONDS),
        cwd=folder,
        env=dict(environment),
        stdin=watched,
        pass_fds=tuple(HELD_OPEN),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    os.close(watched)
    try:
        yield process
    finally:
        try:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=_STOP_SECONDS)
        finally:
            # Terraform takes a second interrupt as "at once"; the guard kills what is left of it
            # when its stdin has closed and the grace is over.
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            os.close(open_end)
            process.communicate()


def _event(line: str) -> Event | None:
    try:
        return _of_message(json.loads(line))
    except (ValueError, RecursionError):
        return Event("error", text=line.strip()) if line.strip() else None
    except (AttributeError, KeyError, TypeError):
        # Of a type that is known, but in another shape.
        return None


def _of_message(message: Any) -> Event | None:
    match message.get("type"):
        case "diagnostic":
            diagnostic = message["diagnostic"]
            address = str(diagnostic.get("address", ""))
            return Event(diagnostic["severity"], address, text=sentence(diagnostic, address))
        case "planned_change" | "resource_drift" as kind:
            change = message["change"]
            return Event(kind, change["resource"]["addr"], change["action"])
        case "apply_start" | "apply_complete" | "apply_errored" as kind:
            hook = message["hook"]
            seconds = float(hook.get("elapsed_seconds", 0))
            address, identifier = hook["resource"]["addr"], str(hook.get("id_value", ""))
            return Event(kind, address, hook["action"], seconds, identifier)
    return None


def _failed(command: Sequence[str], folder: Path, status: int, printed: str) -> PipelineError:
    how = "was killed" if status > 128 or status < 0 else f"failed with status {status}"
    # Without Terraform's box-drawing frame, and without warnings before the error.
    text = "\n".join(line.strip("╷│╵ ") for line in printed.splitlines())
    text = text[max(text.find("Error:"), 0) :].strip() or "it printed nothing"
    if "Failed to load plugin schemas" in text:
        flat = " ".join(text.split())
        found = re.search(r"fork/exec .+?: [^.:]+(?=\.)|Unrecognized remote plugin message", flat)
        return PipelineError(
            f"Terraform can't run the AWS provider ({found[0] if found else flat}): it is damaged, "
            "or for another platform; replace it in the mirror, or name another mirror in "
            "TF_PLUGIN_MIRROR."
        )
    return PipelineError(f"`{' '.join(command[:2])}` in {folder} {how}: {text}")


def _reason(message: str) -> str:
    """Why Terraform got no provider, in one line."""
    flat = re.sub(r"failed to request discovery document: Get \S+ ", "", " ".join(message.split()))
    known = r"(?:could not connect to|no available releases|Error while installing).*"
    found = re.search(known, flat)
    reason = found[0][:500] if found else flat[-300:]
    return reason.split(" To see which modules")[0].rstrip(". ")
