"""The pipeline's stages in the order of the flow: each one's status and figures."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.console.board.board import Board
from pipeline.console.board.figures import BIN_SECONDS, WINDOW_SECONDS, Counts, Series
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

NOTHING = "\N{EN DASH}"

Status = Literal["ok", "busy", "failing", "unknown"]

# The section of the alarm that only says that much is written.
_ACTIVITY = "DynamoDBWriteActivityAlert"
# How long after an event a stage is busy.
_BUSY_SECONDS = 2.0


@dataclass(frozen=True)
class Figure:
    """A figure, its unit in `value`, and a sentence about it."""

    label: str
    value: str
    title: str


@dataclass(frozen=True)
class Stage:
    """A stage: `id` names it in an upload's stages too, `resource` is its name in AWS.

    `detail` is why it is not OK, or else how it is configured; `since` when that began, in epoch
    seconds. `series` is what its first figure was in each half minute, None where nobody knows.
    """

    id: str
    title: str
    resource: str
    status: Status
    detail: str
    figures: tuple[Figure, ...]
    since: float | None = None
    series: Series | None = None


def stages(board: Board, target: Target) -> list[Stage]:
    """The stages of `target`'s delivery."""
    view = _View(board, target, board.unknown, board.now())
    by_rule = view.delivery.get("via") == "eventbridge"
    has_buffer = bool(target.outputs.get("buffer_queue_url"))
    draining = has_buffer and not view.delivery.get("buffered", True)
    drawn = [_bucket(view)]
    if by_rule or view.further_buckets:
        drawn.append(_rule(view))
    if not by_rule and (draining or not has_buffer):
        drawn.append(_notification(view))
    if has_buffer:
        drawn.append(_buffer(view, draining))
    others = _function, _table, _failure_queue, _alarms, _topic
    drawn += [stage(view) for stage in others]
    return [
        replace(stage, since=board.noticed.get(stage.detail)) if stage.since is None else stage
        for stage in drawn
    ]


@dataclass(frozen=True)
class _View:
    """What stages are drawn from, at the time `now` (epoch seconds)."""

    board: Board
    target: Target
    unknown: Mapping[str, str]
    now: float

    @property
    def delivery(self) -> Mapping[str, Any]:
        try:
            return self.target.delivery
        except PipelineError:
            # Half applied, or given by hand: drawn like the default.
            return {}

    @property
    def further_buckets(self) -> tuple[str, ...]:
        return tuple(self.delivery.get("buckets") or ())

    def name(self, output: str, separator: str = "") -> str:
        """The name in an output, or in the last part of a URL or an ARN."""
        value = str(self.target.outputs.get(output) or "")
        return value.rpartition(separator)[2] if separator else value or "unknown"

    def knows(self, panel: str) -> bool:
        """Whether the panel was read, and still can be."""
        return panel in self.board.read and panel not in self.unknown

    def is_busy(self, stage: str) -> bool:
        return self.now - self.board.last.get(stage, 0) < _BUSY_SECONDS

    def status(self, *checks: str, panel: str = "", busy: bool = False) -> tuple[Status, str]:
        """Status and detail by the worst of the checks, unknown if the panel can't be read."""
        order = ("failing", "unknown", "ok")
        found = [self.board.checks[name] for name in checks if name in self.board.checks]
        worst = min(found, key=lambda check: order.index(check.verdict), default=None)
        if worst is not None and worst.verdict == "failing":
            return "failing", worst.message
        if panel in self.unknown:
            return "unknown", self.unknown[panel]
        if worst is None:
            return "unknown", self.unknown.get("checks", "")
        if worst.verdict == "unknown":
            return "unknown", worst.message
        return "busy" if busy else "ok", worst.message


def _bucket(view: _View) -> Stage:
    received, series = view.board.metrics.get("received"), None
    title = "Events that AWS counted in the last 15 minutes."
    if view.knows("log") and view.board.figures.tells(view.now):
        # CloudWatch has them minutes later.
        counted = view.board.figures.received.since(view.now)
        series = view.board.series("received", view.now)
        if received is None or counted >= received:
            title = "Events that the function received in the last 15 minutes, by its log."
            received = counted
    status = view.status("notification", busy=view.is_busy("bucket"))
    figures = [Figure("received", _count(received), title)]
    names = [view.name("bucket_name"), *view.further_buckets]
    if len(names) > 1 and view.knows("records"):
        title = "Records of its events in the last 15 minutes, among the newest of the table."
        figures += [
            Figure(name, _count(view.board.recorded_in(name, view.now)), title) for name in names
        ]
    title = "Bucket" if len(names) == 1 else "Buckets"
    return Stage("bucket", title, ", ".join(names), *status, tuple(figures), None, series)


