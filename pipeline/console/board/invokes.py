"""Gather the function's log lines into invokes, whichever of Lambda's two formats they have.

A line belongs to the request that it names; one that names none belongs to the request that its
stream (one environment, one request at a time) is busy with, or names next.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import json
import math
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_REQUEST = re.compile(r"RequestId:? ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_TIMED_OUT = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}) Task timed out after"
)
_DURATION = re.compile(r"\tDuration: ([0-9]+(?:\.[0-9]+)?) ms")
_STATUS = re.compile(r"\tStatus: (?:error|failure|timeout)\b")
_TEXT_LEVEL = re.compile(r"\[([A-Z]+)\]")
# As Python's logging calls them.
_SYNONYMS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_LINES = 60
# AWS's have 36 characters; others are made by emulators and by people.
_LONGEST_REQUEST = 100
_LONGEST = 4000
# The function names 25.
_MOST_IDS = 100


@dataclass(frozen=True)
class Refused:
    """A record that the function says it could not store, and why."""

    bucket: str
    key: str
    object_id: str
    reason: str


@dataclass
class Invoke:
    """One invoke, as far as its lines tell.

    `at` is when its last line was written, in epoch milliseconds; `milliseconds` what the function
    says it took, else what Lambda says. `level` is the gravest of its lines'. `lines` are
    `[at, level, text]`.
    """

    request: str
    at: int = 0
    milliseconds: float | None = None
    level: str = "INFO"
    received: int | None = None
    stored: int | None = None
    failed: int | None = None
    cold: bool | None = None
    ended: bool = False
    object_ids: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    lines: list[tuple[int, str, str]] = field(default_factory=list)
    # When the function was done with the records, to the millisecond.
    done_at: int | None = None

    @property
    def broken(self) -> bool:
        """Whether something in it failed, be it an attempt that was made again."""
        return _LEVELS.index(self.level) >= _LEVELS.index("ERROR") or bool(self.failed)


class Invokes:
    """The newest invokes of a log group, at most `limit` of them. Not for several threads."""

    def __init__(self, limit: int = 500) -> None:
        """Know nothing yet."""
        self._limit = limit
        self._known: dict[str, Invoke] = {}
        # By stream: the request that it is busy with, and lines that wait for a name.
        self._busy: dict[str, str] = {}
        self._nameless: dict[str, list[tuple[int, Any, str]]] = {}
        self._seen: set[int] = set()
        self._order: deque[int] = deque()

    def take(self, events: Iterable[Mapping[str, Any]]) -> list[Invoke]:
        """Take FilterLogEvents' events; returns the invokes that they changed.

        An event that comes again changes nothing.
        """
        changed: dict[str, Invoke] = {}
        for event in events:
            if self._again(event):
                continue
            stream, at, text = event["logStreamName"], int(event["timestamp"]), event["message"]
            told = _parsed(text)
            request = _request(told, text)
            if request is None:
                request = self._busy.get(stream)
            else:
                for waiting in self._nameless.pop(stream, []):
                    _add(self._of(request), *waiting)
            if request is None:
                waiting_lines = self._nameless.setdefault(stream, [])
                waiting_lines.append((at, told, text))
                del waiting_lines[:-_LINES]
                while len(self._nameless) > self._limit:
                    del self._nameless[next(iter(self._nameless))]
                continue
            invoke = changed[request] = self._of(request)
            _add(invoke, at, told, text)
            if invoke.ended:
                self._busy.pop(stream, None)
            else:
                self._busy[stream] = request
        self._forget()
        return [invoke for request, invoke in changed.items() if request in self._known]

    def newest(self) -> list[Invoke]:
        """All that are known, the newest last."""
        return sorted(self._known.values(), key=lambda one: one.at)

    def _of(self, request: str) -> Invoke:
        return self._known.setdefault(request, Invoke(request))

    def _again(self, event: Mapping[str, Any]) -> bool:
        # An emulator gives events no id.
        mark = event.get("eventId") or (
            event["logStreamName"],
            event["timestamp"],
            event["message"],
        )
        known = hash(mark)
        if known in self._seen:
            return True
        self._seen.add(known)
        self._order.append(known)
        if len(self._order) > 40 * self._limit:
            self._seen.discard(self._order.popleft())
        return False

    def _forget(self) -> None:
        if len(self._known) > self._limit:
            for old in self.newest()[: len(self._known) - self._limit]:
                del self._known[old.request]
            self._busy = {s: one for s, one in self._busy.items() if one in self._known}


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _request(told: Mapping[str, Any] | None, text: str) -> str | None:
    if told is None:
        found = _REQUEST.search(text) or _TIMED_OUT.search(text)
        return found[1] if found else None
    named = told.get("requestId") or _mapping(told.get("record")).get("requestId")
    return named if isinstance(named, str) and 0 < len(named) <= _LONGEST_REQUEST else None


def _add(invoke: Invoke, at: int, told: Mapping[str, Any] | None, text: str) -> None:
    level = _level(told, text)
    invoke.at = max(invoke.at, at)
    if _LEVELS.index(level) > _LEVELS.index(invoke.level):
        invoke.level = level
    invoke.lines.append((_moment(told) or at, level, text.rstrip()[:_LONGEST]))
    del invoke.lines[:-_LINES]
    if told is None:
        if text.startswith("START "):
            _begun(invoke)
        elif text.startswith("REPORT "):
            if found := _DURATION.search(text):
                invoke.milliseconds = invoke.milliseconds or float(found[1])
            invoke.ended = True
    elif told.get("type") == "platform.start":
        _begun(invoke)
    elif told.get("message") == "Invoke done":
        _done(invoke, told, at)
    elif told.get("message") == "Record not stored":
        names = "bucket", "key", "objectId", "reason"
        texts = (str(told.get(name) or "")[:_LONGEST] for name in names)
        invoke.refused.append(Refused(*texts))
        del invoke.refused[:-_LINES]
    elif told.get("type") == "platform.report":
        metrics = _mapping(_mapping(told.get("record")).get("metrics"))
        invoke.milliseconds = invoke.milliseconds or _number(metrics.get("durationMs"))
        invoke.ended = True


def _begun(invoke: Invoke) -> None:
    # Lambda tries an asynchronous event again under the same request id.
    if invoke.ended:
        invoke.ended, invoke.milliseconds = False, None


def _done(invoke: Invoke, told: Mapping[str, Any], at: int) -> None:
    invoke.milliseconds = _number(told.get("milliseconds"))
    for name in "received", "stored", "failed":
        value = _number(told.get(name))
        setattr(invoke, name, None if value is None else int(value))
    invoke.cold = bool(told.get("coldStart"))
    named = told.get("objectIds")
    invoke.object_ids = [str(one) for one in named[:_MOST_IDS]] if isinstance(named, list) else []
    invoke.done_at = _moment(told) or at


def _level(told: Mapping[str, Any] | None, text: str) -> str:
    if told is None:
        if "Task timed out" in text or (text.startswith("REPORT ") and _STATUS.search(text)):
            return "ERROR"
        found = _TEXT_LEVEL.match(text)
        level = found[1] if found else "INFO"
    elif _mapping(told.get("record")).get("status") in ("error", "failure", "timeout"):
        return "ERROR"
    else:
        level = str(told.get("level") or told.get("log_level") or "INFO").upper()
    level = _SYNONYMS.get(level, level)
    return level if level in _LEVELS else "INFO"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment(told: Mapping[str, Any] | None) -> int | None:
    """Epoch milliseconds of the line's own time."""
    try:
        moment = datetime.fromisoformat(str((told or {})["timestamp"]))
        # Without a zone, the reader's own must not count.
        return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    except (KeyError, ValueError, OverflowError):
        return None


def _number(value: Any) -> float | None:
    # A page could not read JSON with NaN or Infinity in it.
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:
        return None
