"""Read the function's log group."""

import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from pipeline.deployed import aws
from pipeline.deployed.documents import json_object
from pipeline.deployed.invokes import Invoke, Invokes
from pipeline.deployed.session import Session

_PAGE = 10_000
# What FilterLogEvents takes.
_MOST_STREAMS = 100
# More than a page can have.
_MOST_INVOKES = 20_000
# An invocation without an end, whose level of logging leaves that out, is over after so long.
_SILENT_MS = 3000.0
# Log streams are read one after the other: some lines come later.
_LATE_MS = 30_000.0
_LATE_ON_AN_EMULATOR_MS = 2000.0


def events(
    logs: Any, group: str, since: float, pattern: str = "", at_most: int | None = None
) -> list[dict[str, Any]]:
    """CloudWatch's log events since then (epoch seconds) that match a filter pattern.

    `logs` is a boto3 client; AWS takes five of its FilterLogEvents a second from an account and
    region. Raises ClientError and BotoCoreError.
    """
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        filterPattern=pattern,
        startTime=int(since * 1000),
        PaginationConfig={"MaxItems": at_most},
    )
    return list(pages.search("events[]"))


def invokes_of(session: Session, request: str, since: float) -> list[Invoke]:
    """The invocations whose request id begins so, with lines since then (epoch seconds).

    Raises PipelineError.
    """
    logs, group = session.client("logs"), session.target.log_group_name
    with _asking(group):
        named = events(logs, group, since, f'"{request}"')
        if not named:
            return []
        # Not every line names its request: those around are of the same log streams.
        times = [event["timestamp"] for event in named]
        streams = list(dict.fromkeys(event["logStreamName"] for event in named))
        around = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            logStreamNames=streams[:_MOST_STREAMS],
            startTime=min(times),
            endTime=max(times) + 1,
        )
        found = Invokes()
        for page in around:
            found.add(page["events"])
    return [invoke for invoke in found.newest() if invoke.request.startswith(request)]


def _asking(group: str) -> Any:
    return aws.asking(f"the log group {group}", "run `terraform apply` in the stack's root")


class LogReader:
    """The function's invocations, each once it has ended; not for several threads at a time."""

    def __init__(self, since: float) -> None:
        """Those with lines since then, in epoch seconds."""
        self._since = since * 1000
        self._invokes = Invokes(_MOST_INVOKES)
        self._open: dict[str, Invoke] = {}
        # A retry has the request id of the first attempt.
        self._passed = OrderedDict[tuple[str, int], None]()

    def new(self, session: Session, *, last: bool = False) -> Iterator[Invoke]:
        """Those that have ended since the last call; the `last` one has all others, too.

        Raises PipelineError.
        """
        logs, group = session.client("logs"), session.target.log_group_name
        late = _LATE_ON_AN_EMULATOR_MS if aws.is_emulator(logs) else _LATE_MS
        began = self._since
        asked = {"logGroupName": group, "startTime": int(began)}
        with _asking(group):
            for page in logs.get_paginator("filter_log_events").paginate(**asked):
                for invoke in self._invokes.add(page["events"]):
                    if (invoke.request, invoke.attempts) not in self._passed:
                        self._open[invoke.request] = invoke
                yield from self._take(ended=True)
                # CloudWatch takes lines of the next two hours; nothing before them may be missed.
                newest = max((event["timestamp"] for event in page["events"]), default=0)
                self._since = max(self._since, min(newest, time.time() * 1000) - late)
        # The emulator has no second page.
        if page["events"][_PAGE - 1 :] and self._since - 1 > began and late < _LATE_MS:
            yield from self.new(session, last=last)
        yield from self._take(ended=False, last=last)

    def _take(self, *, ended: bool, last: bool = False) -> Iterator[Invoke]:
        silent = time.time() * 1000 - _SILENT_MS
        over = [
            invoke
            for invoke in self._open.values()
            if invoke.ended or (not ended and (last or invoke.at < silent))
        ]
        for invoke in sorted(over, key=lambda invoke: invoke.at):
            del self._open[invoke.request]
            self._passed[invoke.request, invoke.attempts] = None
            if len(self._passed) > _MOST_INVOKES:
                self._passed.popitem(last=False)
            yield invoke


def document(line: str) -> dict[str, Any]:
    """The JSON object that a log line is; empty for other lines."""
    return json_object(line) or {}
