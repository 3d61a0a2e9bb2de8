"""What is asked of AWS, one class a panel. Each call of `look` asks once and tells the board.

`look` raises LabError and botocore's errors; whoever calls it turns them into the panel's sentence.
It returns how many seconds it would wait for the next look.
"""

import functools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from lab import arrivals, aws, failures, probe, watching, wiring
from lab.arrivals import Arrivals
from lab.console import mail
from lab.console.board import WINDOW_SECONDS, Board, Check, Depth, Item
from lab.console.calls import Watched
from lab.console.mail import Mail
from lab.console.runbook import section
from lab.errors import LabError
from lab.ground import BrokenError, UntoldError
from lab.verify import refused

_SCAN_PAGES = 4
_LOG_PAGES = 10
_LOG_SECONDS = 900
_POINTS = 60
_POINT_SECONDS = 14 * 86_400
_PEEK = 10
_LONG_PEEKS = 10
_HIDDEN_SECONDS = 2
_LOOK_AGAIN_SECONDS = 30
# Read of the embedded lab's queue, whose newest may be its last.
_MOST_MAILS = 1000
_APPLY = "run `terraform apply` in the stack's root"
_READ_BATCH = 100
_METRIC = ("Namespace", "MetricName", "Dimensions")


@dataclass(frozen=True)
class Pace:
    """How often to ask, in seconds; `quick` is while an upload is on its way.

    The figures in docs/console.md follow from these.
    """

    records: float
    log: float
    queues: float
    alarms: float
    mails: float
    points: float
    metrics: float
    checks: float
    quick: float


# An emulator's answers cost some of this machine: together less than a fiftieth of a core. AWS's
# always-free requests last for a month of these, day and night.
LAB = Pace(0.45, 0.5, 3.0, 3.0, 10.0, 30.0, 30.0, 30.0, 0.08)
AWS = Pace(1.2, 2.0, 10.0, 15.0, 60.0, 300.0, 60.0, 300.0, 0.5)


class Source(Protocol):
    """One panel's source; `panel` names the panel that is blind without it."""

    panel: str

    def look(self, ground: Watched) -> float:
        """Ask once."""


class Records:
    """The table: what was there, then its stream, which takes no read units."""

    panel = "records"

    def __init__(self, board: Board, pace: Pace, came: Callable[[], None]) -> None:
        """Begin with the table as it is; `came` is called when its stream tells of something."""
        self._board, self._pace, self._came = board, pace, came
        self._stream: Arrivals | None = None

    def look(self, ground: Watched) -> float:
        """Ask once."""
        table = ground.target.table_name
        if self._stream is None:
            # Before the scan: what comes meanwhile is on the stream.
            stream = Arrivals(ground.client("dynamodbstreams"), ground.target.table_stream_arn)
            self._board.fill_records(*_scan(ground.client("dynamodb"), table))
            self._stream = stream
        try:
            found = self._stream.new()
        except (LabError, ClientError, BotoCoreError):
            # Iterators die with an emulator, and in AWS after a quarter of an hour.
            self._stream = None
            raise
        if found and not self._stream.images:
            found = _with_images(ground.client("dynamodb"), table, found)
        self._board.arrived(found)
        if found:
            self._came()
        return self._pace.quick if self._board.under_way() else self._pace.records


class Log:
    """The function's log group, from a quarter of an hour ago."""

    panel = "log"

    def __init__(self, board: Board, pace: Pace, alert: Callable[[], None]) -> None:
        """`alert` is called when something failed."""
        self._board, self._pace, self._alert = board, pace, alert
        self._since = (time.time() - _LOG_SECONDS) * 1000

    def look(self, ground: Watched) -> float:
        """Ask once."""
        pages = ground.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(
            logGroupName=ground.target.log_group_name,
            startTime=int(self._since),
            PaginationConfig={"PageSize": 10_000, "MaxItems": _LOG_PAGES * 10_000},
        )
        events = [event for page in found for event in page["events"]]
        if self._board.logged(events, time.time()):
            self._alert()
        if events:
            # Streams are read one after the other; late lines come within seconds.
            late = 2_000 if self._pace is LAB else 30_000
            self._since = max(self._since, max(one["timestamp"] for one in events) - late)
        return self._pace.quick if self._board.under_way() else self._pace.log


