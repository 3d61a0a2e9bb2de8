"""Keep looking at a pipeline while somebody looks at the page, one thread a panel.

A panel that AWS does not tell of is blind, with the reason, and is asked again less and less often;
the others go on.
"""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.console.board.board import Board, Publish
from pipeline.console.board.stages import stages
from pipeline.console.sources.calls import Calls, Watched, watched
from pipeline.console.sources.cloudwatch import Alarms, Metrics, Points
from pipeline.console.sources.pace import AWS, LAB
from pipeline.console.sources.queues import Mails, Queues
from pipeline.console.sources.sources import Checks, Log, Records, Source
from pipeline.console.sources.stand_in import StandIn
from pipeline.deployed import aws
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
# A lab that comes back is seen soon; asking a Terraform root takes seconds of a core.
_LAB_PAUSE_SECONDS = 2.0
# How long credentials that are refused are kept before others are looked for.
_PATIENCE_SECONDS = 5.0
_LONGEST_PATIENCE_SECONDS = 60.0
_TICK_SECONDS = 0.25
# Figures are counted again that often even when nothing happens.
_SETTLE_SECONDS = 1.0


@dataclass(frozen=True)
class Found:
    """The pipeline to watch, `subscriber` the URL of a queue that gets its topic's messages."""

    target: Target
    subscriber: str | None
    embedded: bool


class Watch:
    """From the first page that listens to the last. Make a new one for the next."""

    def __init__(self, find: Callable[[], Found], publish: Publish, *, write: bool) -> None:
        """`find` finds the pipeline, or raises PipelineError while there is none."""
        self._find, self._write = find, write
        self._tell = publish
        self.calls = Calls()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._round: _Round | None = None
        self._found: Found | None = None
        self._why_none: str | None = "Looking for the pipeline."
        self._stages: list[dict[str, Any]] = []
        self._stirred = True
        self._patience = _PATIENCE_SECONDS
        self._replay: dict[str, Any] | None = None

    def start(self) -> None:
        """Begin to look, in threads of its own."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def end(self) -> None:
        """Look no more; what is being asked is let go."""
        self._ended.set()
        if self._round is not None:
            self._round.end()

    def hurry(self, *panels: str) -> None:
        """Look at these panels now, or at all."""
        if self._round is not None:
            self._round.hurry(*panels)

    def now(self) -> tuple[Watched, Board]:
        """The pipeline that is watched, and what is known of it.

        Raises PipelineError while there is none.
        """
        current = self._round
        if current is None or current.over:
            raise PipelineError(self._why_none or "The pipeline does not answer.")
        return current.session, current.board

    def hold(self, held: bool) -> float:
        """Leave the failure queue's messages to a replay; in how many seconds it can have all."""
        seconds = 0.0
        if self._round is not None:
            seconds = self._round.queues.hold(held)
            self.hurry("failures", "records", "log", "checks")
        return seconds

    def replaying(self, told: dict[str, Any] | None) -> None:
        """Tell the pages how a replay goes."""
        self._replay = told
        self._publish("replay", told)

    def told(self) -> dict[str, Any]:
        """All that is known, for a page that has just been opened."""
        current = self._round
        told = {} if current is None else current.board.told() | {"blind": current.blind()}
        return told | {
            "stack": self._told_stack(),
            "stages": self._stages,
            "replay": self._replay,
            "write": self._write,
        }

    def _publish(self, kind: str, data: Any) -> None:
        self._stirred = True
        self._tell(kind, data)

    def _told_stack(self) -> dict[str, Any]:
        if self._found is None:
            return {"why": self._why_none}
        target = self._found.target
        return {
            "why": self._why_none,
            "origin": target.origin,
            "region": target.region,
            "bucket": target.outputs.get("bucket_name"),
            "embedded": self._found.embedded,
        }

    def _run(self) -> None:
        """Find the pipeline, look at it until it is lost, and again."""
        pause = _FIRST_PAUSE_SECONDS
        while not self._ended.is_set():
            try:
                try:
                    self._stand(self._find())
                    pause = _FIRST_PAUSE_SECONDS
                    self._follow()
                finally:
                    # Also one that began while the watch was being ended.
                    if self._round is not None:
                        self._round.end()
            except Exception as error:  # noqa: BLE001 - whatever it is, the page stays up
                if not isinstance(error, PipelineError | ClientError | BotoCoreError):
                    traceback.print_exception(error)
                if aws.is_stale(error.__cause__):
                    boto3.DEFAULT_SESSION = None
                self._tell_none(_sentence(error))
                embedded = self._found is not None and self._found.embedded
                pause = min(2 * pause, _LAB_PAUSE_SECONDS if embedded else _LONGEST_PAUSE_SECONDS)
                self._ended.wait(pause)

    def _stand(self, found: Found) -> None:
        session = watched(found.target, write=self._write, calls=self.calls)
        self._found, self._why_none = found, None
        self._round = _Round(found, session, self._publish)
        self._publish("snapshot", self.told())
        self._round.start()

    def _follow(self) -> None:
        """Count figures until the pipeline is lost, or the watch ends."""
        current = self._round
        assert current is not None  # noqa: S101 - made just before
        told_at, began = 0.0, time.monotonic()
        while not self._ended.is_set() and not current.lost.is_set():
            if self._stirred or time.monotonic() - told_at > _SETTLE_SECONDS:
                self._stirred, told_at = False, time.monotonic()
                self._tell_stages(current)
            if current.stale.is_set() and time.monotonic() - began > self._patience:
                # Whoever has logged in again since has new ones.
                boto3.DEFAULT_SESSION = None
                self._patience = min(2 * self._patience, _LONGEST_PATIENCE_SECONDS)
                current.end()
                return
            current.lost.wait(_TICK_SECONDS)
        if current.lost.is_set():
            self._tell_none("The lab does not answer. Looking for it.")

    def _tell_none(self, why: str) -> None:
        if why != self._why_none:
            self._why_none = why
            self._publish("stack", self._told_stack())

    def _tell_stages(self, current: "_Round") -> None:
        told = [asdict(one) for one in stages(current.board, current.target, current.blind())]
        if told != self._stages:
            self._stages = told
            self._tell("stages", told)


