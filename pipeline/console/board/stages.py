"""The pipeline from left to right: each stage's name, figures, and whether it is well."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.console.board.board import WINDOW_SECONDS, Board, Check
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

NOTHING = "\N{EN DASH}"

Health = Literal["healthy", "busy", "broken", "unknown"]

# How long after something happened a stage is shown as busy, and a failure as broken.
_BUSY_SECONDS = 2.0
_BROKEN_SECONDS = 300.0


@dataclass(frozen=True)
class Figure:
    """A figure, its unit in `value`, and a sentence about it."""

    label: str
    value: str
    title: str


@dataclass(frozen=True)
class Stage:
    """A stage: `id` names it in a travel's stages, `resource` is what AWS calls it.

    `says` is why it is not healthy, or what was seen of how it is wired.
    """

    id: str
    title: str
    resource: str
    health: Health
    says: str
    figures: tuple[Figure, ...]


def stages(board: Board, target: Target, blind: Mapping[str, str]) -> list[Stage]:
    """The stages of `target` as this stack's delivery has them; `blind` is why by panel."""
    now = time.time()
    delivery = _delivery(target)
    made = [_bucket(board, target, blind, now)]
    by_rule = delivery.get("via") == "eventbridge"
    if by_rule:
        made.append(_rule(board))
    buffer = bool(target.outputs.get("buffer_queue_url"))
    drains = buffer and not delivery.get("buffered", True)
    if not by_rule and (drains or not buffer):
        made.append(_notification(board))
    if buffer:
        made.append(_buffer(board, target, blind, drains))
    made += [
        _function(board, target, blind, now),
        _table(board, target, blind, now),
        _failures(board, target, blind, now),
        _alarms(board, blind),
        _topic(board, target, blind),
    ]
    return [_blinded(one, blind) for one in made]


def _blinded(stage: Stage, blind: Mapping[str, str]) -> Stage:
    # Without what was seen of its wiring there is a reason at least.
    if stage.says or stage.health != "unknown" or "checks" not in blind:
        return stage
    return replace(stage, says=blind["checks"])


def _bucket(board: Board, target: Target, blind: Mapping[str, str], now: float) -> Stage:
    check = board.checks.get("notification")
    received = board.metrics.get("received")
    label = "received"
    title = "Events that AWS counted in the last 15 minutes."
    if received is None:
        received = board.function_figures(now)["invokes"] if "log" not in blind else None
        title = "Events that the function was invoked with in the last 15 minutes, by its log."
    health = _health(check, now - board.last.get("bucket", 0) < _BUSY_SECONDS)
    figures = (Figure(label, _count(received), title),)
    return Stage("bucket", "Bucket", _name(target, "bucket_name"), health, _says(check), figures)


def _notification(board: Board) -> Stage:
    check = _worst(board.checks.get("permission"), board.checks.get("notification"))
    age = board.metrics.get("event_age")
    title = "The longest that an event waited for the function in the last 15 minutes."
    health = _health(check, board.under_way())
    figures = (Figure("waited", _duration(age), title),)
    return Stage("delivery", "Notification", "S3 → Lambda", health, _says(check), figures)


def _rule(board: Board) -> Stage:
    check = _worst(board.checks.get("rule"), board.checks.get("permission"))
    since = time.time() - WINDOW_SECONDS
    lines = [
        [value for at, value in board.points.get(one["name"], ()) if at >= since]
        for one in board.alarms
        if one["section"] == "RuleFailuresAlert"
    ]
    failed = sum(map(sum, lines)) if lines else None
    health = "broken" if failed else _health(check, board.under_way())
    title = "Events that the rule could not hand over in the last 15 minutes."
    figures = (Figure("not handed over", _count(failed), title),)
    return Stage("rule", "Rule", "EventBridge", health, _says(check), figures)


def _buffer(board: Board, target: Target, blind: Mapping[str, str], drains: bool) -> Stage:
    check = _worst(board.checks.get("buffer"), board.checks.get("permission"))
    depth = board.depths.get("buffer")
    waiting = depth.waiting if depth else None
    figures = (
        Figure("waiting", _count(waiting), "Messages that wait for the function."),
        Figure("in flight", _count(depth.hidden if depth else None), "Messages that it has."),
        Figure(
            "oldest",
            _seconds(board.metrics.get("buffer_oldest")),
            "Age of the oldest message, as CloudWatch says.",
        ),
    )
    health = _health(check, bool(depth and (depth.waiting or depth.hidden)), blind.get("failures"))
    url = str(target.outputs.get("buffer_queue_url"))
    name = url.rpartition("/")[2]
    says = blind.get("failures") or _says(check)
    if drains:
        # New events go past it.
        return Stage("buffer", "Buffer, draining", name, health, says, figures)
    return Stage("delivery", "Buffer", name, health, says, figures)


