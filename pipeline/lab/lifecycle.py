"""The lab that stays: make it, bring it back, change it as the module changed, end it."""

import contextlib
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from pipeline import terminal, times
from pipeline.emulator.process import answers, client_environment
from pipeline.errors import PipelineError
from pipeline.lab import apply, root, texts
from pipeline.lab import folder as lab
from pipeline.lab.apply import Seconds, timed
from pipeline.lab.breaks import run as breaks
from pipeline.lab.breaks.kinds import BREAKS
from pipeline.paths import fingerprint
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment


def up(folder: Path, port: int | None, *, as_json: bool) -> int:
    """Make sure that a lab runs in `folder`, as the module is now. Returns the exit status.

    A lab that runs stays, a lab that stopped comes back with what it held, otherwise a new lab is
    made. Raises PipelineError; then, or interrupted, there is a lab that the next `up` finds, or
    none.
    """
    console = terminal.console(stderr=as_json)
    was, applied, endpoint, seconds = start(folder, console, port)
    pipeline, subscriber = root.needed(folder)
    if seconds:
        texts.durations(console, seconds)
    texts.next_steps(console, folder, pipeline, subscriber, endpoint)
    if as_json:
        terminal.print_json(
            {
                "was": was,
                "applied": applied,
                "endpoint": endpoint,
                "env": str(folder / "env"),
                "subscriber_queue_url": subscriber,
                "outputs": pipeline,
                "seconds": seconds,
            }
        )
    return 0


def start(
    folder: Path, console: Console, port: int | None = None
) -> tuple[lab.State, bool, str, Seconds]:
    """Do what `up` does, but print only what is done meanwhile.

    Returns what was there before, whether Terraform applied anything, the emulator's URL, and how
    long it all took. Raises what `up` raises.
    """
    seconds: Seconds = {}
    with lab.exclusive(folder):
        was, kept = lab.look(folder)
        if was == "died" and lab.saved_at(folder) is None:
            terminal.note(
                console, "The emulator died before anything was saved: this is a new lab."
            )
            lab.forget(folder)
            was, kept = "none", None
        if kept is None or not kept.ready:
            new_lab = apply.new_lab(folder, port, console, seconds, keep=True)
            with new_lab as (running, environment):
                apply.run(folder, environment, console, seconds)
            return was, True, running.endpoint, seconds
        if was != "running":
            kept = _bring_back(folder, was, kept, port, console, seconds)
        elif port in (None, kept.port):
            lab.expect_answer(folder, kept)
        else:
            stop = lab.command("lab down --keep-state", folder)
            raise PipelineError(
                f"The lab runs on port {kept.port}: stop it with `{stop}` to move it."
            )
        _put_back(folder, console, crashed=was == "died")
        # Without outputs it was destroyed by hand.
        as_it_was = kept.module == fingerprint(folder / "root") and root.outputs(folder)
        if not as_it_was:
            _apply(folder, kept, console, seconds)
        return was, not as_it_was, kept.endpoint, seconds


def down(folder: Path, *, keep_state: bool, as_json: bool) -> int:
    """Destroy the lab in `folder`, or only stop it. Returns the exit status.

    Raises PipelineError when there is none.
    """
    console = terminal.console(stderr=as_json)
    seconds: Seconds = {}
    with lab.exclusive(folder):
        was, kept = lab.look(folder)
        if kept is None:
            lab.end_emulators(folder)
            raise PipelineError(
                f"No lab runs in {folder}: start one with `{lab.command('lab up', folder)}`."
            )
        keep_state = keep_state and kept.ready
        if keep_state:
            _stop(folder, was, kept, console)
        elif was == "running":
            _destroy(folder, kept, console, seconds)
        else:
            lab.end_emulators(folder)
            lab.forget(folder)
            terminal.note(console, "What the lab left, which did not run, is deleted.")
    if as_json:
        terminal.print_json({"was": was, "kept": keep_state, "seconds": seconds})
    return 0


