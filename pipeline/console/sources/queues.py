"""What lies in queues: events that failed, and messages that reached the topic.

Of a queue that nobody else may miss a message of: see `peek`.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.console.board import mail
from pipeline.console.board.board import Board, Depth
from pipeline.console.board.mail import Mail
from pipeline.console.sources.calls import Watched
from pipeline.console.sources.pace import Pace
from pipeline.deployed import failure_queue

_PEEK = 10
_LONG_PEEKS = 10
_HIDDEN_SECONDS = 2
_LOOK_AGAIN_SECONDS = 30
# Read of the embedded lab's queue, whose newest may be its last.
_MOST_MAILS = 1000


class Queues:
    """Depth of failure queue and buffer, and what lies in the former."""

    panel = "failures"

    def __init__(self, board: Board, pace: Pace) -> None:
        """Know nothing yet."""
        self._board, self._pace = board, pace
        self._read: tuple[int, float] | None = None
        self._reading = threading.Lock()
        self._held = False
        self._hidden_until = 0.0

    def hold(self, held: bool) -> float:
        """Read no messages for that long; how many seconds some are hidden yet, by a look."""
        with self._reading:
            self._held, self._read = held, None
            return max(0.0, self._hidden_until - time.monotonic())

    def look(self, session: Watched) -> float:
        """Ask once."""
        sqs, url = session.client("sqs"), session.target.failure_queue_url
        depths = {"failures": Depth(*failure_queue.depth(sqs, url))}
        if (buffer := session.target.buffer_queue_url) is not None:
            depths["buffer"] = Depth(*failure_queue.depth(sqs, buffer))
        self._board.queues(depths)
        with self._reading:
            # A replay has them; it tells of each itself.
            if not self._held:
                self._look_into(sqs, url, depths["failures"])
        return 3 * self._pace.quick if self._board.under_way() else self._pace.queues

    def _look_into(self, sqs: Any, url: str, depth: Depth) -> None:
        # Together: what a look hides is there all the same.
        there, now = depth.waiting + depth.hidden, time.monotonic()
        known, read_at = self._read or (None, now)
        if known == there and (not there or now - read_at < _LOOK_AGAIN_SECONDS):
            return
        found = (
            list(map(failure_queue.read, peek(sqs, url, depth.waiting))) if depth.waiting else []
        )
        if depth.waiting > _PEEK:
            self._hidden_until = time.monotonic() + _HIDDEN_SECONDS
        self._board.failed(found, complete=not depth.hidden and len(found) >= depth.waiting)
        self._read = there, now


class Mails:
    """Messages that reached the topic: from a queue that is subscribed, or the alarms' history."""

    panel = "mails"

    def __init__(self, board: Board, pace: Pace, queue_url: str | None) -> None:
        """`queue_url` is of a subscribed queue that nobody else reads, as the lab has one."""
        self._board, self._pace, self._queue_url = board, pace, queue_url
        # How many there were when it was read, and whether nobody hid any then.
        self._seen: tuple[int | None, bool] = None, False
        self._read: dict[str, Mail] = {}

    def look(self, session: Watched) -> float:
        """Ask once."""
        if self._queue_url is None:
            self._board.mailed(_newest(_from_history(session)))
        else:
            sqs = session.client("sqs")
            waiting, hidden = failure_queue.depth(sqs, self._queue_url)
            there, whole = self._seen
            # What another page hides was read before, or is once it is there again.
            if waiting + hidden != there or not (whole or hidden):
                found = peek(sqs, self._queue_url, waiting, _MOST_MAILS // _PEEK)
                mails = (mail.of_envelope(one["MessageId"], one["Body"]) for one in found)
                known = self._read if waiting + hidden else {}
                newest = _newest({**known, **{one.id: one for one in mails}}.values())
                self._read = {one.id: one for one in newest}
                self._board.mailed(newest)
                self._seen = waiting + hidden, not hidden
        return self._pace.mails


def peek(sqs: Any, url: str, waiting: int, most: int = _LONG_PEEKS) -> Iterator[Mapping[str, Any]]:
    """Messages of a queue, each once, as long as there are any; nobody else misses one.

    Ten are read without hiding them. Of more, each page of ten is hidden for two seconds, so that
    the next has others; of these `most` pages at most.
    """
    if not waiting:
        return
    seen: set[str] = set()
    rounds = 2 if waiting <= _PEEK else min(most, waiting // _PEEK + 2)
    for number in range(rounds):
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_PEEK,
            # Without any waiting SQS asks some of its servers only.
            WaitTimeSeconds=1 if number == 0 else 0,
            VisibilityTimeout=0 if waiting <= _PEEK else _HIDDEN_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        new = [one for one in answer.get("Messages", []) if one["MessageId"] not in seen]
        seen |= {one["MessageId"] for one in new}
        yield from new
        if not new or len(seen) >= waiting:
            return


def _from_history(session: Watched) -> Iterator[Mail]:
    # All alarms of the account at once: one call instead of one for each.
    told = session.client("cloudwatch").describe_alarm_history(
        HistoryItemType="Action", MaxRecords=100
    )
    names, topic = set(session.target.alarm_names), session.target.topic_arn
    for item in told["AlarmHistoryItems"]:
        found = mail.of_history(item, topic) if item["AlarmName"] in names else None
        if found is not None:
            yield found


def _newest(mails: Iterable[Mail]) -> list[Mail]:
    return sorted(mails, key=lambda one: one.at, reverse=True)[:100]
