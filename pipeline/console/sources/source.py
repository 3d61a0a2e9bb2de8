"""What all sources have in common: each reads one panel's data, again and again."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pipeline.console.board.board import Board
from pipeline.console.sources.session import ReadSession


@dataclass
class Source(ABC):
    """Reads the data of `panel` into the board; `thing` is what it reads, for a sentence.

    `wake` has other panels read at once, since what was read here tells of news there.
    `interval` is the time between two reads in seconds, on the embedded lab and in AWS; `quick` the
    one while an upload is in progress. Calls to an emulator cost some of this machine's time,
    together less than a fiftieth of a core: the log, which has every event, wakes other sources. In
    AWS the always-free requests last for a month, day and night. The figures in
    docs/operate/console.md follow from these.
    """

    panel: ClassVar[str]
    thing: ClassVar[str]
    interval: ClassVar[tuple[float, float]]
    quick: ClassVar[tuple[float, float] | None] = None
    board: Board
    embedded: bool
    wake: Callable[..., None] = lambda *panels: None

    @abstractmethod
    def poll(self, session: ReadSession) -> None:
        """Read once. Raises PipelineError and botocore's errors."""

    def seconds(self) -> float:
        """How long to wait before the next read."""
        quick = self.quick if self.board.uploads_in_progress() else None
        lab, aws = quick or self.interval
        return lab if self.embedded else aws
