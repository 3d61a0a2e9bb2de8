"""Start ministack with what it answers wrongly repaired, where Terraform or a test depends on it.

`python -I repairs.py TMPDIR [--tied] [--unrepaired]` runs ministack as its environment says and
deletes TMPDIR at the end. `--tied`: it ends when stdin closes, as it does when its parent dies.

Every repair wraps one function of ministack and has a test that fails as soon as ministack itself
answers right: then the repair goes.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from queue import Queue
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary
from xml.sax.saxutils import escape

Response = tuple[int, dict[str, str], bytes]
_STOP_SECONDS = 20.0


def describe_alarms_in_full() -> None:
    """The Query (XML) answer to DescribeAlarms names as many fields as the JSON answer.

    Provider 5.x speaks Query: without period, dimensions, actions, description and the rest it
    plans a change to every alarm that it has just made.
    """
    from ministack.services import cloudwatch

    original = cloudwatch._describe_alarms

    def describe(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if not (is_cbor or is_json):
            status, _, body = original(params, _query_values(params), False, True)
            if status == 200:
                inner = _query_xml("DescribeAlarmsResult", json.loads(body))
                return cloudwatch._xml(200, "DescribeAlarmsResponse", inner)
        return original(params, data, is_cbor, is_json)

    cloudwatch._describe_alarms = describe


def alarms_evaluate_as_in_aws() -> None:
    """An alarm counts the datapoints of exactly its dimensions, or applies `treat_missing_data`.

    Without this an alarm goes off for another table, and keeps its state without datapoints.
    Evaluated, as ministack does it, whenever any datapoint or alarm is put.
    """
    from ministack.services import cloudwatch

    original = cloudwatch._evaluate_alarm
    states = {"notBreaching": "OK", "breaching": "ALARM"}

    def evaluate(alarm: dict[str, Any]) -> None:
        own = _datapoints_of(cloudwatch, alarm)
        since = time.time() - (alarm.get("Period") or 60) * alarm.get("EvaluationPeriods", 1)
        recent = any(point["Timestamp"] >= since for points in own.values() for point in points)
        old, new = alarm["StateValue"], states.get(alarm.get("TreatMissingData", ""))
        if recent:
            # The same code over a view of the metrics: other threads go on writing to all of them.
            FunctionType(original.__code__, vars(cloudwatch) | {"_metrics": own})(alarm)
        elif alarm.get("MetricName") and new and old != new:
            reason = f"no datapoints were received, and no data counts as {new}"
            alarm |= {"StateValue": new, "StateReason": reason}
            alarm["StateUpdatedTimestamp"] = int(time.time())
            cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
            cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)
            cloudwatch._evaluate_parent_alarms(alarm)

    cloudwatch._evaluate_alarm = evaluate


def alarms_keep_their_metrics() -> None:
    """An alarm on an expression keeps it, and has no metric, period or statistic of its own.

    Stored and returned, not evaluated. Without this the plan after an apply changes each of them.
    """
    from ministack.services import cloudwatch

    original = cloudwatch._put_metric_alarm

    def put(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Response:
        asked = data if is_cbor or is_json else _query_values(params)
        status, headers, body = original(params, data, is_cbor, is_json)
        if status == 200 and asked.get("Metrics"):
            alarm = cloudwatch._alarms[asked["AlarmName"]]
            own = ("MetricName", "Namespace", "Statistic", "Period")
            alarm |= {"Metrics": asked["Metrics"], **dict.fromkeys(own)}
        return status, headers, body

    cloudwatch._put_metric_alarm = put


def rules_invoke_as_notifications_do() -> None:
    """A rule invokes a function asynchronously: two retries, then the on-failure destination.

    Without this an event that a function failed on is gone. A rule's own retries and dead-letter
    queue, for when it could not invoke at all, stay missing.
    """
    from ministack.services import eventbridge, lambda_svc

    def dispatch(arn: str, payload: str) -> None:
        function, configuration, _name = lambda_svc._get_func_record_for_ref(arn)
        if function and configuration:
            record = lambda_svc._execution_record_for_config(function, configuration)
            lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch


def rules_learn_the_version() -> None:
    """S3's events by EventBridge carry `version-id` as its notifications carry `versionId`.

    Without this an upload that is delivered by both leaves two records.
    """
    from ministack.services import eventbridge, s3

    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event
    version: ContextVar[str | None] = ContextVar("version", default=None)

    def fire_with_version(*arguments: Any, version_id: str | None = None, **more: Any) -> None:
        version.set(version_id)
        fire(*arguments, version_id=version_id, **more)

    def dispatch_with_version(event: dict[str, Any], view: Any = None) -> None:
        if event.get("Source") == "aws.s3" and (known := version.get()):
            detail = json.loads(event["Detail"])
            detail["object"].setdefault("version-id", known)
            event = event | {"Detail": json.dumps(detail)}
        dispatch(event, view)

    s3._fire_s3_event = fire_with_version
    eventbridge._dispatch_event = dispatch_with_version


def updates_let_invokes_end() -> None:
    """An invoke that is under way when its function changes ends by itself, with the old code.

    Without this it is killed, and when it is tried again it runs the old code once more, in a
    process that stays and goes on answering: the update is lost.
    """
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    kill, acquire = lambda_runtime.kill_workers, lambda_runtime.acquire_worker
    release = lambda_runtime.release_worker
    updating: ContextVar[bool] = ContextVar("updating", default=False)
    retired: set[Any] = set()

    def kill_or_retire(workers: Any) -> None:
        busy = [worker for worker in workers if updating.get() and worker.in_use]
        retired.update(busy)
        kill([worker for worker in workers if worker not in busy])

    def without_kills(update: Callable[..., Response]) -> Callable[..., Response]:
        def run(*arguments: Any) -> Response:
            before = updating.set(True)
            try:
                return update(*arguments)
            finally:
                updating.reset(before)

        return run

    def acquire_current(
        name: str, config: Any, code: Any, qualifier: str = "$LATEST", **more: Any
    ) -> Any:
        # A retry has the function as it was when the event came.
        if qualifier == "$LATEST" and (function := lambda_svc._functions.get(name)):
            code = function["code_zip"]
        return acquire(name, config, code, qualifier=qualifier, **more)

    def release_or_kill(worker: Any) -> None:
        release(worker)
        if worker in retired:
            retired.discard(worker)
            kill([worker])

    lambda_runtime.kill_workers = kill_or_retire
    lambda_svc._update_code = without_kills(lambda_svc._update_code)
    lambda_svc._update_config = without_kills(lambda_svc._update_config)
    lambda_svc.acquire_worker = acquire_current
    lambda_svc.release_worker = release_or_kill


def logs_are_whole() -> None:
    """An invoke's log has every line that its function wrote before it answered.

    Without this a line that is not read within 50 ms is the next invoke's, or nobody's: on a busy
    machine, or of a long log.
    """
    from ministack.core import lambda_runtime

    drain = lambda_runtime.Worker._drain_stderr_bounded
    logs = WeakKeyDictionary[Any, _Log]()

    def read(worker: Any) -> None:
        log = logs[worker] = _Log(worker._proc.stderr.fileno(), worker._stderr_queue)
        while log.wait():
            pass

    def drain_whole(worker: Any, *arguments: Any, **more: Any) -> str:
        if (log := logs.get(worker)) is None:
            return str(drain(worker, *arguments, **more))
        log.take()
        return str(worker._drain_stderr())

    lambda_runtime.Worker._read_stderr = read
    lambda_runtime.Worker._drain_stderr_bounded = drain_whole


class _Log:
    """What a process writes to `stream`, as lines in `lines`, by whoever comes first."""

    def __init__(self, stream: int, lines: Queue[str]) -> None:
        # Its own: ministack closes the other while this one waits.
        self._stream: int | None = os.dup(stream)
        self._lines = lines
        self._rest = b""
        self._lock = threading.Lock()
        # One for those who wait, one for who takes: no two threads may use the same.
        self._waiting, self._taking = select.poll(), select.poll()
        for each in self._waiting, self._taking:
            each.register(self._stream, select.POLLIN)

    def wait(self) -> bool:
        """Take what comes next; False at its end."""
        self._waiting.poll()
        return self.take()

    def take(self) -> bool:
        """Take all that is there; False at its end."""
        with self._lock:
            while self._stream is not None and self._taking.poll(0):
                data = os.read(self._stream, 65536)
                *whole, self._rest = (self._rest + data).split(b"\n")
                if not data:
                    whole = [self._rest] if self._rest else []
                    os.close(self._stream)
                    self._stream = None
                for line in whole:
                    self._lines.put(line.decode(errors="replace"))
            return self._stream is not None


def log_events_have_an_id() -> None:
    """Every log event has an `eventId`, as those of PutLogEvents have.

    Without this `aws logs tail`, which tells events apart by it, ends at a function's first line.
    """
    from ministack.services import cloudwatch_logs

    append = cloudwatch_logs._append_log_events

    def append_with_ids(stream: Any, events: Any) -> None:
        append(stream, [{"eventId": str(uuid.uuid4()), **event} for event in events])

    cloudwatch_logs._append_log_events = append_with_ids


def logs_end_with_the_function() -> None:
    """An invoke that ends after its function was deleted logs nothing.

    Without this it makes the deleted log group anew, whatever the role may do: something is left
    after a destroy, and the next apply finds the name taken.
    """
    from ministack.services import lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def emit_while_it_exists(function: Any, *arguments: Any, **more: Any) -> None:
        if function["config"]["FunctionName"] in lambda_svc._functions:
            emit(function, *arguments, **more)

    lambda_svc._emit_lambda_logs = emit_while_it_exists


REPAIRS: tuple[Callable[[], None], ...] = (
    describe_alarms_in_full,
    alarms_evaluate_as_in_aws,
    alarms_keep_their_metrics,
    rules_invoke_as_notifications_do,
    rules_learn_the_version,
    updates_let_invokes_end,
    logs_are_whole,
    log_events_have_an_id,
    logs_end_with_the_function,
)


def _datapoints_of(cloudwatch: ModuleType, alarm: Mapping[str, Any]) -> dict[Any, list[Any]]:
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
    key = (alarm.get("Namespace"), alarm.get("MetricName"), dimensions)
    points = cloudwatch._metrics.get(key)
    return {key: list(points)} if points else {}


def _query_values(params: Mapping[str, Any]) -> dict[str, Any]:
    """Query parameters as the JSON protocol has them.

    `Names.member.1=a&Metric.Name=b` is `{"Names": ["a"], "Metric": {"Name": "b"}}`; every value
    stays a string.
    """
    values: dict[str, Any] = {}
    for name, given in params.items():
        *path, last = name.split(".")
        inner = values
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = given[0] if isinstance(given, list) else given
    return dict(_with_lists(values))


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict) and list(value) == ["member"]:
        members = value["member"]
        return [_with_lists(members[number]) for number in sorted(members, key=int)]
    if isinstance(value, dict):
        return {name: _with_lists(inner) for name, inner in value.items()}
    return value


def _query_xml(name: str, value: Any) -> str:
    """A JSON value as the Query protocol writes it; what has no value is left out."""
    if value is None:
        return ""
    if isinstance(value, dict):
        inner = "".join(_query_xml(key, item) for key, item in value.items())
    elif isinstance(value, list):
        inner = "".join(_query_xml("member", item) for item in value)
    elif isinstance(value, bool):
        inner = str(value).lower()
    elif name.endswith("Timestamp"):
        inner = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(value)))
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


def _end_when_orphaned() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os.killpg(0, signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Repair ministack, then run it until it is stopped."""
    private_tmp, *options = arguments
    if "--tied" in options:
        threading.Thread(target=_end_when_orphaned, daemon=True).start()
    # Isolated, this file does not find its neighbours; last, so that they hide nothing.
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from pipeline.emulator import s3_answers, transport
    from pipeline.emulator.saves import keep_saving
    from pipeline.emulator.throttle import throttle_tagged_tables

    if "--unrepaired" not in options:
        for repair in (*transport.REPAIRS, *REPAIRS, *s3_answers.REPAIRS):
            repair()
        throttle_tagged_tables()
    keep_saving()
    from ministack import app

    # ministack reads a command line of its own.
    sys.argv = ["ministack"]
    try:
        app.main()
    finally:
        with contextlib.suppress(OSError):
            os.chdir("/")
        shutil.rmtree(private_tmp, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
