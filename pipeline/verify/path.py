"""Does the path of an event look as `delivery` says? One check a stage, bucket to table.

See `pipeline.verify.stages` for what a check returns and raises.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from pipeline.deployed import aws
from pipeline.deployed.policies import admits
from pipeline.deployed.session import DriftError, FailingError, NotCheckedError, Session
from pipeline.errors import PipelineError
from pipeline.verify import probe
from pipeline.verify.probe import Probe

# As the handler reads them.
_SECONDS = re.compile(r"[0-9]{1,10}")
_PAUSED = "the pipeline is paused; set `delivery.paused = false` and apply"


def notification(session: Session) -> str:
    """S3 notifies function or buffer as each filter says, or sends to EventBridge.

    Further buckets send to EventBridge in any case.
    """
    said = _own_notification(session)
    silent = [name for name in session.target.further_buckets if not _emits(session, name)]
    if silent:
        raise FailingError(
            f"No upload to {' and '.join(silent)} comes, since S3 does not send to EventBridge "
            "there: let the owner switch that on (Properties, Amazon EventBridge)."
        )
    further = ", ".join(session.target.further_buckets)
    return f"{said}; to EventBridge also {further}" if further else said


def _emits(session: Session, bucket: str) -> bool:
    """Whether a further bucket sends to EventBridge."""
    try:
        found = session.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    except ClientError as error:
        said = aws.sentence(error, f"the bucket {bucket}", "take it out of delivery.buckets")
        raise (FailingError if aws.is_gone(error) else PipelineError)(said) from error
    return "EventBridgeConfiguration" in found


def _own_notification(session: Session) -> str:
    bucket, s3 = session.target.bucket_name, session.client("s3")
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    if session.target.delivery.get("via") == "eventbridge":
        if "EventBridgeConfiguration" not in configuration:
            raise DriftError(
                f"The bucket {bucket} does not send to EventBridge. Its owner switches that on "
                "(Properties, Amazon EventBridge), or where the bucket is the stack's"
            )
        return f"{bucket} sends its events to EventBridge"
    receiver, kind = ("buffer", "Queue") if session.buffered else ("function", "LambdaFunction")
    arn = session.receiver_arn
    ours = [
        each for each in configuration.get(f"{kind}Configurations", []) if each[f"{kind}Arn"] == arn
    ]
    for wanted in session.target.filters:
        if not any(_same(wanted, each) for each in ours):
            raise DriftError(
                f"The bucket {bucket} does not notify the {receiver} {arn.rpartition(':')[2]} of "
                f"{_described(wanted)}, since its notification configuration was replaced"
            )
    what = "; ".join(map(_described, session.target.filters))
    return f"{bucket} notifies the {receiver} of {what}"


def rule(session: Session) -> str:
    """An enabled rule sends uploads to function or buffer, and failures to the failure queue."""
    ruled = _ruled(session)
    if not ruled:
        raise NotCheckedError("events come by notification")
    names = dict.fromkeys(_rule(session, bucket)[0] for bucket in ruled)
    failures = session.failure_queue_arn
    for name in names:
        targets = session.client("events").list_targets_by_rule(Rule=name)["Targets"]
        ours = next(target for target in targets if target["Arn"] == session.receiver_arn)
        if ours.get("DeadLetterConfig", {}).get("Arn") != failures:
            raise DriftError(
                f"The rule {name} loses events that it can't deliver, since its dead-letter queue "
                f"is not {failures}"
            )
    of = f" of {', '.join(ruled)}" if session.target.further_buckets else ""
    receiver = session.receiver_arn.rpartition(":")[2]
    return f"{' and '.join(names)} sends uploads{of} to {receiver}"


def permission(session: Session) -> str:
    """The policy of function or buffer lets the sender of events in."""
    target, sources = session.target, dict[str, str]()
    if target.delivery.get("via") != "eventbridge":
        sources[session.bucket_arn] = "s3.amazonaws.com"
    try:
        rules = [_rule(session, bucket)[1] for bucket in _ruled(session)]
    except FailingError as error:
        raise NotCheckedError("there is no rule to let in") from error
    sources |= dict.fromkeys(rules, "events.amazonaws.com")
    if session.buffered:
        receiver, action = "buffer", "sqs:SendMessage"
        answer = session.client("sqs").get_queue_attributes(
            QueueUrl=target.buffer_queue_url, AttributeNames=["Policy"]
        )
        policy = answer.get("Attributes", {}).get("Policy", "")
    else:
        receiver, action = "function", "lambda:InvokeFunction"
        # Either it has no policy, or the function is gone, which its own check reports.
        policy = _of_function(session, "get_policy").get("Policy", "")
    for source, service in sources.items():
        if not admits(policy, service, action, source, session.account):
            raise DriftError(
                f"The {receiver} does not let {service} in for {source}, since its policy lacks "
                f"{action}"
            )
    let_in = [f"{service} in for {arn.rpartition(':')[2]}" for arn, service in sources.items()]
    return f"the {receiver} lets {' and '.join(let_in)}"


def buffer(session: Session) -> str:
    """The function reads the buffer, where there is one."""
    url = session.target.buffer_queue_url
    if url is None:
        raise NotCheckedError("there is none")
    arn = session.queue_arn(url)
    # A function and a queue have one mapping.
    mappings = session.client("lambda").list_event_source_mappings(
        FunctionName=session.target.function_name, EventSourceArn=arn
    )["EventSourceMappings"]
    if not mappings:
        raise DriftError(f"The function does not read the buffer {url}")
    (mapping,) = mappings
    state = mapping.get("State")
    if state not in ("Enabled", "Enabling", "Creating", "Updating"):
        raise FailingError(
            f"The function does not read the buffer {url} (its mapping is {state}): {_PAUSED}."
        )
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        raise DriftError(
            "The buffer's mapping does not report which messages of a batch failed, so that one "
            "bad message brings its whole batch back"
        )
    return f"the function reads {arn.rpartition(':')[2]}, {mapping.get('BatchSize')} at a time"


def function(session: Session) -> str:
    """The function is active, writes to the table, and sends what it can't store to the queue."""
    name, configuration = session.target.function_name, session.function()
    for what in "State", "LastUpdateStatus":
        state = configuration.get(what)
        if state in ("Failed", "Inactive", "Pending", "InProgress"):
            reason = configuration.get(f"{what}Reason") or "no reason given"
            raise FailingError(f"The function {name} is not ready ({what} {state}: {reason}).")
    table_name = session.variable("TABLE_NAME")
    if table_name.rpartition("/")[2] != session.target.table_name:
        raise DriftError(
            f"The function {name} writes to the table {table_name or '(none)'}, not to "
            f"{session.target.table_name}, since its variable TABLE_NAME was changed"
        )
    retention = session.variable("TTL_SECONDS")
    if not _SECONDS.fullmatch(retention):
        raise DriftError(
            f"The function {name} can't tell when a record expires, since its variable TTL_SECONDS "
            f"is {retention!r}, not a number of seconds"
        )
    reserved = session.client("lambda").get_function_concurrency(FunctionName=name)
    if reserved.get("ReservedConcurrentExecutions") == 0:
        raise FailingError(
            f"The function {name} may not run (it reserves no concurrency): {_PAUSED}."
        )
    failures = session.failure_queue_arn
    invokes = _of_function(session, "get_function_event_invoke_config")
    destinations = invokes.get("DestinationConfig", {})
    if destinations.get("OnFailure", {}).get("Destination") != failures:
        raise DriftError(
            f"What the function {name} can't store is lost, since its on-failure destination is "
            f"not {failures}"
        )
    return f"{name} is active, its failures go to {failures.rpartition(':')[2]}"


