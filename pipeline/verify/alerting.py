"""Would anybody be notified? Alarms, their topic, its subscribers, and the failure queue.

One check a stage; see `pipeline.verify.stages` for what a check returns and raises.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import failure_queue
from pipeline.deployed.alarms import describe
from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.deployed.policies import admits
from pipeline.deployed.session import DriftError, FailingError, NotCheckedError, Session
from pipeline.terminal import printable

# The table's metrics that the module's alarms watch, whatever the alarms' names.
TABLE_METRICS = ("ConsumedWriteCapacityUnits", "WriteThrottleEvents")
# Of the queue that listens to a test of an alarm.
QUEUE_PREFIX = "pipeline-verify-"
_NOBODY = "nobody is subscribed: set alarm_emails or topic.subscriptions"
_OUTCOMES = ("Delivered", "Failed")
_COUNTED_HOURS = 24


def described(session: Session) -> dict[str, Mapping[str, Any]]:
    """The stack's alarms by name, as far as they exist."""
    if not session.target.alarm_names:
        raise NotCheckedError("the stack has no alarms")
    return describe(session)


def alarms(session: Session) -> str:
    """Every alarm exists, its actions are on, and it notifies the topic."""
    names, topic, found = session.target.alarm_names, session.target.topic_arn, described(session)
    if missing := [name for name in names if name not in found]:
        raise DriftError(f"There is no alarm {' or '.join(missing)}")
    for name, alarm in found.items():
        if not alarm["ActionsEnabled"]:
            raise DriftError(f"The alarm {name} notifies nobody, since its actions are off")
        if topic not in alarm["AlarmActions"]:
            raise DriftError(f"The alarm {name} does not notify the topic {topic}")
    states = Counter(alarm["StateValue"] for alarm in found.values())
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    on = ", ".join(sorted(name for name in found if found[name]["StateValue"] == "ALARM"))
    watched = {(alarm.get("MetricName"), alarm.get("Namespace")) for alarm in found.values()}
    absent = [name for name in TABLE_METRICS if (name, "AWS/DynamoDB") not in watched]
    return (
        f"{len(found)} alarms notify the topic ({counts}{': ' + on if on else ''})"
        f"{f'; none watches {" or ".join(absent)}' if absent else ''}"
    )


def topic(session: Session) -> str:
    """The topic lets alarms publish, also where it is encrypted."""
    arn = session.target.topic_arn
    attributes = session.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    if str(attributes.get("KmsMasterKeyId", "")).endswith("alias/aws/sns"):
        raise FailingError(
            f"The topic {arn} is encrypted with alias/aws/sns, which CloudWatch may not use: every "
            "notification is dropped silently. Use no key, or a customer-managed key that admits "
            "CloudWatch."
        )
    names = session.target.alarm_names or ("*",)
    alarm = f"arn:{session.partition}:cloudwatch:{session.target.region}:{session.account}:alarm:"
    policy, service = str(attributes.get("Policy", "")), "cloudwatch.amazonaws.com"
    if not admits(policy, service, "sns:Publish", alarm + names[0], session.account):
        raise DriftError(
            f"The topic {arn} does not let {service} publish for alarms of {session.account}"
        )
    return f"{arn.rpartition(':')[2]} takes what alarms publish"


def subscriptions(session: Session) -> str:
    """Who is subscribed, and who has yet to confirm."""
    found = _subscribed(session)
    if not found:
        return _NOBODY
    pending = [each for each in found if not _is_confirmed(each)]
    confirmed = [each["Protocol"] for each in found if each not in pending]
    message = f"{len(confirmed)} confirmed"
    if confirmed:
        message += f" ({', '.join(sorted(set(confirmed)))})"
    if pending:
        who = ", ".join(map(_endpoint, pending))
        message += f"; {who} has yet to click the link in AWS's message"
    return message


def deliveries(session: Session) -> str:
    """Each subscription by name, and what SNS says of its deliveries, which it counts by topic."""
    who = [
        f"{each['Protocol']} {_endpoint(each)}{'' if _is_confirmed(each) else ' (not confirmed)'}"
        for each in _subscribed(session)
        if f":{QUEUE_PREFIX}" not in each["Endpoint"]
    ]
    delivered, failed = (_counted(session, f"NumberOfNotifications{how}") for how in _OUTCOMES)
    return (
        f"{'; '.join(who) or _NOBODY}. In {_COUNTED_HOURS} h SNS delivered {delivered} and failed "
        f"to deliver {failed}; a new message counts after some minutes"
    )


def _subscribed(session: Session) -> list[Mapping[str, Any]]:
    pages = session.client("sns").get_paginator("list_subscriptions_by_topic")
    return list(pages.paginate(TopicArn=session.target.topic_arn).search("Subscriptions[]"))


def _is_confirmed(subscription: Mapping[str, Any]) -> bool:
    # Only a confirmed one has an ARN.
    return str(subscription["SubscriptionArn"]).startswith("arn:")


def _endpoint(subscription: Mapping[str, Any]) -> str:
    endpoint = str(subscription["Endpoint"])
    # The path of a URL may be a secret.
    if subscription["Protocol"] in ("http", "https"):
        return printable(f"{urlsplit(endpoint).hostname}/…")
    return printable(endpoint.rpartition(":")[2] if endpoint.startswith("arn:") else endpoint)


def _counted(session: Session, metric: str) -> str:
    """The sum of a metric of the topic's, `-` where nobody tells."""
    now = datetime.now(UTC)
    dimension = {"Name": "TopicName", "Value": session.target.topic_arn.rpartition(":")[2]}
    try:
        points = session.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SNS",
            MetricName=metric,
            Dimensions=[dimension],
            StartTime=now - timedelta(hours=_COUNTED_HOURS),
            EndTime=now,
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
    except (ClientError, BotoCoreError):
        return "-"
    return f"{sum(point['Sum'] for point in points):.0f}" if points else "-"


def failures(session: Session) -> str:
    """The failure queue is empty. Its messages stay."""
    url, sqs = session.target.failure_queue_url, session.client("sqs")
    visible, in_flight = failure_queue.depth(sqs, url)
    if not visible and not in_flight:
        return f"{url.rpartition('/')[2]} is empty"
    _, example = failure_queue.take(sqs, url, lambda _: False)
    number = f"{visible} event{'' if visible == 1 else 's'}"
    number += f" and {in_flight} that another reader has just now" if in_flight else ""
    named = f", one of them {_named(example)}" if example else ""
    raise FailingError(
        f"{number} that could not be recorded in the failure queue {url}{named}: fix the cause, "
        "then bring them back with `pipeline replay`."
    )


def _named(message: Failure) -> str:
    objects = message.objects if isinstance(message, FailedEvent) else ()
    what = printable(objects[0][1]) if objects else f"message {message.message_id}"
    return f"{what} ({printable(message.reason or 'no reason given', 200)})"
