"""Clients of the pipeline's account that read; they write only where that was asked for."""

import math
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import aws
from pipeline.deployed.session import Session, account_of
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

# All operations that the page needs, by service; docs/operate/console.md lists the rights.
READS = {
    "cloudwatch": {"DescribeAlarmHistory", "DescribeAlarms", "GetMetricStatistics"},
    "dynamodb": {"BatchGetItem", "DescribeTable", "DescribeTimeToLive", "Scan"},
    "dynamodbstreams": {"DescribeStream", "GetRecords", "GetShardIterator"},
    "events": {"DescribeRule", "ListRuleNamesByTarget", "ListTargetsByRule", "TestEventPattern"},
    "iam": {"SimulatePrincipalPolicy"},
    "lambda": {
        "GetFunctionConcurrency",
        "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig",
        "GetPolicy",
        "ListEventSourceMappings",
    },
    "logs": {"FilterLogEvents"},
    "s3": {"GetBucketNotificationConfiguration"},
    "sns": {"GetTopicAttributes", "ListSubscriptionsByTopic"},
    # Messages are received without hiding them, or for two seconds.
    "sqs": {"GetQueueAttributes", "ReceiveMessage"},
    "sts": {"GetCallerIdentity"},
}
# A server may write the Date of some seconds ago.
_AGREEING_SECONDS = 5.0
# Metrics are published on the embedded lab only.
WRITES = {"s3": {"PutObject"}, "cloudwatch": {"PutMetricData"}}

# A service that hangs delays its own panel only.
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=20,
    # A tenth of what a call costs here, and all parameters are the console's own.
    parameter_validation=False,
)


class ReadOnlyError(PipelineError):
    """The page must not make this call; it was not sent."""


class Calls:
    """Counts calls by operation; thread-safe."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._lock = threading.Lock()

    def add(self, operation: str) -> None:
        with self._lock:
            self._counts[operation] += 1

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


class Clock:
    """AWS's clock, by the Date of its answers, which has whole seconds; thread-safe.

    Each answer bounds by how much it is ahead of this machine's; bounds that don't fit are of a
    clock that was set anew.
    """

    def __init__(self) -> None:
        self._least, self._most = -math.inf, math.inf
        self._lock = threading.Lock()

    def saw(self, date: str | None, asked: float, answered: float) -> None:
        """An answer had this Date; it was asked for and came then (epoch seconds, here)."""
        try:
            there = parsedate_to_datetime(str(date)).timestamp()
        except ValueError:
            return
        least, most = there - answered, there + 1 - asked
        with self._lock:
            self._least, self._most = max(self._least, least), min(self._most, most)
            if self._least > self._most:
                self._least, self._most = least, most

    @property
    def ahead(self) -> float:
        """Seconds; 0 where both clocks may agree, as far as servers are right with their Date."""
        with self._lock:
            nearest = max(self._least, min(self._most, 0.0))
            return (self._least + self._most) / 2 if abs(nearest) > _AGREEING_SECONDS else 0.0

    def now(self) -> float:
        """AWS's time, in epoch seconds."""
        return time.time() + self.ahead


@dataclass(frozen=True, eq=False)
class ReadSession(Session):
    """A pipeline whose clients may read, and with `write` upload; `calls` counts theirs.

    They raise ReadOnlyError instead of making another call.
    """

    write: bool = False
    calls: Calls = field(default_factory=Calls)
    clock: Clock = field(default_factory=Clock)

    def uncached(self) -> "ReadSession":
        """The same with the same clients, but without the function's configuration."""
        return replace(self, configuration={})

    def make_client(self, service: str) -> Any:
        """A new client. Raises PipelineError without a region or profile."""
        client = aws.client(service, _CONFIG, **self.target.settings)
        writes = WRITES.get(service, set()) if self.write else set()
        allowed = READS.get(service, set()) | writes

        def check(model: Any, context: Any, **_: Any) -> None:
            if model.name not in allowed:
                raise ReadOnlyError(f"The page must not call {model.name}.")
            self.calls.add(model.name)
            context["asked"] = time.time()

        def look(http_response: Any, context: Any, **_: Any) -> None:
            date = http_response.headers.get("Date")
            self.clock.saw(date, context.get("asked", 0.0), time.time())

        client.meta.events.register("before-call.*.*", check)
        client.meta.events.register("after-call.*.*", look)
        return client


def connect(target: Target, *, write: bool, calls: Calls) -> ReadSession:
    """The session of `target`.

    Raises PipelineError without credentials, or with another account's.
    """
    session = ReadSession(target, "", write=write, calls=calls)
    return replace(session, account=account_of(target, session.client("sts")))


def explain(error: Exception, thing: str) -> str:
    """A sentence about an error while `thing` was read; an unexpected one is logged too."""
    if isinstance(error, PipelineError):
        return str(error)
    if isinstance(error, ClientError | BotoCoreError):
        return aws.sentence(error, thing, "run `terraform apply` in the stack's root")
    traceback.print_exception(error)
    name = f"{thing[:1].upper()}{thing[1:]}"
    return f"{name} can't be read ({type(error).__name__}: {error!s:.300}): report this."
