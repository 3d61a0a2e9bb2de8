"""The pipeline's queues: failed events, and the topic's notifications."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.console.board import notifications
from pipeline.console.board.notifications import Notification
from pipeline.console.sources.session import ReadSession
from pipeline.console.sources.source import Source
from pipeline.deployed import failure_queue
from pipeline.deployed.alarms import TYPES

_REREAD_SECONDS = 30
# The newest notification may be the last one that the lab's queue delivers.
_MAX_NOTIFICATION_PAGES = 100
_MAX_NOTIFICATIONS = 100


@dataclass
class FailureQueue(Source):
    """Depth of failure queue and buffer, and the failure queue's messages."""

    panel, thing = "failures", "the failure queue"
    interval, quick = (5.0, 10.0), (0.24, 1.5)
    # How many messages there were when they were read, and when that was.
    _read: tuple[int, float] | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _paused: bool = field(default=False, init=False)
    _hidden_until: float = field(default=0.0, init=False)

    def pause(self, paused: bool) -> float:
        """Read no messages until this is called again; how many seconds some are still hidden."""
        with self._lock:
            self._paused, self._read = paused, None
            return max(0.0, self._hidden_until - time.monotonic())

    def poll(self, session: ReadSession) -> None:
        sqs, url = session.client("sqs"), session.target.failure_queue_url
        depths = {"failures": failure_queue.depth(sqs, url)}
        if (buffer := session.target.buffer_queue_url) is not None:
            depths["buffer"] = failure_queue.depth(sqs, buffer)
        self.board.set_depths(depths)
        with self._lock:
            # A replay receives them, and updates the board itself.
            if not self._paused:
                self._read_messages(sqs, url, *depths["failures"])

    def _read_messages(self, sqs: Any, url: str, waiting: int, hidden: int) -> None:
        # Both: a message that `browse` hides is still in the queue.
        count, now = waiting + hidden, time.monotonic()
        known, read_at = self._read or (None, now)
        if known == count and (not count or now - read_at < _REREAD_SECONDS):
            return
        found = list(map(failure_queue.read, failure_queue.browse(sqs, url, waiting)))
        if waiting > failure_queue.BATCH:
            self._hidden_until = time.monotonic() + failure_queue.BROWSED_SECONDS
        self.board.set_failures(found, complete=not hidden and len(found) >= waiting)
        self._read = count, now


@dataclass
class Notifications(Source):
    """The topic's notifications, from a subscribed queue or from the alarms' history.

    `queue_url` is of a queue that nobody else reads, like the lab's.
    """

    panel, thing = "notifications", "the topic's notifications"
    interval = (10.0, 60.0)
    queue_url: str | None = None
    # How many there were when the queue was read, and whether nobody hid any then.
    _seen: tuple[int, bool] = field(default=(0, False), init=False)

    def poll(self, session: ReadSession) -> None:
        if self.queue_url is None:
            self._show(_from_history(session))
        else:
            self._read_queue(session.client("sqs"), self.queue_url)

    def _read_queue(self, sqs: Any, url: str) -> None:
        waiting, hidden = failure_queue.depth(sqs, url)
        count, complete = self._seen
        # What another page hides was read before, or will be once it is visible again.
        if waiting + hidden == count and (complete or hidden):
            return
        messages = failure_queue.browse(sqs, url, waiting, _MAX_NOTIFICATION_PAGES)
        found = [
            notifications.from_queue(message["MessageId"], message["Body"]) for message in messages
        ]
        self._show([*self.board.notifications, *found] if waiting + hidden else found)
        self._seen = waiting + hidden, not hidden

    def _show(self, found: Iterable[Notification]) -> None:
        by_id = {notification.id: notification for notification in found}
        newest = sorted(by_id.values(), key=lambda notification: notification.at, reverse=True)
        self.board.set("notifications", newest[:_MAX_NOTIFICATIONS])


def _from_history(session: ReadSession) -> Iterator[Notification]:
    # Of all alarms in the account: one call instead of one for each alarm.
    answer = session.client("cloudwatch").describe_alarm_history(
        AlarmTypes=TYPES, HistoryItemType="Action", MaxRecords=100
    )
    names, topic = set(session.target.alarm_names), session.target.topic_arn
    for item in answer["AlarmHistoryItems"]:
        if item["AlarmName"] in names:
            notification = notifications.from_history(item, topic)
            if notification is not None:
                yield notification