class Queues:
    """Depth of failure queue and buffer, and what lies in the former."""

    panel = "failures"

    def __init__(self, board: Board, pace: Pace) -> None:
        """Know nothing yet."""
        self._board, self._pace = board, pace
        self._read: tuple[int, float] | None = None
        self._reading = threading.Lock()
        self._held = False
        self._hidden_until = 0.0

    def hold(self, held: bool) -> float:
        """Read no messages for that long; how many seconds some are hidden yet, by a look."""
        with self._reading:
            self._held, self._read = held, None
            return max(0.0, self._hidden_until - time.monotonic())

    def look(self, ground: Watched) -> float:
        """Ask once."""
        sqs, url = ground.client("sqs"), ground.target.failure_queue_url
        depths = {"failures": Depth(*watching.depth(sqs, url))}
        if (buffer := ground.target.buffer_queue_url) is not None:
            depths["buffer"] = Depth(*watching.depth(sqs, buffer))
        self._board.queues(depths)
        with self._reading:
            # A replay has them; it tells of each itself.
            if not self._held:
                self._look_into(sqs, url, depths["failures"])
        return 3 * self._pace.quick if self._board.under_way() else self._pace.queues

    def _look_into(self, sqs: Any, url: str, depth: Depth) -> None:
        # Together: what a look hides is there all the same.
        there, now = depth.waiting + depth.hidden, time.monotonic()
        known, read_at = self._read or (None, now)
        if known == there and (not there or now - read_at < _LOOK_AGAIN_SECONDS):
            return
        found = list(map(failures.read, _peek(sqs, url, depth.waiting))) if depth.waiting else []
        if depth.waiting > _PEEK:
            self._hidden_until = time.monotonic() + _HIDDEN_SECONDS
        self._board.failed(found, complete=not depth.hidden and len(found) >= depth.waiting)
        self._read = there, now


class Alarms:
    """State of each alarm."""

    panel = "alarms"

    def __init__(self, board: Board, pace: Pace, changed: Callable[[], None]) -> None:
        """`changed` is called when an alarm has another state."""
        self._board, self._pace, self._changed = board, pace, changed

    def look(self, ground: Watched) -> float:
        """Ask once."""
        found = describe(ground)
        names = ground.target.alarm_names
        told = [_told_alarm(found[name]) for name in names if name in found]
        missing = [name for name in names if name not in found]
        if self._board.rang(told):
            self._changed()
        if missing:
            raise LabError(
                f"There is no alarm {' or '.join(missing)}: run `terraform apply` in the stack's "
                "root, which puts it back."
            )
        return self._pace.alarms


