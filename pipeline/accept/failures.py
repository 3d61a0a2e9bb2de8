"""Make a deployed pipeline fail as real ones do, and put it back."""

import contextlib
import json
import time
from collections.abc import Iterator

from pipeline.accept.trial import ALARM_SECONDS, FAILED_SECONDS, RECORD_SECONDS, Trial, alarm
from pipeline.deployed import log, table
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.deployed.subscriber import about, subscriber
from pipeline.replay.run import clients, replay

# IAM, Lambda and SQS apply a change within seconds, as far as AWS promises anything.
_APPLIED_SECONDS = 30.0
_POLICY = "pipeline"
# A table saves up what it does not use for five minutes: 1,500 writes of five units.
_BURST, _ROUNDS = 600, 6
_EMULATOR_BURST = 20


def failed_event_kept(trial: Trial) -> str:
    """Without the right to write, the event comes to the failure queue."""
    session = trial.session
    with _rights_taken_away(trial, session):
        key = trial.upload(session, "denied")
        found = trial.failed(session, key, FAILED_SECONDS)
    return f"the event of {key} came to the failure queue ({getattr(found, 'reason', None)})"


def notified(trial: Trial) -> str:
    """An alarm goes off by itself, and a subscriber gets its message."""
    session, name = trial.session, alarm(trial.session, "failures")
    queue = f"{trial.sandbox.prefix}{trial.check.id}"
    trial.sandbox.journal.note(f"queue {queue}")
    with subscriber(session, queue) as receive:
        with _rights_taken_away(trial, session):
            key = trial.upload(session, "denied")
            trial.failed(session, key, FAILED_SECONDS)
        trial.until(
            lambda: any(about(body, name) for body in receive()),
            ALARM_SECONDS,
            f"the message of the alarm {name}",
        )
    return f"{name} went to ALARM, and its message came to a queue that is subscribed"


def replayed(trial: Trial) -> str:
    """What waits in the failure queue is recorded by a replay, and gone from the queue."""
    return _replay(trial, trial.session)


def throttled(trial: Trial) -> str:
    """A table of one write unit throttles; each event is recorded or kept, and then replayed."""
    session, dynamodb = trial.session, trial.session.client("dynamodb")
    name, since = session.target.table_name, time.time()
    before = dynamodb.describe_table(TableName=name)["Table"]["ProvisionedThroughput"]

    def units(write: int) -> None:
        given = {"ReadCapacityUnits": before["ReadCapacityUnits"], "WriteCapacityUnits": write}
        dynamodb.update_table(TableName=name, ProvisionedThroughput=given)
        dynamodb.get_waiter("table_exists").wait(TableName=name)

    def refused() -> bool:
        group = session.target.log_group_name
        lines = log.events(session.client("logs"), group, since, '"Record not stored"')
        reasons = (str(log.document(each["message"]).get("reason")) for each in lines)
        return any(map(table.is_throttled, reasons))

    rounds, burst = (1, _EMULATOR_BURST) if trial.sandbox.emulator else (_ROUNDS, _BURST)
    uploaded = 0
    units(1)
    try:
        for _ in range(rounds):
            uploaded += burst
            found = trial.load(session, burst, seconds=FAILED_SECONDS, parallel=16)
            if refused():
                break
        else:
            raise NotCheckedError(f"it took {uploaded} writes that it had saved up")
    finally:
        units(before["WriteCapacityUnits"])
    kept = len(found.failed)
    again = _replay(trial, session) if kept else "none to replay"
    return f"throttled after {uploaded} uploads, {kept} kept in the failure queue; {again}"


def rule_gives_up(trial: Trial) -> str:
    """A rule that may not deliver sends the event to the failure queue, from either receiver."""
    seen = []
    for place in trial.check.places:
        session = trial.sessions[place]
        with _rule_refused(trial, session):
            key = trial.upload(session, "refused")
            found = trial.failed(session, key, FAILED_SECONDS, emulated=False)
        how = getattr(found, "how", "")
        if how != "rule":
            raise FailingError(f"the event of {key} came to the failure queue by {how}")
        seen.append(f"{place}: {getattr(found, 'reason', None)}, {getattr(found, 'attempts', 0)}")
    return f"the rule's dead-letter queue got both ({'; '.join(seen)} retries)"


def rule_alarm(trial: Trial) -> str:
    """The alarm on the rule goes off after it could not deliver."""
    return _went_off(trial, alarm(trial.session, "rule_failures"))


