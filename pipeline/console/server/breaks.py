"""Break the embedded lab on purpose, fix it, and bring through what failed meanwhile."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.console import recovery
from pipeline.console.server.hub import Hub
from pipeline.console.sources.session import explain
from pipeline.console.sources.watch import Found, Watch
from pipeline.deployed.alarms import describe
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.lab.breaks import run as lab
from pipeline.lab.breaks.kinds import BREAKS

_MAX_REQUEST = 1024
_LOOK_SECONDS = 2.0

Phase = Literal["idle", "breaking", "failing", "fixing", "fixed", "replaying", "done"]


@dataclass(frozen=True)
class State:
    """What the page shows of a break; times are in epoch seconds.

    `waiting` uploads had no record at the fix, of which `recovered` have one now, and `lost`, by
    their keys, have none. `alarm_ends` is about when the last alarm ends, None where none is on.
    `problem` is why the last step did not work.
    """

    phase: Phase = "idle"
    name: str = ""
    title: str = ""
    cause: str = ""
    fix: str = ""
    since: float = 0.0
    fixed_at: float | None = None
    waiting: int | None = None
    recovered: int = 0
    lost: tuple[str, ...] = ()
    alarm_ends: float | None = None
    problem: str | None = None


class Console(Protocol):
    """What it needs of the page's console."""

    hub: Hub
    find: Callable[[], Found]

    def watch(self) -> Watch:
        """The watch of the open pages. Raises PipelineError."""

    def start_replay(self, chosen: frozenset[str] | None) -> None:
        """Replay these messages, or all. Raises PipelineError."""

    def wait_for_replay(self) -> None:
        """Return once no replay is running."""


class Breaks:
    """What is broken on purpose in the lab in `folder`; without one, nothing ever is."""

    def __init__(self, console: Console, folder: Path | None) -> None:
        """Puts back what a page broke that was killed. Raises PipelineError."""
        self._console, self._folder = console, folder
        self._acting = threading.Lock()
        self._ended = threading.Event()
        self._state = State()
        self._waiting: set[Any] = set()
        self.put_back_at_start = self._put_back_left()

    @property
    def offered(self) -> bool:
        """Whether there is a lab to break."""
        return self._folder is not None

    def state(self) -> dict[str, Any]:
        """What the page shows."""
        return asdict(self._state) | {"offered": self.offered}

    def offers(self) -> list[dict[str, Any]]:
        """What can be broken, and why not where it can't be now."""
        folder = self._lab()
        return [
            {
                "name": each.name,
                "title": each.title,
                "does": each.does,
                "why_not": lab.unavailable(folder, each.name),
            }
            for each in BREAKS.values()
        ]

    def break_on_purpose(self, name: str) -> None:
        """Break it. Raises PipelineError."""
        folder = self._lab()
        with self._act("breaking"):
            broken = lab.break_on_purpose(folder, name)
            self._show(_broken(broken))
            self._mark("Broken on purpose")
        self._start(self._look_for_others)

    def fix(self) -> None:
        """Put it back, and count the uploads that have no record. Raises PipelineError."""
        folder = self._lab()
        with self._act("fixing"):
            broken = lab.fix(folder)
            if broken is None:
                raise PipelineError("Nothing is broken on purpose: another command put it back.")
            self._waiting = set()
            self._show(replace(_broken(broken), phase="fixed", fixed_at=time.time()))
        self._mark("Fixed")
        # A step of its own: what is fixed stays fixed where this fails.
        with self._act("fixing"):
            with self._reading() as target:
                self._waiting = recovery.without_record(target, broken.since)
            self._show(replace(self._state, phase="fixed", waiting=len(self._waiting)))
        if not self._waiting:
            self.recover()

    def recover(self) -> None:
        """Replay, send what is still missing, and see what is lost; the page sees how it goes.

        Raises PipelineError where that can't begin.
        """
        self._lab()
        if self._state.phase != "fixed":
            raise PipelineError("Fix it first: as long as it is broken, each replay fails.")
        if self._state.waiting != 0:
            self._console.start_replay(None)
        self._start(self._recover)

    def close(self) -> str | None:
        """Put back what this page broke; its title. Raises PipelineError."""
        self._ended.set()
        if self._folder is None:
            return None
        broken = lab.current(self._folder)
        if broken is None or not lab.is_mine(broken):
            return None
        lab.fix(self._folder)
        return BREAKS[broken.name].title

    def _recover(self) -> None:
        with contextlib.suppress(PipelineError), self._act("replaying"):
            self._console.wait_for_replay()
            with self._reading() as target:
                lost = recovery.recover(target, self._state.since)
            self._show(
                replace(
                    self._state,
                    phase="done",
                    recovered=len(self._waiting - lost),
                    lost=tuple(recovery.keys(lost)),
                )
            )
        if self._state.phase == "done":
            self._follow_alarms()

    def _follow_alarms(self) -> None:
        """Say about when the alarms end, until they have."""
        known: set[str] = set()
        while not self._ended.is_set() and self._state.phase == "done":
            with contextlib.suppress(Exception):
                session, _ = self._console.watch().current()
                found = describe(session)
                on = {name for name, alarm in found.items() if alarm["StateValue"] == "ALARM"}
                if on - known:
                    spans = (_span(found[name]) for name in on)
                    self._show(replace(self._state, alarm_ends=time.time() + max(spans)))
                if known and not on:
                    self._show(replace(self._state, alarm_ends=None))
                known |= on
                if not on:
                    return
            self._ended.wait(_LOOK_SECONDS)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Target]:
        """The pipeline, whose failure queue the pages leave alone in the block."""
        try:
            watch = self._console.watch()
        except PipelineError:
            # No page is open.
            yield self._console.find().target
            return
        watch.pause_failures(True)
        try:
            yield self._console.find().target
        finally:
            watch.pause_failures(False)

    def _look_for_others(self) -> None:
        """Notice that `lab up` or another page has put it back."""
        while not self._ended.wait(_LOOK_SECONDS) and self._state.phase == "failing":
            with contextlib.suppress(PipelineError):
                if lab.current(self._lab()) is None and self._state.phase == "failing":
                    self._show(State(problem="Another command has put it back."))

    def _put_back_left(self) -> str | None:
        if self._folder is None:
            return None
        broken = lab.current(self._folder)
        if broken is None:
            return None
        if broken.owned:
            self._state = _broken(broken)
            self._start(self._look_for_others)
            return None
        lab.fix(self._folder)
        return BREAKS[broken.name].title

    def _lab(self) -> Path:
        if self._folder is None:
            raise PipelineError("This page shows a stack: only the embedded lab can be broken.")
        return self._folder

    @contextlib.contextmanager
    def _act(self, phase: Phase) -> Iterator[None]:
        if not self._acting.acquire(blocking=False):
            raise PipelineError("The page is busy with the step before: wait until it has ended.")
        before = self._state
        try:
            self._show(replace(before, phase=phase, problem=None))
            yield
        except Exception as error:
            reason = explain(error, "the lab")
            self._show(replace(before, problem=reason))
            raise PipelineError(reason) from error
        finally:
            self._acting.release()

    def _show(self, state: State) -> None:
        self._state = state
        self._console.hub.publish("breaks", self.state())

    def _mark(self, what: str) -> None:
        """Note it on the timeline, and have the pages see what it did."""
        with contextlib.suppress(PipelineError):
            watch = self._console.watch()
            watch.wake()
            watch.current()[1].mark(time.time() * 1000, what)

    def _start(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="breaks", daemon=True).start()


