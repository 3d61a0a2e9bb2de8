"""Run the checks in an account, and leave nothing there.

A run is in a journal from its first making on. Whatever ends it, everything is destroyed, unless
nothing can be destroyed any more: then the journal stays, for `go_on`.
"""

import contextlib
import fcntl
import functools
import itertools
import os
import secrets
import shutil
import string
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console

from pipeline import prices, terminal
from pipeline.accept import account as accounts
from pipeline.accept import adopt, estimate, hook, journal, leftovers, live, report, sandbox
from pipeline.accept.attempt import attempt
from pipeline.accept.checks import CHECKS, DESTROYED, choose, is_late, places
from pipeline.accept.deliveries import DELIVERIES, root
from pipeline.accept.journal import Journal, Result
from pipeline.accept.sandbox import LostError, Sandbox, StoppedError
from pipeline.accept.trial import Check, shown
from pipeline.deployed import aws
from pipeline.deployed.loopback import is_on_loopback
from pipeline.deployed.session import Session
from pipeline.errors import PipelineError

# Its names can't be taken for anybody's.
_PREFIX = "accept-"
_RANDOM = 6
_ROOT = "deliveries"
# All that a run makes in its folder.
_MADE = (_ROOT, live.ROOT, adopt.ROOT, "tmp", "terraform.tfrc", journal.FILE)
# AWS lists for a while what is gone.
_SETTLED = 60.0
_AT_ONCE = 16
# Each of its functions is a process for every invoke at a time.
_ON_EMULATOR = 2
# Settings that a check needs beside the delivery's own.
_SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "ndns": {
        "delivery": {
            "filters": [{"prefix": "in/", "suffix": ""}, {"prefix": "ü b+c=(1)/", "suffix": ""}]
        },
        "dashboard": {"create": True},
    },
    "ebns": {"function": {"tracing": "Active"}},
    hook.PLACE: {"function": {"hook": hook.SETTINGS}},
}


@dataclass(frozen=True)
class Asked:
    """What the command line says: `region` and `only` may be absent."""

    account: str
    region: str | None
    only: str | None
    budget: float | None
    yes: bool


def start(
    folder: Path, asked: Asked, *, markdown: Path | None = None, as_json: bool = False
) -> int:
    """Begin a run, and bring it to its end. Returns the exit status. Raises PipelineError."""
    console = terminal.console(stderr=as_json)
    report.refuse_unwritable(markdown)
    checks = choose(asked.only)
    pipelines = places(checks)
    with _exclusive(folder):
        if journal.read(folder) is not None:
            raise PipelineError(
                f"A run is unfinished in {folder}: go on with --resume, or delete what it made "
                "with --clean."
            )
        if taken := [name for name in _MADE if (folder / name).exists()]:
            raise PipelineError(
                f"{folder} holds {', '.join(taken)}, which no run made: give --work-dir a new or "
                "empty folder."
            )
        region, endpoint, emulator = _look(asked)
        partition = accounts.check(asked.account, region)
        accounts.check_room(len(pipelines), region)
        seconds, dollars = estimate.of(checks, prices.load())
        terminal.note(
            console,
            f"{_count(len(checks), 'check')} with {_count(len(pipelines), 'pipeline')} in "
            f"{asked.account}, {region}: "
            f"at most ${dollars:.2f} and {seconds / 60:.0f} minutes in AWS.",
        )
        if emulator:
            terminal.note(console, "The endpoint is an emulator's: it bills nothing.")
        _afford(asked, dollars)
        folder.mkdir(parents=True, exist_ok=True)
        letters = string.ascii_lowercase + string.digits
        name = "".join(secrets.choice(letters) for _ in range(_RANDOM))
        run = Journal(
            folder,
            f"{_PREFIX}{name}-",
            asked.account,
            region,
            endpoint,
            [check.id for check in checks],
            asked.budget or 0.0,
            dollars,
            time.time(),
        )
        environment = sandbox.environment(folder, emulator=emulator)
        run.save()
        terminal.note(console, f"All names begin with {run.prefix}")
        box = Sandbox(run, partition, emulator, environment)
        return _to_the_end(box, console, markdown, as_json=as_json)


