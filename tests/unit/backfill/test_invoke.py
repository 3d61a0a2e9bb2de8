"""What is sent to a function with a hook is the event that backfill would have written itself."""

import pytest

from pipeline.backfill.invoke import notification
from pipeline.deployed.bucket import Version, event_of
from pipeline.handler import events


@pytest.mark.parametrize(
    "version",
    [
        Version("a b+ü%/c.txt", "v1", 1_795_000_000, "e1-3", 5, True, "uploads"),
        Version("~'()*!", "", 1_795_000_000, "", 0, False, "uploads"),
    ],
    ids=["versioned", "without an id"],
)
def test_the_function_reads_the_event_that_backfill_makes(version: Version) -> None:
    read = events.read(notification(version))
    assert [event for _, event in read.events] == [event_of(version)]
