"""What failed is put through again, by the real function, from a real queue to a real table."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import batched
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.deployed import failure_queue
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.emulator.process import ACCOUNT_ID, REGION
from pipeline.errors import PipelineError
from pipeline.replay.run import Outcome, clients
from tests.support.aws import s3_events
from tests.support.aws.failing import (
    FUNCTION,
    TABLE,
    Site,
    create_function,
    denied_writes,
    events,
    failed,
    keys,
    paused,
)
from tests.support.poll import until


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.reason or "" for outcome in outcomes if not outcome.done]


def test_fifty_events_that_lambda_gave_up_are_records_after_the_fix(site: Site) -> None:
    functions = site.client("lambda")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{site.queue_url.rpartition('/')[2]}"
    functions.put_function_event_invoke_config(
        FunctionName=FUNCTION,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    with denied_writes(site):
        # Ten at a time: the emulator starts a process for each.
        for sent, wave in enumerate(batched(events("fifty/", 50), 10), start=1):
            for record in wave:
                functions.invoke(
                    FunctionName=FUNCTION,
                    InvocationType="Event",
                    Payload=json.dumps(s3_events.notification(record)),
                )
            until(lambda so_far=10 * sent: site.queued() == (so_far, 0))  # type: ignore[misc]
    assert site.stored("fifty/") == []

    outcomes = site.replay()

    assert [outcome.done for outcome in outcomes] == [True] * 50
    assert site.stored("fifty/") == keys("fifty/", 50)
    assert site.queued() == (0, 0)
    message = outcomes[0].message
    assert isinstance(message, FailedEvent)
    assert message.how == "destination"
    assert "AccessDenied" in (message.reason or "")


def test_an_event_that_sqs_gave_up_is_a_record_after_the_fix(site: Site) -> None:
    sqs = site.client("sqs")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{site.queue_url.rpartition('/')[2]}"
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    buffer = sqs.create_queue(
        QueueName="buffer", Attributes={"VisibilityTimeout": "1", "RedrivePolicy": redrive}
    )["QueueUrl"]
    functions = site.client("lambda")
    mapping = functions.create_event_source_mapping(
        FunctionName=FUNCTION,
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:buffer",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )["UUID"]
    with denied_writes(site):
        body = json.dumps(s3_events.notification(s3_events.record("buffered/ü +%")))
        sqs.send_message(QueueUrl=buffer, MessageBody=body)
        until(lambda: site.queued() == (1, 0))
    functions.delete_event_source_mapping(UUID=mapping)

    (outcome,) = site.replay()

    assert outcome.done
    assert site.stored("buffered/") == ["buffered/ü +%"]
    message = outcome.message
    assert isinstance(message, FailedEvent)
    assert (message.how, message.reason) == ("buffer", None)
    assert message.attempts in (2, 3)


def test_an_event_that_eventbridge_could_not_hand_over_is_a_record(site: Site) -> None:
    site.send(
        s3_events.eventbridge("rule/ü +%"),
        attributes={"RULE_ARN": "arn:…", "ERROR_CODE": "NO_PERMISSIONS", "RETRY_ATTEMPTS": "0"},
    )
    (outcome,) = site.replay()
    assert outcome.done
    assert site.stored("rule/") == ["rule/ü +%"]
    assert isinstance(outcome.message, FailedEvent)
    assert (outcome.message.how, outcome.message.reason) == ("rule", "NO_PERMISSIONS")


def test_a_message_is_deleted_only_once_all_its_records_are_there(site: Site) -> None:
    code = "def handler(event, context):\n    return {'statusCode': 200}\n"
    create_function(site.running, site.role_arn, "forgetful", "forgetful.handler", forgetful=code)
    site.send(failed(*events("forgotten/", 3)))
    (reason,) = reasons(site.replay(function_name="forgetful"))
    assert "3 of 3 records are not in the table S3ObjectEvents" in reason
    assert site.queued() == (1, 0)


def test_an_event_of_many_records_is_confirmed_whole(site: Site) -> None:
    site.send(failed(*events("many/", 230)))
    through = site.clients()
    answers = []

    def hand_back(parsed: dict[str, Any], **_: Any) -> None:
        # As DynamoDB does when it is busy; the emulator never is.
        answers.append(len(parsed["Responses"].get(TABLE, [])))
        if len(answers) % 2 == 0 and len(parsed["Responses"][TABLE]) > 1:
            popped = [parsed["Responses"][TABLE].pop() for _ in range(answers[-1] // 2)]
            left = [{"objectId": item["objectId"]} for item in popped]
            parsed["UnprocessedKeys"] = {TABLE: {"Keys": left, "ConsistentRead": True}}

    through.dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", hand_back)
    assert [outcome.done for outcome in site.replay(through=through)] == [True]
    assert site.stored("many/") == keys("many/", 230)
    assert len(answers) > 4


def test_interrupted_halfway_and_run_again_leaves_each_record_once(site: Site) -> None:
    site.send(*(failed(record) for record in events("halfway/", 50)))
    done = 0

    def interrupted() -> None:
        nonlocal done
        with closing(site.replaying()) as outcomes:
            for outcome in outcomes:
                done += outcome.done
                if done == 20:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    left, hidden = site.queued()
    # Those that were in the function at the time are through, too.
    assert 50 - 20 - 5 <= left <= 50 - 20
    assert hidden == 0
    assert all(outcome.done for outcome in site.replay())
    assert site.stored("halfway/") == keys("halfway/", 50)
    assert site.queued() == (0, 0)


def test_killed_halfway_and_run_again_at_once_leaves_each_record_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The queue hides what was received for much longer than a replay holds it.
    site.client("sqs").set_queue_attributes(
        QueueUrl=site.queue_url, Attributes={"VisibilityTimeout": "600"}
    )
    site.send(*(failed(record) for record in events("killed/", 50)))
    script = (
        "import sys\n"
        "from pipeline.deployed import failure_queue\n"
        "from pipeline.replay.run import clients, replay\n"
        "failure_queue._VISIBILITY_SECONDS = 3\n"
        "names = dict(zip(['queue_url', 'function_name', 'table_name'], sys.argv[1:]))\n"
        "for outcome in replay(clients(), **names): print(outcome.done, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, site.queue_url, FUNCTION, TABLE],
        env=site.running.environment,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(10)] == ["True\n"] * 10
    process.kill()
    process.wait()
    process.stdout.close()
    left = sum(site.queued())
    assert 0 < left <= 40
    # What the dead one held is waited for.
    monkeypatch.setattr(failure_queue, "_VISIBILITY_SECONDS", 3)
    assert len(site.replay()) == left
    assert site.stored("killed/") == keys("killed/", 50)
    assert site.queued() == (0, 0)


def test_what_is_in_a_slow_function_stays_hidden_from_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_queue, "_VISIBILITY_SECONDS", 2)
    slower = "import time\ndef handler(event, context):\n    time.sleep(6)\n"
    create_function(site.running, site.role_arn, "slower", "slower.handler", slower=slower)
    site.send(failed(s3_events.record("slower")))
    with ThreadPoolExecutor(1) as pool:
        replaying = pool.submit(site.replay, function_name="slower")
        until(lambda: site.queued() == (0, 1))
        assert (
            site.client("sqs")
            .receive_message(QueueUrl=site.queue_url, WaitTimeSeconds=4)
            .get("Messages")
            is None
        )
        assert not replaying.done()
        (reason,) = reasons(replaying.result())
    assert "1 of 1 records are not in the table" in reason
    assert site.queued() == (1, 0)


def test_what_others_hold_is_waited_for_only_if_that_is_wanted(site: Site) -> None:
    sqs = site.client("sqs")
    site.send(failed(s3_events.record("held")))
    (held,) = sqs.receive_message(QueueUrl=site.queue_url, VisibilityTimeout=600)["Messages"]
    asked: list[int] = []

    def waits(hidden: int) -> bool:
        asked.append(hidden)
        return False

    def waits_for_its_end(hidden: int) -> bool:
        sqs.change_message_visibility(
            QueueUrl=site.queue_url, ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=0
        )
        return True

    assert site.replay(waits=waits) == []
    assert asked == [1]
    assert [outcome.done for outcome in site.replay(waits=waits_for_its_end)] == [True]
    assert site.stored("held") == ["held"]


def test_two_replays_at_once_leave_each_record_once(site: Site) -> None:
    site.send(*(failed(record) for record in events("both/", 60)))
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: site.replay(), range(2)))
    outcomes = [outcome for each in both for outcome in each]
    assert len({outcome.message.message_id for outcome in outcomes if outcome.done}) == 60
    assert site.stored("both/") == keys("both/", 60)
    assert site.queued() == (0, 0)


def test_what_still_fails_stays_and_is_to_be_had_at_once(site: Site) -> None:
    bad = [failed(s3_events.record(f"still/bad{number}", key="still/%zz")) for number in range(12)]
    mixed = failed(s3_events.record("still/neighbour"), s3_events.record("x", key="still/%zz"))
    good = [failed(record) for record in events("still/", 12)]
    site.send(*bad, mixed, *good)
    outcomes = site.replay()
    assert len(outcomes) == 25
    assert sum(outcome.done for outcome in outcomes) == 12
    assert all("not URL-encoded" in reason for reason in reasons(outcomes))
    assert len(reasons(outcomes)) == 13
    assert site.stored("still/") == [*keys("still/", 12), "still/neighbour"]
    assert site.queued() == (13, 0)


def test_what_still_fails_is_tried_once_a_run_even_if_it_comes_back(site: Site) -> None:
    site.client("sqs").set_queue_attributes(
        QueueUrl=site.queue_url, Attributes={"VisibilityTimeout": "1"}
    )
    slow = "import time\ndef handler(event, context):\n    time.sleep(0.4)\n    raise ValueError\n"
    create_function(site.running, site.role_arn, "slow", "slow.handler", slow=slow)
    site.send(*(failed(record) for record in events("slow/", 12)))
    outcomes = site.replay(function_name="slow", parallel=2)
    ids = [outcome.message.message_id for outcome in outcomes]
    assert len(ids) == len(set(ids)) == 12
    assert site.queued() == (12, 0)


def test_a_dry_run_changes_nothing(site: Site) -> None:
    site.send(*(failed(record) for record in events("dry/", 15)), "no event at all")
    outcomes = site.replay(dry_run=True, function_name="none", table_name="none")
    assert len(outcomes) == 16
    assert not any(outcome.done for outcome in outcomes)
    assert [reason for reason in reasons(outcomes) if reason] == [
        outcome.reason for outcome in outcomes if not isinstance(outcome.message, FailedEvent)
    ]
    assert site.stored("dry/") == []
    assert site.queued() == (16, 0)


def test_only_the_chosen_are_replayed_and_the_rest_is_to_be_had_at_once(site: Site) -> None:
    site.send(*(failed(record) for record in events("chosen/", 15)))
    listed = site.replay(dry_run=True)
    some = {outcome.message.message_id for outcome in listed[::5]}
    outcomes = site.replay(chosen=lambda message: message.message_id in some)
    assert {outcome.message.message_id for outcome in outcomes} == some
    assert len(site.stored("chosen/")) == 3
    assert site.queued() == (12, 0)


def test_what_asks_for_no_record_leaves_and_what_cannot_be_read_stays(site: Site) -> None:
    site.send(s3_events.TEST_EVENT, {"Records": []}, "{", '{"hello": "world"}')
    outcomes = site.replay()
    assert sorted(outcome.done for outcome in outcomes) == [False, False, True, True]
    unfit, unread = sorted(reasons(outcomes))
    assert "no list of Records, no detail-type" in unfit
    assert unread.startswith("the message holds no JSON document")
    assert site.queued() == (2, 0)


def test_a_batch_leaves_only_if_none_of_its_messages_is_given_back(site: Site) -> None:
    good, bad = (
        s3_events.notification(s3_events.record("x", key=f"batch/{key}")) for key in ("ok", "%zz")
    )
    site.send({"requestPayload": s3_events.sqs(good, bad)})
    (reason,) = reasons(site.replay())
    assert "returned messages of the batch as failed" in reason
    assert "'m1'" in reason
    assert "'m0'" not in reason
    assert site.queued() == (1, 0)
    site.client("sqs").purge_queue(QueueUrl=site.queue_url)
    site.send({"requestPayload": s3_events.sqs(good)})
    assert [outcome.done for outcome in site.replay()] == [True]
    assert site.stored("batch/") == ["batch/ok"]


def test_a_paused_function_ends_the_replay_with_a_sentence_and_nothing_lost(site: Site) -> None:
    site.send(*(failed(record) for record in events("paused/", 8)))
    with (
        paused(site),
        pytest.raises(PipelineError, match=r"took no event for 1 s .*TooManyRequests"),
    ):
        site.replay(patience_seconds=1)
    assert site.queued() == (8, 0)
    assert all(outcome.done for outcome in site.replay())
    assert site.stored("paused/") == keys("paused/", 8)


def test_a_function_that_is_busy_for_a_while_is_waited_for(site: Site) -> None:
    site.send(*(failed(record) for record in events("busy/", 8)))
    functions = site.client("lambda")
    with paused(site):
        over = threading.Timer(
            1, functions.delete_function_concurrency, kwargs={"FunctionName": FUNCTION}
        )
        over.start()
        outcomes = site.replay()
        over.join()
    assert [outcome.done for outcome in outcomes] == [True] * 8
    assert site.stored("busy/") == keys("busy/", 8)


def test_a_throttled_table_is_no_fault_of_the_event(site: Site, tmp_path: Path) -> None:
    busy = (
        "import pathlib, lambda_function\n"
        "def handler(event, context):\n"
        f"    with pathlib.Path({str(tmp_path / 'calls')!r}).open('a+') as calls:\n"
        "        if calls.tell() < 2:\n"
        "            calls.write('.')\n"
        "            raise RuntimeError('gave up: ProvisionedThroughputExceededException')\n"
        "    return lambda_function.lambda_handler(event, context)\n"
    )
    create_function(site.running, site.role_arn, "busy", "busy.handler", busy=busy)
    site.send(failed(s3_events.record("throttled")))
    assert [outcome.done for outcome in site.replay(function_name="busy")] == [True]
    assert site.stored("throttled") == ["throttled"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            {"queue_url": "URL-gone"},
            r"queue .*-gone does not exist: take failure_queue_url",
        ),
        ({"function_name": "gone"}, "The function gone does not exist: take function_name"),
        ({"table_name": "gone"}, "The table gone does not exist: take table_name"),
    ],
    ids=["queue", "function", "table"],
)
def test_what_is_gone_is_named_before_anything_is_touched(
    site: Site, names: dict[str, str], sentence: str
) -> None:
    site.send(failed(s3_events.record("gone")))
    names = {name: value.replace("URL", site.queue_url) for name, value in names.items()}
    with pytest.raises(PipelineError, match=sentence):
        site.replay(**names)
    assert site.queued() == (1, 0)
    assert site.stored("gone") == []


def test_whoever_may_not_is_told_which_right_is_missing(site: Site) -> None:
    iam = site.client("iam")
    iam.create_user(UserName="nobody")
    keys = iam.create_access_key(UserName="nobody")["AccessKey"]
    through = site.clients(
        aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"]
    )
    with pytest.raises(
        PipelineError, match=r"failure queue .* is closed to you: .*GetQueueAttributes"
    ):
        site.replay(through=through)
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="nobody", PolicyName="queue", PolicyDocument=document)
    with pytest.raises(
        PipelineError, match=r"function .* is closed to you: .*right to lambda:InvokeFunction"
    ):
        site.replay(through=through)


def test_credentials_that_are_not_valid_are_told(site: Site) -> None:
    iam = site.client("iam")
    iam.create_user(UserName="somebody")
    key = iam.create_access_key(UserName="somebody")["AccessKey"]["AccessKeyId"]
    through = site.clients(aws_access_key_id=key, aws_secret_access_key="wrong")
    with pytest.raises(PipelineError, match=r"The AWS credentials are refused .*: log in again"):
        site.replay(through=through)


def test_a_missing_region_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(PipelineError, match="No AWS region is set"):
        clients()


def test_missing_credentials_are_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    through = clients(endpoint_url=site.running.endpoint, region_name=REGION)
    with pytest.raises(PipelineError, match=r"No AWS credentials \(Unable to locate credentials\)"):
        site.replay(through=through)


def test_an_endpoint_that_is_not_there_is_told(site: Site) -> None:
    through = site.clients(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(PipelineError, match=r"The failure queue .* can't be reached"):
        site.replay(through=through)