def go_on(
    folder: Path,
    asked: Asked,
    *,
    clean: bool,
    markdown: Path | None = None,
    as_json: bool = False,
) -> int:
    """Go on with the run in `folder`, or only delete what it made. Raises PipelineError."""
    console = terminal.console(stderr=as_json)
    report.refuse_unwritable(markdown)
    with _exclusive(folder):
        run = journal.read(folder)
        if run is None:
            raise PipelineError(f"No run is unfinished in {folder}: give --work-dir another.")
        if run.account != asked.account:
            raise PipelineError(
                f"The run in {folder} is of the account {run.account}, not {asked.account}."
            )
        region, endpoint, emulator = _look(asked, run.region)
        if (region, endpoint) != (run.region, run.endpoint):
            raise PipelineError(
                f"The run in {folder} is in {run.region} at {run.endpoint}, not in {region} at "
                f"{endpoint}: set AWS_REGION and AWS_ENDPOINT_URL as they were."
            )
        partition = accounts.check(asked.account, region)
        box = Sandbox(run, partition, emulator, sandbox.environment(folder, emulator=emulator))
        if not clean:
            _begin_again(box, console)
            return _to_the_end(box, console, markdown, as_json=as_json)
        _destroy(box, console)
        if run.left:
            return 2
        _forget(run.folder)
        return 0


def _begin_again(box: Sandbox, console: Console) -> None:
    """Let a run that was cut short go on with what has no result yet.

    Of what a Terraform that was killed has made its state may know nothing, so that all is
    destroyed first, unless everything was applied. Raises PipelineError.
    """
    run = box.journal
    # What lacked a right may have it now.
    run.results = {name: each for name, each in run.results.items() if not each.open}
    roots = [note.removeprefix("root ") for note in run.makings if note.startswith("root ")]
    # The others are changed or built by hand while their check runs.
    if set(roots) <= {_ROOT} and f"applied {_ROOT}" in run.makings:
        return
    _destroy(box, console)
    if run.left:
        raise PipelineError(f"These stay, and are in the way: {', '.join(run.left)}.")
    run.makings = []
    waiting = [CHECKS[name] for name in run.checks if name not in run.results and name in CHECKS]
    for need in {need for check in waiting if check.run is not shown for need in check.needs}:
        # It leaves behind what they look at.
        run.results.pop(need, None)
    run.save()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _to_the_end(box: Sandbox, console: Console, markdown: Path | None, *, as_json: bool) -> int:
    ended: BaseException | None = None
    try:
        _try_all(box, console)
    except (PipelineError, KeyboardInterrupt, SystemExit) as error:
        ended = error
    if isinstance(ended, LostError):
        raise ended
    if ended is not None:
        terminal.note(console, "Ended early: now everything that was made is destroyed.")
    box.journal.result(DESTROYED, _destroy(box, console))
    run = box.journal
    seconds = time.time() - run.began
    tried = [CHECKS[name] for name in run.checks if name in CHECKS]
    uploaded = sum(box.uploaded.values())
    dollars = estimate.spent(tried, seconds, uploaded, prices.load())
    report.show(console, run)
    terminal.note(
        console,
        f"{report.summary(run.results.values())}; {seconds:.0f} s, at most ${dollars:.4f}"
        f"{' if it were AWS' if box.emulator else ''} (estimate ${run.estimate:.2f}).",
    )
    if as_json:
        terminal.print_json(report.document(run, seconds, dollars))
    if not run.left:
        _forget(run.folder)
    if markdown is not None:
        report.write(markdown, report.markdown(run, seconds, dollars))
    if ended is not None:
        raise ended
    return 2 if run.left else report.status(run.results.values())


def _try_all(box: Sandbox, console: Console) -> None:
    """Try what has no result yet. Raises PipelineError, also where the session is over."""
    checks = [CHECKS[name] for name in box.journal.checks if name in CHECKS]
    queues: dict[str, list[Check]] = {}
    late: list[Check] = []
    for check in checks:
        if check.id != DESTROYED and check.id not in box.journal.results:
            late.append(check) if is_late(check) else queues.setdefault(check.places[0], []).append(
                check
            )
    waiting = [*late, *itertools.chain.from_iterable(queues.values())]
    deliveries = [place for place in places(waiting) if place in DELIVERIES]
    sessions: dict[str, Session] = {}

    def tried(found: Iterable[Check]) -> None:
        for check in found:
            result = attempt(check, box, sessions)
            box.journal.result(check.id, result)
            terminal.note(console, f"{check.id}: {result.verdict}: {result.message}")

    tasks = {place: functools.partial(tried, queue) for place, queue in queues.items()}

    def delivered() -> None:
        sessions.update(_apply(box, console, deliveries))
        _side_by_side(box, [task for place, task in tasks.items() if place in deliveries])
        tried(late)

    others = [task for place, task in tasks.items() if place not in deliveries]
    _side_by_side(box, [delivered, *others])


