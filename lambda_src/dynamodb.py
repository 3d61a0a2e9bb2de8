"""Write items to one table: PutItem for one, BatchWriteItem in 25s side by side for more.

Writing an item twice is harmless, so whatever may not have been written is sent again.
"""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from binascii import crc32
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from itertools import batched

import http11
import sigv4
from records import Item
from typed import Any, NamedTuple

# 1,000 SQS messages are 40 batches: two turns.
CONNECTIONS = 20
# As many as BatchWriteItem takes.
BATCH = 25
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 4.0
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
_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}


class WriteError(Exception):
    """A failed attempt, with DynamoDB's code. `again`: "later", "throttled", "at once" or ""."""

    def __init__(self, reason: str, code: str = "", again: str = "") -> None:
        # A refused signature is answered with the request that was signed, token and all.
        text = reason.partition("\n")[0]
        for name in ("AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY"):
            text = text.replace(os.environ.get(name) or "\n", "***")
        super().__init__(text[:300])
        self.code = code
        self.again = again


_UNPROCESSED = WriteError("throttled: DynamoDB left it unprocessed", again="throttled")


class _Job(NamedTuple):
    """What goes into one request, when it is due, and how it went so far."""

    items: dict[str, Item]
    due: float = 0.0
    attempts: int = 0
    first: str = ""


def endpoint(environ: Mapping[str, str]) -> str:
    """DynamoDB's URL: the configured one, or that of the region, with FIPS if asked for."""
    for name in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"):
        if environ.get(name):
            return environ[name]
    region = environ["AWS_REGION"]
    domains = (domain for prefix, domain in _DOMAINS.items() if region.startswith(prefix))
    # GovCloud's ordinary endpoint is its FIPS one.
    fips = environ.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true" and "us-gov-" not in region
    return f"https://dynamodb{'-fips' if fips else ''}.{region}.{next(domains, 'amazonaws.com')}"


