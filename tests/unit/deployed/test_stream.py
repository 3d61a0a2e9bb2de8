"""A stream's shards end and have children, which no emulator's do."""

from typing import Any

import pytest

from pipeline.deployed import stream
from pipeline.deployed.stream import StreamReader
from pipeline.errors import PipelineError

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026"


class FakeStreams:
    """As much of DynamoDB Streams as a reader asks for; an iterator is `shard position`."""

    def __init__(self) -> None:
        self.parents: dict[str, str | None] = {}
        self.records: dict[str, list[str]] = {}
        self.closed: set[str] = set()
        self.status = "ENABLED"

    def open(self, shard: str, parent: str | None = None) -> None:
        self.parents[shard], self.records[shard] = parent, []

    def describe_stream(self, **asked: str) -> dict[str, Any]:
        # One shard a page.
        names = list(self.parents)
        last = asked.get("ExclusiveStartShardId")
        name = names[0 if last is None else names.index(last) + 1]
        shard = {"ShardId": name}
        if parent := self.parents[name]:
            shard["ParentShardId"] = parent
        page = {"Shards": [shard], "StreamViewType": "NEW_IMAGE", "StreamStatus": self.status}
        return {
            "StreamDescription": page
            | ({"LastEvaluatedShardId": name} if name != names[-1] else {})
        }

    def get_shard_iterator(self, **asked: str) -> dict[str, str]:
        shard = asked["ShardId"]
        start = len(self.records[shard]) if asked["ShardIteratorType"] == "LATEST" else 0
        return {"ShardIterator": f"{shard} {start}"}

    def get_records(self, **asked: Any) -> dict[str, Any]:
        shard, position = asked["ShardIterator"].split()
        start = int(position)
        page = self.records[shard][start : start + asked["Limit"]]
        records = [
            {
                "eventName": "INSERT",
                "dynamodb": {"Keys": {}, "NewImage": {"objectId": {"S": object_id}}},
            }
            for object_id in page
        ]
        answer: dict[str, Any] = {"Records": records}
        end = start + len(page)
        if shard not in self.closed or end < len(self.records[shard]):
            answer["NextShardIterator"] = f"{shard} {end}"
        return answer


def new_ids(reader: StreamReader) -> list[str]:
    return [record.image["objectId"]["S"] for record in reader.new() if record.image is not None]


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> FakeStreams:
    monkeypatch.setattr(stream, "_DESCRIBE_SECONDS", -1.0)
    streams = FakeStreams()
    streams.open("old")
    streams.open("now", parent="old")
    streams.records |= {"old": ["before"], "now": ["before"]}
    streams.closed.add("old")
    return streams


def test_older_records_are_skipped_and_new_ones_are_read_once(
    streams: FakeStreams,
) -> None:
    reader = StreamReader(streams, ARN)
    assert reader.images
    assert new_ids(reader) == []
    streams.records["now"] += [str(number) for number in range(2500)]
    assert new_ids(reader) == [str(number) for number in range(2500)]
    assert new_ids(reader) == []


def test_the_children_of_a_closed_shard_are_read_from_their_beginning(
    streams: FakeStreams,
) -> None:
    reader = StreamReader(streams, ARN)
    streams.records["now"].append("last")
    streams.closed.add("now")
    assert new_ids(reader) == ["last"]
    assert new_ids(reader) == []
    for child in ("left", "right"):
        streams.open(child, parent="now")
        streams.records[child].append(child)
    assert new_ids(reader) == ["left", "right"]
    streams.records["right"].append("more")
    assert new_ids(reader) == ["more"]


def test_a_stream_that_is_switched_off_is_reported(streams: FakeStreams) -> None:
    reader = StreamReader(streams, ARN)
    streams.closed.add("now")
    streams.status = "DISABLED"
    reader.new()
    with pytest.raises(PipelineError, match="was switched off"):
        reader.new()
