"""Each invoke is read once, however its lines come."""

import json
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.deployed.log import LogReader
from pipeline.deployed.session import Session
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"


class Logs:
    """CloudWatch Logs of AWS, as far as FilterLogEvents goes, in pages of `page` events."""

    def __init__(self, page: int = 100) -> None:
        self.meta = SimpleNamespace(endpoint_url="https://logs.eu-central-1.amazonaws.com")
        self._events: list[dict[str, Any]] = []
        self._page = page
        self.refused: str | None = None

    def say(self, *lines: str, ago: float = 0.0, stream: str = "s") -> None:
        for line in lines:
            at = int((time.time() - ago) * 1000)
            event = {"eventId": str(len(self._events)), "logStreamName": stream, "timestamp": at}
            self._events.append({**event, "message": line})

    def get_paginator(self, operation: str) -> "Logs":
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, startTime: int, **_: Any) -> Iterator[Mapping[str, Any]]:  # noqa: N803
        if self.refused:
            error = {"Error": {"Code": self.refused, "Message": "no"}}
            raise ClientError(error, "FilterLogEvents")  # type: ignore[arg-type]
        found = [event for event in self._events if event["timestamp"] >= startTime]
        for start in range(0, len(found) or 1, self._page):
            yield {"events": found[start : start + self._page]}


@pytest.fixture
def logs() -> Logs:
    return Logs()


@pytest.fixture
def session(logs: Logs) -> Session:
    return Session(Target({"log_group_name": "/aws/lambda/f"}, "It"), "1", {"logs": logs})


def started(request: str) -> str:
    return f"START RequestId: {request} Version: $LATEST"


def ended(request: str) -> str:
    return f"REPORT RequestId: {request}\tDuration: 12.5 ms\tBilled Duration: 13 ms"


def read(reader: LogReader, session: Session, *, last: bool = False) -> list[str]:
    return [invoke.request for invoke in reader.new(session, last=last)]


def test_an_invoke_comes_once_it_has_ended_and_not_again(logs: Logs, session: Session) -> None:
    reader = LogReader(0)
    logs.say(started(ONE))
    assert read(reader, session) == []
    logs.say(ended(ONE), started(TWO))
    assert read(reader, session) == [ONE]
    assert read(reader, session) == []
    assert read(reader, session, last=True) == [TWO]


def test_another_attempt_of_the_same_request_comes_again(logs: Logs, session: Session) -> None:
    reader = LogReader(0)
    logs.say(started(ONE), ended(ONE))
    assert read(reader, session) == [ONE]
    logs.say(started(ONE), ended(ONE))
    assert read(reader, session) == [ONE]


def test_an_invoke_whose_end_is_not_logged_comes_once_it_is_silent(
    logs: Logs, session: Session
) -> None:
    reader = LogReader(0)
    line = json.dumps({"level": "ERROR", "message": "no", "requestId": ONE})
    logs.say(line, ago=10)
    logs.say(line.replace(ONE, TWO))
    assert read(reader, session) == [ONE]


def test_pages_that_end_within_an_invoke_do_not_split_it(session: Session) -> None:
    logs = session.clients["logs"] = Logs(page=3)
    for each in (ONE, TWO):
        logs.say(started(each), ended(each), ago=5)
    found = list(LogReader(0).new(session))
    assert [invoke.request for invoke in found] == [ONE, TWO]
    assert {len(invoke.lines) for invoke in found} == {2}


def test_who_may_not_read_the_log_is_told_which_right_is_missing(
    logs: Logs, session: Session
) -> None:
    logs.refused = "AccessDeniedException"
    with pytest.raises(PipelineError, match="you need the right to FilterLogEvents"):
        read(LogReader(0), session)
