"""What is asked of table, log and configuration; `queues` and `cloudwatch` have the other panels.

One class a panel. Each call of `look` asks once and tells the board. It raises PipelineError and
botocore's errors, which whoever calls it turns into the panel's sentence, and returns how many
seconds it would wait for the next look.
"""

import functools
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.console.board.board import Board, Check, Item
from pipeline.console.sources.calls import Watched
from pipeline.console.sources.pace import LAB, Pace
from pipeline.deployed import aws
from pipeline.deployed import stream as arrivals
from pipeline.deployed.session import FailingError, NotCheckedError
from pipeline.deployed.stream import Arrivals
from pipeline.errors import PipelineError
from pipeline.verify import alerting, path, probe
from pipeline.verify.run import refused

_SCAN_PAGES = 4
_LOG_PAGES = 10
_LOG_SECONDS = 900
_APPLY = "run `terraform apply` in the stack's root"
_READ_BATCH = 100


class Source(Protocol):
    """One panel's source; `panel` names the panel that is blind without it."""

    panel: str

    def look(self, session: Watched) -> float:
        """Ask once."""


class Records:
    """The table: what was there, then its stream, which takes no read units."""

    panel = "records"

    def __init__(self, board: Board, pace: Pace, came: Callable[[], None]) -> None:
        """Begin with the table as it is; `came` is called when its stream tells of something."""
        self._board, self._pace, self._came = board, pace, came
        self._stream: Arrivals | None = None

    def look(self, session: Watched) -> float:
        """Ask once."""
        table = session.target.table_name
        if self._stream is None:
            # Before the scan: what comes meanwhile is on the stream.
            stream = Arrivals(session.client("dynamodbstreams"), session.target.table_stream_arn)
            self._board.fill_records(*_scan(session.client("dynamodb"), table))
            self._stream = stream
        try:
            found = self._stream.new()
        except (PipelineError, ClientError, BotoCoreError):
            # Iterators die with an emulator, and in AWS after a quarter of an hour.
            self._stream = None
            raise
        if found and not self._stream.images:
            found = _with_images(session.client("dynamodb"), table, found)
        self._board.arrived(found)
        if found:
            self._came()
        return self._pace.quick if self._board.under_way() else self._pace.records


class Log:
    """The function's log group, from a quarter of an hour ago."""

    panel = "log"

    def __init__(
        self, board: Board, pace: Pace, came: Callable[[], None], alert: Callable[[], None]
    ) -> None:
        """`came` is called when the log tells of something, `alert` when that failed."""
        self._board, self._pace, self._came, self._alert = board, pace, came, alert
        self._since = (time.time() - _LOG_SECONDS) * 1000

    def look(self, session: Watched) -> float:
        """Ask once."""
        pages = session.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(
            logGroupName=session.target.log_group_name,
            startTime=int(self._since),
            PaginationConfig={"PageSize": 10_000, "MaxItems": _LOG_PAGES * 10_000},
        )
        events = [event for page in found for event in page["events"]]
        told = self._board.logged(events, time.time())
        if told:
            self._came()
        if any(invoke.broken for invoke in told):
            self._alert()
        if events:
            # Streams are read one after the other; late lines come within seconds.
            late = 2_000 if self._pace is LAB else 30_000
            self._since = max(self._since, max(one["timestamp"] for one in events) - late)
        return self._pace.quick if self._board.under_way() else self._pace.log


