"""Read the stream of a table from now on, in all its shards.

This takes no read units of the table. AWS recommends two readers of a shard at most; Lambda
triggers are readers too. It needs `dynamodb:DescribeStream`, `dynamodb:GetShardIterator` and
`dynamodb:GetRecords` on the stream.
"""

import functools
import time
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.deployed import aws
from pipeline.deployed.table import Item
from pipeline.errors import PipelineError

# AWS answers five GetRecords a second and shard; an emulator has no such limit.
_POLL_SECONDS = 0.2
_EMULATOR_POLL_SECONDS = 0.02
# The children of a closed shard may show later; AWS takes ten DescribeStream a second in all.
_DESCRIBE_SECONDS = 1.0
_GET_RECORDS = 1000

client = functools.partial(aws.client, "dynamodbstreams", attempts=5)


@dataclass(frozen=True)
class StreamRecord:
    """One change of the table.

    `seen` is when it was read, in `time.monotonic()` seconds. `keys` and `image` are DynamoDB's
    typed attributes; `image` is the new item, None where it was removed or the stream carries none.
    """

    seen: float
    change: Literal["INSERT", "MODIFY", "REMOVE"]
    keys: Item
    image: Item | None


class StreamReader:
    """The changes of a table since this was made; not for several threads at a time.

    `images`: whether the stream carries new items.
    """

    def __init__(self, streams: Any, stream_arn: str) -> None:
        """Start at the end of every shard; `streams` is a boto3 client of `dynamodbstreams`.

        Raises PipelineError where the stream can't be read.
        """
        self._streams = streams
        self._arn = stream_arn
        # Iterators by shard; None where a shard has ended and no child is known yet.
        self._open: dict[str, str | None] = {}
        self._described = 0.0
        self._first: list[StreamRecord] = []
        description, shards = self._describe()
        self.images = "NEW" in description["StreamViewType"]
        parents = {shard.get("ParentShardId") for shard in shards}
        for shard in shards:
            # Also one that has just been closed: its children are yet to come.
            if shard["ShardId"] not in parents:
                self._open[shard["ShardId"]] = self._iterator(shard["ShardId"], "LATEST")
        # LATEST is where the first read finds it, and that read may bring records.
        self._first = self.new()

    def use(self, streams: Any) -> None:
        """Go on with another client, whose credentials are newer."""
        self._streams = streams

    def new(self) -> list[StreamRecord]:
        """What came since the last call, in order for each item; doesn't wait.

        Raises PipelineError.
        """
        found, self._first = self._first, []
        if None in self._open.values() and time.monotonic() - self._described > _DESCRIBE_SECONDS:
            self._open_children()
        for shard, iterator in list(self._open.items()):
            while iterator is not None:
                page = self._ask("get_records", ShardIterator=iterator, Limit=_GET_RECORDS)
                now = time.monotonic()
                for record in page["Records"]:
                    change = record["dynamodb"]
                    found.append(
                        StreamRecord(
                            now, record["eventName"], change["Keys"], change.get("NewImage")
                        )
                    )
                iterator = self._open[shard] = page.get("NextShardIterator")
                # A page that isn't full is the last for now.
                if len(page["Records"]) < _GET_RECORDS:
                    break
        return found

    def _open_children(self) -> None:
        """Go on with the children of ended shards. Raises PipelineError."""
        description, shards = self._describe()
        ended = {shard for shard, iterator in self._open.items() if iterator is None}
        for shard in shards:
            if shard.get("ParentShardId") in ended:
                # From the beginning: all of it is newer than the parent's end.
                self._open[shard["ShardId"]] = self._iterator(shard["ShardId"], "TRIM_HORIZON")
        for parent in ended & {shard.get("ParentShardId") for shard in shards}:
            del self._open[parent]
        if description["StreamStatus"] in ("DISABLING", "DISABLED"):
            raise PipelineError(f"The stream {self._arn} was switched off: apply the stack again.")

    def _describe(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The stream's description, and all its shards; boto3 has no paginator for them."""
        self._described = time.monotonic()
        start: dict[str, str] = {}
        shards: list[dict[str, Any]] = []
        while True:
            answer = self._ask("describe_stream", StreamArn=self._arn, **start)
            description = answer["StreamDescription"]
            shards += description["Shards"]
            if not description.get("LastEvaluatedShardId"):
                return description, shards
            start = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}

    def _iterator(self, shard: str, kind: str) -> str | None:
        answer = self._ask(
            "get_shard_iterator", StreamArn=self._arn, ShardId=shard, ShardIteratorType=kind
        )
        iterator: str | None = answer.get("ShardIterator")
        return iterator

    def _ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        fix = "take table_stream_arn from the stack's outputs, and its account and region"
        with aws.asking(f"the stream {self._arn}", fix):
            answer: dict[str, Any] = getattr(self._streams, operation)(**parameters)
        return answer


def poll_seconds(streams: Any) -> float:
    """How long to wait from one `new` to the next."""
    return _EMULATOR_POLL_SECONDS if aws.is_emulator(streams) else _POLL_SECONDS
