"""What the page's server shares between requests: the watch, the pages, and the running replay."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from pipeline.console.board.board import Board
from pipeline.console.board.memory import Memory
from pipeline.console.server.breaks import Breaks
from pipeline.console.server.drops import Drops
from pipeline.console.server.hub import Hub
from pipeline.console.sources.session import ReadSession, explain
from pipeline.console.sources.watch import Found, Watch
from pipeline.deployed.failure_queue import Failure
from pipeline.errors import PipelineError
from pipeline.replay.run import clients, replay

_UPLOADS_AT_ONCE = 4
_LINGER_SECONDS = 5.0


class Console:
    """A pipeline and the pages that are open on it. Nothing is read while none is.

    `write` allows uploads and replays; `largest` is of an upload, in bytes.
    """

    def __init__(
        self, find: Callable[[], Found], *, write: bool, largest: int, lab: Path | None = None
    ) -> None:
        """`find` finds the pipeline, or raises PipelineError while there is none.

        `lab` is the embedded lab's folder, where that is the pipeline: it can be broken on purpose.
        """
        self.find = find
        self.write, self.largest = write, largest
        self.hub = Hub()
        self.breaks = Breaks(self, lab)
        self.drops = Drops(self.hub.publish)
        self._watch: Watch | None = None
        self._memory = Memory()
        self._replaying = threading.Lock()
        self._closing = threading.Event()
        self.uploads = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    def expect_write(self) -> None:
        """Raises HTTPException on a read-only page."""
        if not self.write:
            reason = "This page is read-only: start `pipeline console` with --write to let it act."
            raise HTTPException(403, reason)

    def open(self) -> Watch:
        """The watch for a page that was just opened, started by the first."""
        if self._watch is None:
            self._watch = Watch(self.find, self.hub.publish, self._memory, write=self.write)
            self._watch.start()
        return self._watch

    def watch(self) -> Watch:
        """The watch of the open pages. Raises PipelineError if there are none."""
        if self._watch is None:
            raise PipelineError("No page is open: open the link first.")
        return self._watch

    async def linger(self) -> None:
        """End the watch once no page has been open for some seconds."""
        while self._watch is not None:
            await asyncio.sleep(_LINGER_SECONDS)
            if self.hub.listeners or self._watch is None:
                return
            if not self._replaying.locked():
                self._watch.end()
                self._watch = None

    def close(self) -> None:
        """End everything, a replay once the events that it has in the function are done."""
        self._closing.set()
        self.hub.close()
        if self._watch is not None:
            self._watch.end()

    def wait_for_replay(self) -> None:
        """Return once no replay is running."""
        with self._replaying:
            return

    def start_replay(self, chosen: frozenset[str] | None) -> None:
        """Replay these messages, or all; the pages show its progress.

        Raises PipelineError without a pipeline, or while another replay is running.
        """
        watch = self.watch()
        session, board = watch.current()
        if not self._replaying.acquire(blocking=False):
            raise PipelineError("A replay is running: wait until it has ended.")
        arguments = watch, session, board, chosen
        threading.Thread(target=self._replay, args=arguments, name="replay").start()

    def _replay(
        self, watch: Watch, session: ReadSession, board: Board, chosen: frozenset[str] | None
    ) -> None:
        progress: dict[str, Any] = {
            "running": True,
            "done": 0,
            "empty": 0,
            "skipped": 0,
            "stayed": 0,
        }
        missing = set(chosen or ())

        def is_chosen(failure: Failure) -> bool:
            return chosen is None or failure.message_id in missing

        try:
            target = session.target
            hidden_seconds = watch.pause_failures(True)
            watch.publish_replay(dict(progress))
            self._closing.wait(hidden_seconds)
            outcomes = replay(
                clients(**target.settings),
                queue_url=target.failure_queue_url,
                function_name=target.function_name,
                table_name=target.table_name,
                chosen=is_chosen,
            )
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    if outcome.done:
                        became = "done" if outcome.records > outcome.skipped else "skipped"
                        progress[became if outcome.records else "empty"] += 1
                        board.remove_failure(outcome.message.message_id)
                    else:
                        progress |= {"stayed": progress["stayed"] + 1, "reason": outcome.reason}
                    watch.publish_replay(dict(progress))
                    watch.wake("records", "log")
                    missing.discard(outcome.message.message_id)
                    if self._closing.is_set() or (chosen is not None and not missing):
                        break
            if missing and not self._closing.is_set():
                progress["problem"] = (
                    f"{len(missing)} of them are not in the queue any more, or are hidden by "
                    "another reader."
                )
            recovered = progress["done"] + progress["skipped"]
            if recovered and not progress["stayed"] and not self._closing.is_set():
                board.replayed(recovered)
        except Exception as error:  # noqa: BLE001 - whatever it is, the page shows it
            progress["problem"] = explain(error, "the failure queue")
        finally:
            watch.publish_replay(progress | {"running": False})
            watch.pause_failures(False)
            self._replaying.release()
