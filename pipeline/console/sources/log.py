"""The function's log group."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.console.board.board import WINDOW_SECONDS
from pipeline.console.sources.session import ReadSession
from pipeline.console.sources.source import Source

_MAX_EVENTS = 100_000
_MAX_EVENTS_OF_REQUEST = 1000
_DAY_SECONDS = 86_400


@dataclass
class Log(Source):
    """Calls `changed` when invocations changed, and `failed` when one of them failed."""

    panel, thing = "log", "the log group"
    interval, quick = (0.45, 2.0), (0.08, 0.5)
    changed: Callable[[], None]
    failed: Callable[[], None]
    _since: float = field(default_factory=lambda: (time.time() - WINDOW_SECONDS) * 1000, init=False)

    def poll(self, session: ReadSession) -> None:
        events = _events(session, self._since, MaxItems=_MAX_EVENTS, PageSize=10_000)
        invokes = self.board.add_log_events(events, time.time())
        if invokes:
            self.changed()
        if any(invoke.failing for invoke in invokes):
            self.failed()
        if events:
            # Log streams are read one after the other: some lines come seconds later.
            late = 2_000 if self.embedded else 30_000
            self._since = max(self._since, max(event["timestamp"] for event in events) - late)


def search_log(session: ReadSession, request: str) -> list[dict[str, Any]]:
    """The events of the last day that contain a request id, the oldest first."""
    since = (time.time() - _DAY_SECONDS) * 1000
    return _events(session, since, f'"{request}"', MaxItems=_MAX_EVENTS_OF_REQUEST)


def _events(
    session: ReadSession, since: float, pattern: str = "", **pagination: int
) -> list[dict[str, Any]]:
    pages = session.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(
        logGroupName=session.target.log_group_name,
        startTime=int(since),
        PaginationConfig=pagination,
        **({"filterPattern": pattern} if pattern else {}),
    )
    return [event for page in found for event in page["events"]]
