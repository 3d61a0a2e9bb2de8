"""A probe's round trip: from the upload to its record and its log line, and away again."""

import contextlib
import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import failure_queue, log, table
from pipeline.deployed.documents import text
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.deployed.stream import StreamReader
from pipeline.deployed.table import Item
from pipeline.handler import events
from pipeline.terminal import printable
from pipeline.verify import probe
from pipeline.verify.probe import Probe, Upload

_POLL_SECONDS = 0.1
# FilterLogEvents may be called five times a second, by everybody in the account and region.
_LOG_POLL_SECONDS = 1.0
# How far S3's clock, in whole seconds, and Lambda's may differ.
_CLOCK_SECONDS = 5
# A failing event comes to the failure queue at once only where Lambda does not retry.
_FAILED_SECONDS = 3
# How many records the handler names in one line.
_NAMED = 25


class RoundTrip:
    """A probe on its way. Each method is the check of a stage; `clean_up` comes last."""

    def __init__(
        self,
        session: Session,
        bucket: str,
        chosen: Probe,
        seconds: float,
        tell: Callable[[str], None],
    ) -> None:
        """Wait for up to `seconds`; `tell` is called with what is waited for."""
        self._session, self._target, self._bucket = session, session.target, bucket
        self._probe, self._seconds, self._tell = chosen, seconds, tell
        self._upload: Upload | None = None
        self._since = 0.0
        self._stream: StreamReader | None = None
        self._item: Item | None = None

    @property
    def _sent(self) -> Upload:
        if self._upload is None:
            raise NotCheckedError("there was no upload")
        return self._upload

    def start(self) -> str:
        """Upload the probe."""
        s3, bucket = self._session.client("s3"), self._bucket
        versioning = s3.get_bucket_versioning(Bucket=bucket).get("Status")
        if versioning != "Enabled" or not self._probe.created:
            # The record's objectId depends on S3's sequencer: only the table's stream shows it.
            streams = self._session.client("dynamodbstreams")
            self._stream = StreamReader(streams, self._target.table_stream_arn)
            if not self._stream.images:
                raise NotCheckedError(
                    "the bucket has no versioning and the table's stream no new images, so that "
                    "the record can't be found: set `table.stream_view_type` to NEW_IMAGE"
                )
        self._upload = probe.send(s3, bucket, self._probe)
        self._since = time.monotonic()
        return f"{printable(self._probe.key)} is in {bucket} ({self._probe.event})"

    def record(self) -> str:
        """The record comes in time, with every attribute right."""
        key, log_read = printable(self._sent.probe.key), self._since
        while (item := self._find()) is None:
            waited = time.monotonic() - self._since
            self._tell(f"waiting for the record, {waited:.0f} s of {self._seconds:.0f}")
            if time.monotonic() - log_read > _LOG_POLL_SECONDS:
                log_read = time.monotonic()
                if reason := self._failure():
                    raise FailingError(
                        f"The function could not store the record of {key}: {reason}. Look at the "
                        "function's log and its role."
                    )
            if waited > self._seconds:
                raise FailingError(
                    f"No record of {key} within {self._seconds:.0f} s, although each stage looks "
                    f"OK{self._last_error()}: look in the log group {self._target.log_group_name}, "
                    "or wait longer with --timeout (S3 may take more than a minute)."
                )
            # Each GetItem takes a read unit, and the table has five a second.
            time.sleep(min(1.0, _POLL_SECONDS + waited / 10))
        self._item = item
        after = time.monotonic() - self._since
        retention = int(self._session.variable("TTL_SECONDS"))
        if wrong := probe.differences(item, self._sent, retention):
            raise FailingError(
                f"The record {item['objectId']['S']} is not right: {'; '.join(wrong)}. Is the "
                "function's package the module's own, and TTL_SECONDS as the stack sets it?"
            )
        right = f"all {len(item)} attributes right"
        return f"{item['objectId']['S']} came {after:.2f} s after the upload, {right}"

    def _find(self) -> Item | None:
        if self._stream is not None:
            images = (record.image for record in self._stream.new() if record.image)
            return next(filter(self._is_ours, images), None)
        answer = self._session.client("dynamodb").get_item(
            TableName=self._target.table_name,
            Key={"objectId": {"S": self._sent.object_id}},
            ConsistentRead=True,
        )
        item: Item | None = answer.get("Item")
        return item

    def _is_ours(self, item: Item) -> bool:
        found, sent = table.read(item), self._sent.event
        return found is not None and (
            (found.bucket, found.key, found.version_id, found.family)
            == (sent.bucket, sent.key, sent.version_id, sent.name.partition(":")[0])
        )

    def log_line(self) -> str:
        """The function names the record in its log in time."""
        if self._item is None:
            raise NotCheckedError("there is no record to look for")
        object_id, group = self._item["objectId"]["S"], self._target.log_group_name
        logging = self._session.function().get("LoggingConfig", {})
        level = logging.get("ApplicationLogLevel", "INFO")
        if level not in ("TRACE", "DEBUG", "INFO"):
            raise NotCheckedError(f"the function logs from {level} on, and names records at INFO")
        began, waited = time.monotonic(), 0.0
        while waited <= self._seconds:
            for line in map(log.document, self._lines(f'"{object_id}"')):
                named = line.get("objectIds")
                if isinstance(named, list) and object_id in named:
                    return f"{group} names it in the request {line.get('requestId')}"
            waited = time.monotonic() - began
            self._tell(f"waiting for the log line, {waited:.0f} s of {self._seconds:.0f}")
            time.sleep(_POLL_SECONDS if waited < 1 else _LOG_POLL_SECONDS)
        stored = (log.document(line).get("stored") for line in self._lines('"Invoke done"'))
        if any(isinstance(number, int) and number > _NAMED for number in stored):
            raise NotCheckedError(f"a line names {_NAMED} records only, and invokes stored more")
        raise FailingError(
            f"No line of the log group {group} names the record within {self._seconds:.0f} s: see "
            "that the function's role may write to it, and that the function logs there."
        )

    def _failure(self) -> str | None:
        """Why the function could not store the record, by its log."""
        # Without the right to read logs, the wait takes its time.
        with contextlib.suppress(ClientError, BotoCoreError):
            for line in map(log.document, self._lines(f'"{self._probe.mark}"')):
                if line.get("level") == "ERROR" and line.get("reason"):
                    return printable(text(line["reason"], 300))
        return None

    def _last_error(self) -> str:
        """The last error in the log since the upload, as the end of a clause."""
        with contextlib.suppress(ClientError, BotoCoreError):
            if lines := [line for line in self._lines("ERROR") if line.strip()]:
                return f" (the function's log says: {printable(lines[-1].strip(), 300)})"
        return ""

    def _lines(self, pattern: str) -> list[str]:
        """The function's log lines since the upload. Raises ClientError."""
        since = self._sent.at - _CLOCK_SECONDS
        logs, group = self._session.client("logs"), self._target.log_group_name
        return [event["message"] for event in log.events(logs, group, since, pattern)]

    def clean_up(self) -> str:
        """Nothing of the probe stays in bucket, table and failure queue."""
        s3, sent = self._session.client("s3"), self._sent
        probe.remove(s3, sent.event.bucket, sent.event.key, sent.versions)
        object_id = self._item["objectId"]["S"] if self._item else sent.object_id
        if object_id is not None:
            self._session.client("dynamodb").delete_item(
                TableName=self._target.table_name, Key={"objectId": {"S": object_id}}
            )
        if self._item is not None:
            removals = any(
                "ObjectRemoved" in event
                for each in self._target.filters
                for event in each["events"]
            )
            second = "; the deletion has a record too, until its ttl" if removals else ""
            return f"object and record of the probe are deleted{second}"
        if self._remove_failed_event():
            return "the probe's object and failed event are deleted"
        return (
            "the probe's object is deleted; its event may still come to the table, until its ttl, "
            "or to the failure queue: `pipeline replay` takes it from there"
        )

    def _remove_failed_event(self) -> int:
        """Delete this probe's event from the failure queue, if it comes there soon."""

        def ours(message: FailedEvent) -> bool:
            found = events.read(message.event)
            return bool(found.events and not found.refusals) and all(
                self._sent.caused(event) for _, event in found.events
            )

        deadline = time.monotonic() + _FAILED_SECONDS
        sqs, url = self._session.client("sqs"), self._target.failure_queue_url
        while time.monotonic() < deadline:
            if any(failure_queue.depth(sqs, url)):
                removed, _ = failure_queue.take(sqs, url, ours)
                if removed:
                    return removed
            time.sleep(_POLL_SECONDS)
        return 0
