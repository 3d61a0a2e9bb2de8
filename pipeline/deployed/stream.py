"""Read a table's stream as a consumer of new records does: from now on, all shards.

Reading a stream takes no read units of its table. AWS wants no more than two readers of a shard at
a time; Lambda triggers are readers too. Whoever reads needs `dynamodb:DescribeStream`,
`dynamodb:GetShardIterator` and `dynamodb:GetRecords` on the stream.
"""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.config import Config

from pipeline.deployed import aws
from pipeline.errors import PipelineError

Item = Mapping[str, Mapping[str, str]]

# AWS answers five GetRecords a second and shard; an emulator has no such limit.
_POLL_SECONDS = 0.2
_EMULATOR_POLL_SECONDS = 0.02
# A closed shard's children may show a bit later; AWS takes ten DescribeStream a second in all.
_LOOK_SECONDS = 1.0
_GET_RECORDS = 1000
_FIX = "take table_stream_arn from the stack's outputs, and its account and region"


@dataclass(frozen=True)
class Arrival:
    """One change of the table, as its stream tells it.

    `seen` is when it was read, in `time.monotonic()` seconds. `keys` and `image` are DynamoDB's
    typed attributes; `image` is what the item is now, None where it was removed and where the
    stream carries no new images.
    """

    seen: float
    change: Literal["INSERT", "MODIFY", "REMOVE"]
    keys: Item
    image: Item | None


class Arrivals:
    """The changes of a table from the moment this is made.

    `images`: whether its stream carries what items are now. Not for several threads at a time.
    """

    def __init__(self, streams: Any, stream_arn: str) -> None:
        """Stand at the end of every shard; `streams` is a boto3 client of `dynamodbstreams`.

        Raises PipelineError where the stream can't be read.
        """
        self._streams = streams
        self._arn = stream_arn
        # Iterators by shard; None where a shard came to its end and has no known child yet.
        self._open: dict[str, str | None] = {}
        self._looked = 0.0
        # What was read while the end was looked for.
        self._first: list[Arrival] = []
        description, shards = self._describe()
        self.images = "NEW" in description["StreamViewType"]
        parents = {shard.get("ParentShardId") for shard in shards}
        for shard in shards:
            # One that has just been closed too: its children are yet to come.
            if shard["ShardId"] not in parents:
                self._open[shard["ShardId"]] = self._iterator(shard["ShardId"], "LATEST")
        # The end is where the first read finds it.
        self._first = self.new()

    def new(self) -> list[Arrival]:
        """What came since the last call, in order for each item; doesn't wait.

        Raises PipelineError.
        """
        found, self._first = self._first, []
        if None in self._open.values() and time.monotonic() - self._looked > _LOOK_SECONDS:
            self._follow()
        for shard, iterator in list(self._open.items()):
            while iterator is not None:
                with self._asking():
                    page = self._streams.get_records(ShardIterator=iterator, Limit=_GET_RECORDS)
                now = time.monotonic()
                found += [_arrival(now, record) for record in page["Records"]]
                iterator = self._open[shard] = page.get("NextShardIterator")
                # A page that isn't full is the last there is for now.
                if len(page["Records"]) < _GET_RECORDS:
                    break
        return found

    def _follow(self) -> None:
        """Go on with the children of shards that came to their end. Raises PipelineError."""
        description, shards = self._describe()
        ended = {shard for shard, iterator in self._open.items() if iterator is None}
        for shard in shards:
            if shard.get("ParentShardId") in ended:
                # From its beginning: all of it is newer than the parent's end.
                self._open[shard["ShardId"]] = self._iterator(shard["ShardId"], "TRIM_HORIZON")
        for parent in ended & {shard.get("ParentShardId") for shard in shards}:
            del self._open[parent]
        if description["StreamStatus"] in ("DISABLING", "DISABLED"):
            raise PipelineError(f"The stream {self._arn} was switched off: apply the stack again.")

    def _describe(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The stream, and all shards of it."""
        self._looked = time.monotonic()
        asked = {"StreamArn": self._arn}
        shards: list[dict[str, Any]] = []
        while True:
            with self._asking():
                page = self._streams.describe_stream(**asked)["StreamDescription"]
            shards += page["Shards"]
            if not page.get("LastEvaluatedShardId"):
                return page, shards
            asked["ExclusiveStartShardId"] = page["LastEvaluatedShardId"]

    def _iterator(self, shard: str, kind: str) -> str | None:
        with self._asking():
            found = self._streams.get_shard_iterator(
                StreamArn=self._arn, ShardId=shard, ShardIteratorType=kind
            )
        iterator: str | None = found.get("ShardIterator")
        return iterator

    def _asking(self) -> contextlib.AbstractContextManager[None]:
        return aws.asking(f"the stream {self._arn}", _FIX)


def client(**settings: Any) -> Any:
    """A client that suits `Arrivals`; `settings` are boto3's. Raises PipelineError."""
    patient = Config(retries={"mode": "standard", "total_max_attempts": 5})
    return aws.client("dynamodbstreams", patient, **settings)


def poll_seconds(streams: Any) -> float:
    """How long to wait from one `new` to the next."""
    # AWS is reached over TLS, whatever its name is there; an emulator mostly isn't.
    aws_has_it = streams.meta.endpoint_url.startswith("https:")
    return _POLL_SECONDS if aws_has_it else _EMULATOR_POLL_SECONDS


def _arrival(now: float, record: Mapping[str, Any]) -> Arrival:
    told = record["dynamodb"]
    return Arrival(now, record["eventName"], told["Keys"], told.get("NewImage"))
