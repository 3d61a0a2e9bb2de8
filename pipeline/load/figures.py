"""The figures of a load run."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """How long something took: half, 90 and 99 of a hundred at most so many seconds, and all."""

    p50: float
    p90: float
    p99: float
    max: float


def spread(seconds: Iterable[float]) -> Spread | None:
    """The spread of these; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    return Spread(*(percentile(ordered, share) for share in (0.5, 0.9, 0.99, 1.0)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least of these sorted values that `share` (0 to 1) of them don't exceed."""
    # A share that is no exact binary number must not count one more.
    return ordered[max(0, math.ceil(round(share * len(ordered), 6)) - 1)]


def duration(seconds: float) -> str:
    """`8.3 ms`, `120 ms`, `4.2 s` or `95 s`."""
    if round(seconds, 4) < 0.01:
        return f"{seconds * 1000:.1f} ms" if seconds else "0"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds:.0f} s"
