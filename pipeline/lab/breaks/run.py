"""Break the embedded lab on purpose, and put it back.

What is broken is noted in the lab's folder before anything is touched, so that whatever ends the
page or the machine, the next page, `lab up` or `lab down` puts it back.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import aws
from pipeline.errors import PipelineError
from pipeline.lab import folder as lab
from pipeline.lab import root
from pipeline.lab.breaks import kinds
from pipeline.lab.breaks.kinds import BREAKS, Site
from pipeline.terraform.provider import terraform_environment

EMULATOR = "emulator"
_FIX = "run `pipeline lab up`, which puts back what is broken"


@dataclass(frozen=True)
class Broken:
    """What is broken on purpose, since when (epoch seconds), and what its fix needs.

    `owner` is the process that broke it and when that was started.
    """

    name: str
    since: float
    restore: Mapping[str, Any] = field(default_factory=dict)
    owner: tuple[int, float] = (0, 0.0)

    @property
    def owned(self) -> bool:
        """Whether the process that broke it still runs."""
        pid, started = self.owner
        with contextlib.suppress(psutil.Error, ValueError):
            return bool(abs(psutil.Process(pid).create_time() - started) < 1)
        return False


def current(folder: Path) -> Broken | None:
    """What is broken on purpose in this lab. Raises PipelineError where the note can't be read."""
    file = _file(folder)
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
        pid, started = noted["owner"]
        broken = Broken(
            str(noted["name"]),
            float(noted["since"]),
            dict(noted["restore"]),
            (int(pid), float(started)),
        )
        BREAKS[broken.name]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise PipelineError(
            f"{file} can't be read ({error!s:.200}): delete it, and run `pipeline lab up`."
        ) from error
    return broken


def is_mine(broken: Broken) -> bool:
    """Whether this process broke it."""
    return broken.owned and broken.owner[0] == os.getpid()


def unavailable(folder: Path, name: str) -> str | None:
    """Why this can't be broken now; None if it can."""
    try:
        with _asking():
            BREAKS[name].prepare(_site(folder))
    except PipelineError as error:
        return str(error)
    return None


def break_on_purpose(folder: Path, name: str) -> Broken:
    """Break it. Raises PipelineError where something is broken already, or this can't be."""
    if name not in BREAKS:
        raise PipelineError(f"There is no break {name!r:.40}: take one of {', '.join(BREAKS)}.")
    if (before := current(folder)) is not None:
        title = BREAKS[before.name].title
        raise PipelineError(f"One thing at a time: fix this first ({title}).")
    site = _site(folder)
    myself = psutil.Process()
    with _asking():
        restore = BREAKS[name].prepare(site)
        broken = Broken(name, time.time(), restore, (os.getpid(), myself.create_time()))
        _note(folder, broken)
        try:
            if name == EMULATOR:
                _stop(folder)
            else:
                BREAKS[name].act(site, restore)
        except BaseException:
            # Half broken is worse than not.
            with contextlib.suppress(PipelineError):
                put_back(folder)
            raise
    return broken


def fix(folder: Path) -> Broken | None:
    """Put back what is broken, starting the emulator if that was stopped; what it was.

    Raises PipelineError.
    """
    broken = current(folder)
    if broken is None:
        return None
    if lab.look(folder)[0] in ("stopped", "died"):
        with lab.exclusive(folder):
            state, kept = lab.look(folder)
            if kept is not None and state in ("stopped", "died"):
                restarted = lab.restart(folder, kept, None)
                lab.write_env(folder, restarted.endpoint, terraform_environment(folder))
    return put_back(folder)


def put_back(folder: Path, *, crashed: bool = False) -> Broken | None:
    """Put back what is broken in a lab that runs; what it was. Raises PipelineError.

    `crashed`: the emulator ended unexpectedly, and may have forgotten an earlier fix.
    """
    broken = current(folder)
    if broken is None and not crashed:
        return None
    site = _site(folder)
    with _asking():
        if crashed:
            kinds.sweep(site)
        if broken is not None:
            kinds.put_back(site, broken.name, broken.restore)
            _file(folder).unlink(missing_ok=True)
    return broken


def _file(folder: Path) -> Path:
    return folder / lab.BROKEN


def _note(folder: Path, broken: Broken) -> None:
    new = folder / f"{lab.BROKEN}.new"
    new.write_text(json.dumps(asdict(broken)), encoding="utf-8")
    new.replace(_file(folder))


def _site(folder: Path) -> Site:
    state, kept = lab.look(folder)
    if state != "running" or kept is None:
        up = lab.command("lab up", folder)
        raise PipelineError(f"The lab in {folder} does not run: start it with `{up}`.")
    return Site(kept.endpoint, root.needed(folder)[0])


def _stop(folder: Path) -> None:
    with lab.exclusive(folder):
        _, kept = lab.look(folder)
        if kept is not None:
            lab.stop(folder, kept)


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise PipelineError(aws.sentence(error, "the lab", _FIX)) from error