def destroy(folder: Path, console: Console) -> None:
    """Destroy the lab in `folder`, if there is one. Raises PipelineError."""
    with lab.exclusive(folder):
        _, kept = lab.look(folder)
        if kept is not None:
            _destroy(folder, kept, console, {})


def _bring_back(
    folder: Path,
    was: lab.State,
    kept: lab.Kept,
    port: int | None,
    console: Console,
    seconds: Seconds,
) -> lab.Kept:
    saved = times.local(lab.saved_at(folder) or 0)
    died = "Its emulator ended unexpectedly; the" if was == "died" else "The"
    terminal.heading(console, f"{died} lab comes back as it was saved at {saved}")
    with timed(seconds, "restore"):
        restarted = lab.restart(folder, kept, port)
        lab.write_env(folder, restarted.endpoint, terraform_environment(folder))
    if restarted.port not in (kept.port, port):
        terminal.note(console, f"Port {kept.port} is taken now, so that it has another.")
    return restarted


def _put_back(folder: Path, console: Console, *, crashed: bool = False) -> None:
    """Put back what a page broke on purpose. Raises PipelineError."""
    if not root.outputs(folder):
        # Destroyed by hand: nothing of it is left to be put back.
        return
    if (broken := breaks.put_back(folder, crashed=crashed)) is not None:
        what = BREAKS[broken.name].title
        terminal.note(console, f"Something was broken on purpose ({what}): it is put back.")


def _apply(folder: Path, kept: lab.Kept, console: Console, seconds: Seconds) -> None:
    """Make a running lab what the module is now. Raises PipelineError."""
    state = folder / "root" / "terraform.tfstate"
    if not state.exists():
        # Of a lab that was destroyed by hand it is there, and empty.
        raise PipelineError(
            f"Terraform's state {state} is gone, so that nothing can be changed: put it back, or "
            f"end the lab with `{lab.command('lab down', folder)}` and make a new one."
        )
    why = "The module has changed" if kept.module else "To be sure that nothing is missing"
    terminal.heading(console, f"{why}: Terraform applies it again")
    lab.write_kept(folder, replace(kept, module=""))
    environment = terraform_environment(folder) | client_environment(kept.endpoint)
    again = lab.command("lab up", folder)
    try:
        # The module may have come to have more parts.
        terraform.init(folder / "root", environment)
        now = fingerprint(folder / "root")
        apply.run(folder, environment, console, seconds)
    except (KeyboardInterrupt, SystemExit):
        terminal.note(console, f"Interrupted: the lab runs on, half changed; go on with `{again}`.")
        raise
    except PipelineError as error:
        raise PipelineError(
            f"{error}\nThe lab runs on, perhaps half changed: fix that and run `{again}`, or end "
            f"it with `{lab.command('lab down', folder)}`."
        ) from error
    lab.write_kept(folder, replace(kept, module=now))


def _stop(folder: Path, was: lab.State, kept: lab.Kept, console: Console) -> None:
    if was == "running":
        saved = lab.stop(folder, kept)
        if saved is not None:
            terminal.note(console, f"It had to be killed: what is kept is of {times.local(saved)}.")
    terminal.note(console, f"The lab is stopped; all that it held is in {folder / 'state'}.")
    terminal.note(console, f"Bring it back with `{lab.command('lab up', folder)}`.")
    terminal.note(console, f"Delete it for good with `{lab.command('lab down', folder)}`.")


def _destroy(folder: Path, kept: lab.Kept, console: Console, seconds: Seconds) -> None:
    terminal.note(console, "Stacks of your own in this emulator go too: they go with the emulator.")
    try:
        if answers(kept.endpoint):
            # What can't be put back goes with the emulator.
            with contextlib.suppress(PipelineError):
                _put_back(folder, console)
            environment = terraform_environment(folder) | client_environment(kept.endpoint)
            apply.run(folder, environment, console, seconds, "destroy")
    finally:
        # What Terraform could not destroy goes with the emulator.
        lab.end_emulators(folder)
        lab.forget(folder)
    terminal.note(console, "Nothing of it is left.")
