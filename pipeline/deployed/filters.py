"""What should be in the table: of which objects there are records, and for how long."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pipeline.deployed import aws
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

_CREATED = "s3:ObjectCreated:"
_WHOLE = {"Put", "Post", "Copy"}
_IN_PARTS = {"CompleteMultipartUpload"}

Judgement = Literal["expected", "unjudged", "ignored"]


class Filter(NamedTuple):
    """Keys with this prefix and suffix, decoded, of which these ways of creation are delivered.

    `ways` are the last words of S3's event types (`Put`), all of them for `*`.
    """

    prefix: str
    suffix: str
    ways: frozenset[str]


EVERYTHING = Filter("", "", frozenset(_WHOLE | _IN_PARTS))


def filters_of(found: Target) -> tuple[Filter, ...]:
    """The pipeline's filters that take creations; the module's default where none are told.

    Raises PipelineError where no filter takes any.
    """
    # By hand, with --set, nobody can tell them.
    if found.outputs.get("delivery") is None:
        return (EVERYTHING,)
    filters = tuple(map(_read, found.delivery.get("filters") or ()))
    creating = tuple(one for one in filters if one.ways)
    if not creating:
        raise PipelineError(
            f"{found.origin} has no filter that takes s3:ObjectCreated events: of an object that "
            "is there no record is meant to be, so that nothing can be compared or filled in."
        )
    return creating


def judge(filters: Sequence[Filter], key: str, etag: str) -> Judgement:
    """Whether the creation of such an object is delivered, as far as a listing tells.

    An eTag with a dash is a multipart upload's; Put, Post and Copy leave objects that look alike,
    so that with some of them in the filters it can't be told.
    """
    ways: set[str] = set()
    for one in filters:
        if key.startswith(one.prefix) and key.endswith(one.suffix):
            ways |= one.ways
    possible = _IN_PARTS if "-" in etag else _WHOLE
    if possible <= ways:
        return "expected"
    return "unjudged" if possible & ways else "ignored"


def prefixes(filters: Sequence[Filter], within: str) -> list[str]:
    """The fewest prefixes whose listings hold every key below `within` that the filters take.

    Raises PipelineError where there can be none.
    """
    wanted = {max(one.prefix, within, key=len) for one in filters if _meet(one.prefix, within)}
    if not wanted:
        raise PipelineError(
            f"No filter of the pipeline takes keys below {within!r}: give --prefix one that "
            "delivery.filters take."
        )
    return sorted(
        one for one in wanted if not any(one != other and one.startswith(other) for other in wanted)
    )


def retention_seconds(functions: Any, function_name: str) -> int:
    """How long a record lives; `functions` is Lambda's client. Raises PipelineError."""
    with aws.asking(
        f"the function {function_name}",
        "take function_name from the stack's outputs, and its account and region",
    ):
        told = functions.get_function_configuration(FunctionName=function_name)
    variables: Mapping[str, str] = told.get("Environment", {}).get("Variables", {})
    try:
        retention = int(variables["TTL_SECONDS"])
    except (KeyError, ValueError) as error:
        raise PipelineError(
            f"The function {function_name} has no TTL_SECONDS in its environment that is a number, "
            "so that nobody knows how long records live: apply the module's function again."
        ) from error
    return retention


def _read(told: Mapping[str, Any]) -> Filter:
    created = {one.removeprefix(_CREATED) for one in told["events"] if one.startswith(_CREATED)}
    ways = EVERYTHING.ways if "*" in created else frozenset(created)
    return Filter(told["prefix"], told["suffix"], ways)


def _meet(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
