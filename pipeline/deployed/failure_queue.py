"""Read the failure queue, whose messages come from three senders.

destination  Lambda gave up on an asynchronous invoke: an invocation record, with the event in its
             `requestPayload`.
             https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
rule         EventBridge could not hand the event over: the event itself, and message attributes
             that say why. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
buffer       SQS moved it on after too many receives (or somebody put it there by hand): the event
             itself, as S3, EventBridge or SNS sent it. Why is in the function's log only.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import times
from pipeline.deployed.documents import text
from pipeline.handler import events, records

# Messages of a command that was killed come back after so long, or sooner if the queue says so.
_VISIBILITY_SECONDS = 30
# SQS hides for twelve hours at most.
_LONGEST_VISIBILITY_SECONDS = 6 * 3600
# What ReceiveMessage and ChangeMessageVisibilityBatch take.
BATCH = 10
# Enough to show what waits there, and little to hide from others meanwhile.
_TAKE_AT_MOST = 50
_PEEK_SECONDS = 60
# What `browse` hides, and how much it reads.
BROWSED_SECONDS = 2
_BROWSED_PAGES = 10
# What SQS lets a message hold.
_LONGEST_REASON = 262_144

How = Literal["destination", "rule", "buffer"]


@dataclass(frozen=True)
class FailedEvent:
    """A message with an event.

    `event` is the original one, to be handed to the function again. `reason` is why it failed, None
    where the message does not say. `attempts` counts every failed try; of a `buffer` message every
    earlier receive. `failed_at` is in epoch seconds: when Lambda or EventBridge gave up, or when a
    `buffer` message was first sent.

    `objects` has bucket, key (decoded) and event name of each record that the function can read,
    `object_ids` the keys of these records in the table, each once, and `refusals` why the other
    records can't be read. `request_id` is the invocation's, where Lambda gave up on one.
    """

    message_id: str
    receipt_handle: str
    event: Any
    how: How
    reason: str | None
    attempts: int | None
    failed_at: float | None
    objects: tuple[tuple[str, str, str], ...]
    object_ids: tuple[str, ...]
    refusals: tuple[str, ...]
    request_id: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """A message without an event: its `body`, and the `reason` why there is none.

    `failed_at` is when it was sent, in epoch seconds.
    """

    message_id: str
    receipt_handle: str
    body: str
    reason: str
    failed_at: float | None


Failure = FailedEvent | Unreadable


def receive(
    sqs: Any, queue_url: str, at_most: int, wait_seconds: int, hidden_seconds: int
) -> list[Failure]:
    """Up to `at_most` (1 to 10) messages, hidden from others for `hidden_seconds`.

    Waits up to `wait_seconds` for the first one (1 to 20: from 1 on SQS asks all its servers, so
    that an empty answer means an empty queue). Raises botocore's ClientError and BotoCoreError.
    """
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=at_most,
        WaitTimeSeconds=wait_seconds,
        VisibilityTimeout=hidden_seconds,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )
    return [read(message) for message in answer.get("Messages", [])]


def read(message: Mapping[str, Any]) -> Failure:
    """What a message of SQS's ReceiveMessage holds; raises nothing."""
    body = message.get("Body", "")
    message_id, handle = message.get("MessageId", ""), message.get("ReceiptHandle", "")
    milliseconds = (message.get("Attributes") or {}).get("SentTimestamp")
    sent_at = _parsed(lambda value: times.checked(int(value) / 1000), milliseconds)
    document = _document(body)
    if isinstance(document, str):
        return Unreadable(message_id, handle, body, document, sent_at)
    event, how, reason, attempts, failed_at = _unwrap(document, message)
    delivery = events.read(event)
    found = [event for _, event in delivery.events]
    return FailedEvent(
        message_id,
        handle,
        event,
        how,
        reason,
        attempts,
        failed_at or sent_at,
        tuple((event.bucket, event.key, event.name) for event in found),
        tuple(dict.fromkeys(map(records.object_id, found))),
        tuple(refusal.reason for refusal in delivery.refusals),
        _parsed(str, _mapping(document, "requestContext").get("requestId")),
    )