class Table:
    """A table and the connections to it. Deadlines are `time.monotonic()` seconds."""

    def __init__(self, name: str, region: str, url: str) -> None:
        self._name = name
        self._region = region
        self._endpoint = http11.parse(url)
        self._idle: list[http11.Connection] = []
        self._clock_offset = 0.0

    def write(self, items: dict[str, Item], deadline: float, patience: float) -> dict[str, str]:
        """Put `items`, keyed by `objectId`; returns the reason for each that is not written.

        Gives up at `deadline`, on throttling already at `patience`.
        """
        # Failed until DynamoDB says otherwise.
        failures = dict.fromkeys(items, "the writer stopped")
        todo = deque(_Job(dict(batch)) for batch in batched(items.items(), BATCH))

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
            left = self._put(job.items, deadline)
            failed = _UNPROCESSED
        except Exception as error:  # noqa: BLE001  (no job may end the others)
            left = job.items
            failed = (
                error
                if isinstance(error, WriteError)
                else WriteError(f"{type(error).__name__}: {error}")
            )
            if failed.code == "ValidationException" and len(left) > 1:
                # Nothing of the batch was written, and it does not say which item is bad.
                todo.extendleft(_Job({key: item}) for key, item in left.items())
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
            (todo.appendleft if at_once else todo.append)(_Job(left, due, attempts, first))
        else:
            reason = f"gave up after {attempts} attempts: {first}" if failed.again else str(failed)
            failures.update(dict.fromkeys(left, reason))

    def _put(self, items: dict[str, Item], deadline: float) -> dict[str, Item]:
        """One request; those of `items` that DynamoDB hands back. Raises WriteError."""
        puts = [{"PutRequest": {"Item": item}} for item in items.values()]
        if len(puts) == 1:
            self._call("PutItem", {"TableName": self._name, **puts[0]["PutRequest"]}, deadline)
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
            raise WriteError(f"UnprocessedItems that make no sense: {error!r:.80}") from error

    def _call(self, operation: str, payload: dict[str, Any], deadline: float) -> dict[str, Any]:
        if time.monotonic() >= deadline:
            raise WriteError("out of time", again="later")
        credentials = _credentials()
        body = json.dumps(payload, separators=(",", ":")).encode()
        offset = self._clock_offset
        now = time.gmtime(time.time() + offset)
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "host": self._endpoint.authority,
            "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", now),
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        headers["authorization"] = sigv4.authorization(
            headers, body, credentials, self._region, "dynamodb"
        )
        status, answer_headers, answer = self._exchange(headers, body, deadline)
        if 300 <= status < 400:
            place = answer_headers.get("location", "nowhere")
            raise WriteError(
                f"HTTP {status} to {place}: redirects are not followed, correct AWS_ENDPOINT_URL"
            )
        coding = answer_headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise WriteError(f"HTTP {status} in {coding}, though identity was asked for")
        # Even a 200 may be damaged on the way.
        if answer_headers.get("x-amz-crc32", "") not in ("", str(crc32(answer))):
            raise WriteError("the answer does not match its checksum", again="later")
        try:
            document = json.loads(answer)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            reason = f"HTTP {status} without JSON: {answer.decode('latin-1').strip()}"
            # A proxy may refuse for long: not worth a direct invoke's whole time.
            raise WriteError(reason, again="throttled" if 400 <= status < 500 else "later")
        if status == 200:
            return document
        code = str(document.get("__type", "")).rpartition("#")[2]
        reason = f"{code or status}: {document.get('message') or document.get('Message')}"
        if code in _THROTTLED:
            raise WriteError(reason, code, "throttled")
        if status >= 500 or not code:
            raise WriteError(reason, code, "later")
        fixed = code in _CLOCK and self._clock_corrected(answer_headers.get("date", ""), offset)
        fixed = fixed or (code in _TOKEN and credentials != _credentials())
        raise WriteError(reason, code, "at once" if fixed else "")

    def _exchange(self, headers: dict[str, str], body: bytes, deadline: float) -> http11.Answer:
        connection, reused = None, False
        with suppress(IndexError):
            while not reused:
                connection = self._idle.pop()
                reused = connection.quiet()
        try:
            if not connection or not reused:
                connection = http11.Connection(self._endpoint, CONNECT_SECONDS, deadline)
            now = time.monotonic()
            # Half is left for another, should a kept connection have died silently.
            end = (now + deadline) / 2 if reused else deadline
            answer = connection.post(headers, body, min(now + ANSWER_SECONDS, end))
            if connection.reusable:
                self._idle.append(connection)
            return answer
        except OSError as error:
            if reused:
                # What killed it has killed those that slept as long: don't wait for each.
                self._idle.clear()
            if isinstance(error, ssl.SSLCertVerificationError):
                hint = "if this is your endpoint, name its authority's file in AWS_CA_BUNDLE"
                raise WriteError(f"{error}; {hint}") from error
            # A kept connection may have died in its sleep: no fault of the server's.
            again = "at once" if reused and not isinstance(error, TimeoutError) else "later"
            raise WriteError(f"{type(error).__name__}: {error}", again=again) from error
        finally:
            if connection and not connection.reusable:
                connection.close()

    def _clock_corrected(self, date: str, signed_with: float) -> bool:
        """Set our clock to the server's `Date`. False if the request was signed by that already.

        Not what the clock says by now: of requests side by side another one may have set it.
        """
        with suppress(ValueError):
            server = datetime.strptime(f"{date}+0000", "%a, %d %b %Y %H:%M:%S GMT%z")
            offset = server.timestamp() - time.time()
            if abs(offset - signed_with) >= 60:
                self._clock_offset = offset
                return True
        return False


def _credentials() -> sigv4.Credentials:
    """The environment's, read for each attempt, so that refreshed ones are used at once."""
    env = os.environ
    keys = env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    return sigv4.Credentials(*keys, env.get("AWS_SESSION_TOKEN", ""))


def _pause(attempts: int) -> float:
    """Seconds to wait after that many: a random part of a growing span."""
    span = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 10))
    return span * int.from_bytes(os.urandom(2)) / 65536