class Mails:
    """Messages that reached the topic: from a queue that is subscribed, or the alarms' history."""

    panel = "mails"

    def __init__(self, board: Board, pace: Pace, queue_url: str | None) -> None:
        """`queue_url` is of a subscribed queue that nobody else reads, as the lab has one."""
        self._board, self._pace, self._queue_url = board, pace, queue_url
        # How many there were when it was read, and whether nobody hid any then.
        self._seen: tuple[int | None, bool] = None, False
        self._read: dict[str, Mail] = {}

    def look(self, ground: Watched) -> float:
        """Ask once."""
        if self._queue_url is None:
            self._board.mailed(_newest(_from_history(ground)))
        else:
            sqs = ground.client("sqs")
            waiting, hidden = watching.depth(sqs, self._queue_url)
            there, whole = self._seen
            # What another page hides was read before, or is once it is there again.
            if waiting + hidden != there or not (whole or hidden):
                found = _peek(sqs, self._queue_url, waiting, _MOST_MAILS // _PEEK)
                mails = (mail.of_envelope(one["MessageId"], one["Body"]) for one in found)
                known = self._read if waiting + hidden else {}
                newest = _newest({**known, **{one.id: one for one in mails}}.values())
                self._read = {one.id: one for one in newest}
                self._board.mailed(newest)
                self._seen = waiting + hidden, not hidden
        return self._pace.mails


class Points:
    """The metric of each alarm, for a line with its threshold."""

    panel = "points"

    def __init__(self, board: Board, pace: Pace) -> None:
        """Draw nothing yet."""
        self._board, self._pace = board, pace

    def look(self, ground: Watched) -> float:
        """Ask once."""
        found = describe(ground)
        cloudwatch = ground.client("cloudwatch")
        self._board.drawn({name: _line(cloudwatch, alarm) for name, alarm in found.items()})
        return self._pace.points


class Metrics:
    """AWS's own figures of the last quarter of an hour."""

    panel = "metrics"

    def __init__(self, board: Board, pace: Pace) -> None:
        """Know nothing yet."""
        self._board, self._pace = board, pace

    def look(self, ground: Watched) -> float:
        """Ask once."""
        target, cloudwatch = ground.target, ground.client("cloudwatch")
        function = {"FunctionName": target.function_name}
        table = {"TableName": target.table_name}
        asked: dict[str, tuple[str, str, dict[str, str], str]] = {
            "throttles": ("AWS/Lambda", "Throttles", function, "Sum"),
            "writes": ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", table, "SampleCount"),
            "write_throttles": ("AWS/DynamoDB", "WriteThrottleEvents", table, "Sum"),
        }
        if ground.buffered:
            queue = {"QueueName": str(target.buffer_queue_url).rpartition("/")[2]}
            oldest = "ApproximateAgeOfOldestMessage"
            asked["received"] = ("AWS/SQS", "NumberOfMessagesSent", queue, "Sum")
            asked["buffer_oldest"] = ("AWS/SQS", oldest, queue, "Maximum")
        else:
            asked["received"] = ("AWS/Lambda", "AsyncEventsReceived", function, "Sum")
            asked["event_age"] = ("AWS/Lambda", "AsyncEventAge", function, "Maximum")
        self._board.metrics = {name: _statistic(cloudwatch, *what) for name, what in asked.items()}
        return self._pace.metrics


class Checks:
    """Is each stage wired as the stack says? The looks of `lab verify`, without its probe."""

    panel = "checks"

    def __init__(self, board: Board, pace: Pace) -> None:
        """Know nothing yet."""
        self._board, self._pace = board, pace

    def look(self, ground: Watched) -> float:
        """Ask once."""
        fresh = ground.afresh()

        @functools.cache
        def chosen() -> probe.Probe:
            return probe.choose(ground.target.delivery.get("filters") or [])

        looks: dict[str, Callable[[], str]] = {
            "notification": lambda: wiring.notification(fresh),
            "rule": lambda: wiring.rule(fresh, chosen()),
            "permission": lambda: wiring.permission(fresh, chosen()),
            "buffer": lambda: wiring.buffer(fresh),
            "function": lambda: wiring.function(fresh),
            "role": lambda: wiring.role(fresh),
            "table": lambda: wiring.table(fresh),
            "topic": lambda: watching.topic(fresh),
        }
        found = {}
        for name, look in looks.items():
            check = _checked(fresh, name, look)
            if check is not None:
                found[name] = check
        self._board.checks = found
        try:
            self._board.subscriptions = watching.subscriptions(fresh)
        except Exception:  # noqa: BLE001 - a word more about the topic, if it can be had
            self._board.subscriptions = ""
        broken = any(check.verdict == "broken" for check in found.values())
        # Whoever mends it wants to see so.
        return self._pace.checks / 10 if broken else self._pace.checks


def _checked(ground: Watched, name: str, look: Callable[[], str]) -> Check | None:
    try:
        return Check("ok", look())
    except BrokenError as error:
        return Check("broken", str(error))
    except UntoldError:
        # There is no such stage here, or who looks lacks a right that few have.
        return None
    except (ClientError, BotoCoreError) as error:
        try:
            return Check(*refused(ground, name, error))
        except LabError:
            # A stack that is half applied has no names for all that it could be about.
            return Check("unknown", aws.sentence(error, f"the {name}", _APPLY))
    except LabError as error:
        return Check("unknown", str(error))
    except Exception as error:  # noqa: BLE001 - names that were given by hand can be anything
        return Check("unknown", f"The {name} can't be looked at ({error!r:.200}).")


def describe(ground: Watched, *names: str) -> dict[str, dict[str, Any]]:
    """DescribeAlarms' answers by name, of all the stack's alarms or of those given."""
    asked = names or ground.target.alarm_names
    pages = ground.client("cloudwatch").get_paginator("describe_alarms")
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(asked), 100):
        for page in pages.paginate(AlarmNames=list(asked[start : start + 100])):
            found |= {one["AlarmName"]: one for one in page["MetricAlarms"]}
    return found


def history(ground: Watched, name: str) -> list[dict[str, Any]]:
    """An alarm's newest changes of state, the newest first."""
    told = ground.client("cloudwatch").describe_alarm_history(
        AlarmName=name, HistoryItemType="StateUpdate", MaxRecords=20
    )
    found = []
    for item in told["AlarmHistoryItems"]:
        states = _object(item.get("HistoryData"))
        old, new = (_object(states.get(name)) for name in ("oldState", "newState"))
        found.append(
            {
                "at": item["Timestamp"].timestamp() * 1000,
                "from": old.get("stateValue"),
                "to": new.get("stateValue"),
                "reason": new.get("stateReason"),
            }
        )
    return found


def _object(data: Any) -> Mapping[str, Any]:
    """Of what HistoryData holds AWS documents only that it is JSON."""
    try:
        told = json.loads(data) if isinstance(data, str) else data
    except (ValueError, RecursionError):
        told = None
    return told if isinstance(told, dict) else {}


