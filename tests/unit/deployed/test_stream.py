"""A stream's shards end and have children, which no emulator's do."""

from typing import Any

import pytest

from pipeline.deployed import stream as arrivals
from pipeline.deployed.stream import Arrivals
from pipeline.errors import PipelineError

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026"


class Stream:
    """As much of a stream as a reader asks for; an iterator is `shard position`."""

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
                "dynamodb": {"Keys": {}, "NewImage": {"objectId": {"S": one}}},
            }
            for one in page
        ]
        answer: dict[str, Any] = {"Records": records}
        end = start + len(page)
        if shard not in self.closed or end < len(self.records[shard]):
            answer["NextShardIterator"] = f"{shard} {end}"
        return answer


def told(reader: Arrivals) -> list[str]:
    return [one.image["objectId"]["S"] for one in reader.new() if one.image is not None]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    monkeypatch.setattr(arrivals, "_LOOK_SECONDS", -1.0)
    stream = Stream()
    stream.open("old")
    stream.open("now", parent="old")
    stream.records |= {"old": ["before"], "now": ["before"]}
    stream.closed.add("old")
    return stream


def test_what_was_there_before_is_passed_over_and_all_that_comes_is_told_once(
    stream: Stream,
) -> None:
    reader = Arrivals(stream, ARN)
    assert reader.images
    assert told(reader) == []
    stream.records["now"] += [str(number) for number in range(2500)]
    assert told(reader) == [str(number) for number in range(2500)]
    assert told(reader) == []


def test_a_shard_that_ends_is_followed_into_its_children_from_their_beginning(
    stream: Stream,
) -> None:
    reader = Arrivals(stream, ARN)
    stream.records["now"].append("last")
    stream.closed.add("now")
    assert told(reader) == ["last"]
    assert told(reader) == []
    for child in ("left", "right"):
        stream.open(child, parent="now")
        stream.records[child].append(child)
    assert told(reader) == ["left", "right"]
    stream.records["right"].append("more")
    assert told(reader) == ["more"]


def test_a_stream_that_is_switched_off_is_told(stream: Stream) -> None:
    reader = Arrivals(stream, ARN)
    stream.closed.add("now")
    stream.status = "DISABLED"
    reader.new()
    with pytest.raises(PipelineError, match="was switched off"):
        reader.new()
