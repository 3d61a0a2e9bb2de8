"""What one instance of the module uses in a month, by its uploads and its alarms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipeline.cost.bill import Use
from pipeline.cost.plan import Resource, as_number
from pipeline.deployed.documents import json_object
from pipeline.prices import Prices

_GB = Decimal(10**9)
_DAY = 86400
# A receive or a delete takes ten messages at most, however large a batch is.
_MESSAGES_A_REQUEST = 10
# What the handler writes for an invoke, for each record of the first 25 in it, and for each record
# with DEBUG, where the key has 36 characters.
LOG_BYTES, LOG_BYTES_A_RECORD, LOG_RECORDS, DEBUG_BYTES = 280, 40, 25, 185
# Lambda's own two lines of an invoke (start and report): estimated, never measured.
_LAMBDA_LOG_BYTES = 450
# A record of a versioned object whose key has 36 characters, and what DynamoDB adds to each.
RECORD_BYTES, _RECORD_OVERHEAD = 300, 100
# TTL deletes expired records within two days.
_EXPIRY_SECONDS = 2 * _DAY
# A service caches a data key for five minutes at most.
_KEY_SECONDS = 300
# X-Ray samples the first invoke of each second, and one in twenty of the rest.
_TRACED = Decimal("0.05")

_DELIVERIES = {
    "email": "sns_emails",
    "email-json": "sns_emails",
    "http": "sns_https",
    "https": "sns_https",
    "sms": "sns_sms",
}


@dataclass(frozen=True)
class Assumed:
    """What no plan shows, for each pipeline: uploads and alarm messages a month, bytes and days of
    an object, billed milliseconds of an invoke, and messages in a batch of the buffer.
    """

    uploads: Decimal
    object_bytes: Decimal = Decimal(100_000)
    keep_days: Decimal = Decimal(30)
    milliseconds: Decimal = Decimal(20)
    batch: Decimal = Decimal(1)
    alarm_messages: int = 30


def on_demand(table: Resource) -> bool:
    """Whether a table is billed by its writes, not by its units."""
    return table.values.get("billing_mode") == "PAY_PER_REQUEST"


class Pipeline:
    """One instance of the module, and what its uploads use."""

    def __init__(
        self, name: str, resources: Sequence[Resource], assumed: Assumed, prices: Prices
    ) -> None:
        self.name = name
        self.resources = resources
        self.assumed = assumed
        self.month = prices.seconds_a_month
        self.rate = assumed.uploads / self.month
        self.function = self._first("aws_lambda_function")
        self.table = self._first("aws_dynamodb_table")
        self.mapping = self._first("aws_lambda_event_source_mapping")
        self.reads_buffer = (
            bool(self.mapping.type) and self.mapping.values.get("enabled") is not False
        )
        self.runs = self.function.values.get("reserved_concurrent_executions") != 0
        # The buckets that the rule takes, and how many the pipeline has in all.
        names = self._ruled()
        # Of an existing bucket there may be no resource: a rule names it first.
        self.own = self._own_bucket() or next(iter(names), "")
        self.ruled = set(names or [self.own]) if self._has_rule() else set()
        self.buckets = len({self.own, *self.ruled})
        # How often each upload is delivered: twice during a handover.
        self.direct, self.buffered = self._deliveries()
        # How many messages come together: one that opens the window, and those that follow.
        window = self.mapping.number("maximum_batching_window_in_seconds")
        self.full = min(self.mapping.number("batch_size", 10), 1 + self.rate * window)
        self.batch = max(Decimal(1), min(assumed.batch, self.full))
        # Of each upload; a second delivery writes the same record again.
        direct = self.direct if self.runs else 0
        buffered = self.buffered if self.reads_buffer else 0
        self.records = direct + buffered
        self.invokes = direct + buffered / self.batch

    def uses(self) -> Iterator[Use]:
        """Its usage."""
        yield from (Use(item, per_upload=each) for item, each in self._each().items() if each)
        yield from self._traces()
        yield from self._key_requests()
        yield from self._messages()

    def notes(self) -> Iterator[str]:
        """What a reader of the figures should know."""
        asked = self.assumed.batch
        if asked > self.batch and self.buffered:
            yield (
                f"{self.name}: {self.batch.normalize():f} to a batch are counted, not "
                f"{asked.normalize():f}: at this rate a batch holds no more."
            )
        elif self.buffered and self.full >= 2 and asked == 1:
            yield (
                f"{self.name}: one to a batch is counted; evenly spread uploads would make up to "
                f"{self.full:.0f}: try --batch."
            )
        if not self.runs or (self.mapping.type and not self.reads_buffer):
            yield f"{self.name} is paused: events are kept or fail, and are not recorded."
        if self.buckets > 1:
            yield f"{self.name}: uploads are counted as evenly spread over {self.buckets} buckets."
        units = self.table.number("write_capacity")
        if not on_demand(self.table) and self.rate * self.records > units > 0:
            yield (
                f"{self.name}: {units} write units take {units} records a second, and this is "
                "more: writes would be refused. Raise table.write_units."
            )
        if not self._first("aws_cloudwatch_log_group").number("retention_in_days"):
            yield f"{self.name} keeps its logs for ever: a year of them is counted."
        if self._first("aws_s3_bucket_logging").type:
            yield f"{self.name}: access logs cost S3 storage, which is not counted."

    def _own_bucket(self) -> str:
        """Its own bucket's name; empty where only its rule has it, or apply will tell."""
        for kind in ("aws_s3_bucket", "aws_s3_bucket_notification"):
            if isinstance(name := self._first(kind).values.get("bucket"), str):
                return name
        return ""

    def _has_rule(self) -> bool:
        return bool(self._first("aws_cloudwatch_event_rule").type)

    def _ruled(self) -> list[str]:
        """The buckets that the rule's pattern names; none where only apply will tell."""
        found = json_object(self._first("aws_cloudwatch_event_rule").values.get("event_pattern"))
        for name in "detail", "bucket":
            found = json_object((found or {}).get(name))
        names = (found or {}).get("name")
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

    def _deliveries(self) -> tuple[Decimal, Decimal]:
        notification = self._first("aws_s3_bucket_notification")
        target = self._first("aws_cloudwatch_event_target")

        def notifies(kind: str) -> int:
            # What `bucket.notifications` adds is for others, and has other ids.
            ids = [str(block.get("id")) for block in notification.blocks(kind)]
            return int(any(id_.startswith("filter-") for id_ in ids))

        own, ruled = Decimal(1) / self.buckets, Decimal(len(self.ruled)) / self.buckets
        direct, buffered = own * notifies("lambda_function"), own * notifies("queue")
        if target.type:
            arn = target.values.get("arn")
            queue = ":sqs:" in str(arn) if arn else bool(self.mapping.type)
            direct, buffered = direct + ruled * (not queue), buffered + ruled * queue
        return direct, buffered

    def _each(self) -> dict[str, Decimal]:
        """Quantities for each upload that nothing bounds."""
        assumed, month = self.assumed, self.month
        seconds, gb = assumed.milliseconds / 1000, self.function.number("memory_size", 128) / 1024
        architectures = self.function.values.get("architectures")
        arm = isinstance(architectures, list) and "arm64" in architectures
        logged = self._log_bytes() / _GB
        days = self._first("aws_cloudwatch_log_group").number("retention_in_days") or Decimal(365)
        copies = 1 + len(self.table.blocks("global_secondary_index"))
        variables = self.function.block("environment").get("variables")
        ttl = variables.get("TTL_SECONDS") if isinstance(variables, Mapping) else None
        lives = (as_number(ttl, _DAY) + _EXPIRY_SECONDS) / month if self.records else Decimal(0)
        stored = (RECORD_BYTES + _RECORD_OVERHEAD) * lives / _GB
        notification = self._first("aws_s3_bucket_notification")
        # S3 sends all events of a bucket to EventBridge, or none.
        emitting = self.ruled | (
            {self.own} if notification.values.get("eventbridge") is True else set()
        )
        recovery = self.table.block("point_in_time_recovery").get("enabled") is True
        return {
            "lambda_requests": self.invokes,
            "lambda_arm64" if arm else "lambda_x86_64": self.invokes * seconds * gb,
            "dynamodb_writes": Decimal(self.records * copies if on_demand(self.table) else 0),
            "dynamodb_storage": stored * copies,
            "dynamodb_recovery": stored if recovery else Decimal(0),
            "cloudwatch_ingestion": logged,
            "cloudwatch_archive": logged * days * _DAY / month,
            "sqs_requests": self._queue_requests(),
            "eventbridge_events": Decimal(len(emitting)) / self.buckets,
            "s3_puts": Decimal(1),
            "s3_gets": self._reads(),
            "s3_storage": assumed.object_bytes * assumed.keep_days * _DAY / month / _GB,
        }

    def _reads(self) -> Decimal:
        """Reads of a hook that may read objects: one a delivery."""
        variables = self.function.block("environment").get("variables")
        hooked = isinstance(variables, Mapping) and variables.get("RECORD_HOOK")
        # A policy that waits for a key's ARN may hold the right.
        allowed = any(
            '"s3:GetObject"' in str(resource.values.get("policy")) or "policy" in resource.unknown
            for resource in self.resources
            if resource.type == "aws_iam_role_policy"
        )
        return Decimal(self.records if hooked and allowed else 0)

    def _queue_requests(self) -> Decimal:
        """Sends, and where the buffer is read, receives and deletes; idle polls are not counted."""
        together = min(self.batch, Decimal(_MESSAGES_A_REQUEST))
        reads = 2 * self.buffered / together if self.reads_buffer else Decimal(0)
        # Events that a paused function did not take go to the failure queue.
        return self.buffered + reads + (0 if self.runs else self.direct)

    def _log_bytes(self) -> Decimal:
        """What is logged for an upload, Lambda's own lines included."""
        logging = self.function.block("logging_config")
        level = str(logging.get("application_log_level") or "INFO")
        # Only the first 25 records of a batch are named.
        names = min(Decimal(LOG_RECORDS) / self.batch, Decimal(1)) * LOG_BYTES_A_RECORD
        logged = Decimal(0)
        if level in ("TRACE", "DEBUG", "INFO"):
            logged += LOG_BYTES * self.invokes + names * self.records
        if level in ("TRACE", "DEBUG"):
            logged += DEBUG_BYTES * self.records
        if logging.get("system_log_level") != "WARN":
            logged += _LAMBDA_LOG_BYTES * self.invokes
        return logged

    def _traces(self) -> Iterator[Use]:
        if self.function.block("tracing_config").get("mode") == "Active":
            yield Use("xray_traces", per_upload=_TRACED * self.invokes)
            most = (1 - _TRACED) * self.month
            yield Use("xray_traces", per_upload=(1 - _TRACED) * self.invokes, at_most=most)

    def _key_requests(self) -> Iterator[Use]:
        """Requests to KMS at most: one for each upload and place, until data keys are reused."""
        if self.table.block("server_side_encryption").get("enabled") is not True:
            return
        # Table and log; a queue's senders count twice, its reader once (AWS's own formula).
        places = Decimal(2 + bool(self._first("aws_s3_bucket").type))
        places += 2 * self.buffered + (1 if self.buffered and self.reads_buffer else 0)
        most = places * self.month / _KEY_SECONDS
        yield Use("kms_requests", per_upload=places, at_most=most)

    def _messages(self) -> Iterator[Use]:
        """Messages of the alarms by receiver; to queues and functions they cost nothing."""
        messages = Decimal(self.assumed.alarm_messages)
        if not self._first("aws_cloudwatch_metric_alarm").type:
            return
        yield Use("sns_publishes", messages)
        for resource in self.resources:
            if resource.type == "aws_sns_topic_subscription":
                item = _DELIVERIES.get(str(resource.values.get("protocol")))
                if item is not None:
                    yield Use(item, messages)

    def _first(self, kind: str) -> Resource:
        """The pipeline's resource of that type; an empty one, of no type, where it has none."""
        found = (resource for resource in self.resources if resource.type == kind)
        return next(found, Resource("", "", {}))