def search_records(
    ground: Watched, prefix: str, since: float | None, until: float | None, at_most: int
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
    items, whole = _scan(ground.client("dynamodb"), ground.target.table_name, **more)
    items.sort(key=lambda item: float(item.get("timestamp", {}).get("N", 0)))
    return items[-at_most:], whole


def search_log(ground: Watched, request: str) -> list[dict[str, Any]]:
    """The lines of the last day that name a request, the oldest first."""
    since = datetime.now(UTC) - timedelta(days=1)
    pages = ground.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(
        logGroupName=ground.target.log_group_name,
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


def _peek(sqs: Any, url: str, waiting: int, most: int = _LONG_PEEKS) -> Iterator[Mapping[str, Any]]:
    """Messages of a queue, each once, as long as there are any; nobody else misses one.

    Ten are read without hiding them. Of more, each page of ten is hidden for two seconds, so that
    the next has others; of these `most` pages at most.
    """
    if not waiting:
        return
    seen: set[str] = set()
    rounds = 2 if waiting <= _PEEK else min(most, waiting // _PEEK + 2)
    for number in range(rounds):
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_PEEK,
            # Without any waiting SQS asks some of its servers only.
            WaitTimeSeconds=1 if number == 0 else 0,
            VisibilityTimeout=0 if waiting <= _PEEK else _HIDDEN_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        new = [one for one in answer.get("Messages", []) if one["MessageId"] not in seen]
        seen |= {one["MessageId"] for one in new}
        yield from new
        if not new or len(seen) >= waiting:
            return


def _told_alarm(alarm: Mapping[str, Any]) -> dict[str, Any]:
    changed = alarm.get("StateUpdatedTimestamp")
    return {
        "name": alarm["AlarmName"],
        "state": alarm["StateValue"],
        "reason": str(alarm.get("StateReason") or "")[:500],
        "since": changed.timestamp() * 1000 if changed else None,
        "description": str(alarm.get("AlarmDescription") or ""),
        "metric": str(alarm.get("MetricName") or "an expression"),
        "namespace": str(alarm.get("Namespace") or ""),
        "statistic": str(alarm.get("Statistic") or ""),
        "period": alarm.get("Period"),
        "threshold": alarm.get("Threshold"),
        "below": "Less" in str(alarm.get("ComparisonOperator")),
        "section": section(dict(alarm)),
    }


def _from_history(ground: Watched) -> Iterator[Mail]:
    # All alarms of the account at once: one call instead of one for each.
    told = ground.client("cloudwatch").describe_alarm_history(
        HistoryItemType="Action", MaxRecords=100
    )
    names, topic = set(ground.target.alarm_names), ground.target.topic_arn
    for item in told["AlarmHistoryItems"]:
        found = mail.of_history(item, topic) if item["AlarmName"] in names else None
        if found is not None:
            yield found


def _newest(mails: Iterable[Mail]) -> list[Mail]:
    return sorted(mails, key=lambda one: one.at, reverse=True)[:100]


def _line(cloudwatch: Any, alarm: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Time (epoch seconds) and value of an alarm's metric; a sum of several where it has them."""
    parts = [one["MetricStat"] for one in alarm.get("Metrics") or [] if "MetricStat" in one]
    asked = [
        (*(one["Metric"][name] for name in _METRIC), int(one["Period"]), one["Stat"])
        for one in parts
    ]
    if alarm.get("MetricName"):
        asked = [(*map(alarm.get, _METRIC), int(alarm["Period"]), alarm["Statistic"])]
    summed: dict[float, float] = {}
    for namespace, metric, dimensions, period, statistic in asked:
        now = datetime.now(UTC)
        # In the alarm's own period, so that its threshold fits.
        span = min(_POINTS * period, _POINT_SECONDS)
        told = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=dimensions,
            StartTime=now - timedelta(seconds=span),
            EndTime=now + timedelta(seconds=60),
            Period=period,
            Statistics=[statistic],
        )
        for point in told["Datapoints"]:
            at = point["Timestamp"].timestamp()
            summed[at] = summed.get(at, 0.0) + point[statistic]
    return sorted(summed.items())


def _statistic(
    cloudwatch: Any, namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str
) -> float | None:
    """Of the last 15 minutes; None where CloudWatch has nothing."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    told = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(seconds=WINDOW_SECONDS),
        EndTime=now + timedelta(seconds=60),
        Period=60,
        Statistics=[statistic],
    )
    values = [float(point[statistic]) for point in told["Datapoints"]]
    if not values:
        return None
    return max(values) if statistic == "Maximum" else sum(values)
