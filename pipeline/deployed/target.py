"""A deployed pipeline's names, as its Terraform root says them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import PipelineError

# What can be given by hand: the module's outputs that are one string, names of alarms with commas
# between, and delivery as JSON or by its way alone.
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
_WAYS = ("notification", "eventbridge")
_EVERYTHING = {"prefix": "", "suffix": "", "events": ["s3:ObjectCreated:*"]}


class NotYetError(PipelineError):
    """What was named may be a pipeline one day: it is not applied, or does not run."""


@dataclass(frozen=True)
class Target:
    """A deployed pipeline: its names, and how to reach it.

    `outputs` are the module's by name, `origin` says where they come from, at the beginning of a
    sentence, `flags` are the options that lead here again. `region` is None where neither outputs
    nor environment name one. Reading a name that is absent raises PipelineError, so that a
    half-applied stack does for a command that needs no more than there is.
    """

    outputs: Mapping[str, Any]
    origin: str
    flags: tuple[str, ...] = ()
    region: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """boto3's settings for a client; endpoint and credentials are the environment's."""
        return {} if self.region is None else {"region_name": self.region}

    @property
    def bucket_name(self) -> str:
        """Name of the bucket that files are uploaded to."""
        return self._text("bucket_name")

    @property
    def table_name(self) -> str:
        """Name of the table that holds the records."""
        return self._text("table_name")

    @property
    def table_stream_arn(self) -> str:
        """ARN of the table's stream."""
        return self._text("table_stream_arn")

    @property
    def function_name(self) -> str:
        """Name of the function."""
        return self._text("function_name")

    @property
    def topic_arn(self) -> str:
        """ARN of the topic that alarms publish to."""
        arn = self._text("topic_arn")
        if not re.fullmatch(r"arn(:[^:]+){5}", arn):
            raise PipelineError(
                f"{self.origin} gives a topic_arn that is no ARN: take the module's."
            )
        return arn

    @property
    def failure_queue_url(self) -> str:
        """URL of the queue that holds what kept failing."""
        return self._text("failure_queue_url")

    @property
    def buffer_queue_url(self) -> str | None:
        """URL of the queue between source and function, None where there is none."""
        return (
            None if self.outputs.get("buffer_queue_url") is None else self._text("buffer_queue_url")
        )

    @property
    def log_group_name(self) -> str:
        """Name of the function's log group."""
        return self._text("log_group_name")

    @property
    def alarm_names(self) -> tuple[str, ...]:
        """Names of the alarms."""
        names = self._value("alarm_names")
        given = names if isinstance(names, list) else str(names).split(",")
        return tuple(str(name).strip() for name in given)

    @property
    def delivery(self) -> Mapping[str, Any]:
        """`via`, `filters` and `buffered`, as the module tells them."""
        delivery = self._value("delivery")
        if delivery in _WAYS:
            buffered = self.buffer_queue_url is not None
            return {"via": delivery, "filters": [_EVERYTHING], "buffered": buffered}
        if isinstance(delivery, str):
            delivery = _json(delivery)
        if not isinstance(delivery, dict):
            raise PipelineError(
                f"{self.origin} gives a delivery that is no object: take the module's, or write "
                "--set delivery=notification or --set delivery=eventbridge."
            )
        if not _are_filters(delivery.get("filters")):
            raise PipelineError(
                f"{self.origin} gives delivery.filters of another shape: take the module's."
            )
        return delivery

    def _value(self, name: str) -> Any:
        value = self.outputs.get(name)
        if value is None:
            by_hand = f", or give it with --set {name}=…" if name in SETTABLE else ""
            raise PipelineError(
                f"{self.origin} gives no {name}: apply the stack to its end with "
                f"`terraform apply`, with the module's output among its root's{by_hand}."
            )
        return value

    def _text(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value:
            raise PipelineError(f"{self.origin} gives a {name} that is no name: take the module's.")
        return value


def _are_filters(told: Any) -> bool:
    """Whether these are `delivery.filters`; a stack without any tells none."""
    return told is None or (
        isinstance(told, list)
        and all(
            isinstance(one, dict)
            and isinstance(one.get("prefix"), str)
            and isinstance(one.get("suffix"), str)
            and isinstance(one.get("events"), list)
            and all(isinstance(event, str) for event in one["events"])
            for one in told
        )
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