def _notification(view: _View) -> Stage:
    status = view.status("permission", "notification", busy=view.board.uploads_in_progress())
    waited, title = view.board.metrics.get("event_age"), "by CloudWatch"
    if waited is None:
        waited, title = view.board.waits.most(view.now), "of this page's uploads, by the log"
    title = f"The longest wait of an event for the function in the last 15 minutes, {title}."
    figures = (Figure("waited", _milliseconds(waited), title),)
    series = view.board.series("waits", view.now)
    return Stage("delivery", "Notification", "S3 → Lambda", *status, figures, None, series)


def _rule(view: _View) -> Stage:
    since = view.now - WINDOW_SECONDS
    counts = [
        value
        for alarm in view.board.alarms or ()
        if alarm["section"] == "RuleFailuresAlert"
        for at, value in view.board.datapoints.get(alarm["name"], ())
        if at >= since
    ]
    status = view.status("rule", "permission", busy=view.board.uploads_in_progress())
    title = "Events that the rule could not deliver in the last 15 minutes."
    figures = (Figure("failed", _count(sum(counts) if counts else None), title),)
    stage = Stage("rule", "Rule", "EventBridge", *status, figures)
    return _failing(stage, any(counts), "Events could not be delivered in the last 15 minutes.")


def _buffer(view: _View, draining: bool) -> Stage:
    waiting, in_flight = view.board.depths.get("buffer", (None, None))
    oldest = view.board.metrics.get("buffer_oldest")
    figures = (
        Figure("waiting", _count(waiting), "Messages that wait for the function."),
        Figure("in flight", _count(in_flight), "Messages that the function has."),
        Figure("oldest", _seconds(oldest), "Age of the oldest message, by CloudWatch."),
    )
    status = view.status("buffer", "permission", panel="failures", busy=bool(waiting or in_flight))
    # New events go past a buffer that drains.
    stage, title = ("buffer", "Buffer, draining") if draining else ("delivery", "Buffer")
    name, series = view.name("buffer_queue_url", "/"), view.board.series("buffer", view.now)
    return Stage(stage, title, name, *status, figures, None, series)


def _function(view: _View) -> Stage:
    known = view.knows("log")
    measured = view.board.function_figures(view.now) if known else {}
    throttled = view.board.metrics.get("throttles")
    took = "of the invocations took no longer, as Lambda reported it."
    figures = [
        Figure("invocations", _count(measured.get("invocations")), "In 15 minutes."),
        Figure("errors", _count(measured.get("errors")), "Invocations that failed in 15 minutes."),
        Figure("p50", _milliseconds(measured.get("p50")), f"Half {took}"),
        Figure("p99", _milliseconds(measured.get("p99")), f"99 % {took}"),
    ]
    if throttled:
        title = "Invocations that were throttled in 15 minutes."
        figures.append(Figure("throttled", _count(throttled), title))
    shown = "invocations"
    if measured.get("errors"):
        figures[:2], shown = figures[1::-1], "errors"
    status = view.status("function", "role", panel="log", busy=view.is_busy("function"))
    series = view.board.series(shown, view.now) if known else None
    name = view.name("function_name")
    stage = Stage("function", "Function", name, *status, tuple(figures), None, series)
    why = view.board.failing_reason or "An invocation failed: see the log."
    return _failing(stage, view.board.failing(view.now), why, view.board.failing_since)


def _table(view: _View) -> Stage:
    throttled = view.board.metrics.get("write_throttles")
    figures = (
        _writes(view),
        Figure("throttled", _count(throttled), "Writes that were throttled in 15 minutes."),
    )
    status = view.status("table", panel="records", busy=view.is_busy("table"))
    name, series = view.name("table_name"), _writes_series(view)
    stage = Stage("table", "Table", name, *status, figures, None, series)
    return _failing(stage, view.board.throttled(view.now), "Writes were throttled lately.")


def _logged(view: _View) -> bool:
    """Whether the function's log has all of its writes."""
    return view.knows("log") and view.board.figures.tells(view.now)


