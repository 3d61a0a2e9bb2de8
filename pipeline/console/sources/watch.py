"""Read a pipeline as long as somebody has the page open, each source in its own thread.

The panel of a source that can't be read says why, and is read again after longer and longer pauses;
the other panels go on.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3

from pipeline.console.board.board import Board, Publish
from pipeline.console.board.headline import Headline, headline
from pipeline.console.board.memory import Memory
from pipeline.console.board.places import places
from pipeline.console.board.stages import Stage, stages
from pipeline.console.sources.checks import Checks
from pipeline.console.sources.cloudwatch import Alarms, Datapoints, Metrics
from pipeline.console.sources.log import Log
from pipeline.console.sources.published_metrics import PublishedMetrics
from pipeline.console.sources.queues import FailureQueue, Notifications
from pipeline.console.sources.session import Calls, ReadSession, connect, explain
from pipeline.console.sources.source import Source
from pipeline.console.sources.table import Records
from pipeline.deployed import aws
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

_FIRST_PAUSE_SECONDS = 0.5
_MAX_PAUSE_SECONDS = 30.0
# A lab that is back is found soon; reading a Terraform root takes seconds of a core.
_MAX_LAB_PAUSE_SECONDS = 2.0
# How long refused credentials are kept before new ones are looked for.
_CREDENTIALS_SECONDS = 5.0
_MAX_CREDENTIALS_SECONDS = 60.0
_TICK_SECONDS = 0.25
_FINDING = "Finding the pipeline."
# Figures change with time alone.
_STAGES_SECONDS = 1.0


@dataclass(frozen=True)
class Found:
    """The pipeline to watch; `subscriber` is the URL of a queue that is subscribed to its topic."""

    target: Target
    subscriber: str | None
    embedded: bool


class Watch:
    """Reads from the first open page to the last. Make a new one for the next page."""

    def __init__(
        self, find: Callable[[], Found], publish: Publish, memory: Memory, *, write: bool
    ) -> None:
        """`find` finds the pipeline, or raises PipelineError while there is none."""
        self._memory = memory
        self._find, self._publish_event, self._write = find, publish, write
        self.calls = Calls()
        self._ended = threading.Event()
        self._poller: _Poller | None = None
        self._found: Found | None = None
        self._problem: str | None = _FINDING
        self._stages: list[Stage] = []
        self._headline: Headline | None = None
        self._changed = True
        self._clock: Callable[[], float] = time.time
        self._credentials_seconds = _CREDENTIALS_SECONDS
        self._replay: dict[str, Any] | None = None

    def start(self) -> None:
        """Start reading, in threads of its own."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def end(self) -> None:
        """Stop reading, without waiting for calls that are being made."""
        self._ended.set()
        if self._poller is not None:
            self._poller.end()

    def wake(self, *panels: str) -> None:
        """Read these panels now, or all."""
        if self._poller is not None:
            self._poller.wake(*panels)

    def current(self) -> tuple[ReadSession, Board]:
        """The pipeline that is watched, and what is known of it.

        Raises PipelineError while there is none.
        """
        if self._poller is None or self._poller.over:
            raise PipelineError(self._problem or "The pipeline does not answer.")
        return self._poller.session, self._poller.board

    def pause_failures(self, paused: bool) -> float:
        """Leave the failure queue to a replay; in how many seconds it can receive all messages."""
        seconds = 0.0
        if self._poller is not None:
            seconds = self._poller.failure_queue.pause(paused)
            self.wake("failures", "records", "log", "checks")
        return seconds

    def publish_replay(self, progress: dict[str, Any]) -> None:
        """Tell the pages how far a replay is."""
        self._replay = progress
        self._publish("replay", progress)

    def snapshot(self) -> dict[str, Any]:
        """All that is known, for a page that was just opened."""
        known = self._poller.board.snapshot() if self._poller is not None else {}
        return known | {
            "stack": self._stack(),
            "stages": self._stages,
            "headline": self._headline,
            "now": self._clock() * 1000,
            "replay": self._replay,
            "write": self._write,
        }

    def _publish(self, kind: str, data: Any) -> None:
        self._changed = True
        self._publish_event(kind, data)

    def _stack(self) -> dict[str, Any]:
        stack: dict[str, Any] = {"problem": self._problem, "finding": self._problem == _FINDING}
        if self._found is not None:
            stack["origin"] = self._found.target.origin
            stack["region"] = self._found.target.region
            stack["embedded"] = self._found.embedded
            stack["places"] = places(self._found.target.outputs)
        return stack

    def _run(self) -> None:
        """Find the pipeline and read it until it is lost, again and again."""
        pause = _FIRST_PAUSE_SECONDS
        while not self._ended.is_set():
            try:
                self._read(self._find())
                pause = _FIRST_PAUSE_SECONDS
            except Exception as error:  # noqa: BLE001 - whatever it is, the page stays up
                if aws.is_stale(error.__cause__):
                    boto3.DEFAULT_SESSION = None
                self._set_problem(explain(error, "the pipeline"))
                embedded = self._found is not None and self._found.embedded
                limit = _MAX_LAB_PAUSE_SECONDS if embedded else _MAX_PAUSE_SECONDS
                pause = min(2 * pause, limit)
                self._ended.wait(pause)

    def _read(self, found: Found) -> None:
        """Read the pipeline until it is lost, its credentials are refused, or the watch ends."""
        session = connect(found.target, write=self._write, calls=self.calls)
        self._clock = session.clock.now
        poller = _Poller(found, session, self._publish, self._memory)
        self._found, self._problem, self._poller = found, None, poller
        try:
            self._publish("snapshot", self.snapshot())
            poller.start()
            published_at, began = 0.0, time.monotonic()
            while not self._ended.is_set() and not poller.lost.is_set():
                now = time.monotonic()
                if self._changed or now - published_at > _STAGES_SECONDS:
                    self._changed, published_at = False, now
                    drawn = stages(poller.board, found.target)
                    if drawn != self._stages:
                        self._stages = drawn
                        self._publish_event("stages", drawn)
                    above = headline(poller.board, drawn)
                    if above != self._headline:
                        self._headline = above
                        self._publish_event("headline", above)
                if poller.refused.is_set() and now - began > self._credentials_seconds:
                    # Whoever has logged in again has new ones.
                    boto3.DEFAULT_SESSION = None
                    longer = min(2 * self._credentials_seconds, _MAX_CREDENTIALS_SECONDS)
                    self._credentials_seconds = longer
                    return
                poller.lost.wait(_TICK_SECONDS)
        finally:
            poller.end()
        if poller.lost.is_set():
            self._set_problem("The lab does not answer. Trying again.")

    def _set_problem(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._publish("stack", self._stack())


class _Poller:
    """Reads one pipeline as long as it answers."""

    def __init__(
        self, found: Found, session: ReadSession, publish: Publish, memory: Memory
    ) -> None:
        self.session, self._embedded = session, found.embedded
        try:
            filters, others = found.target.filters, found.target.further_buckets
        except PipelineError:
            # Half applied: both are unknown.
            filters, others = [], ()
        own = str(found.target.outputs.get("bucket_name") or "")
        clock = session.clock.now
        self.board = Board(own, filters, publish, memory, clock, others)
        common = self.board, found.embedded, self.wake
        self.failure_queue = FailureQueue(*common)
        self.lost, self.refused, self._ended = (threading.Event() for _ in range(3))
        kinds: list[type[Source]] = [Records, Log, Alarms, Checks, Metrics, Datapoints]
        if found.embedded:
            kinds.append(PublishedMetrics)
        sources = [kind(*common) for kind in kinds]
        sources += [self.failure_queue, Notifications(*common, found.subscriber)]
        self._sources = {source.panel: (source, threading.Event()) for source in sources}

    @property
    def over(self) -> bool:
        return self._ended.is_set() or self.lost.is_set()

    def start(self) -> None:
        for panel, pair in self._sources.items():
            threading.Thread(
                target=self._run, args=pair, name=f"watch-{panel}", daemon=True
            ).start()

    def end(self) -> None:
        self._ended.set()
        self.wake()

    def wake(self, *panels: str) -> None:
        for panel, (_, event) in self._sources.items():
            if not panels or panel in panels:
                event.set()

    def _run(self, source: Source, woken: threading.Event) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            # In this order, so that no end is missed.
            woken.clear()
            if self.over:
                return
            try:
                source.poll(self.session)
                pause, why = _FIRST_PAUSE_SECONDS, None
                seconds = source.seconds()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other panels go on
                cause = error.__cause__ if isinstance(error, PipelineError) else error
                if aws.is_stale(cause):
                    self.refused.set()
                if self._embedded and aws.is_gone_away(cause):
                    # No source can read an emulator that is gone; it may come back elsewhere.
                    self.lost.set()
                    self.end()
                    return
                seconds = pause = min(2 * pause, _MAX_PAUSE_SECONDS)
                why = explain(error, source.thing)
            self.board.set_unknown(source.panel, why)
            woken.wait(seconds)
