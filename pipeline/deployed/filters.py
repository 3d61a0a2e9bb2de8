"""What should be in the table: of which objects there are records, and for how long."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pipeline.deployed import aws
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

_CREATED = "s3:ObjectCreated:"
_RETENTION_DIGITS = 10
_WHOLE = frozenset({"Put", "Post", "Copy"})
_IN_PARTS = frozenset({"CompleteMultipartUpload"})

Judgement = Literal["expected", "unjudged", "ignored"]


class Filter(NamedTuple):
    """A filter's prefix and suffix, decoded, and the uploads that it delivers.

    `operations` are the last words of S3's event types (`Put`); `*` is all of them.
    """

    prefix: str
    suffix: str
    operations: frozenset[str]


EVERYTHING = Filter("", "", _WHOLE | _IN_PARTS)


def filters_of(target: Target) -> tuple[Filter, ...]:
    """The pipeline's filters that take uploads; the module's default where none are known.

    Raises PipelineError where no filter takes any.
    """
    # Names given with --set may lack them.
    if target.outputs.get("delivery") is None:
        return (EVERYTHING,)
    filters = tuple(filter_ for filter_ in map(_read, target.filters) if filter_.operations)
    if not filters:
        raise PipelineError(
            f"{target.origin} has no filter that takes s3:ObjectCreated events: no object is meant "
            "to have a record, so that nothing can be compared or filled in."
        )
    return filters


def judge(filters: Sequence[Filter], key: str, etag: str) -> Judgement:
    """Whether the upload of such an object is delivered, as far as a listing tells.

    Only a multipart upload's eTag has a dash. Put, Post and Copy leave objects that look alike:
    where the filters take some of them, it is unknown.
    """
    taken: set[str] = set()
    for prefix, suffix, operations in filters:
        if key.startswith(prefix) and key.endswith(suffix):
            taken |= operations
    possible = _IN_PARTS if "-" in etag else _WHOLE
    if possible <= taken:
        return "expected"
    return "unjudged" if possible & taken else "ignored"


def prefixes(filters: Sequence[Filter], within: str) -> list[str]:
    """The fewest prefixes whose listings have every key below `within` that the filters take.

    Raises PipelineError where there are none.
    """
    wanted = {
        max(each.prefix, within, key=len)
        for each in filters
        if each.prefix.startswith(within) or within.startswith(each.prefix)
    }
    if not wanted:
        raise PipelineError(
            f"No filter of the pipeline takes keys below {within!r}: give --prefix one that "
            "delivery.filters take."
        )
    return sorted(
        prefix
        for prefix in wanted
        if not any(prefix != other and prefix.startswith(other) for other in wanted)
    )


def hook_of(functions: Any, function_name: str) -> str | None:
    """What the function calls for each event, if anything. Raises PipelineError."""
    return _environment(functions, function_name).get("RECORD_HOOK") or None


def retention_seconds(functions: Any, function_name: str) -> int:
    """How long a record lives; `functions` is Lambda's client. Raises PipelineError."""
    value = _environment(functions, function_name).get("TTL_SECONDS", "")
    # As the function reads it.
    if not value.isdecimal() or len(value) > _RETENTION_DIGITS:
        raise PipelineError(
            f"The function {function_name} has no number in its variable TTL_SECONDS, so that "
            "nobody knows how long records live: apply the module's function again."
        )
    return int(value)


def _environment(functions: Any, function_name: str) -> Mapping[str, str]:
    with aws.asking(
        f"the function {function_name}",
        "take function_name from the stack's outputs, and its account and region",
    ):
        answer = functions.get_function_configuration(FunctionName=function_name)
    found: Mapping[str, str] = answer.get("Environment", {}).get("Variables", {})
    return found


def _read(given: Mapping[str, Any]) -> Filter:
    operations = {
        event.removeprefix(_CREATED) for event in given["events"] if event.startswith(_CREATED)
    }
    every = EVERYTHING.operations if "*" in operations else frozenset(operations)
    return Filter(given["prefix"], given["suffix"], every)
