"""What the console reads of an account, and what the board gets of the answers."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from pipeline.console.board.board import Board
from pipeline.console.sources.checks import Checks
from pipeline.console.sources.cloudwatch import Alarms, Datapoints, history
from pipeline.console.sources.log import Log
from pipeline.console.sources.queues import FailureQueue, Notifications
from pipeline.console.sources.session import ReadSession
from pipeline.console.sources.table import Records, search_records
from pipeline.deployed import failure_queue
from pipeline.errors import PipelineError
from tests.support.page.console_server import ALARM, Clients, Send, event, item
from tests.support.poll import until


def keys(board: Board) -> list[str]:
    return sorted(failure["objects"][0][1] for failure in board.snapshot()["failures"])


@pytest.mark.parametrize("number", [0, 1, 10, 11, 25, 60])
def test_all_messages_of_a_queue_are_read_each_once(
    session: ReadSession, number: int, send: Send
) -> None:
    url = session.target.failure_queue_url
    send(*map(str, range(number)))
    messages = failure_queue.browse(session.client("sqs"), url, number)
    found = [message["Body"] for message in messages]
    assert sorted(found, key=int) == [str(n) for n in range(number)]


def test_a_few_messages_are_hidden_from_nobody(session: ReadSession, send: Send) -> None:
    url, sqs = session.target.failure_queue_url, session.client("sqs")
    send(*map(str, range(10)))
    assert len(list(failure_queue.browse(sqs, url, 10))) == 10
    assert failure_queue.depth(sqs, url) == (10, 0)


def test_no_more_of_a_queue_is_read_than_its_bound(session: ReadSession, send: Send) -> None:
    url, sqs = session.target.failure_queue_url, session.client("sqs")
    send(*map(str, range(40)))
    assert len(list(failure_queue.browse(sqs, url, 1000, 3))) == 30


def test_messages_of_the_failure_queue_stay_while_a_read_hides_them(
    session: ReadSession, board: Board, send: Send
) -> None:
    url = session.target.failure_queue_url
    source = FailureQueue(board, True)
    send(*(event(f"{n:02}") for n in range(15)))
    source.poll(session)
    wanted = [f"{n:02}" for n in range(15)]
    assert keys(board) == wanted
    # All are hidden now, and there all the same.
    assert failure_queue.depth(session.client("sqs"), url) == (0, 15)
    source.poll(session)
    assert keys(board) == wanted
    send(event("new"))
    source.poll(session)
    assert keys(board) == [*wanted, "new"]


def test_a_failure_queue_that_has_not_changed_is_not_read_again(
    session: ReadSession, board: Board, send: Send
) -> None:
    source = FailureQueue(board, True)
    send(event("a"))
    for _ in range(5):
        source.poll(session)
    # Two rounds: the second finds out that there is nothing else.
    assert session.calls.counts()["ReceiveMessage"] <= 2
    assert keys(board) == ["a"]


def test_a_replay_has_the_messages_to_itself(
    session: ReadSession, board: Board, aws: Clients, send: Send
) -> None:
    source = FailureQueue(board, True)
    send(*(event(f"{n:02}") for n in range(15)))
    source.poll(session)
    assert 0 < source.pause(True) <= 2
    asked = session.calls.counts()["ReceiveMessage"]
    source.poll(session)
    assert session.calls.counts()["ReceiveMessage"] == asked
    aws("sqs").purge_queue(QueueUrl=session.target.failure_queue_url)
    source.pause(False)

    def is_empty() -> bool:
        source.poll(session)
        return not board.snapshot()["failures"]

    until(is_empty)


def test_messages_are_not_read_during_a_replay_though_they_are_visible(
    session: ReadSession, board: Board, send: Send
) -> None:
    source = FailureQueue(board, True)
    send(event("a"))
    assert source.pause(True) == 0
    source.poll(session)
    assert "ReceiveMessage" not in session.calls.counts()
    source.pause(False)
    source.poll(session)
    assert keys(board) == ["a"]


def test_an_empty_failure_queue_is_not_read(session: ReadSession, board: Board) -> None:
    source = FailureQueue(board, False)
    source.poll(session)
    assert session.calls.counts() == {"GetCallerIdentity": 1, "GetQueueAttributes": 1}


def test_all_notifications_stay_while_a_read_hides_them(
    session: ReadSession, board: Board, send: Send
) -> None:
    url = session.target.failure_queue_url
    notifications = Notifications(board, True, queue_url=url)
    envelopes = [
        json.dumps({"MessageId": f"{n}", "Message": "m", "Timestamp": f"2026-11-25T10:00:{n:02}Z"})
        for n in range(40)
    ]
    send(*envelopes[:25])
    notifications.poll(session)
    assert [notification.id for notification in board.notifications] == [
        str(n) for n in range(24, -1, -1)
    ]
    send(*envelopes[25:])
    notifications.poll(session)
    assert [notification.id for notification in board.notifications] == [
        str(n) for n in range(39, -1, -1)
    ]
    # Read again until nothing is hidden.

    def is_complete() -> bool:
        notifications.poll(session)
        return notifications._seen == (40, True)

    until(is_complete)
    asked = session.calls.counts()["ReceiveMessage"]
    notifications.poll(session)
    assert session.calls.counts()["ReceiveMessage"] == asked
    assert len(board.notifications) == 40


def test_old_and_new_records_are_read(session: ReadSession, board: Board, aws: Clients) -> None:
    dynamodb = aws("dynamodb")
    table = session.target.table_name
    dynamodb.put_item(TableName=table, Item=item("before"))
    woken: list[str] = []
    records = Records(board, True, lambda *panels: woken.extend(panels))
    records.poll(session)
    assert woken == []
    dynamodb.put_item(TableName=table, Item=item("after"))
    dynamodb.delete_item(TableName=table, Key={"objectId": {"S": "before"}})
    records.poll(session)
    assert [item["objectId"]["S"] for item in board.snapshot()["records"]["items"]] == ["after"]
    assert board.writes(time.time()) == 1
    assert woken == ["log"]


def test_records_are_found_by_key_and_time(session: ReadSession, aws: Clients) -> None:
    dynamodb, table = aws("dynamodb"), session.target.table_name
    for number in range(30):
        dynamodb.put_item(
            TableName=table,
            Item=item(f"{number:02}", f"in/{number % 2}", timestamp={"N": str(1000 + number)}),
        )
    dynamodb.put_item(TableName=table, Item={"objectId": {"S": "odd"}})

    def found(*asked: Any) -> list[str]:
        items, whole = search_records(session, *asked)
        assert whole
        return [item["objectId"]["S"] for item in items]

    assert found("in/1", None, 3) == ["25", "27", "29"]
    assert found("in/", 1027, 300) == ["27", "28", "29"]
    assert found("", 1028.4, 300) == ["28", "29"]
    assert found("out/", None, 300) == []
    assert len(found("", None, 300)) == 31


def test_a_missing_alarm_is_named_and_the_others_are_shown(
    session: ReadSession, board: Board
) -> None:
    woken: list[str] = []
    (name,) = session.target.alarm_names
    outputs = {**session.target.outputs, "alarm_names": [name, "gone"]}
    half = replace(session, target=replace(session.target, outputs=outputs))
    alarms = Alarms(board, False, lambda *panels: woken.extend(panels))
    for _ in range(2):
        with pytest.raises(PipelineError, match="There is no alarm gone: run"):
            alarms.poll(half)
    assert board.alarms is not None
    (found,) = board.alarms
    assert (found["name"], found["section"]) == (name, ALARM)
    assert woken == ["notifications", "datapoints"]


def test_an_alarm_over_others_is_shown_with_its_section(
    session: ReadSession, board: Board, aws: Clients
) -> None:
    (watched,) = session.target.alarm_names
    name = f"{session.target.bucket_name}-health"
    aws("cloudwatch").put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{watched}")')
    outputs = {**session.target.outputs, "alarm_names": [watched, name]}
    changed = replace(session, target=replace(session.target, outputs=outputs))
    Alarms(board, False).poll(changed)
    Datapoints(board, False).poll(changed)
    assert board.alarms is not None
    _, found = board.alarms
    assert (found["name"], found["state"]) == (name, "OK")
    assert (found["metric"], found["section"]) == ("other alarms", "pipeline_health")
    assert board.snapshot()["datapoints"][name] == []
    aws("cloudwatch").set_alarm_state(AlarmName=watched, StateValue="ALARM", StateReason="a test")
    assert history(changed, name)[0]["to"] == "ALARM"


def test_an_alarm_on_two_metrics_is_shown_with_both_and_their_period(
    session: ReadSession, board: Board, aws: Clients
) -> None:
    name = f"{session.target.bucket_name}-backlog"
    metrics = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {"Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": []},
                "Period": 60,
                "Stat": "Maximum",
            },
            "ReturnData": False,
        }
        for number, metric in enumerate(
            ("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible")
        )
    ]
    total = {"Id": "total", "Expression": "SUM([m0, m1])", "ReturnData": True}
    aws("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Metrics=[total, *metrics],
        EvaluationPeriods=5,
        Threshold=30,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    outputs = {**session.target.outputs, "alarm_names": [name]}
    Alarms(board, False).poll(replace(session, target=replace(session.target, outputs=outputs)))
    assert board.alarms is not None
    (found,) = board.alarms
    assert found["section"] == "BufferBacklogAlert"
    assert found["metric"].split(" + ") == [
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
    ]
    assert (found["statistic"], found["period"]) == ("Maximum", 60)


@pytest.mark.parametrize("missing", [None, "bucket_name", "topic_arn", "delivery", "function_name"])
def test_a_missing_output_does_not_keep_the_rest_from_being_checked(
    session: ReadSession, board: Board, missing: str | None
) -> None:
    outputs = {name: value for name, value in session.target.outputs.items() if name != missing}
    half = replace(session, target=replace(session.target, outputs=outputs))
    Checks(board, False).poll(half)
    assert set(board.checks) >= {"notification", "function", "table", "topic"}
    for name, check in board.checks.items():
        assert check.verdict in ("ok", "failing", "unknown"), name
        assert check.message
    if missing in ("bucket_name", "topic_arn"):
        about = {"bucket_name": "notification", "topic_arn": "topic"}[missing]
        assert board.checks[about].verdict == "unknown"
        assert f"gives no {missing}" in board.checks[about].message


@pytest.mark.parametrize(
    "odd",
    [
        {"topic_arn": "alerts"},
        {"topic_arn": 5},
        {"failure_queue_url": "queue"},
        {"table_stream_arn": "stream"},
        {"delivery": "post"},
        {"delivery": {"via": "eventbridge", "filters": "odd"}},
        {"delivery": {"via": ["x"], "filters": [{}, None]}},
        {"alarm_names": {"a": "b"}},
    ],
    ids=str,
)
def test_odd_names_do_not_keep_other_stages_from_being_checked(
    session: ReadSession, board: Board, odd: dict[str, Any]
) -> None:
    half = replace(
        session, target=replace(session.target, outputs={**session.target.outputs, **odd})
    )
    Checks(board, False).poll(half)
    assert {"notification", "function", "table", "topic"} <= set(board.checks)


def test_a_log_line_of_the_future_hides_none_of_the_present(
    session: ReadSession, board: Board, aws: Clients
) -> None:
    logs, group = aws("logs"), session.target.log_group_name
    stream = {"logGroupName": group, "logStreamName": "future"}
    logs.create_log_stream(**stream)
    source = Log(board, embedded=True)
    for request, ahead in {"future": 5_400, "present": 0}.items():
        line = {"level": "INFO", "message": "Invoke done", "requestId": request, "stored": 1}
        logged = {"timestamp": int((time.time() + ahead) * 1000), "message": json.dumps(line)}
        logs.put_log_events(**stream, logEvents=[logged])
        source.poll(session)
    assert {invoke["request"] for invoke in board.snapshot()["invokes"]} == {"future", "present"}