def routes(breaks: Breaks) -> list[Route]:
    """What the page asks for."""
    return [
        Route("/breaks", partial(_offers, breaks)),
        Route("/break", partial(_break, breaks), methods=["POST"]),
        Route("/fix", partial(_step, breaks, breaks.fix), methods=["POST"]),
        Route("/recover", partial(_step, breaks, breaks.recover), methods=["POST"]),
    ]


async def _offers(breaks: Breaks, request: Request) -> Response:
    _expect_lab(breaks)
    return JSONResponse({"offers": await run_in_threadpool(breaks.offers)})


async def _break(breaks: Breaks, request: Request) -> Response:
    _expect_lab(breaks)
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_REQUEST:
                raise HTTPException(413, f"That is more than {_MAX_REQUEST:,} bytes.")
        name = json.loads(body)["name"]
    except (ClientDisconnect, ValueError, TypeError, KeyError, RecursionError):
        name = None
    if not isinstance(name, str) or name not in BREAKS:
        raise HTTPException(400, f'Send {{"name": …}} with one of {", ".join(BREAKS)}.')
    return await _done(breaks, partial(breaks.break_on_purpose, name))


async def _step(breaks: Breaks, step: Callable[[], None], request: Request) -> Response:
    _expect_lab(breaks)
    return await _done(breaks, step)


async def _done(breaks: Breaks, step: Callable[[], None]) -> Response:
    try:
        await run_in_threadpool(step)
    except PipelineError as error:
        raise HTTPException(409, str(error)) from error
    return JSONResponse(breaks.state())


def _expect_lab(breaks: Breaks) -> None:
    if not breaks.offered:
        raise HTTPException(403, "This page shows a stack: only the embedded lab can be broken.")


def _broken(broken: lab.Broken) -> State:
    kind = BREAKS[broken.name]
    return State("failing", kind.name, kind.title, kind.cause, kind.fix, broken.since)


def _span(alarm: Any) -> float:
    """For how long the last datapoint counts, in seconds."""
    return float(alarm.get("Period") or 60) * int(alarm.get("EvaluationPeriods") or 1)
