"""The embedded lab's own folder: its root module, who uses it now, and whether it was kept.

Everything lies in one folder that git ignores, so that nothing of the operator's is read or
written: `root/` (generated, with Terraform's state), and logs; of a lab that stays also
`kept.json`, `env` and `state/`, which its emulator saves.
"""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_type_hints

from pipeline.emulator import configuration
from pipeline.emulator.ports import free_port, is_free
from pipeline.emulator.process import (
    PRIVATE,
    Emulator,
    answers,
    client_environment,
    emulator,
    emulators_in,
    start_detached,
    stop_detached,
)
from pipeline.errors import PipelineError
from pipeline.lab import root
from pipeline.paths import LAB, WORK, fingerprint
from pipeline.program import command_line

# Marks a folder whose contents a lab made, and may delete.
_MARK = ".lab"
# All that is deleted of a folder; `module` is what other commands put there. `kept.json` goes
# first, so that a folder that is deleted in part has no lab.
_MADE = "kept.json", "env", "terraform.tfrc", "root", "tmp", "state", "module"
_LOGS = "emulator.log", "apply.log", "destroy.log", "provider.log"
# Notes what is broken on purpose; see `breaks`.
BROKEN = "broken.json"
# An emulator that runs may be busy: with a burst of uploads, or on a machine that is.
_BUSY_SECONDS = 15.0


State = Literal["none", "unfinished", "running", "stopped", "died"]


