"""What a page asks of an account, and what of the answers it tells."""

import contextlib
import functools
import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline.console.board.board import Board
from pipeline.console.sources import sources
from pipeline.console.sources import watch as watch_module
from pipeline.console.sources.calls import Calls, Watched, watched
from pipeline.console.sources.cloudwatch import Alarms
from pipeline.console.sources.pace import AWS, LAB
from pipeline.console.sources.queues import Mails, Queues, peek
from pipeline.console.sources.sources import Checks, Records
from pipeline.console.sources.watch import Found, Watch
from pipeline.deployed import failure_queue
from pipeline.deployed.target import Target
from pipeline.emulator.ports import HOST
from pipeline.emulator.process import emulator
from pipeline.errors import PipelineError
from tests.support.aws import s3_events
from tests.support.aws.clients import client
from tests.support.page.console_server import TOKEN, Served, serve
from tests.support.poll import until

Clients = Callable[[str], Any]
Send = Callable[..., None]

KEYS = {
    "AttributeDefinitions": [{"AttributeName": "objectId", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "objectId", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
ALARM = "FailureQueueAlert"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Clients of an account, which this process's environment points at."""
    with (
        emulator(tmp_path_factory.mktemp("ministack")) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        yield lambda service: client(service, running.environment)


@pytest.fixture
def target(aws: Clients) -> Target:
    """As much of a stack as the page's sources ask for."""
    name = uuid.uuid4().hex
    s3, sqs = aws("s3"), aws("sqs")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    table = aws("dynamodb").create_table(
        TableName=name,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        **KEYS,
    )["TableDescription"]
    aws("logs").create_log_group(logGroupName=name)
    topic = aws("sns").create_topic(Name=name)["TopicArn"]
    aws("cloudwatch").put_metric_alarm(
        AlarmName=f"{name}-{ALARM}",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": name}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[topic],
    )
    outputs = {
        "bucket_name": name,
        "table_name": name,
        "table_stream_arn": table["LatestStreamArn"],
        "function_name": name,
        "topic_arn": topic,
        "failure_queue_url": sqs.create_queue(QueueName=name)["QueueUrl"],
        "log_group_name": name,
        "alarm_names": [f"{name}-{ALARM}"],
        "delivery": {"via": "notification", "filters": [], "buffered": False},
    }
    return Target(outputs, "The test", (), "us-east-1")


@pytest.fixture
def session(target: Target) -> Watched:
    return watched(target, write=False, calls=Calls())


@pytest.fixture
def told() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def board(target: Target, told: list[tuple[str, Any]]) -> Board:
    return Board(target.bucket_name, (), lambda kind, data: told.append((kind, data)))


@pytest.fixture
def send(aws: Clients, target: Target) -> Send:
    """Sends messages to the failure queue."""

    def send(*bodies: str) -> None:
        for body in bodies:
            aws("sqs").send_message(QueueUrl=target.failure_queue_url, MessageBody=body)

    return send


def event(key: str) -> str:
    return json.dumps(s3_events.notification(s3_events.record(key)))


def item(identity: str, key: str = "a.txt", **more: Any) -> dict[str, Any]:
    return {
        "objectId": {"S": identity},
        "objectKey": {"S": key},
        "eventName": {"S": "ObjectCreated:Put"},
        "timestamp": {"N": str(int(time.time()))},
    } | more


def keys(board: Board) -> list[str]:
    return sorted(one["objects"][0][1] for one in board.told()["failures"])


@pytest.mark.parametrize("number", [0, 1, 10, 11, 25, 60])
def test_a_queue_is_looked_into_whole_and_each_message_told_once(
    session: Watched, number: int, send: Send
) -> None:
    url = session.target.failure_queue_url
    send(*map(str, range(number)))
    found = [one["Body"] for one in peek(session.client("sqs"), url, number)]
    assert sorted(found, key=int) == [str(n) for n in range(number)]


def test_a_few_messages_are_hidden_from_nobody(session: Watched, send: Send) -> None:
    url, sqs = session.target.failure_queue_url, session.client("sqs")
    send(*map(str, range(10)))
    assert len(list(peek(sqs, url, 10))) == 10
    assert failure_queue.depth(sqs, url) == (10, 0)


def test_no_more_of_a_queue_is_read_than_its_bound(session: Watched, send: Send) -> None:
    url, sqs = session.target.failure_queue_url, session.client("sqs")
    send(*map(str, range(40)))
    assert len(list(peek(sqs, url, 1000, 3))) == 30


def test_what_waits_in_the_failure_queue_stays_told_while_a_look_hides_it(
    session: Watched, board: Board, send: Send
) -> None:
    url = session.target.failure_queue_url
    queues = Queues(board, LAB)
    send(*(event(f"{n:02}") for n in range(15)))
    queues.look(session)
    wanted = [f"{n:02}" for n in range(15)]
    assert keys(board) == wanted
    # All are hidden now, and there all the same.
    assert failure_queue.depth(session.client("sqs"), url) == (0, 15)
    queues.look(session)
    assert keys(board) == wanted
    send(event("new"))
    queues.look(session)
    assert keys(board) == [*wanted, "new"]


def test_a_failure_queue_that_has_not_changed_is_not_read_again(
    session: Watched, board: Board, send: Send
) -> None:
    queues = Queues(board, LAB)
    send(event("a"))
    for _ in range(5):
        queues.look(session)
    # Two rounds: the second finds out that there is nothing else.
    assert session.calls.so_far()["ReceiveMessage"] <= 2
    assert keys(board) == ["a"]


def test_a_replay_has_the_messages_to_itself(
    session: Watched, board: Board, aws: Clients, send: Send
) -> None:
    queues = Queues(board, LAB)
    send(*(event(f"{n:02}") for n in range(15)))
    queues.look(session)
    assert 0 < queues.hold(True) <= 2
    asked = session.calls.so_far()["ReceiveMessage"]
    queues.look(session)
    assert session.calls.so_far()["ReceiveMessage"] == asked
    aws("sqs").purge_queue(QueueUrl=session.target.failure_queue_url)
    queues.hold(False)
    until(lambda: queues.look(session) and not board.told()["failures"])


def test_what_a_replay_has_is_not_read_though_it_can_be_seen(
    session: Watched, board: Board, send: Send
) -> None:
    queues = Queues(board, LAB)
    send(event("a"))
    assert queues.hold(True) == 0
    queues.look(session)
    assert "ReceiveMessage" not in session.calls.so_far()
    queues.hold(False)
    queues.look(session)
    assert keys(board) == ["a"]


def test_an_empty_failure_queue_is_not_read(session: Watched, board: Board) -> None:
    queues = Queues(board, AWS)
    assert queues.look(session) == AWS.queues
    assert session.calls.so_far() == {"GetCallerIdentity": 1, "GetQueueAttributes": 1}


def test_all_messages_of_the_topic_stay_told_while_a_look_hides_them(
    session: Watched, board: Board, send: Send
) -> None:
    url = session.target.failure_queue_url
    mails = Mails(board, LAB, url)
    envelopes = [
        json.dumps({"MessageId": f"{n}", "Message": "m", "Timestamp": f"2026-11-25T10:00:{n:02}Z"})
        for n in range(40)
    ]
    send(*envelopes[:25])
    mails.look(session)
    assert [one.id for one in board.mails] == [str(n) for n in range(24, -1, -1)]
    send(*envelopes[25:])
    mails.look(session)
    assert [one.id for one in board.mails] == [str(n) for n in range(39, -1, -1)]
    # What was there is asked again until it can be told that it is all.
    until(lambda: mails.look(session) and mails._seen == (40, True))
    asked = session.calls.so_far()["ReceiveMessage"]
    mails.look(session)
    assert session.calls.so_far()["ReceiveMessage"] == asked
    assert len(board.mails) == 40


def test_records_that_were_there_and_that_come_are_told(
    session: Watched, board: Board, aws: Clients
) -> None:
    dynamodb = aws("dynamodb")
    table = session.target.table_name
    dynamodb.put_item(TableName=table, Item=item("before"))
    came: list[str] = []
    records = Records(board, LAB, lambda: came.append("came"))
    records.look(session)
    assert came == []
    dynamodb.put_item(TableName=table, Item=item("after"))
    dynamodb.delete_item(TableName=table, Key={"objectId": {"S": "before"}})
    records.look(session)
    assert [one["objectId"]["S"] for one in board.told()["records"]["items"]] == ["after"]
    assert board.writes(time.time()) == 1
    assert came == ["came"]


def test_records_are_found_by_key_and_time(session: Watched, aws: Clients) -> None:
    dynamodb, table = aws("dynamodb"), session.target.table_name
    for number in range(30):
        dynamodb.put_item(
            TableName=table,
            Item=item(f"{number:02}", f"in/{number % 2}", timestamp={"N": str(1000 + number)}),
        )
    dynamodb.put_item(TableName=table, Item={"objectId": {"S": "odd"}})

    def found(*asked: Any) -> list[str]:
        items, whole = sources.search_records(session, *asked)
        assert whole
        return [one["objectId"]["S"] for one in items]

    assert found("in/1", None, None, 3) == ["25", "27", "29"]
    assert found("in/", 1010, 1012, 300) == ["10", "11", "12"]
    assert found("", 1028.4, None, 300) == ["28", "29"]
    assert found("out/", None, None, 300) == []
    assert len(found("", None, None, 300)) == 31


def test_an_alarm_that_is_missing_is_named_and_the_others_told(
    session: Watched, board: Board
) -> None:
    changes: list[int] = []
    (name,) = session.target.alarm_names
    outputs = {**session.target.outputs, "alarm_names": [name, "gone"]}
    half = replace(session, target=replace(session.target, outputs=outputs))
    alarms = Alarms(board, AWS, lambda: changes.append(1))
    for _ in range(2):
        with pytest.raises(PipelineError, match="There is no alarm gone: run"):
            alarms.look(half)
    (told,) = board.alarms
    assert (told["name"], told["section"], told["below"]) == (name, ALARM, False)
    assert changes == [1]


@pytest.mark.parametrize("missing", [None, "bucket_name", "topic_arn", "delivery", "function_name"])
def test_what_is_missing_of_a_stack_does_not_hide_how_the_rest_is_wired(
    session: Watched, board: Board, missing: str | None
) -> None:
    outputs = {name: value for name, value in session.target.outputs.items() if name != missing}
    half = replace(session, target=replace(session.target, outputs=outputs))
    assert Checks(board, AWS).look(half) > 0
    assert set(board.checks) >= {"notification", "function", "table", "topic"}
    for name, check in board.checks.items():
        assert check.verdict in ("ok", "broken", "unknown"), name
        assert check.says
    if missing in ("bucket_name", "topic_arn"):
        about = {"bucket_name": "notification", "topic_arn": "topic"}[missing]
        assert board.checks[about].verdict == "unknown"
        assert f"gives no {missing}" in board.checks[about].says


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
def test_names_that_can_be_anything_do_not_blind_the_other_stages(
    session: Watched, board: Board, odd: dict[str, Any]
) -> None:
    half = replace(
        session, target=replace(session.target, outputs={**session.target.outputs, **odd})
    )
    assert Checks(board, AWS).look(half) > 0
    assert {"notification", "function", "table", "topic"} <= set(board.checks)


@pytest.fixture
def page(target: Target) -> Iterator[Served]:
    """A page that may write, with somebody who looks at it."""
    with (
        serve(lambda: Found(target, None, embedded=False), write=True) as served,
        served.listen() as wait_for,
    ):
        if "bucket" not in wait_for("snapshot")["stack"]:
            assert wait_for("snapshot")["stack"]["bucket"] == target.bucket_name
        yield served


@pytest.fixture
def put(page: Served) -> Callable[..., Any]:
    def put(key: str, body: Any) -> Any:
        return page.ask("PUT", f"/{TOKEN}/objects?key={key}", body)

    return put


def stored(aws: Clients, target: Target) -> list[str]:
    told = aws("s3").list_objects_v2(Bucket=target.bucket_name)
    return [one["Key"] for one in told.get("Contents", [])]


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ("a.txt", "a.txt"),
        ("a%2Fb%20c.txt", "a/b c.txt"),
        ("%3Cscript%3E%2B%25%26%3F%23", "<script>+%&?#"),
        ("..%2F..%2Fother", "../../other"),
        ("gr%C3%B6%C3%9Fe%E2%80%A8", "größe\u2028"),
        ("a" * 1024, "a" * 1024),
    ],
)
def test_a_file_is_put_under_its_key_and_nowhere_else(
    put: Callable[..., Any], target: Target, asked: str, key: str, aws: Clients
) -> None:
    answer = put(asked, b"hello")
    assert answer.status == 200, answer.body
    told = answer.json()
    assert (told["key"], told["size"]) == (key, 5)
    assert told["versionId"]
    body = aws("s3").get_object(Bucket=target.bucket_name, Key=key)["Body"].read()
    assert body == b"hello"


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


def test_a_file_of_unknown_length_is_bounded_too(
    put: Callable[..., Any], target: Target, aws: Clients
) -> None:
    assert put("fits", chunks(1_000_000)).status == 200
    # It may be refused while it is still being sent.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        assert put("over", chunks(1_001_000)).status == 413
    assert stored(aws, target) == ["fits"]


def test_a_file_that_did_not_come_whole_is_not_put(
    page: Served, put: Callable[..., Any], target: Target, aws: Clients
) -> None:
    for _ in range(6):
        connection = http.client.HTTPConnection(HOST, page.port, timeout=30)
        connection.putrequest("PUT", f"/{TOKEN}/objects?key=part")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"half")
        connection.close()
    # More were broken off than are taken at once.
    assert put("whole", b"x").status == 200
    assert stored(aws, target) == ["whole"]


def test_what_s3_refuses_is_told_with_the_reason(
    put: Callable[..., Any], page: Served, target: Target, aws: Clients
) -> None:
    aws("s3").delete_bucket(Bucket=target.bucket_name)
    answer = put("a", b"x")
    assert answer.status == 502
    assert answer.json()["error"].startswith("The bucket does not exist: run `terraform apply`")
    _, board = page.console.watched().now()
    (travel,) = board.told()["travels"]
    assert (travel["state"], travel["reason"]) == ("refused", answer.json()["error"])


def test_an_alarm_is_told_with_its_history_and_the_runbooks_paragraph(
    page: Served, target: Target, aws: Clients
) -> None:
    (name,) = target.alarm_names
    aws("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="<b>")
    until(lambda: page.console.watched().now()[1].heard)
    told = page.ask(path=f"/{TOKEN}/alarm?name={name}")
    assert told.status == 200, told.body
    assert ["strong", "Means:"] in told.json()["runbook"][0]
    newest = told.json()["history"][0]
    assert (newest["to"], newest["reason"]) == ("ALARM", "<b>")
    none = page.ask(path=f"/{TOKEN}/alarm?name=%3Cb%3E")
    assert (none.status, none.json()) == (502, {"error": "The stack has no alarm '<b>'."})


def test_records_and_lines_are_searched_for(page: Served, target: Target, aws: Clients) -> None:
    odd = {"blob": {"B": b"\0"}}
    aws("dynamodb").put_item(TableName=target.table_name, Item=item("x", "k", **odd))
    found = page.ask(path=f"/{TOKEN}/records?prefix=k")
    assert found.status == 200, found.body
    assert found.json()["whole"]
    assert found.json()["items"][0]["blob"] == {"B": "AA=="}
    none = page.ask(path=f"/{TOKEN}/log?request=11111111-1111")
    assert (none.status, none.json()) == (200, {"invokes": []})


def test_a_request_that_is_searched_for_is_told_with_how_it_ended(
    page: Served, target: Target, aws: Clients
) -> None:
    request = "22222222-2222-4222-8222-222222222222"
    told = {"requestId": request, "level": "ERROR", "message": "Record not stored", "key": "a"}
    # An hour ago: the page has not read it.
    event = {"timestamp": int(time.time() - 3600) * 1000, "message": json.dumps(told)}
    logs, names = aws("logs"), {"logGroupName": target.log_group_name, "logStreamName": "old"}
    logs.create_log_stream(**names)
    logs.put_log_events(**names, logEvents=[event])
    found = page.ask(path=f"/{TOKEN}/log?request={request}")
    assert found.status == 200, found.body
    (invoke,) = found.json()["invokes"]
    assert (invoke["request"], invoke["level"], invoke["broken"]) == (request, "ERROR", True)


def test_a_page_that_only_looks_reads_all_of_its_panels(
    target: Target, aws: Clients, send: Send
) -> None:
    send(event("a"))
    with (
        serve(lambda: Found(target, None, embedded=False), write=False) as served,
        served.listen() as wait_for,
    ):
        wait_for("snapshot")
        assert until(lambda: shown(served)) == ["a"]
        made = served.ask(path=f"/{TOKEN}/calls").json()
    assert made["ReceiveMessage"] >= 1
    sqs = aws("sqs")
    assert failure_queue.depth(sqs, target.failure_queue_url) == (1, 0)


def blind(served: Served, panel: str) -> str:
    """Why that panel sees nothing; empty where it does."""
    return str(served.console.watched().told().get("blind", {}).get(panel, ""))


def shown(served: Served) -> list[str]:
    """Keys of what the page says that lies in the failure queue."""
    told = served.console.watched().told().get("failures", [])
    return [one["objects"][0][1] for one in told]


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("watch")]


def test_a_watch_that_ends_while_the_stack_is_found_leaves_nothing_running(target: Target) -> None:
    until(lambda: not threads())
    found = threading.Event()

    def find() -> Found:
        watch.end()
        found.set()
        return Found(target, None, embedded=False)

    watch = Watch(find, lambda kind, data: None, write=False)
    watch.start()
    assert found.wait(30)
    until(lambda: not threads())
    with pytest.raises(PipelineError):
        watch.now()


@pytest.mark.parametrize(
    "odd",
    [
        {"delivery": "post"},
        {"delivery": None, "bucket_name": None, "alarm_names": None},
        {"table_stream_arn": None, "topic_arn": None, "failure_queue_url": None},
        {"delivery": {"via": "notification", "filters": "odd"}},
    ],
    ids=["no way", "no delivery", "no stream", "no filters"],
)
def test_a_stack_that_is_half_applied_is_watched_as_far_as_it_goes(
    target: Target, odd: dict[str, Any]
) -> None:
    until(lambda: not threads())
    half = replace(target, outputs={**target.outputs, **odd})
    finds: list[int] = []

    def find() -> Found:
        finds.append(1)
        return Found(half, None, embedded=False)

    with serve(find, write=False) as served, served.listen() as wait_for:
        told = wait_for("stages")
        assert [one["id"] for one in told][-5:] == [
            *("function", "table", "failures", "alarms", "topic"),
        ]
        for name, value in odd.items():
            if value is None and name in ("alarm_names", "table_stream_arn", "failure_queue_url"):
                panels = {"alarm_names": "alarms", "table_stream_arn": "records"}
                why = until(functools.partial(blind, served, panels.get(name, "failures")))
                assert f"gives no {name}" in why
        # One watch, and one thread a panel, however odd it is.
        assert len(finds) == 1
        assert len(threads()) == len(set(threads())) == 9


def test_a_panel_that_is_blind_sees_again_as_soon_as_it_is_let(
    target: Target, aws: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_FIRST_PAUSE_SECONDS", 0.01)
    aws("logs").delete_log_group(logGroupName=target.log_group_name)
    with (
        serve(lambda: Found(target, None, embedded=False), write=False) as served,
        served.listen() as wait_for,
    ):
        wait_for("snapshot")
        assert until(lambda: blind(served, "log")) == (
            "The log group does not exist: run `terraform apply` in the stack's root."
        )
        aws("logs").create_log_group(logGroupName=target.log_group_name)
        until(lambda: not blind(served, "log"))


def test_a_replay_that_can_not_be_made_says_why_and_leaves_what_there_is(
    target: Target, send: Send
) -> None:
    send(event("a"))
    with (
        serve(lambda: Found(target, None, embedded=False), write=True) as served,
        served.listen() as wait_for,
    ):
        wait_for("snapshot")
        assert until(lambda: shown(served)) == ["a"]
        asked = b'{"messages": "all"}'
        assert served.ask("POST", f"/{TOKEN}/replay", asked).status == 202
        told = wait_for("replay")
        while told["running"]:
            told = wait_for("replay")
        assert told["why"].startswith(f"The function {target.function_name} does not exist")
        assert (told["done"], told["stayed"]) == (0, [])
        assert shown(served) == ["a"]
