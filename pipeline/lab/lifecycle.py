"""The lab that stays: make it, bring it back, change it as the module changed, end it."""

import contextlib
import shlex
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipeline import terminal, times
from pipeline.emulator import configuration
from pipeline.emulator.process import answers, client_environment
from pipeline.errors import PipelineError
from pipeline.lab import apply, root, snapshot, texts
from pipeline.lab import folder as lab
from pipeline.lab.apply import Seconds, timed
from pipeline.lab.breaks import run as breaks
from pipeline.lab.breaks.kinds import BREAKS
from pipeline.paths import fingerprint
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment

_UPLOADS = (
    "uploads become records from now on, after `. {env}`. Terraform goes on: its provider waits "
    "55 s for a lifecycle."
)


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
    with lab.exclusive(folder):
        return ensure(folder, console, port)


def ensure(
    folder: Path, console: Console, port: int | None = None
) -> tuple[lab.State, bool, str, Seconds]:
    """The same, for a command that works in the folder already."""
    seconds: Seconds = {}
    was, kept = lab.look(folder)
    if was == "died" and lab.saved_at(folder) is None:
        terminal.note(console, "The emulator died before anything was saved: this is a new lab.")
        lab.forget(folder)
        was, kept = "none", None
    if kept is None or not kept.ready:
        applied, endpoint = _make(folder, port, console, seconds)
        return was, applied, endpoint, seconds
    if was != "running":
        kept = _bring_back(folder, was, kept, port, console, seconds)
    elif port in (None, kept.port):
        lab.expect_answer(folder, kept)
    else:
        stop = lab.command("lab down --keep-state", folder)
        raise PipelineError(f"The lab runs on port {kept.port}: stop it with `{stop}` to move it.")
    _put_back(folder, console, crashed=was == "died")
    why = _to_apply(folder, kept)
    if why:
        apply_again(folder, kept, console, seconds, why)
    return was, bool(why), kept.endpoint, seconds


def _to_apply(folder: Path, kept: lab.Kept) -> str:
    """Why Terraform must apply the module to a lab that runs; empty where all is as it was."""
    if kept.module and kept.module != fingerprint(folder / "root"):
        return "The module has changed"
    has = lab.configured(folder, kept.endpoint)
    # Without outputs it was destroyed by hand.
    if not (kept.module and kept.configuration and has and root.outputs(folder)):
        return "To be sure that nothing is missing"
    return "" if has == kept.configuration else "Something in the emulator was changed by hand"


def _make(folder: Path, port: int | None, console: Console, seconds: Seconds) -> tuple[bool, str]:
    """A new lab; whether Terraform applied anything, and the emulator's URL."""
    try:
        return _new(folder, port, console, seconds, restore=True)
    except _UnfitError as error:
        terminal.note(console, f"The snapshot is of no use here: {error}")
        return _new(folder, port, console, seconds, restore=False)


class _UnfitError(PipelineError):
    """What was restored from a snapshot can't be made what the module is now."""


def _new(
    folder: Path, port: int | None, console: Console, seconds: Seconds, *, restore: bool
) -> tuple[bool, str]:
    began = time.monotonic()

    def ready(sentence: str) -> None:
        seconds["ready"] = round(time.monotonic() - began, 2)
        text = f"Ready after {seconds['ready']:.0f} s: {sentence}"
        console.print(f"  [bold green]{escape(text)}[/]", soft_wrap=True)

    new_lab = apply.new_lab(folder, port, console, seconds, keep=True, restore=restore)
    with new_lab as new:
        same = new.snapshot is not None and snapshot.is_same(new.snapshot, new.provider)
        if same and configuration.digest(folder / "state") == lab.configured(
            folder, new.emulator.endpoint
        ):
            ready("a snapshot of this module was restored.")
            return False, new.emulator.endpoint
        if new.snapshot is not None:
            terminal.note(console, "A snapshot was restored; Terraform applies the difference.")
        try:
            with timed(seconds, "terraform apply"):
                for event in apply.events(folder, new.environment, console, "apply"):
                    if apply.delivers(event):
                        ready(_UPLOADS.format(env=shlex.quote(str(folder / "env"))))
        except PipelineError as error:
            if new.snapshot is None:
                raise
            snapshot.discard(new.snapshot)
            raise _UnfitError(str(error)) from error
    if "ready" not in seconds:
        ready("the difference is applied.")
    else:
        took = time.monotonic() - began
        console.print(f"  [bold green]All is applied after {took:.0f} s.[/]", soft_wrap=True)
    snapshot.keep(folder, new.provider)
    return True, new.emulator.endpoint


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


def apply_again(folder: Path, kept: lab.Kept, console: Console, seconds: Seconds, why: str) -> None:
    """Make a running lab what the module is now; say what was put back. Raises PipelineError."""
    state = folder / "root" / "terraform.tfstate"
    if not state.exists():
        # Of a lab that was destroyed by hand it is there, and empty.
        raise PipelineError(
            f"Terraform's state {state} is gone, so that nothing can be changed: put it back, or "
            f"end the lab with `{lab.command('lab down', folder)}` and make a new one."
        )
    terminal.heading(console, f"{why}: Terraform applies it again")
    # It takes boto3, which takes long to load.
    from pipeline.lab import code

    lab.write_kept(folder, replace(kept, module=""))
    environment = terraform_environment(folder) | client_environment(kept.endpoint)
    again = lab.command("lab up", folder)
    try:
        # The module may have come to have more parts.
        terraform.init(folder / "root", environment)
        now = fingerprint(folder / "root")
        done = apply.run(folder, environment, console, seconds)
        # Terraform compares the package with the one that it applied, not with what is there.
        for name in code.put_back(folder, kept.endpoint):
            terminal.note(console, f"put back the code of {name}")
            done += 1
        if not done:
            terminal.note(console, "All of the lab is as Terraform made it.")
    except (KeyboardInterrupt, SystemExit):
        terminal.note(console, f"Interrupted: the lab runs on, half changed; go on with `{again}`.")
        raise
    except PipelineError as error:
        raise PipelineError(
            f"{error}\nThe lab runs on, perhaps half changed: fix that and run `{again}`, or end "
            f"it with `{lab.command('lab down', folder)}`."
        ) from error
    lab.applied(folder, kept, now)


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
