"""Gather the function's log lines into invocations, in either of Lambda's two log formats.

A line belongs to the request that it names. A line without a request id belongs to the request that
its log stream (one environment, one request at a time) is running, or else names next.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.deployed.documents import epoch_ms, json_object, number
from pipeline.deployed.documents import text as text_of

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# Python's logging has other names for two of them.
_LEVEL_NAMES = dict(zip(LEVELS, LEVELS, strict=True)) | {"WARNING": "WARN", "CRITICAL": "FATAL"}
_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_REQUEST = re.compile(rf"RequestId:? (?P<named>{_ID})|(?P<timed_out>{_ID}) Task timed out after")
_DURATION = re.compile(r"\tDuration: ([0-9]+(?:\.[0-9]+)?) ms")
_INIT = re.compile(r"\tInit Duration: ([0-9]+(?:\.[0-9]+)?) ms")
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):", re.MULTILINE)
# A process that was killed has a line that begins as ours of a request do.
_FAILED = re.compile(
    r"REPORT .*\tStatus: (?:error|failure|timeout)\b|.*Task timed out"
    r"|(?:.*\n)?Traceback \(most recent call|RequestId: \S+ (?:Error: |Process exited)",
    re.DOTALL,
)
_KILLED = re.compile(r"RequestId: \S+ (?:Error: )?(\S.*)|REPORT .*\tError Type: ([^\t\n]+)")
# `[ERROR] ValueError: text`, with the traceback below, or `<time> <id> Task timed out after …`.
_TEXT_ERROR = re.compile(r"(?:\[(?:ERROR|CRITICAL)\]|.*(?=Task timed out))\s*(\S.*)")
_TEXT_LEVEL = re.compile(r"\[([A-Z]+)\]")
# Lambda's own lines, in both formats.
_LAMBDAS = re.compile(
    r"(?:INIT_START|START|END|REPORT|EXTENSION|LOGS) |\{.*\"type\": ?\"platform\."
)
_MAX_LINES = 60
_MAX_TEXT = 4000
# AWS's have 36 characters; emulators and people make others.
_MAX_REQUEST_ID = 100
# The function names 25.
_MAX_OBJECT_IDS = 100


@dataclass(frozen=True)
class NotStored:
    """A record that the function could not store, and the reason that it logged."""

    bucket: str
    key: str
    object_id: str
    reason: str


@dataclass
class Invoke:
    """An invocation, as far as its log lines describe it.

    `at` is the time of its last line and `done_at` when the function had finished with the records,
    both in epoch milliseconds. `milliseconds` is the duration that the function logged, else the
    one that Lambda reported. `reported` is Lambda's alone: with the imports of a cold start on the
    emulator. `init` is how long Lambda prepared a new environment for it. `attempts` counts how
    often Lambda tried it. `level` is the highest of its lines, each of which is `(at, level,
    text)`, `attempt_level` that of the last attempt's.
    """

    request: str
    at: int = 0
    milliseconds: float | None = None
    level: str = "INFO"
    received: int | None = None
    stored: int | None = None
    failed: int | None = None
    skipped: int | None = None
    cold_start: bool | None = None
    ended: bool = False
    object_ids: list[str] = field(default_factory=list)
    not_stored: list[NotStored] = field(default_factory=list)
    lines: list[tuple[int, str, str]] = field(default_factory=list)
    done_at: int | None = None
    attempts: int = 1
    reported: float | None = None
    init: float | None = None
    attempt_level: str = "INFO"

    @property
    def reason(self) -> str:
        """Why it failed: why a record was not stored, else the exception; empty if it did not."""
        if self.not_stored:
            return self.not_stored[-1].reason
        found, raising = "", False
        for _, level, text in self.lines:
            document = json_object(text)
            if document is not None:
                if LEVELS.index(level) >= LEVELS.index("ERROR"):
                    found = _error(document) or found
            elif raising and not text.startswith((" ", "\t")):
                found, raising = text, False
            elif match := _TEXT_ERROR.match(text):
                found = match[1]
            elif _TRACEBACK.search(text):
                # As one line of the log, or as many as it has.
                whole = text.rstrip()
                raising = whole.endswith(":")
                found = found if raising else whole.rpartition("\n")[2]
        return found or self._killed

    @property
    def traceback(self) -> tuple[str, ...]:
        """The lines of the last exception's traceback, the exception itself last.

        Without those that only mark a place in the line above.
        """
        found: list[str] = []
        raising = False
        for _, _, text in self.lines:
            document = json_object(text)
            stack = (document or {}).get("stackTrace")
            if isinstance(stack, list):
                found = [line for part in stack for line in text_of(part).splitlines()]
                found.append(_error(document or {}))
            if document is not None:
                continue
            for line in text.splitlines():
                if _TRACEBACK.match(line):
                    found, raising = [], True
                elif raising and line.strip(" \t^~"):
                    found.append(line)
                    raising = line.startswith((" ", "\t"))
        return tuple(found)

    @property
    def printed(self) -> tuple[str, ...]:
        """What the function itself logged, without Lambda's own lines."""
        texts = (text for _, _, text in self.lines if not _LAMBDAS.match(text))
        return tuple(line for text in texts for line in text.splitlines() if line.strip())

    @property
    def failing(self) -> bool:
        """Whether anything in it failed, even if a later attempt succeeded."""
        return LEVELS.index(self.level) >= LEVELS.index("ERROR") or bool(self.failed)

    @property
    def attempt_failing(self) -> bool:
        """Whether anything in the last attempt failed."""
        return LEVELS.index(self.attempt_level) >= LEVELS.index("ERROR") or bool(self.failed)

    @property
    def _killed(self) -> str:
        """What Lambda says of a process that ended without an exception of its own."""
        found = (_KILLED.match(text) for _, level, text in self.lines if level == "ERROR")
        return next((match[1] or match[2] for match in found if match), "")

    def names(self, object_id: str) -> bool:
        """Whether its lines say what became of this record."""
        refused = (record.object_id for record in self.not_stored)
        return object_id in self.object_ids or object_id in refused

    def add(self, at: int, text: str, document: Mapping[str, Any] | None) -> None:
        """Add a line; `document` is its JSON, if it is any."""
        level = _level(text, document)
        self.at = max(self.at, at)
        self.level = max(self.level, level, key=LEVELS.index)
        if self.ended and _starts(text, document):
            self._start()
        self.attempt_level = max(self.attempt_level, level, key=LEVELS.index)
        logged_at = round(epoch_ms((document or {}).get("timestamp")) or at)
        self.lines = [*self.lines, (logged_at, level, text.rstrip()[:_MAX_TEXT])][-_MAX_LINES:]
        if document is None:
            if text.startswith("REPORT "):
                duration, init = _DURATION.search(text), _INIT.search(text)
                self._end(*(float(each[1]) if each else None for each in (duration, init)))
        elif document.get("message") == "Invoke done":
            self._finish(document, logged_at)
        elif document.get("message") == "Record not stored":
            names = "bucket", "key", "objectId", "reason"
            texts = (str(document.get(name) or "")[:_MAX_TEXT] for name in names)
            self.not_stored = [*self.not_stored, NotStored(*texts)][-_MAX_LINES:]
        elif document.get("type") == "platform.report":
            metrics = json_object(_record(document).get("metrics")) or {}
            self._end(number(metrics.get("durationMs")), number(metrics.get("initDurationMs")))

    def _start(self) -> None:
        # Lambda retries an asynchronous event under the same request id.
        self.ended, self.milliseconds, self.reported, self.init = False, None, None, None
        self.failed, self.attempt_level, self.attempts = None, "INFO", self.attempts + 1

    def _end(self, milliseconds: float | None, init: float | None) -> None:
        self.ended, self.milliseconds = True, self.milliseconds or milliseconds
        self.reported, self.init = milliseconds, init

    def _finish(self, document: Mapping[str, Any], at: int) -> None:
        self.milliseconds = number(document.get("milliseconds"))
        for name in "received", "stored", "failed", "skipped":
            count = number(document.get(name))
            setattr(self, name, None if count is None else int(count))
        self.cold_start = bool(document.get("coldStart"))
        object_ids = document.get("objectIds")
        self.object_ids = (
            list(map(str, object_ids[:_MAX_OBJECT_IDS])) if isinstance(object_ids, list) else []
        )
        self.done_at = at


