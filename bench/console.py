"""Measure the page of `python -m pipeline console` in a browser, in one run on one machine.

Makes a lab (or uses the one in `--work-dir`, which then holds more), opens the page and uploads
files through it: first with the lab as it is, then with 5,000 records in its table and 10,000 lines
in its log. A stage's delay is from when it happened, by S3, the function's own log line and
DynamoDB, to when it lit in the page. This process polls these every few milliseconds, so that a
delay may be measured that much too short. Prints each figure with its promise.

Exit code: 0 every promise holds, 1 a promise does not hold, 2 it could not be tried.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as BrowserError

from pipeline.handler import events, records
from tests.support.page.browser import WHY_NONE, browser, chromium, opened
from tests.support.page.console import Lab, Served, serve, settled
from tests.support.stacks import kept

PAINT_MS, PAGE_BYTES, DELAY_MS, IDLE_PERCENT = 300.0, 120_000.0, 500.0, 2.0
RECORDS, LINES = 5_000, 10_000
DROPPED, DROP_SECONDS = 1000, 60.0
SHIFT = 0.02
STAGES = ("bucket", "delivery", "function", "table")
_IDLE_SECONDS = 20.0
_SETTLE_SECONDS = 15.0
_UPLOAD_SECONDS = 60.0
_LOOK_SECONDS = 0.005

# Notes when a step of an upload was first seen lit, in epoch milliseconds.
WATCH = """() => {
  window.lit = {};
  new MutationObserver(() => {
    for (const row of document.querySelectorAll("#upload-list > li")) {
      const steps = lit[row.querySelector(".key").textContent] ??= {};
      [...row.querySelectorAll(".step")].forEach((step, at) => {
        if (step.dataset.step === "done") steps[at] ??= Date.now();
      });
    }
  }).observe(document.getElementById("upload-list"), { subtree: true, childList: true, attributes: true });
}"""  # noqa: E501
# As a drop of files with these keys.
UPLOAD = """keys => import("./drops.js").then(({ upload }) =>
  upload(keys.map((key) => ({ body: new Blob(["bench"]), key }))))"""
# Without what the scripts ask for.
ASSETS = """() => [...performance.getEntriesByType("navigation"),
  ...performance.getEntriesByType("resource")].filter((file) => file.initiatorType !== "fetch")
  .reduce((sum, file) => sum + file.transferSize, 0)"""
# All that moved without somebody's doing.
SHIFTS = """window.shifted = 0; new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


class NotTriedError(Exception):
    """The benchmark can't run here; the message says why."""


@dataclass(frozen=True)
class Figure:
    """A figure in `unit`, judged by `value`; `most` is None for what is only worth knowing."""

    name: str
    value: float
    unit: str
    most: float | None = None
    median: float | None = None
    worst: float | None = None

    @property
    def holds(self) -> bool:
        """Whether what is promised of it is so."""
        return self.most is None or self.value <= self.most