def role(session: Session) -> str:
    """The function's role may write to the table and send to the failure queue."""
    target, arn = session.target, str(session.function()["Role"])
    dynamodb = f"arn:{session.partition}:dynamodb:{target.region}:{session.account}"
    needed = {
        f"{dynamodb}:table/{target.table_name}": ["dynamodb:PutItem", "dynamodb:BatchWriteItem"],
        session.failure_queue_arn: ["sqs:SendMessage"],
    }
    iam = session.client("iam")
    for resource, actions in needed.items():
        try:
            answer = iam.simulate_principal_policy(
                PolicySourceArn=arn, ActionNames=actions, ResourceArns=[resource]
            )
        except ClientError as error:
            if aws.is_gone(error):
                raise DriftError(f"The role {arn} is gone") from error
            # Few operators have this right; the probe's record proves the same.
            raise NotCheckedError(
                f"IAM refuses to say ({aws.code(error)}); the record below shows it"
            ) from error
        for result in answer["EvaluationResults"]:
            if result["EvalDecision"] != "allowed":
                raise DriftError(
                    f"The role {arn.rpartition('/')[2]} may not {result['EvalActionName']} on "
                    f"{resource} ({result['EvalDecision']})"
                )
    return f"{arn.rpartition('/')[2]} may write records, and send failures to their queue"


