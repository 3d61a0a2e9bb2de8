"""Would anybody be told? Alarms, their topic, its subscribers, and what waits in the failure queue.

One function a stage, as in `lab.wiring`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from lab import failures
from lab.failures import FailedEvent, Failure
from lab.ground import BrokenError, Ground, UntoldError
from lab.policies import admits
from lab.show import printable

# The lab's own two; whatever they are called, they watch these of the table.
_LAB_METRICS = ("ConsumedWriteCapacityUnits", "WriteThrottleEvents")
_APPLY = "run `terraform apply` in the stack's root, which puts it back"
# Enough to tell what waits there, and little to hide from others meanwhile.
_READ_AT_MOST = 50
_HIDDEN_SECONDS = 30


def alarms(ground: Ground) -> str:
    """Every alarm is there, acts, and tells the topic."""
    names, topic = ground.target.alarm_names, ground.target.topic_arn
    if not names:
        raise UntoldError("the stack has none")
    pages = ground.client("cloudwatch").get_paginator("describe_alarms")
    found: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(names), 100):
        for page in pages.paginate(AlarmNames=names[start : start + 100]):
            found |= {one["AlarmName"]: one for one in page["MetricAlarms"]}
    if missing := [name for name in names if name not in found]:
        raise BrokenError(f"There is no alarm {' or '.join(missing)}: {_APPLY}.")
    for name, one in found.items():
        if not one["ActionsEnabled"]:
            raise BrokenError(f"The alarm {name} tells nobody: its actions are off; {_APPLY}.")
        if topic not in one["AlarmActions"]:
            raise BrokenError(f"The alarm {name} does not tell the topic {topic}: {_APPLY}.")
    states = [one["StateValue"] for one in found.values()]
    ringing = ", ".join(sorted(name for name, one in found.items() if one["StateValue"] == "ALARM"))
    counted = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    said = f"{len(found)} alarms tell the topic ({counted}{': ' + ringing if ringing else ''})"
    watched = {(one.get("MetricName"), one.get("Namespace")) for one in found.values()}
    absent = [one for one in _LAB_METRICS if (one, "AWS/DynamoDB") not in watched]
    return said + (f"; none watches {' or '.join(absent)}" if absent else "")


def topic(ground: Ground) -> str:
    """The topic lets alarms publish, also where it is encrypted."""
    arn = ground.target.topic_arn
    told = ground.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    if str(told.get("KmsMasterKeyId", "")).endswith("alias/aws/sns"):
        raise BrokenError(
            f"The topic {arn} is encrypted with alias/aws/sns, which CloudWatch may not use: every "
            "alarm is dropped without a word. Use no key, or one of your own that lets it in."
        )
    names = ground.target.alarm_names or ("*",)
    alarm = f"arn:{ground.partition}:cloudwatch:{ground.target.region}:{ground.account}:alarm:"
    policy, service = str(told.get("Policy", "")), "cloudwatch.amazonaws.com"
    if not admits(policy, service, "sns:Publish", alarm + names[0], ground.account):
        raise BrokenError(
            f"The topic {arn} does not let {service} publish for alarms of {ground.account}: "
            f"{_APPLY}."
        )
    return f"{arn.rpartition(':')[2]} takes what alarms publish"


def subscriptions(ground: Ground) -> str:
    """Who is told, and who has yet to confirm."""
    arn = ground.target.topic_arn
    pages = ground.client("sns").get_paginator("list_subscriptions_by_topic")
    found = [one for page in pages.paginate(TopicArn=arn) for one in page["Subscriptions"]]
    if not found:
        return "nobody is subscribed: set alarm_emails or topic.subscriptions to be told"
    # A confirmed one has an ARN, any other a word.
    pending = [one for one in found if not one["SubscriptionArn"].startswith("arn:")]
    confirmed = [one["Protocol"] for one in found if one["SubscriptionArn"].startswith("arn:")]
    said = f"{len(confirmed)} confirmed"
    if confirmed:
        said += f" ({', '.join(sorted(set(confirmed)))})"
    if pending:
        who = ", ".join(printable(one["Endpoint"]) for one in pending)
        said += f"; {who} has yet to click the link in AWS's message"
    return said


def failure_queue(ground: Ground) -> str:
    """Nothing waits in the failure queue. Whatever waits there stays."""
    url, sqs = ground.target.failure_queue_url, ground.client("sqs")
    waiting, hidden = depth(sqs, url)
    if not waiting and not hidden:
        return f"{url.rpartition('/')[2]} is empty"
    _, example = take(sqs, url, lambda _: False)
    shown = f"{waiting} event{'' if waiting == 1 else 's'}"
    shown += f" and {hidden} that somebody else reads just now" if hidden else ""
    named = f", one of them {_told(example)}" if example else ""
    raise BrokenError(
        f"{shown} that could not be recorded in the failure queue {url}{named}: mend the cause, "
        "then bring them back with `lab replay`."
    )


def depth(sqs: Any, url: str) -> tuple[int, int]:
    """About how many messages can be had of a queue, and how many are hidden. ClientError."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    waiting, hidden = (int(told[name]) for name in names)
    return waiting, hidden


def take(sqs: Any, url: str, ours: Callable[[FailedEvent], bool]) -> tuple[int, Failure | None]:
    """Delete the events of a failure queue that are `ours`; how many, and one that is not.

    Reads at most 50 messages; all others are visible again afterwards.
    """
    removed, others = 0, dict[str, Failure]()
    try:
        for _ in range(_READ_AT_MOST // 10):
            # Without any waiting SQS asks some of its servers only.
            received = failures.receive(sqs, url, 10, 1, _HIDDEN_SECONDS)
            for message in received:
                if isinstance(message, FailedEvent) and ours(message):
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message.receipt_handle)
                    removed += 1
                else:
                    others[message.message_id] = message
            if not received:
                break
    finally:
        for message in others.values():
            # It comes back by itself soon.
            with suppress(ClientError):
                sqs.change_message_visibility(
                    QueueUrl=url, ReceiptHandle=message.receipt_handle, VisibilityTimeout=0
                )
    return removed, next(iter(others.values()), None)


def _told(message: Failure) -> str:
    objects = message.objects if isinstance(message, FailedEvent) else ()
    what = printable(objects[0][1]) if objects else f"message {message.message_id}"
    return f"{what} ({printable(message.reason or 'no reason given', 200)})"
