"""Read what is new in AWS again and again, as long as credentials can be had."""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.deployed import aws
from pipeline.deployed.session import Session
from pipeline.errors import PipelineError


@dataclass(frozen=True)
class Reader[T]:
    """`read` finds what is new, every so many seconds on an emulator and in AWS.

    It takes its clients from the session each time, since they may be newer.
    """

    read: Callable[[Session], Iterable[T]]
    on_an_emulator: float
    in_aws: float


def follow[T](
    session: Session, readers: Sequence[Reader[T]], wait: Callable[[float], None]
) -> Generator[list[T]]:
    """What the readers find, a list each time that it is any; `wait` waits so many seconds.

    Credentials that expire are looked for again, once. Raises PipelineError and botocore's errors.
    """
    emulated = aws.is_emulator(session.client("logs"))
    due = [0.0] * len(readers)
    while True:
        for number, reader in enumerate(readers):
            if due[number] <= time.monotonic():
                if found := _read(session, reader):
                    yield found
                due[number] = time.monotonic() + (
                    reader.on_an_emulator if emulated else reader.in_aws
                )
        wait(max(0.0, min(due) - time.monotonic()))


def _read[T](session: Session, reader: Reader[T]) -> list[T]:
    try:
        return list(reader.read(session))
    except (PipelineError, ClientError, BotoCoreError) as error:
        if not aws.is_stale(error.__cause__ if isinstance(error, PipelineError) else error):
            raise
        # Whoever has logged in again has new ones.
        boto3.DEFAULT_SESSION = None
        session.clients.clear()
        return list(reader.read(session))