def buffer_alarm(trial: Trial) -> str:
    """The alarm on the buffer goes off while nobody reads it; then each event is recorded."""
    session, functions = trial.session, trial.session.client("lambda")
    name = alarm(session, "backlog")
    (described,) = session.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=session.target.function_name)[
        "EventSourceMappings"
    ]

    def read(enabled: bool) -> None:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
        trial.sandbox.pause(_APPLIED_SECONDS)

    keys: list[str] = []
    try:
        read(False)
        for number in range(int(described["Threshold"]) + 1):
            keys.append(trial.upload(session, f"waits-{number}"))
        said = _went_off(trial, name)
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    trial.recorded(session, keys, RECORD_SECONDS)
    return f"{said}; the {len(keys)} events that waited are recorded"


def _went_off(trial: Trial, name: str) -> str:
    cloudwatch = trial.session.client("cloudwatch")

    def look() -> bool:
        found = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        history = cloudwatch.describe_alarm_history(
            AlarmName=name, HistoryItemType="StateUpdate"
        ).get("AlarmHistoryItems", [])
        changes = [json.loads(each["HistoryData"]) for each in history if each.get("HistoryData")]
        states = [change.get("newState", {}).get("stateValue") for change in changes]
        return "ALARM" in states or any(each["StateValue"] == "ALARM" for each in found)

    trial.until(look, ALARM_SECONDS, f"the alarm {name}")
    return f"{name} went to ALARM"


def _replay(trial: Trial, session: Session) -> str:
    target = session.target
    through = clients(**target.settings)
    outcomes = []
    for outcome in replay(
        through,
        queue_url=target.failure_queue_url,
        function_name=target.function_name,
        table_name=target.table_name,
        parallel=2,
    ):
        trial.sandbox.check()
        outcomes.append(outcome)
    stay = [outcome.reason for outcome in outcomes if not outcome.done]
    if stay:
        raise FailingError(f"{len(stay)} messages stay in the failure queue: {stay[0]}")
    if not outcomes:
        raise NotCheckedError("the failure queue was empty")
    keys = [each[1] for outcome in outcomes for each in getattr(outcome.message, "objects", ())]
    trial.recorded(session, keys, RECORD_SECONDS)
    return f"{len(outcomes)} replayed, each with its record"


@contextlib.contextmanager
def _rights_taken_away(trial: Trial, session: Session) -> Iterator[None]:
    """The function's role may not write to the table in this block."""
    iam, role = session.client("iam"), str(session.target.text("role_name"))
    policy = iam.get_role_policy(RoleName=role, PolicyName=_POLICY)["PolicyDocument"]
    kept = [
        each
        for each in policy["Statement"]
        if not any(action.startswith("dynamodb:") for action in _list(each["Action"]))
    ]

    def put(document: object) -> None:
        text = json.dumps(document)
        iam.put_role_policy(RoleName=role, PolicyName=_POLICY, PolicyDocument=text)
        trial.sandbox.pause(_APPLIED_SECONDS)

    try:
        put({**policy, "Statement": kept})
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=_POLICY, PolicyDocument=json.dumps(policy))
    trial.sandbox.pause(_APPLIED_SECONDS)


@contextlib.contextmanager
def _rule_refused(trial: Trial, session: Session) -> Iterator[None]:
    """The rule may not invoke the function, or send to the buffer, in this block."""
    if session.buffered:
        sqs, url = session.client("sqs"), session.target.buffer_queue_url
        policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"][
            "Policy"
        ]
        document = json.loads(policy)
        others = [each for each in document["Statement"] if not _of_events(each)]

        def put(text: str) -> None:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})

        refuse = json.dumps({**document, "Statement": others})
    else:
        functions, function = session.client("lambda"), session.target.function_name
        document = json.loads(functions.get_policy(FunctionName=function)["Policy"])
        (statement,) = (each for each in document["Statement"] if _of_events(each))
        refuse, policy = "", json.dumps(statement)

        def put(text: str) -> None:
            if not text:
                functions.remove_permission(FunctionName=function, StatementId=statement["Sid"])
                return
            functions.add_permission(
                FunctionName=function,
                StatementId=statement["Sid"],
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
            )

    put(refuse)
    try:
        trial.sandbox.pause(_APPLIED_SECONDS)
        yield
    finally:
        put(policy)


def _of_events(statement: dict[str, object]) -> bool:
    return "events.amazonaws.com" in json.dumps(statement.get("Principal"))


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
