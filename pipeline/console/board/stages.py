"""The pipeline's stages in the order of the flow: each one's status and figures."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.console.board.board import WINDOW_SECONDS, Board
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

NOTHING = "\N{EN DASH}"

Status = Literal["ok", "busy", "failing", "unknown"]

# How long after an event a stage is busy, and after an error the function is failing.
_BUSY_SECONDS = 2.0
_FAILING_SECONDS = 300.0


@dataclass(frozen=True)
class Figure:
    """A figure, its unit in `value`, and a sentence about it."""

    label: str
    value: str
    title: str


@dataclass(frozen=True)
class Stage:
    """A stage: `id` names it in an upload's stages too, `resource` is its name in AWS.

    `detail` is why it is not OK, or else how it is configured.
    """

    id: str
    title: str
    resource: str
    status: Status
    detail: str
    figures: tuple[Figure, ...]


def stages(board: Board, target: Target) -> list[Stage]:
    """The stages of `target`'s delivery."""
    view = _View(board, target, board.unknown, time.time())
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
    return drawn + [stage(view) for stage in others]


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
    received = view.board.metrics.get("received")
    title = "Events that AWS counted in the last 15 minutes."
    if received is None:
        title = "Events that invoked the function in the last 15 minutes, by its log."
        if "log" not in view.unknown:
            received = view.board.function_figures(view.now)["invocations"]
    status = view.status("notification", busy=view.is_busy("bucket"))
    figures = [Figure("received", _count(received), title)]
    names = [view.name("bucket_name"), *view.further_buckets]
    if len(names) > 1 and "records" not in view.unknown:
        title = "Records of its events in the last 15 minutes, among the newest of the table."
        figures += [
            Figure(name, _count(view.board.recorded_in(name, view.now)), title) for name in names
        ]
    title = "Bucket" if len(names) == 1 else "Buckets"
    return Stage("bucket", title, ", ".join(names), *status, tuple(figures))


def _notification(view: _View) -> Stage:
    status = view.status("permission", "notification", busy=view.board.uploads_in_progress())
    title = "The longest wait of an event for the function in the last 15 minutes."
    figures = (Figure("waited", _milliseconds(view.board.metrics.get("event_age")), title),)
    return Stage("delivery", "Notification", "S3 → Lambda", *status, figures)


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
    return Stage(stage, title, view.name("buffer_queue_url", "/"), *status, figures)


def _function(view: _View) -> Stage:
    known = "log" not in view.unknown
    measured = view.board.function_figures(view.now) if known else {}
    throttled = view.board.metrics.get("throttles")
    figures = [
        Figure("invocations", _count(measured.get("invocations")), "In 15 minutes."),
        Figure("errors", _count(measured.get("errors")), "In 15 minutes."),
        Figure(
            "p50", _milliseconds(measured.get("p50")), "Half of the invocations took no longer."
        ),
        Figure(
            "p99", _milliseconds(measured.get("p99")), "99 % of the invocations took no longer."
        ),
    ]
    if throttled:
        title = "Invocations that were throttled in 15 minutes."
        figures.append(Figure("throttled", _count(throttled), title))
    status = view.status("function", "role", panel="log", busy=view.is_busy("function"))
    name = view.name("function_name")
    stage = Stage("function", "Function", name, *status, tuple(figures))
    since = view.now - view.board.last.get("error", 0)
    ago = "just now" if since < 5 else f"{_seconds(since)} ago"
    failed = known and since < _FAILING_SECONDS
    return _failing(stage, failed, f"An invocation failed {ago}: see the log.")


def _table(view: _View) -> Stage:
    throttled = view.board.metrics.get("write_throttles")
    writes = view.board.metrics.get("writes")
    title = "Records written in the last 15 minutes, by CloudWatch."
    if writes is None or view.board.writes(view.now) > writes:
        # CloudWatch has it minutes later.
        writes, title = view.board.writes(view.now), "Records written since this page was opened."
    figures = (
        Figure("writes", _count(None if "records" in view.unknown else writes), title),
        Figure("throttled", _count(throttled), "Writes that were throttled in 15 minutes."),
    )
    status = view.status("table", panel="records", busy=view.is_busy("table"))
    stage = Stage("table", "Table", view.name("table_name"), *status, figures)
    return _failing(stage, bool(throttled), "Writes were throttled in the last 15 minutes.")


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
        Figure("waiting", _count(depth and depth[0]), "Messages."),
        Figure("oldest", _seconds(oldest), "Time since the oldest known event failed."),
    )
    name = view.name("failure_queue_url", "/")
    return Stage("failures", "Failure queue", name, status, detail, figures)


def _alarms(view: _View) -> Stage:
    alarms = None if "alarms" in view.unknown else view.board.alarms
    names = [alarm["name"] for alarm in alarms or () if alarm["state"] == "ALARM"]
    in_alarm = in_ok = None
    status: Status = "unknown"
    detail = view.unknown.get("alarms", "")
    if alarms is not None:
        in_alarm, in_ok = len(names), sum(alarm["state"] == "OK" for alarm in alarms)
        status = "failing" if names else "ok"
        none = "No alarm is in state ALARM." if alarms else "The stack has no alarms."
        detail = ", ".join(names) or none
    figures = (
        Figure("in alarm", _count(in_alarm), "Alarms in state ALARM."),
        Figure("OK", _count(in_ok), "Alarms in state OK."),
    )
    return Stage("alarms", "Alarms", "CloudWatch", status, detail, figures)


def _topic(view: _View) -> Stage:
    status, detail = view.status("topic")
    subscriptions = view.board.checks.get("subscriptions")
    if status == "ok" and subscriptions is not None and subscriptions.verdict == "ok":
        detail = subscriptions.message
    count = None if "notifications" in view.unknown else len(view.board.notifications)
    figures = (Figure("notifications", _count(count), "Notifications that are shown below."),)
    return Stage("topic", "Topic", view.name("topic_arn", ":"), status, detail, figures)


def _failing(stage: Stage, failing: bool, detail: str) -> Stage:
    """The stage, failing for another reason than its configuration."""
    if not failing or stage.status == "failing":
        return stage
    return replace(stage, status="failing", detail=detail)


def _count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _milliseconds(value: float | None) -> str:
    if value is None or value >= 10_000:
        return _seconds(value and value / 1000)
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _seconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    if value >= 7200:
        return f"{value / 3600:.0f} h"
    return f"{value / 60:.0f} min" if value >= 120 else f"{value:.0f} s"
