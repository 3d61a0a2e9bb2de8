"""Is the path of an event wired as `delivery` says? One function a stage, bucket to table.

Each returns a sentence of what it saw, raises FailingError where the stage is not as it should be,
NotCheckedError where that can't be told, and botocore's errors where AWS refuses to tell.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from pipeline.deployed import aws
from pipeline.deployed.policies import admits
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.verify.probe import Probe

_APPLY = "run `terraform apply` in the stack's root, which puts it back"
# As the handler reads them.
_SECONDS = re.compile(r"[0-9]{1,10}")
_INVOKE = "lambda:InvokeFunction"
_SEND = "sqs:SendMessage"


def notification(session: Session) -> str:
    """S3 tells function or buffer of what each filter names, or sends to EventBridge."""
    found = session.target
    told = session.client("s3").get_bucket_notification_configuration(Bucket=found.bucket_name)
    if found.delivery.get("via") == "eventbridge":
        if "EventBridgeConfiguration" not in told:
            raise FailingError(
                f"The bucket {found.bucket_name} does not send to EventBridge: its owner switches "
                "that on (Properties, Amazon EventBridge), or where the bucket is the stack's, "
                f"{_APPLY}."
            )
        return f"{found.bucket_name} sends its events to EventBridge"
    receiver, kind = ("buffer", "Queue") if session.buffered else ("function", "LambdaFunction")
    arn = session.receiver_arn
    listed = [one for one in told.get(f"{kind}Configurations", []) if one[f"{kind}Arn"] == arn]
    for one in _filters(session):
        if not any(_same(one, configured) for configured in listed):
            raise FailingError(
                f"The bucket {found.bucket_name} does not notify the {receiver} "
                f"{arn.rpartition(':')[2]} of {_described(one)}: somebody replaced its "
                f"notification configuration; {_APPLY}."
            )
    what = "; ".join(_described(one) for one in _filters(session))
    return f"{found.bucket_name} notifies the {receiver} of {what}"


def rule(session: Session, probe: Probe) -> str:
    """An enabled rule takes what the probe does to function or buffer, failures to their queue."""
    if session.target.delivery.get("via") != "eventbridge":
        raise NotCheckedError("events come by notification")
    name, _ = _rule(session, probe)
    targets = session.client("events").list_targets_by_rule(Rule=name)["Targets"]
    ours = next(one for one in targets if one["Arn"] == session.receiver_arn)
    failures = session.failure_queue_arn
    if ours.get("DeadLetterConfig", {}).get("Arn") != failures:
        raise FailingError(
            f"The rule {name} keeps events that it can't hand over nowhere: its dead-letter queue "
            f"is not {failures}; {_APPLY}."
        )
    return f"{name} takes a probe's key to {session.receiver_arn.rpartition(':')[2]}"


def permission(session: Session, probe: Probe) -> str:
    """The function, or the buffer, lets in whoever sends events."""
    found = session.target
    by_rule = found.delivery.get("via") == "eventbridge"
    try:
        source = _rule(session, probe)[1] if by_rule else session.bucket_arn
    except FailingError as error:
        raise NotCheckedError("there is no rule to let in") from error
    service = "events.amazonaws.com" if by_rule else "s3.amazonaws.com"
    if session.buffered:
        told = session.client("sqs").get_queue_attributes(
            QueueUrl=found.buffer_queue_url, AttributeNames=["Policy"]
        )
        policy, action, receiver = told.get("Attributes", {}).get("Policy", ""), _SEND, "buffer"
    else:
        policy, action, receiver = _function_policy(session), _INVOKE, "function"
    if not admits(policy, service, action, source, session.account):
        raise FailingError(
            f"The {receiver} does not let {service} in for {source}: its policy lacks {action}; "
            f"{_APPLY}."
        )
    return f"the {receiver} lets {service} in for {source.rpartition(':')[2]}"


def buffer(session: Session) -> str:
    """The function reads the buffer, where there is one."""
    url = session.target.buffer_queue_url
    if url is None:
        raise NotCheckedError("there is none")
    arn = session.queue_arn(url)
    pages = session.client("lambda").get_paginator("list_event_source_mappings")
    mapped = [
        one
        for page in pages.paginate(FunctionName=session.target.function_name, EventSourceArn=arn)
        for one in page["EventSourceMappings"]
    ]
    if not mapped:
        raise FailingError(f"The function does not read the buffer {url}: {_APPLY}.")
    state = mapped[0].get("State")
    if state not in ("Enabled", "Enabling", "Creating", "Updating"):
        raise FailingError(
            f"The function does not read the buffer {url} (its mapping is {state}): the pipeline "
            "is paused; set `delivery.paused = false` and apply."
        )
    if "ReportBatchItemFailures" not in mapped[0].get("FunctionResponseTypes", []):
        raise FailingError(
            "The buffer's mapping does not report which messages of a batch failed, so that one "
            f"bad message brings its whole batch back: {_APPLY}."
        )
    return f"the function reads {arn.rpartition(':')[2]}, {mapped[0].get('BatchSize')} at a time"


def function(session: Session) -> str:
    """The function is active, writes to the table, and hands on what it can't store."""
    found, told = session.target, session.function()
    name, client = found.function_name, session.client("lambda")
    for what in "State", "LastUpdateStatus":
        if told.get(what) in ("Failed", "Inactive", "Pending", "InProgress"):
            reason = told.get(f"{what}Reason") or "no reason given"
            raise FailingError(f"The function {name} is not ready ({what} {told[what]}: {reason}).")
    table = variable(session, "TABLE_NAME")
    if table.rpartition("/")[2] != found.table_name:
        raise FailingError(
            f"The function {name} writes to the table {table or '(none)'}, not to "
            f"{found.table_name}: its variable TABLE_NAME was changed; {_APPLY}."
        )
    retention = variable(session, "TTL_SECONDS")
    if not _SECONDS.fullmatch(retention):
        raise FailingError(
            f"The function {name} can't tell when a record expires: its variable TTL_SECONDS is "
            f"{retention!r}, not a number of seconds; {_APPLY}."
        )
    reserved = client.get_function_concurrency(FunctionName=name)
    if reserved.get("ReservedConcurrentExecutions") == 0:
        raise FailingError(
            f"The function {name} may not run at all (it reserves no concurrency): the pipeline is "
            "paused; set `delivery.paused = false` and apply."
        )
    failures = session.failure_queue_arn
    if _on_failure(session) != failures:
        raise FailingError(
            f"What the function {name} can't store is lost: its on-failure destination is not "
            f"{failures}; {_APPLY}."
        )
    return f"{name} is active, its failures go to {failures.rpartition(':')[2]}"


