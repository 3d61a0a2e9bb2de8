"""A deployed pipeline's names, as its Terraform root outputs them."""

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import PipelineError

# What --set takes: the module's outputs that are one string, alarm names separated by commas, and
# delivery as JSON or only its `via`.
SETTABLE = (
    "bucket_name",
    "table_name",
    "table_stream_arn",
    "function_name",
    "function_arn",
    "topic_arn",
    "failure_queue_url",
    "buffer_queue_url",
    "log_group_name",
    "alarm_names",
    "delivery",
)
_EVERY_UPLOAD = {"prefix": "", "suffix": "", "events": ["s3:ObjectCreated:*"]}


class NotYetError(PipelineError):
    """The stack may become a pipeline: it is not applied, or does not run."""


class _Name:
    """An output that is one string. Reading it raises PipelineError where it is absent."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, target: "Target", owner: type) -> str:
        return target.text(self._name)


APPLY = "run `terraform apply` in the stack's root"


@dataclass(frozen=True)
class Target:
    """A deployed pipeline: its names, and how to reach it.

    `outputs` are the module's by name, `origin` says where they come from and begins a sentence,
    `flags` are the options that find this pipeline again. `region` is None where neither outputs
    nor environment have one. `apply` says how the module is applied. Reading an absent name raises
    PipelineError, so that a half-applied stack is enough for a command that needs no more.
    """

    outputs: Mapping[str, Any]
    origin: str
    flags: tuple[str, ...] = ()
    region: str | None = None
    apply: str = APPLY

    bucket_name = _Name()
    table_name = _Name()
    table_stream_arn = _Name()
    function_name = _Name()
    failure_queue_url = _Name()
    log_group_name = _Name()

    @property
    def settings(self) -> dict[str, Any]:
        """boto3's settings for a client; endpoint and credentials are the environment's."""
        return {} if self.region is None else {"region_name": self.region}

    @property
    def topic_arn(self) -> str:
        """ARN of the topic that alarms publish to."""
        arn = self.text("topic_arn")
        if not re.fullmatch(r"arn(:[^:]+){5}", arn):
            raise PipelineError(
                f"{self.origin} gives a topic_arn that is no ARN: take the module's."
            )
        return arn

    @property
    def buffer_queue_url(self) -> str | None:
        """URL of the queue between source and function, None without one."""
        name = "buffer_queue_url"
        return None if self.outputs.get(name) is None else self.text(name)

    @property
    def alarm_names(self) -> tuple[str, ...]:
        names = self._value("alarm_names")
        given = names if isinstance(names, list) else str(names).split(",")
        return tuple(str(name).strip() for name in given)

    @property
    def delivery(self) -> Mapping[str, Any]:
        """`via`, `buckets`, `filters` and `buffered`, as in the module's output."""
        delivery = self._value("delivery")
        if delivery in ("notification", "eventbridge"):
            buffered = self.buffer_queue_url is not None
            return {"via": delivery, "filters": [_EVERY_UPLOAD], "buffered": buffered}
        if isinstance(delivery, str):
            with contextlib.suppress(ValueError, RecursionError):
                delivery = json.loads(delivery)
        if not isinstance(delivery, dict):
            raise PipelineError(
                f"{self.origin} gives a delivery that is no object: take the module's, or write "
                "--set delivery=notification or --set delivery=eventbridge."
            )
        if not _are_filters(delivery.get("filters")):
            raise PipelineError(
                f"{self.origin} gives delivery.filters of another shape: take the module's."
            )
        buckets = delivery.get("buckets") or []
        if not isinstance(buckets, list) or not all(isinstance(name, str) for name in buckets):
            raise PipelineError(
                f"{self.origin} gives delivery.buckets that are no names: take the module's."
            )
        return delivery

    @property
    def further_buckets(self) -> tuple[str, ...]:
        """The names in `delivery.buckets`; none where no delivery is known."""
        if self.outputs.get("delivery") is None:
            return ()
        return tuple(self.delivery.get("buckets") or ())

    def shown(self, bucket: str, key: str) -> str:
        """An object's key for people; with its bucket where the pipeline takes several."""
        return f"s3://{bucket}/{key}" if self.further_buckets else key

    def buckets(self, only: str | None = None) -> tuple[str, ...]:
        """The names of all buckets whose uploads it takes, its own first; or `only` that one.

        Raises PipelineError where there is no such bucket.
        """
        found = (self.bucket_name, *self.further_buckets)
        if only is None:
            return found
        if only not in found:
            raise PipelineError(
                f"{self.origin} takes no uploads of the bucket {only!r}: give --bucket one of "
                f"{', '.join(found)}."
            )
        return (only,)

    @property
    def filters(self) -> list[Mapping[str, Any]]:
        """`delivery.filters`, each with `prefix`, `suffix` and `events`; none if there are none."""
        return list(self.delivery.get("filters") or [])

    def text(self, name: str) -> str:
        """An output that is one string. Raises PipelineError."""
        value = self._value(name)
        if not isinstance(value, str) or not value:
            raise PipelineError(f"{self.origin} gives a {name} that is no name: take the module's.")
        return value

    def _value(self, name: str) -> Any:
        value = self.outputs.get(name)
        if value is None:
            by_hand = f", or give it with --set {name}=…" if name in SETTABLE else ""
            raise PipelineError(
                f"{self.origin} gives no {name}: apply the stack to its end with "
                f"`terraform apply`, with the module's output among its root's{by_hand}."
            )
        return value


def _are_filters(value: Any) -> bool:
    """Whether this is a list of filters, or nothing."""
    try:
        return value is None or all(
            isinstance(each["events"], list)
            and all(isinstance(text, str) for text in (each["prefix"], each["suffix"]))
            and all(isinstance(event, str) for event in each["events"])
            for each in value
        )
    except (TypeError, KeyError):
        return False
