"""Receive what a topic sends, with a queue that is subscribed to it."""

import contextlib
import json
from collections.abc import Callable, Iterator

from pipeline.deployed.documents import json_object
from pipeline.deployed.session import Session

_POLL_SECONDS = 1


@contextlib.contextmanager
def subscriber(session: Session, name: str) -> Iterator[Callable[[], list[str]]]:
    """A queue `name` that is subscribed to the topic, for as long as the block lasts.

    Yields what receives: the bodies of the messages that came since, at most ten.
    """
    sqs, sns, arn = session.client("sqs"), session.client("sns"), session.target.topic_arn
    with contextlib.ExitStack() as undo:
        url = sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": "300"})[
            "QueueUrl"
        ]
        undo.callback(sqs.delete_queue, QueueUrl=url)
        queue = session.queue_arn(url)
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        subscription = sns.subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        undo.callback(sns.unsubscribe, SubscriptionArn=subscription)

        def receive() -> list[str]:
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=_POLL_SECONDS
            )
            return [message["Body"] for message in answer.get("Messages", [])]

        yield receive


def about(body: str, alarm: str) -> bool:
    """Whether a message says that `alarm` went to ALARM."""
    change = json_object((json_object(body) or {}).get("Message")) or {}
    return (change.get("AlarmName"), change.get("NewStateValue")) == (alarm, "ALARM")
