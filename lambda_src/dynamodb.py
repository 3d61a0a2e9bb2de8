"""Write items to one table: PutItem for one, BatchWriteItem in 25s side by side for more.

Writing an item twice is harmless, so whatever may not have been written is sent again.
"""

from __future__ import annotations

import json
import os
import threading
import time
from binascii import crc32
from collections import deque
from contextlib import suppress
from itertools import batched

from events import Passing
from records import Item
from service import CallError, Service, renewed
from typed import Any, NamedTuple

# 1,000 SQS messages are 40 batches: two turns.
CONNECTIONS = 20
# As many as BatchWriteItem takes.
BATCH = 25
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0

_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ThrottlingException",
}
_TOKEN = {"ExpiredTokenException", "UnrecognizedClientException"}
_CLOCK = {"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed"}
_UNPROCESSED = CallError("throttled: DynamoDB left it unprocessed", again="throttled")


class _Job(NamedTuple):
    """What goes into one request, when it is due, and how it went so far."""

    items: dict[str, Item]
    new: bool
    due: float = 0.0
    attempts: int = 0
    first: str = ""


class Table(Service):
    """A table and the connections to it. Deadlines are `time.monotonic()` seconds."""

    def __init__(self, name: str, region: str, url: str) -> None:
        super().__init__("dynamodb", region, url)
        self._name = name

    def write(
        self, items: dict[str, Item], deadline: float, patience: float, new: bool = False
    ) -> dict[str, str]:
        """Put `items`, keyed by `objectId`; returns the reason for each that is not written.

        Gives up at `deadline`, on throttling already at `patience`. With `new` it overwrites
        nothing, and what is there counts as written.
        """
        # Failed until DynamoDB says otherwise.
        failures: dict[str, str] = dict.fromkeys(items, Passing("the writer stopped"))
        # A condition only PutItem takes.
        batches = batched(items.items(), 1 if new else BATCH)
        todo = deque(_Job(dict(batch), new) for batch in batches)

        def work() -> None:
            # One queue for all: what failed goes to its end, behind what was not tried yet.
            with suppress(IndexError):
                while True:
                    self._try(todo.popleft(), todo, failures, deadline, patience)

        helpers = [threading.Thread(target=work) for _ in range(min(CONNECTIONS, len(todo)) - 1)]
        # Without more threads, fewer do it too.
        with suppress(RuntimeError):
            for helper in helpers:
                helper.start()
        work()
        with suppress(RuntimeError):
            for helper in helpers:
                helper.join()
        return failures

    def _try(self, job: _Job, todo: deque[_Job], failures: dict[str, str], *until: float) -> None:
        """One attempt; what it leaves goes back to `todo`, or stays in `failures`."""
        deadline, patience = until
        if job.due:
            time.sleep(max(0.0, job.due - time.monotonic()))
        try:
            left = self._put(job.items, job.new, deadline)
            failed = _UNPROCESSED
        except Exception as error:  # noqa: BLE001  (no job may end the others)
            left = job.items
            failed = (
                error
                if isinstance(error, CallError)
                else CallError(f"{type(error).__name__}: {error}")
            )
            if failed.code == "ValidationException" and len(left) > 1:
                # Nothing of the batch was written, and it does not say which item is bad.
                todo.extendleft(_Job({key: item}, job.new) for key, item in left.items())
                return
        for object_id in job.items.keys() - left.keys():
            del failures[object_id]
        if not left:
            return
        attempts = job.attempts + 1
        # The last one often says only that time was up.
        first = job.first or str(failed)
        # Only once: two causes may take turns for ever.
        at_once = failed.again == "at once" and not job.attempts
        due = 0.0 if at_once else time.monotonic() + _pause(attempts)
        if failed.again and due < (patience if failed.again == "throttled" else deadline):
            (todo.appendleft if at_once else todo.append)(_Job(left, job.new, due, attempts, first))
        else:
            gave_up = f"gave up after {attempts} attempts: {first}"
            reason = Passing(gave_up) if failed.again else str(failed)
            failures.update(dict.fromkeys(left, reason))

    def _put(self, items: dict[str, Item], new: bool, deadline: float) -> dict[str, Item]:
        """One request; those of `items` that DynamoDB hands back. Raises CallError."""
        puts = [{"PutRequest": {"Item": item}} for item in items.values()]
        if len(puts) == 1:
            put = {"TableName": self._name, **puts[0]["PutRequest"]}
            if new:
                put["ConditionExpression"] = "attribute_not_exists(objectId)"
            try:
                self._call("PutItem", put, deadline)
            except CallError as error:
                if error.code != "ConditionalCheckFailedException":
                    raise
            return {}
        answer = self._call("BatchWriteItem", {"RequestItems": {self._name: puts}}, deadline)
        try:
            # AWS always says what is left; others answer `{}` when nothing is. Whatever it calls
            # the table: one named by ARN comes back by its name.
            unprocessed = answer["UnprocessedItems"] if answer else {}
            left = [put for puts in unprocessed.values() for put in puts]
            ids = [put["PutRequest"]["Item"]["objectId"]["S"] for put in left]
            return {key: items[key] for key in ids}
        except (KeyError, TypeError, AttributeError) as error:
            raise CallError(f"UnprocessedItems that make no sense: {error!r:.80}") from error

    def _call(self, operation: str, payload: dict[str, Any], deadline: float) -> dict[str, Any]:
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        body = json.dumps(payload, separators=(",", ":")).encode()
        (status, answer_headers, answer), signed = self._send(
            ("POST", "/", "", body), headers, deadline
        )
        if 300 <= status < 400:
            place = answer_headers.get("location", "nowhere")
            raise CallError(
                f"HTTP {status} to {place}: redirects are not followed, correct AWS_ENDPOINT_URL"
            )
        coding = answer_headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise CallError(f"HTTP {status} in {coding}, though identity was asked for")
        # Even a 200 may be damaged on the way.
        if answer_headers.get("x-amz-crc32", "") not in ("", str(crc32(answer))):
            raise CallError("the answer does not match its checksum", again="later")
        try:
            document = json.loads(answer)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            reason = f"HTTP {status} without JSON: {answer.decode('latin-1').strip()}"
            # A proxy may refuse for long: not worth a direct invoke's whole time.
            raise CallError(reason, again="throttled" if 400 <= status < 500 else "later")
        if status == 200:
            return document
        code = str(document.get("__type", "")).rpartition("#")[2]
        reason = f"{code or status}: {document.get('message') or document.get('Message')}"
        if code in _THROTTLED:
            raise CallError(reason, code, "throttled")
        if status >= 500 or not code:
            raise CallError(reason, code, "later")
        fixed = code in _CLOCK and self._clock_corrected(answer_headers, signed)
        fixed = fixed or (code in _TOKEN and renewed(signed))
        raise CallError(reason, code, "at once" if fixed else "")


def _pause(attempts: int) -> float:
    """Seconds to wait after that many: a random part of a growing span."""
    span = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 10))
    return span * int.from_bytes(os.urandom(2)) / 65536