@dataclass(frozen=True)
class Kept:
    """A lab that outlives the command that made it; not `ready` while it is being made.

    `pid` is its emulator's, 0 when that was stopped on purpose; `since` when it was started, epoch
    seconds; `module` the fingerprint of what was applied, empty while that is changing;
    `configuration` the digest of what the emulator had of it then.
    """

    endpoint: str
    port: int
    pid: int
    ready: bool
    since: float = 0.0
    module: str = ""
    configuration: str = ""


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock the folder for this process.

    Raises PipelineError while another process has locked it, and where it contains what no lab made
    and a lab would delete.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(
            f"{folder} can't be used ({error.strerror}): give --work-dir a folder to write to."
        ) from error
    lock = folder.with_name(f"{folder.name}.lock")
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise PipelineError(
                f"Another lab command (process {file.read().strip() or 'unknown'}) works in "
                f"{folder}: wait for it to end, end it, or give another folder with --work-dir."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _claim(folder)
        try:
            yield
        finally:
            file.truncate(0)


def _claim(folder: Path) -> None:
    """Mark the folder as a lab's. Raises PipelineError where a name that the lab uses is taken."""
    # A lab of 1.0.0 has no mark, but `kept.json`, or lies where only labs do.
    ours = (folder / _MARK).exists() or folder.is_relative_to(WORK) or read_kept(folder)
    taken = [name for name in (*_MADE, *_LOGS) if (folder / name).exists()]
    if taken and not ours:
        raise PipelineError(
            f"{folder} holds {', '.join(taken)}, which no lab made, and a lab would replace "
            "that: give --work-dir a new or empty folder."
        )
    (folder / _MARK).touch()


def look(folder: Path) -> tuple[State, Kept | None]:
    """What is in the folder.

    `unfinished`: being made, or the command that made it was killed. `died`: the emulator ended
    unexpectedly.
    """
    kept = read_kept(folder)
    if kept is None:
        return "none", None
    if not kept.ready:
        return "unfinished", kept
    if kept.pid in emulators_in(folder):
        return "running", kept
    return ("died" if kept.pid else "stopped"), kept


def expect_answer(folder: Path, kept: Kept) -> None:
    """Raise PipelineError where the emulator of a lab that runs does not answer."""
    if not answers(kept.endpoint, _BUSY_SECONDS):
        raise PipelineError(
            f"The lab's emulator, process {kept.pid}, does not answer on {kept.endpoint}: wait if "
            "this machine is busy, or stop it with "
            f"`{command('lab down --keep-state', folder)}`, then bring it back with "
            f"`{command('lab up', folder)}`."
        )


def saved_at(folder: Path) -> float | None:
    """When the emulator's state was last saved, epoch seconds; None where it never was."""
    found = []
    for file in (folder / "state").glob("*.json"):
        # The emulator replaces them.
        with contextlib.suppress(FileNotFoundError):
            found.append(file.stat().st_mtime)
    return max(found, default=None)


def configured(folder: Path, endpoint: str) -> str:
    """A digest of what the emulator has but for data, as it is now; empty where that is unknown."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if configuration.save(endpoint):
            return configuration.digest(folder / "state")
    return ""


def applied(folder: Path, kept: Kept, module: str) -> None:
    """Note that this module is applied."""
    has = configured(folder, kept.endpoint)
    write_kept(folder, replace(kept, ready=True, module=module, configuration=has))


def forget(folder: Path) -> None:
    """Delete all that a lab leaves that is gone, but for its logs."""
    for made in (*(folder / name for name in (*_MADE, BROKEN)), *folder.glob(f"{PRIVATE}*")):
        if made.is_dir():
            shutil.rmtree(made, ignore_errors=True)
        else:
            made.unlink(missing_ok=True)


def make_room(folder: Path) -> None:
    """Clear the folder for a new lab. Raises PipelineError while a lab is kept there."""
    state, kept = look(folder)
    if kept is not None and kept.ready:
        up, down = (f"`{command(name, folder)}`" for name in ("lab up", "lab down"))
        source = f"`. {shlex.quote(str(folder / 'env'))}`"
        raise PipelineError(
            f"A lab is kept in {folder} at {kept.endpoint}: look around after {source}, or end it "
            f"with {down}."
            if state == "running"
            else f"A lab is kept in {folder}, but does not run: bring it back with {up}, or delete "
            f"it with {down}."
        )
    # Left over by a command that was killed while it made a lab.
    end_emulators(folder)
    forget(folder)
    for name in _LOGS:
        (folder / name).unlink(missing_ok=True)


def end_emulators(folder: Path) -> None:
    """End all emulators that run in the folder, also what a killed command could not note."""
    for pid in emulators_in(folder):
        stop_detached(pid)


@contextlib.contextmanager
def running_emulator(folder: Path, port: int | None, *, keep: bool) -> Iterator[Emulator]:
    """An emulator that ends with the block, or with `keep` only if the block fails.

    In the block the folder's root is to be applied.
    """
    if not keep:
        with emulator(folder, port=port) as running:
            yield running
        return
    module = fingerprint(folder / "root")
    with _detached_emulator(folder, port) as running:
        unfinished = Kept(running.endpoint, running.port, running.pid, False, time.time())
        write_kept(folder, unfinished)
        yield running
        applied(folder, unfinished, module)


@contextlib.contextmanager
def _detached_emulator(folder: Path, port: int | None) -> Iterator[Emulator]:
    """An emulator that outlives this process, unless the block fails."""
    running = start_detached(folder, port)
    try:
        yield running
    except BaseException:
        stop_detached(running.pid)
        raise


def stop(folder: Path, kept: Kept) -> float | None:
    """Stop a lab that runs; it comes back as it was.

    Where the emulator had to be killed, returns when what is kept was saved, in epoch seconds.
    """
    began = time.time()
    stop_detached(kept.pid)
    saved = saved_at(folder) or 0
    if saved < began - 1:
        # Noted as if it had died, so that Terraform makes what is missing.
        return saved
    write_kept(folder, replace(kept, pid=0))
    return None


def restart(folder: Path, kept: Kept, port: int | None) -> Kept:
    """Start the emulator of a lab that does not run, with the state that was saved, and note it.

    On its old port unless another is given, or that is taken. Raises PipelineError.
    """
    end_emulators(folder)
    for left in folder.glob(f"{PRIVATE}*"):
        shutil.rmtree(left, ignore_errors=True)
    chosen = port or (kept.port if is_free(kept.port) else free_port())
    root.move(folder, chosen)
    # After a crash, or on another port, something of what was applied may be missing.
    module = kept.module if (kept.pid, kept.port) == (0, chosen) else ""
    with _detached_emulator(folder, chosen) as running:
        restarted = Kept(
            running.endpoint,
            chosen,
            running.pid,
            True,
            time.time(),
            module,
            kept.configuration,
        )
        write_kept(folder, restarted)
    return restarted


def command(name: str, folder: Path) -> str:
    """The command line that does `name` in this folder, to be typed in this shell, where it is."""
    place = "" if folder == LAB else f" --work-dir {shlex.quote(str(folder))}"
    return f"{command_line()} {name}{place}"


def read_kept(folder: Path) -> Kept | None:
    """What was noted about a kept lab, whether or not it still runs. Raises PipelineError."""
    file = folder / "kept.json"
    try:
        return _checked(Kept(**json.loads(file.read_text(encoding="utf-8"))))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise PipelineError(
            f"{file} can't be read ({error!s:.200}): delete it, and the lab with it."
        ) from error


def _checked(kept: Kept) -> Kept:
    for name, kind in get_type_hints(Kept).items():
        value = getattr(kept, name)
        if not isinstance(value, int | float if kind is float else kind):
            raise TypeError(f"{name} is {value!r:.40}")
    if not 0 < kept.port < 2**16:
        raise ValueError(f"port is {kept.port!r:.40}")
    return kept


def write_kept(folder: Path, kept: Kept) -> None:
    """Note it, all at once."""
    new = folder / "kept.json.new"
    new.write_text(json.dumps(asdict(kept)), encoding="utf-8")
    new.replace(folder / "kept.json")


def write_env(folder: Path, endpoint: str, terraform: Mapping[str, str]) -> None:
    """Write a file for shells to source, after which `aws` and `terraform` talk to the lab."""
    variables = client_environment(endpoint)
    if "TF_CLI_CONFIG_FILE" in terraform:
        variables["TF_CLI_CONFIG_FILE"] = terraform["TF_CLI_CONFIG_FILE"]
    lines = ["unset AWS_PROFILE AWS_CA_BUNDLE AWS_SESSION_TOKEN"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    # AWS's command line ignores AWS_ENDPOINT_URL before 2.13 and 1.29, and would ask AWS itself.
    lines += [
        "unalias aws 2>/dev/null || :",
        f'aws() {{ command aws --endpoint-url {shlex.quote(endpoint)} "$@"; }}',
    ]
    (folder / "env").write_text("\n".join(lines) + "\n", encoding="utf-8")