def _document(body: str) -> dict[str, Any] | str:
    """The JSON object in `body`, out of its SNS envelope if it has one; or why there is none."""
    try:
        document = json.loads(body)
        if isinstance(document, dict) and document.get("Type") == "Notification":
            document = json.loads(document["Message"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return f"the message holds no JSON document: {error!r:.200}"
    if isinstance(document, dict):
        return document
    return f"a JSON object was expected, not {type(document).__name__}"


def _unwrap(
    document: dict[str, Any], message: Mapping[str, Any]
) -> tuple[Any, How, str | None, int | None, float | None]:
    """The event, its sender, why it failed, after how many attempts, and when if that is known."""
    if "requestPayload" in document:
        context, answer = (_mapping(document, n) for n in ("requestContext", "responsePayload"))
        # There is no answer where the function was never invoked, as when it is paused.
        parts = context.get("condition"), answer.get("errorType"), answer.get("errorMessage")
        attempts = _parsed(int, context.get("approximateInvokeCount"))
        failed_at = _parsed(times.epoch, document.get("timestamp"))
        return document["requestPayload"], "destination", _joined(parts), attempts, failed_at

    attributes = {
        name: value.get("StringValue")
        for name, value in (message.get("MessageAttributes") or {}).items()
    }
    if "RULE_ARN" in attributes or "ERROR_CODE" in attributes:
        # The condition is absent where EventBridge did not retry.
        names = "EXHAUSTED_RETRY_CONDITION", "ERROR_CODE", "ERROR_MESSAGE"
        retries = _parsed(int, attributes.get("RETRY_ATTEMPTS"))
        attempts = None if retries is None else retries + 1
        return document, "rule", _joined(map(attributes.get, names)), attempts, None

    receives = _parsed(int, (message.get("Attributes") or {}).get("ApproximateReceiveCount"))
    # The last receive was ours.
    attempts = None if receives is None else max(0, receives - 1)
    return document, "buffer", None, attempts, None


def _joined(parts: Iterable[Any]) -> str | None:
    return ": ".join(text(part, _LONGEST_REASON) for part in parts if part) or None


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _parsed[T](parse: Callable[[Any], T], value: Any) -> T | None:
    try:
        return parse(value)
    except (TypeError, ValueError, OverflowError):
        return None


def depth(sqs: Any, queue_url: str) -> tuple[int, int]:
    """About how many messages of a queue are visible, and how many are in flight. ClientError."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    visible, in_flight = (int(answer[name]) for name in names)
    return visible, in_flight


def take(
    sqs: Any, queue_url: str, ours: Callable[[FailedEvent], bool]
) -> tuple[int, Failure | None]:
    """Delete the events that are `ours`; how many there were, and a message that is not ours.

    Reads at most 50 messages; all others are visible again afterwards.
    """
    removed, others = 0, list[Failure]()
    try:
        for _ in range(_TAKE_AT_MOST // BATCH):
            # Without a wait SQS asks some of its servers only.
            received = receive(sqs, queue_url, BATCH, 1, _VISIBILITY_SECONDS)
            for message in received:
                if isinstance(message, FailedEvent) and ours(message):
                    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message.receipt_handle)
                    removed += 1
                else:
                    others.append(message)
            if not received:
                break
    finally:
        _show_again(sqs, queue_url, others)
    return removed, next(iter(others), None)


def peek(sqs: Any, queue_url: str, wait_seconds: int = 0) -> list[Failure]:
    """All messages of a failure queue, which stay in it and are visible again afterwards.

    In AWS, all need a `wait_seconds` of 1 to 20: without it SQS asks some of its servers only.
    """
    found: dict[str, Failure] = {}
    began, hidden = time.monotonic(), _PEEK_SECONDS
    try:
        while page := receive(sqs, queue_url, BATCH, wait_seconds, hidden):
            found |= {message.message_id: message for message in page}
            # The first come back before the last are read where that takes long; as the time
            # doubles, the queue is empty at some point.
            passed = round(time.monotonic() - began)
            hidden = min(max(_PEEK_SECONDS, 2 * passed), _LONGEST_VISIBILITY_SECONDS)
    finally:
        _show_again(sqs, queue_url, found.values())
    return list(found.values())


def browse(sqs: Any, url: str, waiting: int, max_pages: int = _BROWSED_PAGES) -> Iterator[Any]:
    """Messages of a queue, each once, that others can still receive.

    Up to ten are received without hiding them. Of more, each page of ten is hidden for two seconds,
    so that the next one has others; `max_pages` at most.
    """
    if not waiting:
        return
    seen: set[str] = set()
    for number in range(2 if waiting <= BATCH else min(max_pages, waiting // BATCH + 2)):
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH,
            # Without waiting SQS asks only some of its servers.
            WaitTimeSeconds=1 if number == 0 else 0,
            VisibilityTimeout=0 if waiting <= BATCH else BROWSED_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        new = [message for message in messages if message["MessageId"] not in seen]
        seen |= {message["MessageId"] for message in new}
        yield from new
        if not new or len(seen) >= waiting:
            return


def _show_again(sqs: Any, queue_url: str, messages: Iterable[Failure]) -> None:
    _change_visibility(sqs, queue_url, (message.receipt_handle for message in messages), 0)


def _change_visibility(sqs: Any, queue_url: str, handles: Iterable[str], seconds: float) -> None:
    # Where that fails the messages come back by themselves, perhaps twice, which is harmless.
    with contextlib.suppress(ClientError, BotoCoreError):
        for batch in batched(handles, BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": round(seconds)}
                for number, handle in enumerate(batch)
            ]
            sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)


@dataclass
class InFlight:
    """The messages that a command has in flight, until the end of its block.

    Each is hidden for `seconds` at a time. `handles` are their newest receipt handles by message
    id, `working` the ids of those that stay hidden: a thread renews their timeout.
    """

    sqs: Any
    queue_url: str
    seconds: int
    handles: dict[str, str] = field(default_factory=dict)
    working: set[str] = field(default_factory=set)

    def receive(self, at_most: int, wait_seconds: int) -> list[Failure]:
        """Up to `at_most` messages, hidden from now on. Raises botocore's errors."""
        return receive(self.sqs, self.queue_url, at_most, wait_seconds, self.seconds)

    def hide(self, message: Failure, seconds: float = 0.0) -> None:
        """Hide the message from now on, for at least as long as the others."""
        longest = min(max(self.seconds, seconds), _LONGEST_VISIBILITY_SECONDS)
        self._change([message.message_id], longest)

    def __enter__(self) -> "InFlight":
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="visibility", daemon=True)
        self._renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._renewing.join()
        self._change(list(self.handles), 0)

    def _renew(self) -> None:
        while not self._over.wait(self.seconds / 3):
            self._change(list(self.working), self.seconds)

    def _change(self, message_ids: list[str], seconds: float) -> None:
        handles = [self.handles[name] for name in message_ids if name in self.handles]
        _change_visibility(self.sqs, self.queue_url, handles, seconds)


def in_flight(sqs: Any, queue_url: str) -> InFlight:
    """No message in flight yet. Raises botocore's ClientError and BotoCoreError."""
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["VisibilityTimeout"])
    timeout = int(answer["Attributes"]["VisibilityTimeout"])
    return InFlight(sqs, queue_url, max(1, min(timeout, _VISIBILITY_SECONDS)))
