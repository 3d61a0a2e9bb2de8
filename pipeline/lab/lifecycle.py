"""The lab that stays: make it, bring it back, change it as the module changed, end it."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline import terminal
from pipeline.emulator.process import answers, client_environment, stop_detached
from pipeline.errors import PipelineError
from pipeline.lab import apply, root, texts
from pipeline.lab import folder as stack
from pipeline.lab.apply import Seconds, timed
from pipeline.paths import fingerprint
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment


def up(folder: Path = stack.FOLDER, *, port: int | None = None, as_json: bool = False) -> int:
    """See to it that a lab runs in `folder`, as the module is now. Returns the exit status.

    One that runs stays, one that stopped comes back with what it held, and otherwise a new one is
    made. Raises PipelineError; then, or interrupted, there is a lab that the next `up` finds, or
    none.
    """
    console = Console(stderr=as_json, highlight=False)
    folder = folder.resolve()
    was, applied, running, seconds = start(folder, console, port)
    pipeline, subscriber = root.needed(folder)
    if seconds:
        texts.durations(console, seconds)
    texts.next_steps(console, folder, pipeline, subscriber, running.endpoint)
    if as_json:
        _print(
            {
                "was": was,
                "applied": applied,
                "endpoint": running.endpoint,
                "env": str(folder / "env"),
                "subscriber_queue_url": subscriber,
                "outputs": pipeline,
                "seconds": seconds,
            }
        )
    return 0


def start(
    folder: Path, console: Console, port: int | None = None
) -> tuple[stack.State, bool, stack.Kept, Seconds]:
    """Do what `up` does, and say no more than what is done meanwhile.

    Returns what was there before, whether Terraform applied anything, the lab, and how long it all
    took. Raises what `up` raises.
    """
    seconds: Seconds = {}
    folder = folder.resolve()
    with stack.exclusive(folder):
        was, kept = stack.look(folder)
        if was == "died" and stack.saved_at(folder) is None:
            terminal.note(console, "The lab's emulator died before anything was saved: a new one.")
            stack.forget(folder)
            was, kept = "none", None
        if kept is None or not kept.ready:
            return was, True, _make(folder, port, console, seconds), seconds
        running = _bring_up(folder, was, kept, port, console, seconds)
        # Nothing is, where somebody destroyed it by hand.
        as_it_was = running.module == fingerprint(folder / "root") and root.outputs(folder)
        applied = not as_it_was
        if applied:
            _apply(folder, running, console, seconds)
        return was, applied, running, seconds


def down(folder: Path = stack.FOLDER, *, keep_state: bool = False, as_json: bool = False) -> int:
    """Destroy the lab in `folder`, or only stop it. Returns the exit status.

    Raises PipelineError when there is none.
    """
    console = Console(stderr=as_json, highlight=False)
    seconds: Seconds = {}
    folder = folder.resolve()
    with stack.exclusive(folder):
        was, kept = stack.look(folder)
        if kept is None:
            stack.end_emulators(folder)
            raise PipelineError(
                f"No lab runs in {folder}: start one with `{stack.command('lab up', folder)}`."
            )
        keep_state = keep_state and kept.ready
        if keep_state:
            _stop(folder, was, kept, console)
        elif was == "running":
            _destroy(folder, kept, console, seconds)
        else:
            stack.end_emulators(folder)
            stack.forget(folder)
            terminal.note(console, "What the lab left, which did not run, is deleted.")
    if as_json:
        _print({"was": was, "kept": keep_state, "seconds": seconds})
    return 0


def _make(folder: Path, port: int | None, console: Console, seconds: Seconds) -> stack.Kept:
    stack.make_room(folder)
    try:
        environment = apply.prepare(folder, console, seconds)
        with stack.running_emulator(folder, keep=True, port=port) as running:
            environment |= running.environment
            terminal.note(console, f"The emulator listens on {running.endpoint}, and nowhere else.")
            apply.apply(folder, environment, console, seconds)
            stack.write_env(folder, running.endpoint, environment)
    except BaseException as error:
        stack.forget(folder)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            terminal.note(console, "Interrupted: Terraform and the emulator ended, nothing stays.")
        raise
    made = stack.read_kept(folder)
    assert made is not None  # noqa: S101 - written at the end of the block
    return made


def _bring_up(
    folder: Path,
    was: stack.State,
    kept: stack.Kept,
    port: int | None,
    console: Console,
    seconds: Seconds,
) -> stack.Kept:
    """The lab as it runs already, or brought back."""
    if was == "running":
        stop = stack.command("lab down --keep-state", folder)
        if port not in (None, kept.port):
            raise PipelineError(
                f"The lab runs on port {kept.port}: stop it with `{stop}` to move it."
            )
        stack.expect_answer(folder, kept)
        return kept
    saved = terminal.moment(stack.saved_at(folder) or 0)
    died = "Its emulator ended without a word; the" if was == "died" else "The"
    terminal.heading(console, f"{died} lab comes back as it was saved at {saved}")
    with timed(seconds, "restore"):
        restarted = stack.restart(folder, kept, port)
        stack.write_env(folder, restarted.endpoint, terraform_environment(folder))
    if restarted.port not in (kept.port, port):
        terminal.note(console, f"Port {kept.port} is taken now, so that it has another.")
    return restarted


def _apply(folder: Path, running: stack.Kept, console: Console, seconds: Seconds) -> None:
    """Make a running lab what the module is now."""
    why = "The module has changed" if running.module else "To be sure that nothing is missing"
    terminal.heading(console, f"{why}: Terraform applies it again")
    stack.write_kept(folder, replace(running, module=""))
    environment = _environment(folder, running)
    try:
        # The module may have come to have more parts.
        terraform.init(folder / "root", environment)
        now = fingerprint(folder / "root")
        apply.apply(folder, environment, console, seconds)
    except BaseException as error:
        again = stack.command("lab up", folder)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            terminal.note(
                console, f"Interrupted: the lab runs on, half changed; go on with `{again}`."
            )
        elif isinstance(error, PipelineError):
            raise PipelineError(
                f"{error}\nThe lab runs on, perhaps half changed: mend that and run `{again}`, or "
                f"end it with `{stack.command('lab down', folder)}`."
            ) from error
        raise
    stack.write_kept(folder, replace(running, module=now))


def _stop(folder: Path, was: stack.State, kept: stack.Kept, console: Console) -> None:
    if was == "running":
        began = time.time()
        stop_detached(kept.pid)
        saved = stack.saved_at(folder)
        if saved is not None and saved >= began - 1:
            stack.write_kept(folder, replace(kept, pid=0))
        else:
            # Noted as if it had died, so that Terraform mends what is missing.
            terminal.note(
                console, f"It had to be killed: what is kept is of {terminal.moment(saved or 0)}."
            )
    terminal.note(console, f"The lab is stopped; all that it held is in {folder / 'state'}.")
    terminal.note(console, f"Bring it back with `{stack.command('lab up', folder)}`.")
    terminal.note(console, f"Delete it for good with `{stack.command('lab down', folder)}`.")


def _destroy(folder: Path, kept: stack.Kept, console: Console, seconds: Seconds) -> None:
    terminal.note(console, "Stacks of your own in this emulator go too: they go with the emulator.")
    try:
        if answers(kept.endpoint):
            apply.destroy(folder, _environment(folder, kept), console, seconds)
    finally:
        # Whatever Terraform could not destroy goes with the emulator that holds it.
        stack.end_emulators(folder)
        stack.forget(folder)
    terminal.note(console, "Nothing of it is left.")


def _environment(folder: Path, kept: stack.Kept) -> dict[str, str]:
    return terraform_environment(folder) | client_environment(kept.endpoint)


def _print(document: Mapping[str, Any]) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