def _writes(view: _View) -> Figure:
    """Records written, by whoever knows of most: CloudWatch is minutes behind, others see less."""
    found: list[tuple[float, str]] = []
    if (counted := view.board.metrics.get("writes")) is not None:
        found.append((counted, "by CloudWatch"))
    if _logged(view):
        found.append((view.board.figures.stored.since(view.now), "by the function's log"))
    seen, opened = view.board.writes(view.now), view.board.opened_at
    whole = view.now - opened >= WINDOW_SECONDS
    if view.knows("records") and (whole or found):
        found.append((seen, "by the table's stream"))
    if "records" in view.unknown or not (found or (seen and view.knows("records"))):
        return Figure("writes", NOTHING, "Nobody tells how many records were written.")
    if not found:
        return Figure("writes since opened", _count(seen), "Records written since then.")
    number, source = max(found)
    return Figure("writes", _count(number), f"Records written in the last 15 minutes, {source}.")


def _writes_series(view: _View) -> Series | None:
    if "records" in view.unknown:
        return None
    if _logged(view):
        return view.board.series("stored", view.now)
    bins = int((view.now - view.board.opened_at) // BIN_SECONDS) + 1
    seen = view.board.series("writes", view.now)
    unseen: Series = [None] * max(0, len(seen) - bins)
    return [*unseen, *seen[-bins:]] if view.knows("records") else None


def _failure_queue(view: _View) -> Stage:
    depth = None if "failures" in view.unknown else view.board.depths.get("failures")
    failed_at = view.board.oldest_failure() if depth and any(depth) else None
    oldest = None if failed_at is None else max(0.0, view.now - failed_at)
    status: Status = "ok"
    detail = "Empty."
    if depth is None:
        status, detail = "unknown", view.unknown.get("failures", "")
    elif any(depth):
        status, detail = "failing", "Failed events are waiting: fix the cause, then replay them."
    figures = (
        Figure("waiting", _count(depth and sum(depth)), "Messages, hidden ones too."),
        Figure("oldest", _seconds(oldest), "Time since the oldest known event failed."),
    )
    name = view.name("failure_queue_url", "/")
    series = view.board.series("failures", view.now) if depth is not None else None
    stage = "failures", "Failure queue", name, status, detail, figures, failed_at, series
    return Stage(*stage)


def _alarms(view: _View) -> Stage:
    alarms = None if "alarms" in view.unknown else view.board.alarms
    names = [alarm["name"] for alarm in alarms or () if alarm["state"] == "ALARM"]
    in_alarm = in_ok = None
    status: Status = "unknown"
    detail = view.unknown.get("alarms", "")
    since, series = None, None
    if alarms is not None:
        in_alarm, in_ok = len(names), sum(alarm["state"] == "OK" for alarm in alarms)
        # Alarms without a datapoint yet say nothing.
        status = "ok" if in_ok or not alarms else "unknown"
        if names:
            # Many writes are no fault.
            in_state = [alarm for alarm in alarms if alarm["state"] == "ALARM"]
            harmless = all(alarm["section"] == _ACTIVITY for alarm in in_state)
            status = "busy" if harmless else "failing"
        none = "No alarm is in state ALARM." if alarms else "The stack has no alarms."
        detail = ", ".join(names) or none
        began = (alarm.get("since") for alarm in alarms if alarm["state"] == "ALARM")
        since = min((at for at in began if at is not None), default=None)
        series = view.board.series("alarms", view.now)
    figures = (
        Figure("in alarm", _count(in_alarm), "Alarms in state ALARM."),
        Figure("OK", _count(in_ok), "Alarms in state OK."),
    )
    return Stage("alarms", "Alarms", "CloudWatch", status, detail, figures, since, series)


def _topic(view: _View) -> Stage:
    status, detail = view.status("topic")
    subscriptions = view.board.checks.get("subscriptions")
    if status == "ok" and subscriptions is not None and subscriptions.verdict == "ok":
        detail = subscriptions.message
    count = len(view.board.notifications) if view.knows("notifications") else None
    sent = Counts()
    for notification in view.board.notifications:
        sent.add(notification.at / 1000)
    series = None if count is None else sent.series(view.now)
    figures = (Figure("notifications", _count(count), "Notifications that are shown below."),)
    name = view.name("topic_arn", ":")
    return Stage("topic", "Topic", name, status, detail, figures, None, series)


def _failing(stage: Stage, failing: bool, detail: str, since: float | None = None) -> Stage:
    """The stage, failing for another reason than its configuration."""
    if not failing or stage.status == "failing":
        return replace(stage, since=since) if failing else stage
    return replace(stage, status="failing", detail=detail, since=since)


def _count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _milliseconds(value: float | None) -> str:
    if value is None or value >= 10_000:
        return _seconds(value and value / 1000)
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _seconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    if value >= 7200:
        return f"{value / 3600:.0f} h"
    return f"{value / 60:.0f} min" if value >= 120 else f"{value:.0f} s"