def _side_by_side(box: Sandbox, tasks: list[Callable[[], None]]) -> None:
    """Run all tasks, and end all when one fails or this is interrupted; raises what it raised."""
    with ThreadPoolExecutor(_ON_EMULATOR if box.emulator else _AT_ONCE) as pool:
        working = [pool.submit(task) for task in tasks]
        try:
            done, _ = wait(working, return_when=FIRST_EXCEPTION)
        except BaseException:
            box.stopped.set()
            raise
        if any(future.exception() for future in done):
            box.stopped.set()
    errors = [error for future in working if (error := future.exception())]
    # What ended the others counts, and most of all a session that is over.
    errors.sort(
        key=lambda error: (isinstance(error, StoppedError), not isinstance(error, LostError))
    )
    if errors:
        raise errors[0]


def _apply(box: Sandbox, console: Console, names: list[str]) -> dict[str, Session]:
    if not names:
        return {}
    terminal.note(console, f"Terraform applies {_count(len(names), 'pipeline')}.")
    chosen = [DELIVERIES[name] for name in names]
    configuration = root(chosen, box.source(_ROOT), box.prefix, box.provider)
    for name, call in configuration["module"].items():
        call["tags"] = {leftovers.TAG: box.prefix}
        for variable, settings in _SETTINGS.get(name, {}).items():
            call[variable] = {**call.get(variable, {}), **settings}
    hook.write(box.folder(_ROOT))
    outputs = box.apply(_ROOT, configuration)
    return {name: box.session(outputs[name], name) for name in names}


def _destroy(box: Sandbox, console: Console) -> Result:
    """Destroy all roots, then delete what is left; whether that was nothing. Raises LostError."""
    began, run = time.monotonic(), box.journal
    roots = [name.removeprefix("root ") for name in run.makings if name.startswith("root ")]
    terminal.note(console, f"Terraform destroys {_count(len(roots), 'root')}.")
    errors: list[str] = []

    def destroy(name: str) -> None:
        try:
            box.destroy(name)
        except LostError:
            raise
        except PipelineError as error:
            errors.append(str(error))

    with ThreadPoolExecutor(max(1, len(roots))) as pool:
        list(pool.map(destroy, roots))
    try:
        first, stay = leftovers.sweep(box.client, run.prefix, 0 if box.emulator else _SETTLED)
    except (*aws.ERRORS, PipelineError) as error:
        reason = sandbox.explained(error)
        if isinstance(reason, LostError):
            raise reason from error
        raise PipelineError(
            f"{reason} Some of what was made may be there still: delete it with --clean."
        ) from error
    run.left = stay
    run.save()
    verdict: journal.Verdict = "disproved" if first or errors else "proved"
    if stay:
        message = f"these stay: {', '.join(stay)}; delete them by hand, or with --clean"
    elif first:
        message = f"Terraform left these, which are deleted now: {', '.join(first)}"
    else:
        message = "; ".join(errors) or "Terraform destroyed everything, nothing has such a name"
    terminal.note(console, message)
    return Result(verdict, message, round(time.monotonic() - began, 1), 0.0, time.time())


def _forget(folder: Path) -> None:
    """Delete what a run that left nothing has in `folder`; the journal last."""
    for place in (folder / name for name in _MADE):
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _look(asked: Asked, default: str | None = None) -> tuple[str, str, bool]:
    """Region, endpoint, and whether that is an emulator's. Raises PipelineError."""
    with aws.asking("the AWS configuration", "check AWS_PROFILE and AWS_CONFIG_FILE"):
        configured = os.environ.get("AWS_REGION") or boto3.Session().region_name
    region = asked.region or configured or default
    if region is None:
        raise PipelineError("No AWS region is set: give --region, or set AWS_REGION.")
    # Terraform and the clients that are made without a region take it from there.
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = region
    sts = aws.client("sts", region_name=region)
    return region, sts.meta.endpoint_url, aws.is_emulator(sts) or is_on_loopback(sts)


def _afford(asked: Asked, dollars: float) -> None:
    if asked.budget is None:
        raise PipelineError(f"No budget is given: say --budget {dollars:.2f} or more.")
    if dollars > asked.budget:
        raise PipelineError(
            f"The run may cost ${dollars:.2f}, more than --budget {asked.budget:g}: raise it, or "
            "choose fewer checks with --only."
        )
    if not asked.yes:
        raise PipelineError("Nothing was made: say --yes if that is meant.")


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Lock the folder for this process. Raises PipelineError while another has it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f"{folder.name}.lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise PipelineError(
            f"{folder} can't be used ({error.strerror}): give --work-dir a folder to write to."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PipelineError(
                f"Another run works in {folder}: wait for it to end, or give --work-dir another."
            ) from error
        yield
