"""One upload on its way: how long each part took, each attempt, and its log lines."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.console.board.uploads import Upload
from pipeline.deployed.documents import epoch_ms
from pipeline.deployed.invokes import Invoke, attempts_of

Kind = Literal["upload", "wait", "cold", "run", "failed", "queue"]

# What the function's own duration leaves of Lambda's, where that is no start of an environment.
_OVERHEAD_MS = 20.0
_MAX_LINES = 300


@dataclass(frozen=True)
class Span:
    """A part of an upload's way, in epoch milliseconds; `end` is None while it goes on.

    `approximate`: its begin is known to the second only.
    """

    name: str
    kind: Kind
    start: float
    end: float | None
    approximate: bool = False
    reason: str = ""


def uploaded_at(upload: Upload | None, record: Mapping[str, Any] | None) -> tuple[float, bool]:
    """When it was sent, or S3's time of it (epoch milliseconds), and whether to the second only.

    0 where nobody knows.
    """
    if upload is not None and upload.from_page:
        return upload.at, False
    written = next(iter((record or {}).get("eventTime", {}).values()), None)
    if (at := epoch_ms(written)) is not None:
        return at, "." not in str(written)
    return (upload.at if upload is not None else 0.0), True


def spans(
    upload: Upload | None,
    record: Mapping[str, Any] | None,
    invokes: Sequence[Invoke],
    failed_at: float | None,
    wait: str,
) -> list[Span]:
    """What is known of it, in order; `wait` is what stands between S3 and the function.

    `failed_at` is since when it is in the failure queue, in epoch milliseconds.
    """
    at, approximate = uploaded_at(upload, record)
    found: list[Span] = []
    if upload is not None and upload.from_page:
        end = None if upload.put_ms is None else at + upload.put_ms
        found.append(Span("Upload to S3", "upload", at, end))
        at = at if end is None else end
    before: float | None = at or None
    for number, attempt in enumerate(_attempts(invokes)):
        start = min(attempt[0].start, attempt[-1].start)
        if before is not None:
            name = wait if number == 0 else "Wait for the next attempt"
            rough = approximate and number == 0
            if start > before:
                found.append(Span(name, "wait", before, start, rough))
        found += attempt
        before = attempt[-1].end
    over = upload is not None and upload.state in ("recorded", "rejected", "filtered_out")
    if failed_at is not None:
        found.append(Span("In the failure queue", "queue", failed_at, None))
    elif before is not None and not over and record is None and (invokes or upload):
        waits = wait if not invokes else "Wait for the next attempt"
        if upload is None or upload.put_ms is not None or not upload.from_page:
            found.append(Span(waits, "wait", before, None, approximate and not invokes))
    return found


def _attempts(invokes: Iterable[Invoke]) -> list[list[Span]]:
    """The spans of each attempt: the start of an environment apart, then the invocation."""
    tries = [attempt for invoke in invokes for attempt in attempts_of(invoke)]
    found = []
    for number, attempt in enumerate(sorted(tries, key=lambda attempt: attempt.at), 1):
        end = float(attempt.done_at or attempt.at)
        own = attempt.milliseconds
        whole = attempt.reported if attempt.reported is not None else own
        start = end - (own if own is not None else whole or 0.0)
        kind: Kind = "failed" if attempt.attempt_failing else "run"
        name = f"Attempt {number}" if len(tries) > 1 else "Invocation, with the write"
        run = Span(name, kind, start, end, reason=attempt.reason if kind == "failed" else "")
        init = attempt.init or 0.0
        if not init and attempt.cold_start and own is not None and whole is not None:
            # The emulator reports the start of an environment with the invocation.
            init = whole - own if whole - own > _OVERHEAD_MS else 0.0
        before = [Span("Start of the environment", "cold", start - init, start)] if init else []
        found.append([*before, run])
    return found


def lines(invokes: Iterable[Invoke]) -> list[tuple[int, str, str]]:
    """The log lines of all attempts, the oldest first."""
    return [line for invoke in invokes for line in invoke.lines][-_MAX_LINES:]


def candidates(invokes: Iterable[Invoke], since: float, until: float | None) -> list[Invoke]:
    """Invocations that failed in this time without naming a record, as where a handler raises."""
    end = math.inf if until is None else until
    return [
        replace(invoke)
        for invoke in invokes
        if invoke.failing
        and not invoke.not_stored
        and not invoke.object_ids
        and since <= invoke.at <= end
    ]