def attempts_of(invoke: Invoke) -> list[Invoke]:
    """Each attempt of an invocation as one of its own, with its lines; the oldest first."""
    found: list[Invoke] = []
    for at, _, text in invoke.lines:
        document = json_object(text)
        if not found or (found[-1].ended and _starts(text, document)):
            found.append(Invoke(invoke.request))
        found[-1].add(at, text, document)
    return found


class Invokes:
    """The newest invocations of a log group, at most `limit` of them. Not thread-safe."""

    def __init__(self, limit: int = 500) -> None:
        """Start empty."""
        self._limit = limit
        self._known: dict[str, Invoke] = {}
        # By log stream: the request that it is running, and lines that wait for a request id.
        self._running: dict[str, str] = {}
        self._waiting: dict[str, list[tuple[int, str, dict[str, Any] | None]]] = {}
        self._seen = OrderedDict[int, None]()

    def add(self, events: Iterable[Mapping[str, Any]]) -> list[Invoke]:
        """Add events of FilterLogEvents; returns the invocations that changed.

        An event that was added before changes nothing.
        """
        changed: dict[str, Invoke] = {}
        for event in events:
            if self._was_seen(event):
                continue
            stream, text = event["logStreamName"], event["message"]
            document = json_object(text)
            line = int(event["timestamp"]), text, document
            request = _request(text, document)
            if request is None:
                request = self._running.get(stream)
            else:
                for waiting in self._waiting.pop(stream, []):
                    self._invoke(request).add(*waiting)
            if request is None:
                self._waiting[stream] = [*self._waiting.get(stream, []), line][-_MAX_LINES:]
                while len(self._waiting) > self._limit:
                    del self._waiting[next(iter(self._waiting))]
                continue
            invoke = changed[request] = self._invoke(request)
            invoke.add(*line)
            if invoke.ended:
                self._running.pop(stream, None)
            else:
                self._running[stream] = request
        self._forget_oldest()
        return [invoke for request, invoke in changed.items() if request in self._known]

    def newest(self) -> list[Invoke]:
        """All that are known, the newest last."""
        return sorted(self._known.values(), key=lambda invoke: invoke.at)

    def _invoke(self, request: str) -> Invoke:
        return self._known.setdefault(request, Invoke(request))

    def _was_seen(self, event: Mapping[str, Any]) -> bool:
        # An emulator's events have no id.
        content = event["logStreamName"], event["timestamp"], event["message"]
        identity = hash(event.get("eventId") or content)
        if identity in self._seen:
            return True
        self._seen[identity] = None
        if len(self._seen) > 40 * self._limit:
            self._seen.popitem(last=False)
        return False

    def _forget_oldest(self) -> None:
        if len(self._known) > self._limit:
            self._known = {invoke.request: invoke for invoke in self.newest()[-self._limit :]}
            self._running = {
                stream: request
                for stream, request in self._running.items()
                if request in self._known
            }