def _function(board: Board, target: Target, blind: Mapping[str, str], now: float) -> Stage:
    check = _worst(board.checks.get("function"), board.checks.get("role"))
    told = board.function_figures(now)
    health = _health(check, now - board.last.get("function", 0) < _BUSY_SECONDS, blind.get("log"))
    says = blind.get("log") or _says(check)
    failed_at = board.last.get("error", 0)
    if health != "broken" and now - failed_at < _BROKEN_SECONDS and "log" not in blind:
        ago = _ago(now - failed_at)
        health, says = "broken", f"An invoke failed {ago}; the log below says why."
    known = "log" not in blind
    figures: tuple[Figure, ...] = (
        Figure("invokes", _count(told["invokes"] if known else None), "In 15 minutes."),
        Figure("errors", _count(told["errors"] if known else None), "In 15 minutes."),
        Figure(
            "p50", _duration(told["p50"] if known else None), "Half of the invokes took no longer."
        ),
        Figure(
            "p99", _duration(told["p99"] if known else None), "99 % of the invokes took no longer."
        ),
    )
    throttled = board.metrics.get("throttles")
    if throttled:
        figures += (Figure("throttled", _count(throttled), "Invokes refused in 15 minutes."),)
    name = _name(target, "function_name")
    return Stage("function", "Function", name, health, says, figures)


def _table(board: Board, target: Target, blind: Mapping[str, str], now: float) -> Stage:
    check = board.checks.get("table")
    throttled = board.metrics.get("write_throttles")
    why = blind.get("records")
    health = _health(check, now - board.last.get("table", 0) < _BUSY_SECONDS, why)
    says = why or _says(check)
    if throttled and health != "broken":
        health, says = "broken", "Writes were throttled in the last 15 minutes."
    writes = board.metrics.get("writes")
    title = "Records written in the last 15 minutes, as CloudWatch counts."
    if writes is None or board.writes(now) > writes:
        # CloudWatch tells minutes later.
        writes, title = board.writes(now), "Records written since this page was opened."
    figures = (
        Figure("writes", _count(writes if why is None else None), title),
        Figure("throttled", _count(throttled), "Writes refused in 15 minutes."),
    )
    return Stage("table", "Table", _name(target, "table_name"), health, says, figures)


def _failures(board: Board, target: Target, blind: Mapping[str, str], now: float) -> Stage:
    depth, why = board.depths.get("failures"), blind.get("failures")
    health: Health = "unknown" if why or depth is None else "healthy"
    says = why or ("Nothing waits." if depth else "")
    if not why and depth and (depth.waiting or depth.hidden):
        health = "broken"
        says = "Events that failed to the end wait here; mend the cause, then replay them."
    oldest = board.oldest_failure() if depth and depth.waiting + depth.hidden else None
    figures = (
        Figure("waiting", _count(depth.waiting if depth and not why else None), "Messages."),
        Figure(
            "oldest",
            NOTHING if oldest is None else _seconds(max(0.0, now - oldest)),
            "How long ago the oldest event that was read failed.",
        ),
    )
    url = str(target.outputs.get("failure_queue_url") or "")
    return Stage("failures", "Failure queue", url.rpartition("/")[2], health, says, figures)


def _alarms(board: Board, blind: Mapping[str, str]) -> Stage:
    why = blind.get("alarms")
    ringing = [one["name"] for one in board.alarms if one["state"] == "ALARM"]
    states = [one["state"] for one in board.alarms]
    known = board.heard and not why
    health: Health = "broken" if ringing and known else "healthy" if known else "unknown"
    says = "No alarm is on." if states else "The stack has no alarms."
    if not known or ringing:
        says = why or ", ".join(ringing)
    figures = (
        Figure("in alarm", _count(len(ringing) if known else None), "Alarms that are on."),
        Figure("OK", _count(states.count("OK") if known else None), "Alarms that are not."),
    )
    return Stage("alarms", "Alarms", "CloudWatch", health, says, figures)


def _topic(board: Board, target: Target, blind: Mapping[str, str]) -> Stage:
    check = board.checks.get("topic")
    health = _health(check, False)
    says = _says(check)
    if health == "healthy" and board.subscriptions:
        says = board.subscriptions
    told = None if "mails" in blind else len(board.mails)
    figures = (Figure("messages", _count(told), "Messages that are shown below."),)
    arn = str(target.outputs.get("topic_arn") or "")
    return Stage("topic", "Topic", arn.rpartition(":")[2], health, says, figures)


def _health(check: Check | None, busy: bool, why_blind: str | None = None) -> Health:
    if check is not None and check.verdict == "broken":
        return "broken"
    if why_blind is not None or check is None or check.verdict == "unknown":
        return "unknown"
    return "busy" if busy else "healthy"


def _says(check: Check | None) -> str:
    return "" if check is None else check.says


def _worst(*checks: Check | None) -> Check | None:
    order = ("broken", "unknown", "ok")
    found = [one for one in checks if one is not None]
    return min(found, key=lambda one: order.index(one.verdict), default=None)


def _delivery(target: Target) -> Mapping[str, Any]:
    try:
        return target.delivery
    except PipelineError:
        # Half applied, or given by hand: drawn as it is by default.
        return {}


def _name(target: Target, name: str) -> str:
    return str(target.outputs.get(name) or "not told by the stack")


def _count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return NOTHING
    if milliseconds >= 10_000:
        return f"{milliseconds / 1000:,.0f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


def _seconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    if value >= 7200:
        return f"{value / 3600:.0f} h"
    return f"{value / 60:.0f} min" if value >= 120 else f"{value:.0f} s"


def _ago(seconds: float) -> str:
    return "just now" if seconds < 5 else f"{_seconds(seconds)} ago"