def main() -> int:
    """Measure, print, and say by the exit code whether the promises hold."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.console",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--work-dir", type=Path, metavar="DIR", help="a lab that runs already")
    parser.add_argument("--uploads", type=int, default=20, metavar="N", help="in each state")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    try:
        figures = measure(options.work_dir, options.uploads)
    except (NotTriedError, BrowserError) as error:
        print(f"Could not be tried: {error}", file=sys.stderr)
        return 2
    print(table(figures))
    if options.json:
        report = {"load": os.getloadavg(), "figures": [asdict(figure) for figure in figures]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(figure.holds for figure in figures) else 1


def measure(work_dir: Path | None, uploads: int) -> list[Figure]:
    """All figures."""
    if chromium() is None:
        raise NotTriedError(WHY_NONE)
    with contextlib.ExitStack() as owner:
        folder = Path(owner.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lab = Lab(work_dir.resolve() if work_dir else owner.enter_context(new_lab(folder)))
        arguments = ("--work-dir", str(lab.folder))
        running = owner.enter_context(browser())
        # Warm: the first upload starts the function.
        lab.upload("bench/warm")
        with serve(folder / "console.log", *arguments) as console:
            figures = stages(running, console, lab, uploads, "")
            figures += dropped(running, console, lab)
        say(f"writing {RECORDS:,} records and {LINES:,} log lines")
        fill(lab)
        with serve(folder / "console.log", *arguments) as console:
            figures = [*opening(running, console), *figures]
            figures += stages(running, console, lab, uploads, ", full")
            figures.append(idle(running, console))
    return figures


@contextlib.contextmanager
def new_lab(folder: Path) -> Iterator[Path]:
    """A lab that goes with the block."""
    say("making a lab")
    try:
        kept.up(folder / "lab")
        yield folder / "lab"
    finally:
        kept.down(folder / "lab")


def opening(running: Browser, console: Served) -> list[Figure]:
    """How long until something shows, and how much is loaded, each time by a new visitor."""
    paints, sizes, shifts, elements = [], [], [], 0
    for _ in range(10):
        with opened(running) as page:
            page.add_init_script(SHIFTS)
            settled(page, console.url)
            page.wait_for_function(f"() => ({PAINT})() !== null")
            paints.append(float(page.evaluate(PAINT)))
            sizes.append(float(page.evaluate(ASSETS)))
            page.wait_for_function("() => document.querySelectorAll('#log > li').length >= 100")
            shifts.append(float(page.evaluate("shifted")))
            elements = page.evaluate("document.querySelectorAll('*').length")
    return [
        spread("first paint, full", paints, "ms", PAINT_MS),
        Figure("page, style and scripts", max(sizes) / 1000, "KB", PAGE_BYTES / 1000),
        Figure("layout shift, full", max(shifts), "", SHIFT),
        Figure("elements in the page, full", float(elements), ""),
    ]


def stages(running: Browser, console: Served, lab: Lab, uploads: int, state: str) -> list[Figure]:
    """How long after it happened each stage of an upload lights."""
    delays: dict[str, list[float]] = {stage: [] for stage in STAGES}
    whole = []
    with opened(running) as page, ThreadPoolExecutor(1) as pool:
        settled(page, console.url)
        page.evaluate(WATCH)
        for number in range(uploads):
            key = f"bench/{uuid.uuid4()}"
            happening = pool.submit(happened, lab, key)
            sent = time.time() * 1000
            page.evaluate(UPLOAD, [key])
            seen = lit(page, key)
            truth = happening.result() | logged(page, key)
            for at, stage in enumerate(STAGES):
                # Seen here before it was seen by whoever asks: at most as late as it is.
                delays[stage].append(max(0.0, seen[str(at)] - truth[stage]))
            whole.append(seen["3"] - sent)
            say(f"upload {number + 1} of {uploads}{state}")
    shown = [
        spread(f"{stage} lights after it happened{state}", delays[stage], "ms", DELAY_MS)
        for stage in STAGES
    ]
    return [*shown, spread(f"from the upload to the last light{state}", whole, "ms", None)]


def dropped(running: Browser, console: Served, lab: Lab) -> list[Figure]:
    """How long a drop of many small files takes, until the last has its record."""
    keys = {f"bench/dropped/{uuid.uuid4()}" for _ in range(DROPPED)}
    say(f"dropping {DROPPED:,} files")
    with opened(running) as page:
        settled(page, console.url)
        began = time.monotonic()
        page.evaluate(UPLOAD, list(keys))
        while not lab.keys() >= keys:
            if time.monotonic() - began > 10 * DROP_SECONDS:
                raise NotTriedError(f"{len(keys - lab.keys())} of {DROPPED:,} have no record")
            time.sleep(1)
    seconds = time.monotonic() - began
    return [
        Figure(f"{DROPPED:,} small files dropped, to the last record", seconds, "s", DROP_SECONDS)
    ]


def happened(lab: Lab, key: str) -> dict[str, float]:
    """When the object and its record were there, in epoch milliseconds."""
    s3, dynamodb = lab.client("s3"), lab.client("dynamodb")
    bucket, name = lab.name("bucket_name"), lab.name("table_name")
    deadline = time.monotonic() + _UPLOAD_SECONDS
    while time.monotonic() < deadline:
        found = s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions")
        if found:
            break
        time.sleep(_LOOK_SECONDS)
    else:
        raise NotTriedError(f"{key} is not in the bucket")
    uploaded = time.time() * 1000
    event = events.ObjectEvent(
        bucket, key, "ObjectCreated:Put", "", 0, version_id=found[0]["VersionId"]
    )
    wanted = {"objectId": {"S": records.object_id(event)}}
    while time.monotonic() < deadline:
        if "Item" in dynamodb.get_item(TableName=name, Key=wanted):
            return {"bucket": uploaded, "table": time.time() * 1000}
        time.sleep(_LOOK_SECONDS)
    raise NotTriedError(f"{key} has no record")


def lit(page: Page, key: str) -> dict[str, float]:
    """When each step lit, by its number."""
    page.wait_for_function(
        "key => Object.keys(lit[key] ?? {}).length === 4", arg=key, timeout=_UPLOAD_SECONDS * 1000
    )
    found: dict[str, float] = page.evaluate("key => lit[key]", key)
    return found


def logged(page: Page, key: str) -> dict[str, float]:
    """When the function began with it and was done, by its log line."""
    look = "key => [...known.uploads.values()].findLast((upload) => upload.key === key)"
    try:
        page.wait_for_function(f"key => ({look})(key)?.finished_at", arg=key)
    except BrowserError as error:
        seen = (
            page.evaluate(look, key),
            page.evaluate("known.stack"),
            page.evaluate("known.unknown"),
        )
        raise NotTriedError(f"no log line has {key}: {seen}") from error
    upload = page.evaluate(look, key)
    return {"delivery": upload["started_at"], "function": upload["finished_at"]}


def fill(lab: Lab) -> None:
    """Put records into the table, and lines of as many invokes into the log."""
    now = time.time()
    puts = [{"PutRequest": {"Item": record(number, now)}} for number in range(RECORDS)]
    dynamodb, name = lab.client("dynamodb"), lab.name("table_name")
    for start in range(0, len(puts), 25):
        dynamodb.batch_write_item(RequestItems={name: puts[start : start + 25]})
    logs, group = lab.client("logs"), lab.name("log_group_name")
    stream = f"bench-{uuid.uuid4()}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    # Within the quarter of an hour that the page reads.
    lines = [line(now - 600 + 590 * number / LINES) for number in range(LINES)]
    for start in range(0, len(lines), 1000):
        logs.put_log_events(
            logGroupName=group, logStreamName=stream, logEvents=lines[start : start + 1000]
        )


def record(number: int, now: float) -> dict[str, Any]:
    """A record as the function writes them, of some time in the last day."""
    at = int(now - 60 - number * 10)
    texts = {
        "objectId": str(uuid.uuid4()),
        "bucket": "event-driven-lab",
        "objectKey": f"bench/filled/{number:05}.txt",
        "eventName": "ObjectCreated:Put",
        "eventTime": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sequencer": f"{number:018X}",
        "versionId": uuid.uuid4().hex,
        "eTag": uuid.uuid4().hex,
    }
    numbers = {"timestamp": at, "ttl": at + 86_400, "size": number}
    return {name: {"S": value} for name, value in texts.items()} | {
        name: {"N": str(value)} for name, value in numbers.items()
    }


def line(at: float) -> dict[str, Any]:
    """The log's line of an invoke, `at` in epoch seconds."""
    document = {
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "level": "INFO",
        "message": "Invoke done",
        "requestId": str(uuid.uuid4()),
        "received": 1,
        "stored": 1,
        "failed": 0,
        "milliseconds": 7.5,
        "coldStart": False,
        "objectIds": [str(uuid.uuid4())],
    }
    return {"timestamp": int(at * 1000), "message": json.dumps(document)}