def _error(document: Mapping[str, Any]) -> str:
    """What a line in JSON says of an error: Lambda's own of an exception, else its message."""
    if "errorType" in document:
        return f"{document['errorType']}: {text_of(document.get('errorMessage') or '')}"
    record = _record(document)
    return text_of(document.get("message") or record.get("errorType") or record.get("status") or "")


def _starts(text: str, document: Mapping[str, Any] | None) -> bool:
    return text.startswith("START ") or (document or {}).get("type") == "platform.start"


def _record(document: Mapping[str, Any]) -> dict[str, Any]:
    return json_object(document.get("record")) or {}


def _request(text: str, document: Mapping[str, Any] | None) -> str | None:
    if document is None:
        match = _REQUEST.search(text)
        return match[match.lastgroup or 0] if match else None
    request = document.get("requestId") or _record(document).get("requestId")
    is_id = isinstance(request, str) and 0 < len(request) <= _MAX_REQUEST_ID
    return request if is_id else None


def _level(text: str, document: Mapping[str, Any] | None) -> str:
    if document is None:
        match = _TEXT_LEVEL.match(text)
        failed, name = bool(_FAILED.match(text)), match[1] if match else ""
    else:
        failed = _record(document).get("status") in ("error", "failure", "timeout")
        name = str(document.get("level") or document.get("log_level") or "").upper()
        failed = failed or (not name and "errorType" in document)
    return "ERROR" if failed else _LEVEL_NAMES.get(name, "INFO")