class _Round:
    """Looking at one pipeline as long as it answers."""

    def __init__(self, found: Found, session: Watched, publish: Publish) -> None:
        self.session, self.target, self._publish = session, found.target, publish
        self._embedded = found.embedded
        pace = LAB if found.embedded else AWS
        try:
            filters = found.target.delivery.get("filters")
        except PipelineError:
            # Half applied: what filters there are is not known.
            filters = None
        bucket = str(found.target.outputs.get("bucket_name") or "")
        board = Board(bucket, filters if isinstance(filters, list) else (), publish)
        self.board = board
        self.queues = Queues(board, pace)
        sources: tuple[Source, ...] = (
            # Whoever wrote them has said so in the log.
            Records(board, pace, lambda: self._came("log")),
            # And what it says of is written, or failed.
            Log(
                board, pace, lambda: self._came("records"), lambda: self.hurry("failures", "checks")
            ),
            self.queues,
            Alarms(board, pace, lambda: self.hurry("mails", "points")),
            Mails(board, pace, found.subscriber),
            Checks(board, pace),
            Metrics(board, pace),
            Points(board, pace),
            *((StandIn(board, lambda: self.hurry("alarms")),) if found.embedded else ()),
        )
        self._sources = {source.panel: (source, threading.Event()) for source in sources}
        self.lost = threading.Event()
        # Some panel was refused for its credentials.
        self.stale = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._blind: dict[str, str] = {}

    @property
    def over(self) -> bool:
        return self._ended.is_set() or self.lost.is_set()

    def start(self) -> None:
        for panel, (source, wake) in self._sources.items():
            threading.Thread(
                target=self._look, args=(source, wake), name=f"watch-{panel}", daemon=True
            ).start()

    def end(self) -> None:
        self._ended.set()
        self.hurry()

    def hurry(self, *panels: str) -> None:
        for panel, (_, wake) in self._sources.items():
            if not panels or panel in panels:
                wake.set()

    def _came(self, panel: str) -> None:
        # In AWS the pace is what the free tier forgives.
        if self._embedded:
            self.hurry(panel)

    def blind(self) -> dict[str, str]:
        with self._lock:
            return dict(self._blind)

    def _look(self, source: Source, wake: threading.Event) -> None:
        failures = 0
        while True:
            # In this order, so that no end is slept through.
            wake.clear()
            if self.over:
                return
            try:
                pause = source.look(self.session)
                failures = 0
                self._tell_blind(source.panel, None)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other panels go on
                failures += 1
                pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**failures)
                self._take(source.panel, error)
            wake.wait(pause)

    def _take(self, panel: str, error: Exception) -> None:
        cause = error.__cause__ if isinstance(error, PipelineError) else error
        if aws.is_stale(cause):
            self.stale.set()
        if self._embedded and aws.is_gone_away(cause):
            # An emulator that is gone is gone for all; it may come back elsewhere.
            self.lost.set()
            self.end()
            return
        if not isinstance(error, PipelineError | ClientError | BotoCoreError):
            traceback.print_exception(error)
        self._tell_blind(panel, _sentence(error, panel))

    def _tell_blind(self, panel: str, why: str | None) -> None:
        with self._lock:
            if self._blind.get(panel) == why:
                return
            if why is None:
                del self._blind[panel]
            else:
                self._blind[panel] = why
            blind = dict(self._blind)
        self._publish("blind", blind)


_ASKED = {
    "records": "the table or its stream",
    "log": "the log group",
    "failures": "the failure queue",
    "alarms": "the alarms",
    "mails": "the topic's messages",
    "points": "CloudWatch's metrics",
    "metrics": "CloudWatch's metrics",
    "stand_in": "CloudWatch's metrics",
    "checks": "the pipeline's configuration",
}


def _sentence(error: Exception, panel: str = "") -> str:
    if isinstance(error, PipelineError):
        return str(error)
    if isinstance(error, ClientError | BotoCoreError):
        thing = _ASKED.get(panel, "the pipeline")
        return aws.sentence(error, thing, "run `terraform apply` in the stack's root")
    return f"This page could not read it ({type(error).__name__}: {error}): report that."
