"""How much less time and memory the handler takes than the obvious handler, as ratios.

    python -m bench.handler [--quick] [--json FILE] [--chart DIR]

Both run in turns against a DynamoDB stub that takes 4 ms and 0.2 ms an item, so that other load on
the machine affects both. So does a third, the limit: it sends a presigned request over a socket.
All use TLS; each cold start is a new process. They trust only the stub's certificate, since reading
the usual 140 authorities takes each of them 20 ms; that is measured too. Prints the median of the
ratios of neighbouring runs with its 95 % confidence interval (bootstrap), and whether the project's
promises hold.

Exit status: 0 every promise holds, 1 a promise does not, 2 it could not be tried.
"""

import argparse
import importlib.util
import json
import os
import platform
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
OURS = ROOT / "lambda_src"
OBVIOUS = Path(__file__).resolve().parent / "baseline"
FLOOR = Path(__file__).resolve().parent / "floor"
CHILD = Path(__file__).resolve().parent / "child.py"
CHILD_SECONDS = 120
PACKAGE_BYTES = 40 * 1024


@dataclass(frozen=True)
class Promise:
    """A figure: its measurement, and how many times better than the obvious handler it is.

    `at_least` is None for a figure without a promise.
    """

    figure: str
    measurement: str
    at_least: float | None
    words: str


PROMISES: list[Promise] = [
    Promise("import (init) CPU", "import", 9, "less"),
    Promise("init + first call CPU, TLS", "cold", 5, "less"),
    Promise("the same, trusting all usual authorities", "trusting", None, "less"),
    Promise("peak memory", "memory", 2, "less"),
    Promise("warm CPU per event, 4 ms endpoint", "warm_cpu", 3.5, "less"),
    Promise("warm latency p50, 4 ms endpoint", "warm_latency", 1.4, "less"),
    Promise("batch of 1,000 SQS messages, events/s", "batch", 100, "more"),
]


@dataclass(frozen=True)
class Outcome:
    """A promise kept or not. `ours`, `obvious`, `floor` are medians: seconds, bytes for memory.

    `limit` is what a presigned request over a raw socket reaches.
    """

    figure: str
    ratio: float
    low: float
    high: float
    limit: float
    at_least: float | None
    words: str
    ours: float
    obvious: float
    floor: float
    holds: bool


class NotTriedError(Exception):
    """The benchmark could not run here."""


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.handler",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs: wider intervals")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--chart", type=Path, metavar="DIR", help="draw a PNG and an SVG there")
    options = parser.parse_args()
    try:
        if options.chart and not importlib.util.find_spec("matplotlib"):
            raise NotTriedError("the chart needs matplotlib; leave out --chart, or install it")
        runs = measure(options.quick, sys.stderr)
    except NotTriedError as error:
        print(f"Could not be tried: {error}", file=sys.stderr)
        return 2
    outcomes = [judge(promise, runs) for promise in PROMISES]
    size = package_bytes()
    print(table(outcomes, size))
    if options.json:
        options.json.write_text(json.dumps(report(outcomes, size), indent=2) + "\n")
    if options.chart:
        from bench import chart

        options.chart.mkdir(parents=True, exist_ok=True)
        chart.draw([asdict(outcome) for outcome in outcomes], options.chart / "handler-speed")
    return 0 if all(outcome.holds for outcome in outcomes) and size <= PACKAGE_BYTES else 1


# One turn of all three: measurements by name, as (ours, obvious, floor).
Run = dict[str, tuple[float, float, float]]


def measure(quick: bool, progress: TextIO) -> list[Run]:
    """What each turn measured."""
    plan: list[tuple[str, list[str]]] = (
        [("cold", [])] * (8 if quick else 40)
        + [("trusting", [])] * (4 if quick else 10)
        + [("warm", ["100" if quick else "300"])] * (4 if quick else 12)
        + [("batch", ["3"])] * (3 if quick else 8)
    )
    runs = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, stub(Path(name)) as urls:
        ours = compiled_by_nobody(Path(name))
        environment = child_environment(Path(name)) | {"AWS_ENDPOINT_URL": urls[1]}
        started = time.monotonic()
        for number, (kind, arguments) in enumerate(plan):
            trusted = "everybody.pem" if kind == "trusting" else "certificate.pem"
            environment["AWS_CA_BUNDLE"] = str(Path(name) / trusted)
            took = {}
            # The first finds the machine in another state, so they take turns.
            for folder in (ours, OBVIOUS, FLOOR)[:: 1 if number % 2 else -1]:
                count = ["1"] if kind == "batch" and folder == OBVIOUS else arguments
                took[folder] = run(kind, folder, count, environment)
            names = took[ours]
            runs.append({n: (took[ours][n], took[OBVIOUS][n], took[FLOOR][n]) for n in names})
            seconds = time.monotonic() - started
            text = f"{kind}: run {number + 1} of {len(plan)}, {seconds:.0f} s"
            if progress.isatty():
                progress.write(f"\r{text:<40}")
            elif (number + 1) % 10 == 0:
                progress.write(f"{text}\n")
            progress.flush()
    if progress.isatty():
        progress.write("\r" + " " * 40 + "\r")
    return runs


