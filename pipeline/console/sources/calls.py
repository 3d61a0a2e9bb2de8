"""Clients of the pipeline's account that read; they write only where that was asked for."""

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.config import Config

from pipeline.deployed import aws
from pipeline.deployed.session import Session, account_of
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

# All that watching asks for; docs/operate/console.md lists the rights that it takes.
READS = frozenset(
    {
        "BatchGetItem",
        "DescribeAlarmHistory",
        "DescribeAlarms",
        "DescribeRule",
        "DescribeStream",
        "DescribeTable",
        "DescribeTimeToLive",
        "FilterLogEvents",
        "GetBucketNotificationConfiguration",
        "GetCallerIdentity",
        "GetFunctionConcurrency",
        "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig",
        "GetMetricStatistics",
        "GetPolicy",
        "GetQueueAttributes",
        "GetRecords",
        "GetShardIterator",
        "GetTopicAttributes",
        "ListEventSourceMappings",
        "ListRuleNamesByTarget",
        "ListSubscriptionsByTopic",
        "ListTargetsByRule",
        # With a visibility timeout of 0: nobody else misses a message.
        "ReceiveMessage",
        "Scan",
        "SimulatePrincipalPolicy",
        "TestEventPattern",
    }
)
# The latter for the embedded lab alone.
WRITES = frozenset({"PutObject", "PutMetricData"})

# A service that hangs leaves its own panel blind, and asks again later.
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=20,
    # A tenth of what a call costs here; nobody but this page asks.
    parameter_validation=False,
)


class ReadOnlyError(PipelineError):
    """A call was about to be made that may not be: it changes something, or nobody wants it."""


@dataclass
class Calls:
    """How many calls were made so far, by operation."""

    made: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, operation: str) -> None:
        """One more."""
        with self._lock:
            self.made[operation] += 1

    def so_far(self) -> dict[str, int]:
        """A copy."""
        with self._lock:
            return dict(self.made)


@dataclass(frozen=True, eq=False)
class Watched(Session):
    """A pipeline that is watched. With `write` files may be uploaded; `calls` counts.

    Its clients raise ReadOnlyError before a call that they must not make.
    """

    write: bool = False
    calls: Calls = field(default_factory=Calls)

    def afresh(self) -> "Watched":
        """The same, by the same clients, with nothing known of the function yet."""
        return replace(self, told={})

    def make_client(self, service: str) -> Any:
        """Another one. Raises PipelineError where no region or profile is to be found."""
        made = aws.client(service, _CONFIG, **self.target.settings)
        allowed = READS | WRITES if self.write else READS

        def look_at(model: Any, **_: Any) -> None:
            if model.name not in allowed:
                raise ReadOnlyError(f"{model.name} is nothing that this page may call.")
            self.calls.count(model.name)

        made.meta.events.register("before-call.*.*", look_at)
        return made


def watched(target: Target, *, write: bool, calls: Calls) -> Watched:
    """Look at `target`. Raises PipelineError without credentials, or with another account's."""
    alone = Watched(target, "", write=write, calls=calls)
    return replace(alone, account=account_of(target, alone.client("sts")))