class Checks:
    """Is each stage wired as the stack says? The looks of `pipeline verify`, without its probe."""

    panel = "checks"

    def __init__(self, board: Board, pace: Pace) -> None:
        """Know nothing yet."""
        self._board, self._pace = board, pace

    def look(self, session: Watched) -> float:
        """Ask once."""
        fresh = session.afresh()

        @functools.cache
        def chosen() -> probe.Probe:
            return probe.choose(session.target.delivery.get("filters") or [])

        looks: dict[str, Callable[[], str]] = {
            "notification": lambda: path.notification(fresh),
            "rule": lambda: path.rule(fresh, chosen()),
            "permission": lambda: path.permission(fresh, chosen()),
            "buffer": lambda: path.buffer(fresh),
            "function": lambda: path.function(fresh),
            "role": lambda: path.role(fresh),
            "table": lambda: path.table(fresh),
            "topic": lambda: alerting.topic(fresh),
        }
        found = {}
        for name, look in looks.items():
            check = _checked(fresh, name, look)
            if check is not None:
                found[name] = check
        self._board.checks = found
        try:
            self._board.subscriptions = alerting.subscriptions(fresh)
        except Exception:  # noqa: BLE001 - a word more about the topic, if it can be had
            self._board.subscriptions = ""
        broken = any(check.verdict == "broken" for check in found.values())
        # Whoever mends it wants to see so.
        return self._pace.checks / 10 if broken else self._pace.checks


def _checked(session: Watched, name: str, look: Callable[[], str]) -> Check | None:
    try:
        return Check("ok", look())
    except FailingError as error:
        return Check("broken", str(error))
    except NotCheckedError:
        # There is no such stage here, or who looks lacks a right that few have.
        return None
    except (ClientError, BotoCoreError) as error:
        try:
            return Check(*refused(session, name, error))
        except PipelineError:
            # A stack that is half applied has no names for all that it could be about.
            return Check("unknown", aws.sentence(error, f"the {name}", _APPLY))
    except PipelineError as error:
        return Check("unknown", str(error))
    except Exception as error:  # noqa: BLE001 - names that were given by hand can be anything
        return Check("unknown", f"The {name} can't be looked at ({error!r:.200}).")


def search_records(
    session: Watched, prefix: str, since: float | None, until: float | None, at_most: int
) -> tuple[list[Item], bool]:
    """Records by key prefix and event time (epoch seconds), and whether all were looked at."""
    names, values, parts = {}, {}, []
    if prefix:
        parts.append("begins_with(#key, :prefix)")
        names["#key"], values[":prefix"] = "objectKey", {"S": prefix}
    for sign, name, moment in ((">=", "since", since), ("<=", "until", until)):
        if moment is not None:
            parts.append(f"#time {sign} :{name}")
            names["#time"], values[f":{name}"] = "timestamp", {"N": f"{moment:.0f}"}
    more: dict[str, Any] = {}
    if parts:
        more = {
            "FilterExpression": " AND ".join(parts),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    items, whole = _scan(session.client("dynamodb"), session.target.table_name, **more)
    items.sort(key=lambda item: float(item.get("timestamp", {}).get("N", 0)))
    return items[-at_most:], whole


def search_log(session: Watched, request: str) -> list[dict[str, Any]]:
    """The lines of the last day that name a request, the oldest first."""
    since = datetime.now(UTC) - timedelta(days=1)
    pages = session.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(
        logGroupName=session.target.log_group_name,
        startTime=int(since.timestamp() * 1000),
        filterPattern=f'"{request}"',
        PaginationConfig={"MaxItems": 1000},
    )
    return [event for page in found for event in page["events"]]


def _scan(dynamodb: Any, table: str, **more: Any) -> tuple[list[Item], bool]:
    """Items of the table's first 4 MB, and whether that is all of it."""
    items: list[Item] = []
    asked: dict[str, Any] = {"TableName": table, **more}
    for _ in range(_SCAN_PAGES):
        page = dynamodb.scan(**asked)
        items += page["Items"]
        if not page.get("LastEvaluatedKey"):
            return items, True
        asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return items, False


def _with_images(
    dynamodb: Any, table: str, found: Sequence[arrivals.Arrival]
) -> list[arrivals.Arrival]:
    """The same with what the items are now, where the stream does not carry it."""
    keys = {one.keys["objectId"]["S"]: one.keys for one in found if one.change != "REMOVE"}
    images: dict[str, Item] = {}
    newest = list(keys.values())[-_READ_BATCH:]
    if newest:
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": newest}})
        images = {item["objectId"]["S"]: item for item in answer["Responses"].get(table, [])}
    return [
        arrivals.Arrival(one.seen, one.change, one.keys, images.get(one.keys["objectId"]["S"]))
        for one in found
    ]
