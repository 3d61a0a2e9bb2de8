"""The function's log group."""

import time
from dataclasses import dataclass, field
from typing import Any

from pipeline.console.board.figures import WINDOW_SECONDS
from pipeline.console.sources.session import ReadSession
from pipeline.console.sources.source import Source

_MAX_EVENTS = 100_000
_MAX_EVENTS_OF_REQUEST = 1000
_DAY_SECONDS = 86_400


@dataclass
class Log(Source):
    """The function's log."""

    panel, thing = "log", "the log group"
    interval, quick = (0.45, 2.0), (0.08, 0.5)
    _since: float = field(default_factory=lambda: (time.time() - WINDOW_SECONDS) * 1000, init=False)

    def poll(self, session: ReadSession) -> None:
        events = _events(session, self._since, MaxItems=_MAX_EVENTS, PageSize=10_000)
        invokes = self.board.add_log_events(events, time.time())
        # In AWS the free tier sets the interval.
        if invokes and self.embedded:
            self.wake("records")
        if any(invoke.failing for invoke in invokes):
            self.wake("failures", "checks")
        if events:
            # Log streams are read one after the other: some lines come seconds later.
            late = 2_000 if self.embedded else 30_000
            # CloudWatch takes lines of the next two hours, and nothing before them is to be missed.
            newest = min(max(event["timestamp"] for event in events), time.time() * 1000)
            self._since = max(self._since, newest - late)


def older_log(session: ReadSession, seconds: float, until: float) -> list[dict[str, Any]]:
    """The events from `seconds` ago until `until` seconds ago, as far as a call may read."""
    now = session.clock.now()
    return _events(
        session,
        (now - seconds) * 1000,
        until=(now - until) * 1000,
        MaxItems=_MAX_EVENTS,
        PageSize=10_000,
    )


def search_log(session: ReadSession, request: str) -> list[dict[str, Any]]:
    """The events of the last day that contain a request id, the oldest first."""
    since = (time.time() - _DAY_SECONDS) * 1000
    return _events(session, since, f'"{request}"', MaxItems=_MAX_EVENTS_OF_REQUEST)


def _events(
    session: ReadSession,
    since: float,
    pattern: str = "",
    until: float | None = None,
    **pagination: int,
) -> list[dict[str, Any]]:
    pages = session.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(
        logGroupName=session.target.log_group_name,
        startTime=int(since),
        PaginationConfig=pagination,
        **({"filterPattern": pattern} if pattern else {}),
        **({"endTime": int(until)} if until is not None else {}),
    )
    return [event for page in found for event in page["events"]]