def role(session: Session) -> str:
    """The function's role may write to the table and send to the failure queue."""
    found, arn = session.target, str(session.function()["Role"])
    account = f"{session.partition}:dynamodb:{found.region}:{session.account}"
    failures = session.failure_queue_arn
    needed = {
        f"arn:{account}:table/{found.table_name}": ["dynamodb:PutItem", "dynamodb:BatchWriteItem"],
        failures: [_SEND],
    }
    iam = session.client("iam")
    for resource, actions in needed.items():
        try:
            answer = iam.simulate_principal_policy(
                PolicySourceArn=arn, ActionNames=actions, ResourceArns=[resource]
            )
        except ClientError as error:
            if aws.is_gone(error):
                raise FailingError(f"The role {arn} is gone: {_APPLY}.") from error
            # A right that operators seldom have; the record below tells as well.
            raise NotCheckedError(
                f"IAM does not tell you ({aws.code(error)}); the record below does"
            ) from error
        for one in answer["EvaluationResults"]:
            if one["EvalDecision"] != "allowed":
                raise FailingError(
                    f"The role {arn.rpartition('/')[2]} may not {one['EvalActionName']} on "
                    f"{resource} ({one['EvalDecision']}): {_APPLY}."
                )
    return f"{arn.rpartition('/')[2]} may write records, and hand on what fails"


