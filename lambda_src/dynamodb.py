"""Write items to one table: PutItem for one, BatchWriteItem in 25s side by side for more.

Writing an item twice is harmless, so whatever may not have been written is sent again.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from binascii import crc32
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import http11
import sigv4
from records import Item

# So that 1,000 SQS messages, 40 batches, take two turns.
CONNECTIONS = 20
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
BATCH = 25
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 4.0
# A connection that idled for longer may have been dropped on the way without a word.
IDLE_SECONDS = 60.0
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
    """A call that failed, with DynamoDB's code. `again`: "later", "throttled", "at once" or ""."""

    def __init__(self, reason: str, code: str = "", again: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.again = again


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

        Gives up at `deadline`, on throttling already at `patience`. (Name servers that don't
        answer have time limits of their own.)
        """
        # Failed until DynamoDB says otherwise, whatever happens to a thread.
        failures = dict.fromkeys(items, "the writer stopped unexpectedly")
        pairs = list(items.items())
        starts = range(0, len(pairs), BATCH)
        todo = iter(starts)
        put = self._put_batch if len(items) > 1 else self._put_each

        def work() -> None:
            # All threads draw from the one iterator.
            for start in todo:
                put(dict(pairs[start : start + BATCH]), failures, deadline, patience)

        helpers = [threading.Thread(target=work) for _ in range(min(CONNECTIONS, len(starts)) - 1)]
        for helper in helpers:
            helper.start()
        try:
            work()
        finally:
            for helper in helpers:
                helper.join()
        return failures

    def _put_each(self, items: dict[str, Item], failures: dict[str, str], *until: float) -> None:
        for object_id, item in items.items():
            try:
                self._call("PutItem", {"TableName": self._name, "Item": item}, *until)
                del failures[object_id]
            except WriteError as error:
                failures[object_id] = str(error)

    def _put_batch(self, items: dict[str, Item], failures: dict[str, str], *until: float) -> None:
        attempt = 0
        while items:
            puts = {self._name: [{"PutRequest": {"Item": item}} for item in items.values()]}
            try:
                done = self._call("BatchWriteItem", {"RequestItems": puts}, *until)
                left = _unprocessed(done, self._name, items)
            except WriteError as error:
                if error.code == "ValidationException":
                    # Nothing of the batch was written, and it does not say which item is bad.
                    return self._put_each(items, failures, *until)
                return failures.update(dict.fromkeys(items, str(error)))
            for object_id in items.keys() - left.keys():
                del failures[object_id]
            if left and not _pause(attempt, until[1]):
                failures.update(dict.fromkeys(left, "throttled: DynamoDB left it unprocessed"))
                return None
            items = left
            attempt += 1
        return None

    def _call(
        self, operation: str, payload: dict[str, Any], deadline: float, patience: float
    ) -> dict[str, Any]:
        """DynamoDB's answer, after as many attempts as it takes. Raises WriteError."""
        body = json.dumps(payload, separators=(",", ":")).encode()
        attempt, first = 0, ""
        while True:
            try:
                return self._attempt(operation, body, deadline)
            except WriteError as failed:
                if not failed.again:
                    raise
                # What the last attempt says is often only that time was up.
                first = first or str(failed)
                if failed.again == "at once":
                    continue
                if not _pause(attempt, patience if failed.again == "throttled" else deadline):
                    last = "" if str(failed) == first else f", at last {failed}"
                    reason = f"gave up after {attempt + 1} attempts: {first}{last}"
                    raise WriteError(reason) from failed
                attempt += 1

    def _attempt(self, operation: str, body: bytes, deadline: float) -> dict[str, Any]:
        credentials = _credentials()
        now = time.gmtime(time.time() + self._clock_offset)
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
        answer = self._exchange(headers, body, deadline)
        document = _document(answer)
        if answer.status == 200:
            return document
        code = str(document.get("__type", "")).rpartition("#")[2]
        message = document.get("message") or document.get("Message") or "no message"
        reason = f"{code or answer.status}: {_clean(str(message), credentials)}"
        if code in _THROTTLED:
            raise WriteError(reason, code, "throttled")
        if answer.status >= 500 or not code:
            raise WriteError(reason, code, "later")
        mended = code in _CLOCK and self._clock_corrected(answer.headers.get("date", ""))
        mended = mended or (code in _TOKEN and credentials != _credentials())
        raise WriteError(reason, code, "at once" if mended else "")

    def _exchange(self, headers: dict[str, str], body: bytes, deadline: float) -> http11.Answer:
        reused = connection = self._idle_connection()
        now = time.monotonic()
        try:
            if not connection:
                connection = http11.Connection(self._endpoint, min(deadline, now + CONNECT_SECONDS))
            answer = connection.post(headers, body, min(deadline, now + ANSWER_SECONDS))
        except OSError as error:
            if connection:
                connection.close()
            if reused:
                # What killed it has killed those that slept as long: don't wait for each.
                self._idle.clear()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise WriteError(f"{error}; see AWS_CA_BUNDLE") from error
            # A kept connection may have died in its sleep: no fault of the server's.
            again = "at once" if reused and not isinstance(error, TimeoutError) else "later"
            raise WriteError(f"{type(error).__name__}: {error}", again=again) from error
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _idle_connection(self) -> http11.Connection | None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            # Wall clock: the monotonic one may stand still while Lambda freezes us.
            if 0 <= time.time() - connection.answered < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _clock_corrected(self, date: str) -> bool:
        """Set our clock to the server's `Date`. False if that is no news."""
        try:
            server = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S gmt").replace(tzinfo=UTC)
        except ValueError:
            return False
        offset = server.timestamp() - time.time()
        if abs(offset - self._clock_offset) < 60:
            return False
        self._clock_offset = offset
        return True


def _credentials() -> sigv4.Credentials:
    """The environment's, read for each attempt, so that refreshed ones are used at once."""
    env = os.environ
    try:
        keys = env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
        return sigv4.Credentials(*keys, env.get("AWS_SESSION_TOKEN", ""))
    except KeyError as error:
        raise WriteError(f"no credentials: {error} is not set") from error


def _document(answer: http11.Answer) -> dict[str, Any]:
    """The answer's JSON object. Damaged ones raise WriteError, even with a 200."""
    checksum = answer.headers.get("x-amz-crc32", "")
    if checksum.isdecimal() and int(checksum) != crc32(answer.body):
        raise WriteError("the answer does not match its checksum", again="later")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        reason = f"HTTP {answer.status} without JSON: {answer.body[:80]!r}"
        raise WriteError(reason, again="later")
    return document


def _unprocessed(answer: dict[str, Any], table: str, items: dict[str, Item]) -> dict[str, Item]:
    """Those of `items` that DynamoDB hands back. Raises WriteError if that can't be told."""
    try:
        puts = answer["UnprocessedItems"].get(table, [])
        return {one: items[one] for one in (p["PutRequest"]["Item"]["objectId"]["S"] for p in puts)}
    except (KeyError, TypeError, AttributeError) as error:
        raise WriteError(f"UnprocessedItems that make no sense: {error!r:.80}") from error


def _clean(message: str, credentials: sigv4.Credentials) -> str:
    # A refused signature is answered with the request that was signed, session token and all.
    message = message.partition("\n")[0][:300]
    for secret in (credentials.token, credentials.secret_key):
        message = message.replace(secret, "***") if secret else message
    return message


def _pause(attempt: int, until: float) -> bool:
    """Sleep a random part of a growing span (clients spread out). False if past `until`."""
    span = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10))
    pause = span * int.from_bytes(os.urandom(2)) / 65536
    if time.monotonic() + pause >= until:
        return False
    time.sleep(pause)
    return True
