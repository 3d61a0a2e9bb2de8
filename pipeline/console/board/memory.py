"""What a board is told of stages, and what of it outlives the board."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.console.board.uploads import Uploads


@dataclass(frozen=True)
class Check:
    """How a stage is configured, in a sentence."""

    verdict: Literal["ok", "failing", "unknown"]
    message: str


@dataclass(frozen=True)
class Recovery:
    """A replay that ended well: when (epoch seconds), and how many events it recovered."""

    at: float
    events: int


@dataclass
class Memory:
    """What outlives a board, while nobody has the page open: own uploads, and the last replay."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    uploads: Uploads | None = None
    recovery: Recovery | None = None

    def uploads_to(
        self, bucket: str, filters: Sequence[Mapping[str, Any]], others: Sequence[str]
    ) -> Uploads:
        """Those to this bucket; of another one they are forgotten."""
        with self.lock:
            if self.uploads is None or self.uploads.bucket != bucket:
                self.uploads, self.recovery = Uploads(bucket, filters), None
            self.uploads.filters, self.uploads.others = filters, others
            return self.uploads
