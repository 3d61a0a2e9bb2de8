"""The one sentence on the page that says whether the pipeline works, and if not, why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipeline import times
from pipeline.console.board.board import Board
from pipeline.console.board.figures import WINDOW_SECONDS
from pipeline.console.board.stages import NOTHING, Stage, Status

# A replay that ended well is told of so long.
_RECOVERED_SECONDS = 900.0


@dataclass(frozen=True)
class Headline:
    """What is wrong, since when (epoch seconds), on which stages, and what to press.

    `detail` says what else there is to know.
    """

    status: Status
    text: str
    detail: str = ""
    since: float | None = None
    stages: tuple[str, ...] = ()
    action: Literal["replay"] | None = None


def headline(board: Board, stages: Sequence[Stage]) -> Headline:
    """Of these stages the first cause; what follows from it is its detail."""
    failing = [stage for stage in stages if stage.status == "failing"]
    by_id = {stage.id: stage for stage in failing}
    queue, alarms = by_id.pop("failures", None), by_id.pop("alarms", None)
    names = tuple(stage.id for stage in failing)
    waiting = _waiting(queue)
    if by_id:
        first = next(iter(by_id.values()))
        others = [f"{stage.title}: {stage.detail}" for stage in list(by_id.values())[1:]]
        press = "Fix the cause, then press Replay all." if queue else ""
        detail = _join([*others, waiting, _in_alarm(alarms), press])
        text = f"{first.title} failing: {first.detail}"
        return Headline("failing", text, detail, first.since, names, "replay" if queue else None)
    if queue:
        press = "Once the cause is fixed, press Replay all."
        text = f"{waiting} {board.newest_failure_reason()}".strip()
        detail = _join([_in_alarm(alarms), press])
        return Headline("failing", text, detail, queue.since, names, "replay")
    recovery = board.recovery
    if recovery is not None and board.now() - recovery.at < _RECOVERED_SECONDS:
        events = f"{recovery.events} event{'s' * (recovery.events != 1)}"
        at = times.utc(recovery.at)[11:]
        text = f"Recovered at {at}: {events} replayed, the failure queue is empty."
        if alarms is None:
            return _known(stages) or Headline("ok", text)
        if alarms.since is None or alarms.since <= recovery.at:
            wait = "An alarm returns to OK when its period is over."
            return Headline("busy", text, _join([_in_alarm(alarms), wait]), None, names)
    if alarms:
        reasons = [a["reason"] for a in board.alarms or () if a["state"] == "ALARM"]
        text = _in_alarm(alarms)
        return Headline("failing", text, _join(reasons[:1]), alarms.since, names)
    error = board.last.get("error", 0.0)
    old = board.now() - error < WINDOW_SECONDS and bool(board.figures.errors.since(board.now()))
    last = f"The last one failed at {times.utc(error)[11:]}." if old else ""
    active = next((s for s in stages if s.id == "alarms" and s.status == "busy"), None)
    return _known(stages) or replace(_working(stages), detail=_join([last, _in_alarm(active)]))


def _known(stages: Sequence[Stage]) -> Headline | None:
    unknown = [stage for stage in stages if stage.status == "unknown"]
    if not unknown and stages:
        return None
    titles = ", ".join(stage.title.lower() for stage in unknown)
    why = next((stage.detail for stage in unknown if stage.detail), "")
    if not why:
        return Headline("unknown", "Checking the pipeline …")
    return Headline("unknown", f"Unknown: {titles}.", why, None, tuple(s.id for s in unknown))


def _working(stages: Sequence[Stage]) -> Headline:
    figures = {figure.label: figure.value for stage in stages for figure in stage.figures}
    invocations, errors = figures.get("invocations", NOTHING), figures.get("errors", NOTHING)
    if invocations in ("0", NOTHING):
        return Headline("ok", "OK: configured as it should be. No upload in the last 15 minutes.")
    plural = "s" * (invocations != "1")
    found = f"{invocations} invocation{plural}, {errors} failed, in the last 15 minutes."
    written = figures.get("writes", NOTHING)
    if written != NOTHING:
        found = f"{written} record{'s' * (written != '1')} written, {found}"
    return Headline("ok", f"OK: {found}")


def _waiting(queue: Stage | None) -> str:
    if queue is None:
        return ""
    number = queue.figures[0].value
    wait = "1 event waits" if number == "1" else f"{number} events wait"
    return f"{wait} in the failure queue."


def _in_alarm(alarms: Stage | None) -> str:
    return "" if alarms is None else f"In alarm: {alarms.detail}."


def _join(sentences: Iterable[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
