"""Drive Terraform in a root that belongs to the tooling: tftest's parsing, none of its traps.

Every function takes the root's folder and the environment from `pipeline.terraform.provider`; every
failure is a PipelineError that carries Terraform's own words.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tftest

from pipeline.errors import PipelineError
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
# An override file: it replaces what the root's other files say of the same provider.
_PIN = "provider_override.tf.json"
_LOCK = ".terraform.lock.hcl"
# What Terraform gets to write its state down after it was asked to stop.
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Event:
    """One thing that Terraform reported while it applied or destroyed.

    `address` and `action` (`create`, `update`, `delete`, `replace`, `read`, …) name the resource,
    `identifier` is its id once it has one, `seconds` how long it has taken so far, `text`
    Terraform's own sentence.
    """

    kind: Literal["planned", "started", "waiting", "completed", "failed", "warning", "summary"]
    address: str = ""
    action: str = ""
    seconds: float = 0.0
    text: str = ""
    identifier: str = ""


def write_root(folder: Path, configuration: Mapping[str, Any]) -> Path:
    """Write `configuration`, Terraform's JSON syntax as Python values, as the root in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf.json").write_text(json.dumps(configuration, indent=2), encoding="utf-8")
    return folder


def init(folder: Path, environment: Mapping[str, str]) -> str:
    """`terraform init` with exactly the provider that `environment` names; returns its version.

    Where only another one inside the module's range can be had, that one is taken.

    Raises PipelineError; where no provider could be had, it says what was looked for, where, and
    the fix.
    """
    wanted = environment.get(PROVIDER_VARIABLE, PROVIDER_RUN)
    _pin(folder, wanted)
    driver = _driver(folder, environment)
    try:
        try:
            driver.init()
        except PipelineError as error:
            # A mirror of the user's own may hold another one; who asked for one gets no other.
            if "no available releases" not in str(error) or os.environ.get(PROVIDER_VARIABLE):
                raise
            _pin(folder, PROVIDER_RANGE)
            driver.init()
    except PipelineError as error:
        if "hashicorp/aws" in str(error) and "provider" in str(error):
            raise no_provider_error(_first_reason(str(error)), wanted) from error
        raise
    with contextlib.suppress(FileNotFoundError):
        lock = (folder / _LOCK).read_text(encoding="utf-8")
        if found := re.search(rf'provider "{re.escape(PROVIDER)}" {{\s+version\s+= "(.+?)"', lock):
            return found[1]
    # A provider that runs already is in no lock file.
    return wanted


def _pin(folder: Path, version: str) -> None:
    """Let the root in `folder` ask for that provider, whatever its own files ask for."""
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
    return _driver(folder, environment).plan(output=True)


def changes(planned: tftest.TerraformPlanOutput) -> dict[str, list[str]]:
    """What a plan would change, as actions by address; empty when nothing drifts."""
    return {
        address: list(change["change"]["actions"])
        for address, change in planned.resource_changes.items()
        if change["change"]["actions"] not in (["no-op"], ["read"])
    }


def apply(folder: Path, environment: Mapping[str, str]) -> None:
    """`terraform apply -auto-approve`. Raises PipelineError."""
    _driver(folder, environment).apply()


def destroy(folder: Path, environment: Mapping[str, str]) -> None:
    """`terraform destroy -auto-approve`. Raises PipelineError."""
    _driver(folder, environment).destroy()