def table(session: Session) -> str:
    """The table is active, its key is `objectId`, and records expire by `ttl`."""
    name, client = session.target.table_name, session.client("dynamodb")
    description = client.describe_table(TableName=name)["Table"]
    if (status := description["TableStatus"]) not in ("ACTIVE", "UPDATING"):
        raise FailingError(f"The table {name} is {status}: wait, or run `terraform apply`.")
    if [(key["AttributeName"], key["KeyType"]) for key in description["KeySchema"]] != [
        ("objectId", "HASH")
    ]:
        raise FailingError(f"The key of the table {name} is not objectId: it is another table.")
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    status = ttl.get("TimeToLiveStatus")
    if ttl.get("AttributeName") != "ttl" or status not in ("ENABLED", "ENABLING"):
        raise DriftError(f"Records of the table {name} never expire (time to live is {status})")
    return f"{name} is active, and deletes records by their ttl"


def _ruled(session: Session) -> list[str]:
    """The buckets whose events come by a rule."""
    by_rule = session.target.delivery.get("via") == "eventbridge"
    own = [session.target.bucket_name] if by_rule else []
    return [*own, *session.target.further_buckets]


def _rule(session: Session, bucket: str) -> tuple[str, str]:
    """Name and ARN of the enabled rule that sends a probe's event in `bucket` to the receiver."""
    client, arn = session.client("events"), session.receiver_arn
    event = json.dumps(_event(session, bucket, probe.choose(session.target.filters)))
    disabled = None
    pages = client.get_paginator("list_rule_names_by_target").paginate(TargetArn=arn)
    for name in pages.search("RuleNames[]"):
        found = client.describe_rule(Name=name)
        pattern = found.get("EventPattern")
        if pattern and client.test_event_pattern(EventPattern=pattern, Event=event)["Result"]:
            if found.get("State") == "ENABLED":
                return name, str(found["Arn"])
            disabled = name
    if disabled:
        raise DriftError(f"The rule {disabled} is disabled")
    raise DriftError(f"No EventBridge rule sends uploads of {bucket} to {arn}")


def _event(session: Session, bucket: str, chosen: Probe) -> dict[str, Any]:
    """The probe's event as EventBridge carries it, as far as patterns look at it."""
    detail_type, detail = probe.EVENTS[chosen.event]
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": session.account,
        "time": "2026-11-22T00:00:00Z",
        "region": session.target.region,
        "resources": [f"arn:{session.partition}:s3:::{bucket}"],
        "detail": {
            "bucket": {"name": bucket},
            "object": {"key": chosen.key},
            **detail,
        },
    }


def _of_function(session: Session, operation: str) -> Mapping[str, Any]:
    """Lambda's answer about the function; empty where it has no such thing."""
    call = getattr(session.client("lambda"), operation)
    try:
        answer: Mapping[str, Any] = call(FunctionName=session.target.function_name)
    except ClientError as error:
        if aws.is_gone(error):
            return {}
        raise
    return answer


def _same(wanted: Mapping[str, Any], configured: Mapping[str, Any]) -> bool:
    """Whether S3's configuration is this filter's."""
    rules = configured.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    # S3 answers Prefix and Suffix with a capital.
    values = {rule["Name"].lower(): rule["Value"] for rule in rules}
    # URL-encoded, as S3's guide wants them, or as somebody wrote them.
    return set(configured["Events"]) == set(wanted["events"]) and all(
        wanted[name] in (unquote_plus(values.get(name, "")), values.get(name, ""))
        for name in ("prefix", "suffix")
    )


def _described(wanted: Mapping[str, Any]) -> str:
    where = [f"{name} {wanted[name]!r}" for name in ("prefix", "suffix") if wanted[name]]
    keys = "of keys with " + " and ".join(where) if where else "of every key"
    return f"{', '.join(wanted['events'])} {keys}"
