"""The figures of a load run."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.load.results import Results
from pipeline.load.run import Load

_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def figures_of(
    load: Load, results: Results, timeout: float, ended: BaseException | None
) -> dict[str, Any]:
    """What `--json` prints of a run that `ended` early, or did not.

    Times are in milliseconds where their name ends so: `upload_ms` is until S3 took an upload,
    `latency_ms` from there to its record, `behind_ms` how late it started, `total_ms` from when it
    was due (in a burst, started) to its record. `cold_ms` and `warm_ms` are `latency_ms` apart: of
    the `cold_starts` uploads for which the function was loaded first, and of the others. `recorded`
    uploads have one record or more, `unseen` of them were not on the stream; others are
    `in_failure_queue`, `lost` (in neither), `unconfirmed` (the table could not be read), or were
    `refused` by S3. `kept` and `removed` count objects and records.
    """
    plan, taken, delivery = load.plan, load.taken, load.found.delivery
    # When each record was seen, and when its upload was due or started.
    seen = [
        (at, upload.began if upload.due is None else upload.due)
        for upload in taken
        if (at := load.recorded_at(upload)) is not None
    ]
    cold = results.cold
    apart = {
        is_cold: [
            at for number, at in results.latency.items() if (number in (cold or ())) == is_cold
        ]
        for is_cold in (True, False)
    }
    began = [upload.began for upload in load.sent]
    first, last = min(began), max(began)
    notes = list(results.notes)
    if not load.has_keys:
        notes.append("The stream has no keys: a doubled record would not show.")
    if plan.rate and last > first and ended is None:
        reached = (len(began) - 1) / (last - first)
        if reached < 0.95 * plan.rate:
            notes.append(
                f"This machine started {reached:.1f} uploads a second, not {plan.rate:g}: raise "
                "--parallel, or ask for less."
            )
    via, buffered = delivery.get("via", "unknown"), delivery.get("buffered")
    return {
        "bucket": load.bucket,
        "table": load.table.name,
        "delivery": f"{via}, {'buffered' if buffered else 'direct'}",
        "folder": plan.folder,
        "uploads": plan.uploads,
        "rate": plan.rate,
        "parallel": load.parallel,
        "seed": plan.seed,
        "poll_ms": load.poll_seconds * 1000,
        "timeout_seconds": timeout,
        "uploaded": len(taken),
        "recorded": len(taken) - len(results.failed) - len(results.lost) - len(results.unconfirmed),
        "unseen": len(results.unseen),
        "confirmed": results.confirmed,
        "in_failure_queue": sorted(upload.key for upload in results.failed),
        "lost": sorted(upload.key for upload in results.lost),
        "unconfirmed": sorted(upload.key for upload in results.unconfirmed),
        "doubled": sorted(upload.key for upload in results.doubled),
        "refused": {upload.key: str(upload.error) for upload in load.sent if upload.error},
        "latency_ms": _milliseconds(results.latency.values()),
        "cold_starts": None if cold is None else len(cold),
        # Only where there are both.
        "cold_ms": _milliseconds(apart[True]) if all(apart.values()) else None,
        "warm_ms": _milliseconds(apart[False]) if all(apart.values()) else None,
        "upload_ms": _milliseconds(upload.answered - upload.began for upload in taken),
        "behind_ms": _milliseconds(
            upload.began - upload.due for upload in load.sent if upload.due is not None
        ),
        "total_ms": _milliseconds(at - due for at, due in seen),
        "uploads_per_second": _rate(first, [upload.answered for upload in taken]),
        "records_per_second": _rate(first, [at for at, _ in seen]),
        "kept": {},
        "removed": {},
        "pictures": [],
        "notes": notes,
        "ended_by": None if ended is None else str(ended) or type(ended).__name__,
    }


def problems(figures: Mapping[str, Any]) -> dict[str, list[str]]:
    """The uploads without exactly one record: keys by what became of them."""
    return {
        "lost": figures["lost"],
        "not confirmed": figures["unconfirmed"],
        "in the failure queue": figures["in_failure_queue"],
        "doubled": figures["doubled"],
        "refused by S3": [f"{key}: {reason}" for key, reason in figures["refused"].items()],
    }


def spread(seconds: Iterable[float]) -> dict[str, float] | None:
    """Percentiles and maximum, by name; None of nothing."""
    ordered = sorted(seconds)
    found = {name: percentile(ordered, share) for name, share in _SHARES.items() if ordered}
    return found or None


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least of these sorted values that `share` (0 to 1) of them don't exceed."""
    # Rounded, as a share that is no exact binary number must not count one more.
    return ordered[max(0, math.ceil(round(share * len(ordered), 6)) - 1)]


def duration(seconds: float) -> str:
    """`8.3 ms`, `120 ms`, `4.2 s` or `95 s`."""
    if round(seconds, 4) < 0.01:
        return f"{seconds * 1000:.1f} ms" if seconds else "0"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds:.0f} s"


def _milliseconds(seconds: Iterable[float]) -> dict[str, float] | None:
    found = spread(seconds) or {}
    return {name: round(value * 1000, 1) for name, value in found.items()} or None


def _rate(first: float, times: Sequence[float]) -> float | None:
    """How many a second, from the first upload's start to the last of these."""
    return round(len(times) / (max(times) - first), 1) if times else None
