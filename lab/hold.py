"""Keep messages of a queue from others while they are worked on, and let go of them afterwards.

They are held for half a minute at a time, and that is renewed: what a killed command held comes
back soon, however long the queue itself hides what was received.
"""

import contextlib
import threading
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lab import failures
from lab.failures import Failure

_SECONDS = 30
# SQS hides for twelve hours at most.
_MOST_SECONDS = 6 * 3600
# What ChangeMessageVisibilityBatch takes.
_BATCH = 10


@dataclass
class Hold:
    """What one command holds of a queue, for `seconds` at a time, until the end of its block.

    `handles` are the newest receipt handles, by message id, of all that it hides; `working` are the
    ids of those whose hold is renewed.
    """

    sqs: Any
    queue_url: str
    seconds: int
    handles: dict[str, str] = field(default_factory=dict)
    working: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Renews in a thread of its own."""
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="hold", daemon=True)

    def receive(self, at_most: int, wait_seconds: int) -> list[Failure]:
        """Up to `at_most` messages, hidden from now on. Raises botocore's errors."""
        return failures.receive(self.sqs, self.queue_url, at_most, wait_seconds, self.seconds)

    def hide(self, message: Failure, seconds: float = 0.0) -> None:
        """Hide the message for that long from now on, and no shorter than others are."""
        self._hide([message.message_id], min(max(self.seconds, seconds), _MOST_SECONDS))

    def __enter__(self) -> "Hold":
        """Begin to renew the hold on what is worked on."""
        self._renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End that, and let others receive what is hidden still."""
        self._over.set()
        self._renewing.join()
        self._hide(list(self.handles), 0)

    def _renew(self) -> None:
        while not self._over.wait(self.seconds / 3):
            self._hide(list(self.working), self.seconds)

    def _hide(self, message_ids: list[str], seconds: float) -> None:
        # Where that fails they come back by themselves, perhaps twice, which is harmless.
        with contextlib.suppress(ClientError, BotoCoreError):
            handles = [self.handles[one] for one in message_ids if one in self.handles]
            for batch in batched(handles, _BATCH):
                self.sqs.change_message_visibility_batch(
                    QueueUrl=self.queue_url,
                    Entries=[
                        {
                            "Id": str(number),
                            "ReceiptHandle": handle,
                            "VisibilityTimeout": round(seconds),
                        }
                        for number, handle in enumerate(batch)
                    ],
                )


def of(sqs: Any, queue_url: str) -> Hold:
    """A hold on a queue's messages. Raises botocore's ClientError and BotoCoreError."""
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["VisibilityTimeout"])
    theirs = int(answer["Attributes"]["VisibilityTimeout"])
    return Hold(sqs, queue_url, max(1, min(theirs, _SECONDS)))
