"""The figures of a load run."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from pipeline.load.results import Results
from pipeline.load.run import Load


@dataclass(frozen=True)
class Spread:
    """Percentiles and maximum of durations, in seconds."""

    p50: float
    p90: float
    p99: float
    max: float


@dataclass
class Figures:
    """What `--json` prints; times are in milliseconds where their name ends so.

    `recorded` uploads have one record or more, `unseen` of them were not on the stream; others are
    `in_failure_queue`, `lost` (in neither), or were `refused` by S3. `confirmed` of those on the
    stream were found in the table, too. `upload_ms` is until S3 took an upload, `latency_ms` from
    there to its record, `behind_ms` how late it started, `total_ms` from when it was due (in a
    burst, started) to its record. `kept` and `removed` count objects and records.
    """

    bucket: str
    table: str
    delivery: str
    folder: str
    uploads: int
    rate: float | None
    parallel: int
    seed: int
    poll_ms: float
    timeout_seconds: float
    uploaded: int
    recorded: int
    unseen: int
    confirmed: int
    in_failure_queue: list[str]
    lost: list[str]
    doubled: list[str]
    refused: dict[str, str]
    latency_ms: dict[str, float] | None
    upload_ms: dict[str, float] | None
    behind_ms: dict[str, float] | None
    total_ms: dict[str, float] | None
    uploads_per_second: float | None
    records_per_second: float | None
    notes: list[str]
    ended_by: str | None
    kept: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)

    @property
    def problems(self) -> dict[str, list[str]]:
        """The uploads without exactly one record: keys by what became of them."""
        return {
            "lost": self.lost,
            "in the failure queue": self.in_failure_queue,
            "doubled": self.doubled,
            "refused": [f"{key}: {reason}" for key, reason in self.refused.items()],
        }


def figures_of(
    load: Load, results: Results, timeout: float, ended: BaseException | None
) -> Figures:
    """The figures of a run that `ended` early, or did not."""
    plan, taken, delivery = load.plan, load.taken, load.found.delivery
    # When each record was seen, and when its upload was due or started.
    seen = [
        (at, upload.began if upload.due is None else upload.due)
        for upload in taken
        if (at := load.recorded_at(upload)) is not None
    ]
    first = min(upload.began for upload in load.sent)
    figures = Figures(
        bucket=load.bucket,
        table=load.table.name,
        delivery=(
            f"{delivery.get('via', 'unknown')}, "
            f"{'buffered' if delivery.get('buffered') else 'direct'}"
        ),
        folder=plan.folder,
        uploads=plan.uploads,
        rate=plan.rate,
        parallel=load.parallel,
        seed=plan.seed,
        poll_ms=load.poll_seconds * 1000,
        timeout_seconds=timeout,
        uploaded=len(taken),
        recorded=len(taken) - len(results.failed) - len(results.lost),
        unseen=len(results.unseen),
        confirmed=results.confirmed,
        in_failure_queue=sorted(upload.key for upload in results.failed),
        lost=sorted(upload.key for upload in results.lost),
        doubled=sorted(upload.key for upload in results.doubled),
        refused={upload.key: str(upload.error) for upload in load.sent if upload.error},
        latency_ms=_milliseconds(results.latency.values()),
        upload_ms=_milliseconds(upload.answered - upload.began for upload in taken),
        behind_ms=_milliseconds(
            upload.began - upload.due for upload in load.sent if upload.due is not None
        ),
        total_ms=_milliseconds(at - due for at, due in seen),
        uploads_per_second=_rate(first, [upload.answered for upload in taken]),
        records_per_second=_rate(first, [at for at, _ in seen]),
        notes=list(results.notes),
        ended_by=None if ended is None else str(ended) or type(ended).__name__,
    )
    if not load.has_keys:
        figures.notes.append("The stream has no keys: a doubled record would not show.")
    last = max(upload.began for upload in load.sent)
    if plan.rate and last > first and ended is None:
        reached = (len(load.sent) - 1) / (last - first)
        if reached < 0.95 * plan.rate:
            figures.notes.append(
                f"This machine started {reached:.1f} uploads a second, not {plan.rate:g}: raise "
                "--parallel, or ask for less."
            )
    return figures


def spread(seconds: Iterable[float]) -> Spread | None:
    """The spread of these; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    return Spread(*(percentile(ordered, share) for share in (0.5, 0.9, 0.99, 1.0)))


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
    found = spread(seconds)
    if found is None:
        return None
    return {name: round(value * 1000, 1) for name, value in asdict(found).items()}


def _rate(first: float, times: Sequence[float]) -> float | None:
    """How many a second, from the first upload's start to the last of these."""
    return round(len(times) / (max(times) - first), 1) if times else None
