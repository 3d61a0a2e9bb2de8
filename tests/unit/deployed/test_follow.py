"""Following goes on with newer credentials, and ends where there are none."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pipeline.deployed import aws
from pipeline.deployed.follow import Reader, follow
from pipeline.deployed.session import Session
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """Of an account that nobody calls."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    return Session(Target({}, "--set", region="eu-central-1"), "000000000000")


class Expiring:
    """What is read with a session; of clients that were made before, it is refused."""

    def __init__(self, session: Session, refused: int) -> None:
        self.old, self.left, self.waited = session.client("logs"), refused, 0

    def read(self, session: Session) -> Iterator[Any]:
        with aws.asking("the log", "log in"):
            if self.left:
                self.left -= 1
                code = {"Error": {"Code": "ExpiredToken", "Message": "expired"}}
                raise ClientError(code, "FilterLogEvents")  # type: ignore[arg-type]
        yield session.client("logs") is self.old

    def wait(self, seconds: float) -> None:
        self.waited += 1


def test_credentials_that_expire_are_looked_for_again(session: Session) -> None:
    reads = Expiring(session, refused=1)
    before = boto3._get_default_session()
    news = follow(session, [Reader(reads.read, 0, 0)], reads.wait)
    assert next(news) == [False]
    assert boto3._get_default_session() is not before
    assert next(news) == [False]
    assert reads.waited == 1


def test_where_there_are_no_newer_ones_following_ends_with_a_sentence(session: Session) -> None:
    reads = Expiring(session, refused=2)
    news = follow(session, [Reader(reads.read, 0, 0)], reads.wait)
    with pytest.raises(PipelineError, match=r"credentials are refused .*: log in again"):
        next(news)
