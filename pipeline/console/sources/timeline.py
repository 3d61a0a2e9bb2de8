"""The timeline of a page that was just opened: dots, alarms' periods, and changes."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.console.board.board import Board
from pipeline.console.board.figures import WINDOW_SECONDS
from pipeline.console.sources.cloudwatch import invocations
from pipeline.console.sources.log import older_log
from pipeline.console.sources.session import ReadSession
from pipeline.deployed.documents import json_object
from pipeline.deployed.invokes import Invokes
from pipeline.errors import PipelineError

MINUTES = (5, 15, 60)
# Longer ones, with the seconds for which CloudWatch tells one figure.
LONGER = {360: 300, 1440: 900}


def read(session: ReadSession, board: Board, minutes: str) -> dict[str, Any]:
    """What happened in so many minutes; an hour reads the log once more, as far back.

    More than an hour is CloudWatch's: a dot stands for a period's invocations, whose number is its
    last part; it is at their p99, with p50 as `run` and the errors as `failed`.
    """
    if minutes not in map(str, (*MINUTES, *LONGER)):
        raise PipelineError(f"minutes is {minutes[:20]!r}, and takes 5, 15, 60, 360 or 1440.")
    seconds = int(minutes) * 60
    if int(minutes) in LONGER:
        columns = invocations(session, LONGER[int(minutes)], seconds)
        return {
            "dots": [
                (f"~{at:.0f}", "", at, most, half, errors, 0, number)
                for at, most, half, errors, number in columns
            ],
            "every": 1,
            "alarms": _periods(session, board.now() - seconds),
            "changes": board.changes,
        }
    if seconds > WINDOW_SECONDS and board.take_turn():
        found = Invokes(20_000).add(older_log(session, seconds, WINDOW_SECONDS))
        board.add_old_invokes(found)
    alarms = _periods(session, board.now() - seconds)
    # After the call that takes its time, so that they are as new as can be.
    dots, every = board.dots_since(board.now() - seconds)
    return {
        "dots": dots,
        "every": every,
        "alarms": alarms,
        "changes": board.changes,
    }


def _periods(session: ReadSession, since: float) -> list[tuple[str, float, float | None]]:
    """Name, begin and end (epoch milliseconds, None: it lasts) of each alarm's time in ALARM."""
    answer = session.client("cloudwatch").describe_alarm_history(
        HistoryItemType="StateUpdate", MaxRecords=100
    )
    names = set(session.target.alarm_names)
    return periods(
        (item for item in answer["AlarmHistoryItems"] if item["AlarmName"] in names), since
    )


def periods(
    items: Iterable[Mapping[str, Any]], since: float
) -> list[tuple[str, float, float | None]]:
    """The same of DescribeAlarmHistory's items."""
    began: dict[str, float] = {}
    found: list[tuple[str, float, float | None]] = []
    for item in sorted(items, key=lambda item: float(item["Timestamp"].timestamp())):
        data = json_object(item.get("HistoryData")) or {}
        state = (json_object(data.get("newState")) or {}).get("stateValue")
        name, at = str(item["AlarmName"]), item["Timestamp"].timestamp() * 1000
        if state == "ALARM":
            began.setdefault(name, at)
        elif name in began:
            found.append((name, began.pop(name), at))
    found += [(name, at, None) for name, at in began.items()]
    return [period for period in found if period[2] is None or period[2] >= since * 1000]