def table(session: Session) -> str:
    """The table is active, keyed by `objectId`, and lets records expire by `ttl`."""
    name, client = session.target.table_name, session.client("dynamodb")
    told = client.describe_table(TableName=name)["Table"]
    if told["TableStatus"] not in ("ACTIVE", "UPDATING"):
        raise FailingError(f"The table {name} is {told['TableStatus']}: wait, or {_APPLY}.")
    keys = [(one["AttributeName"], one["KeyType"]) for one in told["KeySchema"]]
    if keys != [("objectId", "HASH")]:
        raise FailingError(f"The table {name} is not keyed by objectId alone: it is another's.")
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if (ttl.get("AttributeName"), ttl.get("TimeToLiveStatus")) not in (
        ("ttl", "ENABLED"),
        ("ttl", "ENABLING"),
    ):
        raise FailingError(
            f"Records of the table {name} never expire: its time to live is "
            f"{ttl.get('TimeToLiveStatus')}; {_APPLY}."
        )
    return f"{name} is active, and deletes records by their ttl"


def variable(session: Session, name: str) -> str:
    """An environment variable of the function, empty where it has none."""
    return str(session.function().get("Environment", {}).get("Variables", {}).get(name, ""))


def _rule(session: Session, probe: Probe) -> tuple[str, str]:
    """Name and ARN of the enabled rule that takes what the probe does to its receiver."""
    client, arn = session.client("events"), session.receiver_arn
    event = json.dumps(_event(session, probe))
    disabled = None
    for name in _rules_to(client, arn):
        told = client.describe_rule(Name=name)
        pattern = told.get("EventPattern")
        if (
            not pattern
            or not client.test_event_pattern(EventPattern=pattern, Event=event)["Result"]
        ):
            continue
        if told.get("State") == "ENABLED":
            return name, str(told["Arn"])
        disabled = name
    if disabled:
        raise FailingError(f"The rule {disabled} is disabled: {_APPLY}.")
    raise FailingError(
        f"No EventBridge rule sends uploads of {session.target.bucket_name} to {arn}: {_APPLY}."
    )


def _rules_to(client: Any, arn: str) -> Iterator[str]:
    pages = client.get_paginator("list_rule_names_by_target")
    for page in pages.paginate(TargetArn=arn):
        yield from page["RuleNames"]


def _event(session: Session, probe: Probe) -> dict[str, Any]:
    """What EventBridge would carry of the probe, as far as patterns look at it."""
    kind, more = probe.on_eventbridge()
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": kind,
        "source": "aws.s3",
        "account": session.account,
        "time": "2026-11-22T00:00:00Z",
        "region": session.target.region,
        "resources": [session.bucket_arn],
        "detail": {
            "version": "0",
            "bucket": {"name": session.target.bucket_name},
            "object": {"key": probe.key, "size": 1, "etag": "0", "sequencer": "0"},
            **more,
        },
    }


def _function_policy(session: Session) -> str:
    try:
        answer = session.client("lambda").get_policy(FunctionName=session.target.function_name)
    except ClientError as error:
        if not aws.is_gone(error):
            raise
        # Either the function is gone, which this tells, or its policy has no statement.
        session.function()
        return ""
    return str(answer["Policy"])


def _on_failure(session: Session) -> str | None:
    try:
        told = session.client("lambda").get_function_event_invoke_config(
            FunctionName=session.target.function_name
        )
    except ClientError as error:
        if aws.is_gone(error):
            return None
        raise
    destination = told.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return None if destination is None else str(destination)


def _filters(session: Session) -> list[Mapping[str, Any]]:
    return list(session.target.delivery.get("filters") or [])


def _same(one: Mapping[str, Any], configured: Mapping[str, Any]) -> bool:
    """Whether S3's configuration is this filter's."""
    rules = configured.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    # S3 answers Prefix and Suffix with a capital.
    told = {rule["Name"].lower(): rule["Value"] for rule in rules}
    # Encoded, as S3's guide wants them, or as somebody wrote them.
    return set(configured["Events"]) == set(one["events"]) and all(
        one[name] in (unquote_plus(told.get(name, "")), told.get(name, ""))
        for name in ("prefix", "suffix")
    )


def _described(one: Mapping[str, Any]) -> str:
    where = [f"{name} {one[name]!r}" for name in ("prefix", "suffix") if one[name]]
    keys = "of keys with " + " and ".join(where) if where else "of every key"
    return f"{', '.join(one['events'])} {keys}"