def outputs(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """The root's outputs by name, as plain values. Raises PipelineError."""
    return dict(_driver(folder, environment).output().items())


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
    process = subprocess.Popen(
        guarded(command, _STOP_SECONDS),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        # communicate() would close stdin at once, and that ends what the guard guards.
        out, err = _drain(process, timeout)
    except subprocess.TimeoutExpired as error:
        raise PipelineError(
            f"`{' '.join(command)}` in {folder} took over {timeout:.0f} s and was stopped: "
            "try again, or look what it waits for with TF_LOG=debug."
        ) from error
    finally:
        _end(process)
    if process.returncode not in expected:
        raise _failed(command, folder, process.returncode, err or out)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def stream(
    folder: Path,
    environment: Mapping[str, str],
    action: Literal["apply", "destroy"],
    log: Path | None = None,
) -> Generator[Event]:
    """Apply or destroy, and yield each event as Terraform reports it; all of it goes to `log`.

    Closing the iterator, or an exception such as KeyboardInterrupt while it waits, interrupts
    Terraform once and waits until it has written its state; a second interrupt kills it.

    Raises PipelineError with Terraform's errors when it fails.
    """
    # A Terraform whose parent was killed may still be writing its state down.
    patience = f"-lock-timeout={_STOP_SECONDS:.0f}s"
    command = ["terraform", action, "-json", "-auto-approve", "-input=false", patience]
    log = log or folder / f"{action}.log"
    with log.open("w", encoding="utf-8") as transcript:
        process = subprocess.Popen(
            guarded(command, _STOP_SECONDS),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=transcript,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        errors: list[str] = []
        assert process.stdout is not None  # noqa: S101 - as asked for above
        try:
            for line in process.stdout:
                transcript.write(line)
                event = _event(line, errors)
                if event is not None:
                    yield event
            process.wait()
        finally:
            _end(process)
    if process.returncode != 0:
        said = "\n".join(errors) or log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise _failed(command[:2], folder, process.returncode, said)


class _Driver(tftest.TerraformTest):  # type: ignore[misc]
    """tftest's driver on our own process handling.

    tftest hangs on much stderr, takes a killed Terraform for success, leaves plan files in TMPDIR,
    and deletes lock and state files of the folder it worked in when it is collected.
    """

    def setup(self, *_arguments: Any, **_options: Any) -> str:
        """Like `init`: tftest's own also arranges for state files to be deleted."""
        return str(self.init())

    def plan(self, *_arguments: Any, **_options: Any) -> tftest.TerraformPlanOutput:
        """Plan, and always parse the plan; the plan file stays inside the root."""
        file = Path(self.tfdir) / ".terraform" / "lab.tfplan"
        # With a provider that runs already and no modules, initialising leaves no such folder.
        file.parent.mkdir(exist_ok=True)
        try:
            self.execute_command("plan", "-input=false", "-no-color", f"-out={file}")
            shown = self.execute_command("show", "-no-color", "-json", str(file))
        finally:
            file.unlink(missing_ok=True)
        return tftest.TerraformPlanOutput(json.loads(shown.out))

    def execute_command(self, cmd: str, *cmd_args: str) -> tftest.TerraformCommandOutput:
        """Run one Terraform command; raises PipelineError for any status but 0."""
        done = run(Path(self.tfdir), self.env, cmd, *cmd_args)
        return tftest.TerraformCommandOutput(done.returncode, done.stdout, done.stderr)


def _driver(folder: Path, environment: Mapping[str, str]) -> _Driver:
    driver = _Driver(str(folder.resolve()), cache_dir=str(folder))
    # Assigned, since tftest would add what it is given to the whole of os.environ.
    driver.env = dict(environment)
    return driver


def _drain(process: subprocess.Popen[str], timeout: float) -> tuple[str, str]:
    guard_pipe, process.stdin = process.stdin, None
    try:
        return process.communicate(timeout=timeout)
    finally:
        process.stdin = guard_pipe


def _end(process: subprocess.Popen[str]) -> None:
    """Stop a Terraform that still runs: once gracefully, the second interrupt at once."""
    try:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                _drain(process, _STOP_SECONDS)
    finally:
        # The guard kills what is left as soon as its stdin closes and the grace is over; Terraform
        # takes a second interrupt as "at once".
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _event(line: str, errors: list[str]) -> Event | None:
    try:
        message = json.loads(line)
    except ValueError:
        if line.strip():
            errors.append(line.strip())
        return None
    kind, text = message.get("type"), str(message.get("@message", ""))
    if kind == "diagnostic":
        diagnostic = message["diagnostic"]
        if diagnostic.get("severity") == "error":
            errors.append(_sentence(diagnostic))
            return None
        return Event("warning", str(diagnostic.get("address", "")), text=_sentence(diagnostic))
    if kind == "change_summary":
        return Event("summary", text=text)
    if kind == "planned_change":
        change = message["change"]
        return Event("planned", change["resource"]["addr"], change["action"], text=text)
    kinds: dict[
        object, Literal["planned", "started", "waiting", "completed", "failed", "warning"]
    ] = {
        "apply_start": "started",
        "apply_progress": "waiting",
        "apply_complete": "completed",
        "apply_errored": "failed",
    }
    if kind not in kinds:
        return None
    hook = message["hook"]
    return Event(
        kinds[kind],
        hook["resource"]["addr"],
        str(hook.get("action", "")),
        float(hook.get("elapsed_seconds", 0)),
        text,
        str(hook.get("id_value", "")),
    )


def _sentence(diagnostic: Mapping[str, Any]) -> str:
    parts = [diagnostic.get("summary", ""), diagnostic.get("detail", "")]
    where = diagnostic.get("address") or (diagnostic.get("range") or {}).get("filename")
    return (f"{where}: " if where else "") + ": ".join(" ".join(p.split()) for p in parts if p)


def _failed(command: Sequence[str], folder: Path, status: int, said: str) -> PipelineError:
    how = "was killed" if status > 128 or status < 0 else f"failed with status {status}"
    return PipelineError(f"`{' '.join(command[:2])}` in {folder} {how}: {_plain(said)}")


def _plain(said: str) -> str:
    """Terraform's message without its box-drawing frame and without warnings before the error."""
    text = "\n".join(line.strip("╷│╵ ") for line in said.splitlines())
    start = text.find("Error:")
    return text[max(start, 0) :].strip() or "it said nothing"


def _first_reason(message: str) -> str:
    flat = re.sub(r"failed to request discovery document: Get \S+ ", "", " ".join(message.split()))
    for marker in ("could not connect to", "no available releases", "Could not retrieve"):
        if marker in flat:
            return flat[flat.index(marker) :].split(" To see which modules")[0][:500].rstrip(". ")
    return flat[-300:]
