"""Would anybody be told? Alarms, their topic, its subscribers, and what waits in the failure queue.

One function a stage, as in `pipeline.verify.path`.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.deployed import failure_queue
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.policies import admits
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.terminal import printable

# The lab's own two; whatever they are called, they watch these of the table.
_LAB_METRICS = ("ConsumedWriteCapacityUnits", "WriteThrottleEvents")
_APPLY = "run `terraform apply` in the stack's root, which puts it back"


def alarms(session: Session) -> str:
    """Every alarm is there, acts, and tells the topic."""
    names, topic = session.target.alarm_names, session.target.topic_arn
    if not names:
        raise NotCheckedError("the stack has none")
    pages = session.client("cloudwatch").get_paginator("describe_alarms")
    found: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(names), 100):
        for page in pages.paginate(AlarmNames=names[start : start + 100]):
            found |= {one["AlarmName"]: one for one in page["MetricAlarms"]}
    if missing := [name for name in names if name not in found]:
        raise FailingError(f"There is no alarm {' or '.join(missing)}: {_APPLY}.")
    for name, one in found.items():
        if not one["ActionsEnabled"]:
            raise FailingError(f"The alarm {name} tells nobody: its actions are off; {_APPLY}.")
        if topic not in one["AlarmActions"]:
            raise FailingError(f"The alarm {name} does not tell the topic {topic}: {_APPLY}.")
    states = [one["StateValue"] for one in found.values()]
    ringing = ", ".join(sorted(name for name, one in found.items() if one["StateValue"] == "ALARM"))
    counted = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    said = f"{len(found)} alarms tell the topic ({counted}{': ' + ringing if ringing else ''})"
    watched = {(one.get("MetricName"), one.get("Namespace")) for one in found.values()}
    absent = [one for one in _LAB_METRICS if (one, "AWS/DynamoDB") not in watched]
    return said + (f"; none watches {' or '.join(absent)}" if absent else "")


def topic(session: Session) -> str:
    """The topic lets alarms publish, also where it is encrypted."""
    arn = session.target.topic_arn
    told = session.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    if str(told.get("KmsMasterKeyId", "")).endswith("alias/aws/sns"):
        raise FailingError(
            f"The topic {arn} is encrypted with alias/aws/sns, which CloudWatch may not use: every "
            "alarm is dropped without a word. Use no key, or one of your own that lets it in."
        )
    names = session.target.alarm_names or ("*",)
    alarm = f"arn:{session.partition}:cloudwatch:{session.target.region}:{session.account}:alarm:"
    policy, service = str(told.get("Policy", "")), "cloudwatch.amazonaws.com"
    if not admits(policy, service, "sns:Publish", alarm + names[0], session.account):
        raise FailingError(
            f"The topic {arn} does not let {service} publish for alarms of {session.account}: "
            f"{_APPLY}."
        )
    return f"{arn.rpartition(':')[2]} takes what alarms publish"


def subscriptions(session: Session) -> str:
    """Who is told, and who has yet to confirm."""
    arn = session.target.topic_arn
    pages = session.client("sns").get_paginator("list_subscriptions_by_topic")
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


def failures(session: Session) -> str:
    """Nothing waits in the failure queue. Whatever waits there stays."""
    url, sqs = session.target.failure_queue_url, session.client("sqs")
    waiting, hidden = failure_queue.depth(sqs, url)
    if not waiting and not hidden:
        return f"{url.rpartition('/')[2]} is empty"
    _, example = failure_queue.take(sqs, url, lambda _: False)
    shown = f"{waiting} event{'' if waiting == 1 else 's'}"
    shown += f" and {hidden} that somebody else reads just now" if hidden else ""
    named = f", one of them {_told(example)}" if example else ""
    raise FailingError(
        f"{shown} that could not be recorded in the failure queue {url}{named}: mend the cause, "
        "then bring them back with `pipeline replay`."
    )


def _told(message: Failure) -> str:
    objects = message.objects if isinstance(message, FailedEvent) else ()
    what = printable(objects[0][1]) if objects else f"message {message.message_id}"
    return f"{what} ({printable(message.reason or 'no reason given', 200)})"
