"""Figures of the last minutes: exact counts by second, durations, and what a gauge showed."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.deployed.invokes import Invoke

WINDOW_SECONDS = 900
# A point of a sparkline.
BIN_SECONDS = 30
_KEPT_SECONDS = 4 * WINDOW_SECONDS
# Durations, the newest; counts have no bound.
_MAX_SAMPLES = 20_000
# An invocation without an end in the log, whose level of logging leaves that out, is over by then.
_SILENT_SECONDS = 3.0

Series = list[float | None]


class Sample(NamedTuple):
    """An attempt of an invocation that has ended: when (epoch seconds), and what became of it.

    `received` and `stored` are None where its handler does not log them.
    """

    at: float
    milliseconds: float | None
    failing: bool
    received: int | None = None
    stored: int | None = None
    ended: bool = True


class Counts:
    """What happened, by second."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_second: dict[int, float] = {}

    def add(self, at: float, number: float = 1) -> None:
        """Something happened at this time (epoch seconds)."""
        second = math.floor(at)
        self._by_second[second] = self._by_second.get(second, 0) + number
        if len(self._by_second) > 2 * _KEPT_SECONDS:
            newest = max(self._by_second)
            kept = self._by_second.items()
            self._by_second = {each: n for each, n in kept if each > newest - _KEPT_SECONDS}

    def since(self, now: float, seconds: float = WINDOW_SECONDS) -> int:
        """How often in so many seconds before `now`, and after it: clocks differ."""
        return int(sum(n for second, n in self._by_second.items() if second >= now - seconds))

    def series(self, now: float) -> Series:
        """The same by BIN_SECONDS, the oldest first."""
        bins: Series = [0.0] * (WINDOW_SECONDS // BIN_SECONDS)
        for second, number in self._by_second.items():
            at = _bin(second, now)
            if at is not None:
                bins[at] = (bins[at] or 0.0) + number
        return bins


class Gauge:
    """A value that is looked at now and then; of a second, and of a bin, the highest counts."""

    def __init__(self, *, lasting: bool) -> None:
        """`lasting`: it stays as it is until it is looked at again."""
        self._lasting = lasting
        self._by_second: dict[int, float] = {}

    def show(self, at: float, value: float) -> None:
        """It was this then."""
        second = math.floor(at)
        known = self._by_second.get(second, -math.inf)
        self._by_second[second] = value if self._lasting else max(known, value)
        if len(self._by_second) > 2 * _KEPT_SECONDS:
            del self._by_second[next(iter(self._by_second))]

    def most(self, now: float) -> float | None:
        """The highest value of the window, None without any."""
        found = (v for at, v in self._by_second.items() if at >= now - WINDOW_SECONDS)
        return max(found, default=None)

    def series(self, now: float) -> Series:
        """The highest by BIN_SECONDS, None where nobody looked."""
        bins: Series = [None] * (WINDOW_SECONDS // BIN_SECONDS)
        last: list[float | None] = [None] * len(bins)
        before: float | None = None
        for second, value in sorted(self._by_second.items()):
            at = _bin(second, now)
            if at is not None:
                bins[at] = value if bins[at] is None else max(bins[at] or 0.0, value)
                last[at] = value
            elif second < now:
                before = value
        if self._lasting:
            for at, found in enumerate(bins):
                if found is None:
                    bins[at] = before
                else:
                    before = last[at]
        return bins


class Figures:
    """What became of invocations. Not thread-safe."""

    def __init__(self, opened_at: float) -> None:
        """Invocations before that (epoch seconds) are not to be published as metrics."""
        self._opened_at = opened_at
        self._samples = OrderedDict[tuple[str, int], Sample]()
        self._unpublished: dict[tuple[str, int], Sample] = {}
        self.invocations, self.errors, self.received, self.stored = (Counts() for _ in range(4))
        # Invocations of a handler that does not say what it received and stored.
        self._silent = Counts()

    def add(self, invoke: Invoke) -> None:
        """An invocation as far as it is known: each attempt once, when it is known how it ended."""
        if invoke.done_at is None and not invoke.ended:
            return
        took = invoke.milliseconds if invoke.reported is None else invoke.reported
        sample = Sample(
            invoke.at / 1000,
            took,
            invoke.attempt_failing,
            invoke.received,
            invoke.stored,
            invoke.ended,
        )
        key = invoke.request, invoke.attempts
        if before := self._samples.get(key):
            # The rest of its lines.
            self._count(before, -1)
            sample = sample._replace(at=before.at)
        self._samples[key] = sample
        self._count(sample, 1)
        if len(self._samples) > _MAX_SAMPLES:
            self._samples.popitem(last=False)
        # Those before were published by the page that was open then, or by none.
        if sample.at >= self._opened_at and (before is None or key in self._unpublished):
            self._unpublished[key] = sample

    def _count(self, sample: Sample, sign: int) -> None:
        self.invocations.add(sample.at, sign)
        self.errors.add(sample.at, sign * sample.failing)
        if sample.received is None or sample.stored is None:
            self._silent.add(sample.at, sign)
        self.received.add(sample.at, sign * (sample.received or 0))
        self.stored.add(sample.at, sign * (sample.stored or 0))

    def tells(self, now: float) -> bool:
        """Whether all invocations of the window say what they received and stored."""
        return not self._silent.since(now)

    def of_window(self, now: float) -> dict[str, float | None]:
        """Invocations, errors, and durations (p50 and p99, milliseconds) of the window."""
        while self._samples and next(iter(self._samples.values())).at < now - WINDOW_SECONDS:
            self._samples.popitem(last=False)
        durations = sorted(
            sample.milliseconds
            for sample in self._samples.values()
            if sample.milliseconds is not None and sample.at >= now - WINDOW_SECONDS
        )
        return {
            "invocations": self.invocations.since(now),
            "errors": self.errors.since(now),
            "p50": _percentile(durations, 50),
            "p99": _percentile(durations, 99),
        }

    def take_new(self, now: float) -> list[Sample]:
        """Those since this was last called, each once its end is known."""
        over = [
            key
            for key, sample in self._unpublished.items()
            if sample.ended or sample.at < now - _SILENT_SECONDS
        ]
        return [self._unpublished.pop(key) for key in over]


def _bin(second: float, now: float) -> int | None:
    """Which bin of the window this is in. Bins begin at whole multiples, so that they stand."""
    bins = WINDOW_SECONDS // BIN_SECONDS
    at = bins - 1 - (math.floor(now / BIN_SECONDS) - math.floor(second / BIN_SECONDS))
    return min(at, bins - 1) if at >= 0 else None


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The least of these sorted values that so many percent don't exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