def idle(running: Browser, console: Served) -> Figure:
    """What the console's process takes of a core while a page is open and nothing happens."""
    say(f"idle for {_IDLE_SECONDS:.0f} s")
    with opened(running) as page:
        settled(page, console.url)
        # What was going on before is over.
        page.wait_for_timeout(_SETTLE_SECONDS * 1000)
        before, began = cpu_seconds(console.pid), time.monotonic()
        page.wait_for_timeout(_IDLE_SECONDS * 1000)
        took = cpu_seconds(console.pid) - before
        share = 100 * took / (time.monotonic() - began)
    return Figure("idle, one page open, full", share, "% of a core", IDLE_PERCENT)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has taken so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def spread(name: str, values: list[float], unit: str, most: float | None) -> Figure:
    """A figure of several measurements, judged by the one that 95 % don't exceed."""
    ranked = sorted(values)
    at = max(0, -(-95 * len(ranked) // 100) - 1)
    return Figure(name, ranked[at], unit, most, statistics.median(ranked), ranked[-1])


def table(figures: list[Figure]) -> str:
    """The figures for people."""
    head = ("figure", "at most", "measured (p95)", "median", "worst", "")
    rows = [head] + [
        (
            figure.name,
            "" if figure.most is None else _most(figure),
            amount(figure.value, figure.unit),
            "" if figure.median is None else amount(figure.median, figure.unit),
            "" if figure.worst is None else amount(figure.worst, figure.unit),
            "" if figure.most is None else "pass" if figure.holds else "MISS",
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, f"Load averages of the machine, {os.cpu_count()} cores: {load}"])


def _most(figure: Figure) -> str:
    most = figure.most or 0.0
    return f"{most:g}" if most < 1 else f"{most:,.0f} {figure.unit}"


def amount(value: float, unit: str) -> str:
    """`value` in its unit."""
    if 0 < value < 1 and not unit:
        return f"{value:.3f}"
    return f"{value:,.1f} {unit}" if unit and value < 100 else f"{value:,.0f} {unit}".rstrip()


def say(what: str) -> None:
    """Tell what goes on."""
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