def compiled_by_nobody(folder: Path) -> Path:
    """Our sources as in Lambda: read-only, so that nothing is compiled beforehand."""
    copy = folder / "ours"
    copy.mkdir()
    for source in OURS.glob("*.py"):
        (copy / source.name).write_bytes(source.read_bytes())
    return copy


def child_environment(folder: Path) -> dict[str, str]:
    """Each handler's environment; writes `everybody.pem`, as many authorities as usual."""
    usual = ssl.get_default_verify_paths().cafile or ssl.get_default_verify_paths().openssl_cafile
    if not Path(usual).is_file():
        raise NotTriedError(f"no certificate authorities at {usual}")
    certificate = (folder / "certificate.pem").read_bytes()
    (folder / "everybody.pem").write_bytes(Path(usual).read_bytes() + certificate)
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TABLE_NAME": "events",
        "TTL_SECONDS": "86400",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret-EXAMPLEKEY",
        "AWS_SESSION_TOKEN": "token-EXAMPLETOKEN" * 40,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def stub(folder: Path) -> Iterator[list[str]]:
    """The DynamoDB stub's URLs, plain and TLS; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.stub", str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101  (for mypy)
    try:
        urls = [process.stdout.readline().strip() for _ in range(2)]
        if not all(urls):
            raise NotTriedError("the DynamoDB stub did not start")
        yield urls
    finally:
        process.communicate(timeout=10)


def run(
    kind: str, folder: Path, arguments: list[str], environment: dict[str, str]
) -> dict[str, float]:
    """One child's measurements."""
    try:
        child = subprocess.run(
            [sys.executable, str(CHILD), kind, str(folder), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotTriedError(f"the handler in {folder} took over {CHILD_SECONDS} s") from error
    last = child.stdout.strip().rpartition("\n")[2]
    if child.returncode or not last.startswith("RESULT "):
        raise NotTriedError(f"the handler in {folder} failed:\n{child.stderr[-2000:]}")
    result: dict[str, float] = json.loads(last.removeprefix("RESULT "))
    return result


def judge(promise: Promise, runs: list[Run]) -> Outcome:
    """The ratio in each run, their median, and whether it is enough."""
    turns = [timings[promise.measurement] for timings in runs if promise.measurement in timings]
    ratios = [obvious / ours for ours, obvious, _ in turns]
    low, high = interval(ratios)
    ratio = statistics.median(ratios)
    return Outcome(
        promise.figure,
        ratio,
        low,
        high,
        statistics.median(obvious / floor for _, obvious, floor in turns),
        promise.at_least,
        promise.words,
        statistics.median(turn[0] for turn in turns),
        statistics.median(turn[1] for turn in turns),
        statistics.median(turn[2] for turn in turns),
        promise.at_least is None or ratio >= promise.at_least,
    )


def interval(ratios: list[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the median, by the bootstrap."""
    # Seeded: the same measurements always print the same interval.
    chance = random.Random(1)  # noqa: S311  (no secret)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[49], medians[1949]


def package_bytes() -> int:
    """The size of a ZIP file that holds our sources uncompressed."""
    names = [(len(path.name), path.stat().st_size) for path in OURS.glob("*.py")]
    # A local header (30), a central one (46), the name in both; 22 at the end.
    return sum(size + 76 + 2 * name for name, size in names) + 22


def table(outcomes: list[Outcome], size: int) -> str:
    """The outcomes for people."""
    head = ("figure", "at least", "measured", "95 % interval", "limit", "ours", "obvious", "")
    rows = [head] + [
        (
            outcome.figure,
            f"{outcome.at_least:g}x {outcome.words}" if outcome.at_least else "",
            f"{outcome.ratio:.1f}x",
            f"{outcome.low:.1f} to {outcome.high:.1f}",
            f"{outcome.limit:.1f}x",
            amount(outcome, outcome.ours),
            amount(outcome, outcome.obvious),
            ("pass" if outcome.holds else "MISS") if outcome.at_least else "",
        )
        for outcome in outcomes
    ]
    passed = "pass" if size <= PACKAGE_BYTES else "MISS"
    rows.append(("package", "40 KB at most", f"{size / 1024:.1f} KB", "", "", "", "", passed))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def amount(outcome: Outcome, value: float) -> str:
    """`value` in the figure's unit."""
    if "memory" in outcome.figure:
        return f"{value / 2**20:.1f} MB"
    if "events/s" in outcome.figure:
        return f"{1000 / value:,.0f}/s"
    return f"{value * 1000:.2f} ms"


def report(outcomes: list[Outcome], size: int) -> dict[str, object]:
    """The outcomes for programs."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "package_bytes": size,
        "figures": [asdict(outcome) for outcome in outcomes],
    }


if __name__ == "__main__":
    sys.exit(main())
