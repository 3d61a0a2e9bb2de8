"""The module with each delivery, on new and existing buckets, with either kind of key."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

VIA = ("notification", "eventbridge")
# The one whose records S3 Batch Operations can fill in: EventBridge through a buffer.
BACKFILLED = "ebnk"


@dataclass(frozen=True)
class Delivery:
    """A configuration of the module; `existing`: of the bucket, `customer_key`: of a KMS key."""

    via: str
    buffered: bool
    existing: bool
    customer_key: bool

    @property
    def name(self) -> str:
        """Short enough for a prefix: `n` or `e`, then `b` or `d`, `x` or `n`, `k` or `s`."""
        letters = (
            self.via[0],
            "b" if self.buffered else "d",
            "x" if self.existing else "n",
            "k" if self.customer_key else "s",
        )
        return "".join(letters)

    def __str__(self) -> str:
        return " ".join(
            (
                self.via,
                "buffered" if self.buffered else "direct",
                "existing" if self.existing else "new",
                "customer-managed key" if self.customer_key else "default key",
            )
        )

    def variables(self, prefix: str = "") -> dict[str, Any]:
        """The module's variables; its names begin with `prefix` and the delivery's name."""
        values: dict[str, Any] = {
            "name_prefix": f"{prefix}{self.name}-",
            "delivery": {"via": self.via, **({"buffer": {}} if self.buffered else {})},
            "encryption": {"mode": "create" if self.customer_key else "service"},
            "bucket": {"force_destroy": True},
        }
        if self.name == BACKFILLED:
            values["backfill"] = {"create": True}
        if self.existing:
            theirs = f'${{aws_s3_bucket.theirs["{self.name}"].id}}'
            values["bucket"] = {
                "create": False,
                "name": theirs,
                "take_over_notifications": self.via == "notification",
            }
        return values


# On new buckets.
DELIVERIES = {
    each.name: each
    for each in (
        Delivery(via, buffered, existing=False, customer_key=key)
        for via, buffered, key in itertools.product(VIA, (False, True), (False, True))
    )
}


def root(
    deliveries: Iterable[Delivery],
    source: str = "../",
    prefix: str = "",
    provider: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A root module with an instance for each delivery, and the existing buckets.

    `provider` is the AWS provider's configuration.
    """
    deliveries = list(deliveries)
    theirs = {each.name: each.via for each in deliveries if each.existing}
    made: dict[str, Any] = {
        "provider": {"aws": provider or {}},
        "module": {each.name: {"source": source, **each.variables(prefix)} for each in deliveries},
        "output": {each.name: {"value": f"${{module.{each.name}}}"} for each in deliveries},
    }
    if theirs:
        switched_on = '${{for name, via in local.theirs : name => via if via == "eventbridge"}}'
        made["locals"] = {"theirs": theirs}
        made["resource"] = {
            "aws_s3_bucket": {
                "theirs": {"for_each": "${local.theirs}", "bucket": "theirs-${each.key}"}
            },
            # What a bucket's owner does before EventBridge gets its events.
            "aws_s3_bucket_notification": {
                "theirs": {
                    "for_each": switched_on,
                    "bucket": "${aws_s3_bucket.theirs[each.key].id}",
                    "eventbridge": True,
                }
            },
        }
    return made
