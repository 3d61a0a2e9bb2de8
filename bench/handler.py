"""How much less time and memory the handler takes than the obvious handler, as ratios.

    python -m bench.handler [--quick] [--json FILE] [--chart DIR]

All run in turns against a DynamoDB stub that takes 4 ms and 0.2 ms an item, so that other load on
the machine affects each: ours, ours with a hook, the obvious one, a careful one with Powertools for
AWS Lambda (where it is installed: `tox -e bench`), and the limit, which sends a presigned request
over a socket. All run as in Lambda: over TLS, each cold start a new process, ours from the package,
bytecode and all. The stub's root is one more of Amazon's for ours, one more of the machine's whole
store for boto3, which always reads as many, and the only one for the limit. Prints the median of
the ratios of neighbouring runs with its 95 % confidence interval (bootstrap), and whether the
project's promises hold: at nine tenths of each, since other load is never quite the same for all.

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
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from tools import package

ROOT = Path(__file__).resolve().parents[1]
OBVIOUS = Path(__file__).resolve().parent / "baseline"
POWERTOOLS = Path(__file__).resolve().parent / "powertools"
FLOOR = Path(__file__).resolve().parent / "floor"
# What a team's hook costs when it does nothing itself.
HOOK = """def on_event(event, record):
    return {"kind": "photo"}
"""
CHILD = Path(__file__).resolve().parent / "child.py"
CHILD_SECONDS = 120
PACKAGE_BYTES = 160 * 1024
NOISE = 0.9


@dataclass(frozen=True)
class Promise:
    """A figure: its measurement, and how many times better than the obvious handler it is.

    `at_least` is None for a figure without a promise. One `of_limit` is compared with the limit,
    and `handler` is which of ours it is of.
    """

    figure: str
    measurement: str
    at_least: float | None
    words: str
    of_limit: bool = False
    handler: str = "ours"


PROMISES: list[Promise] = [
    Promise("init CPU", "import", None, "less"),
    Promise("init + first call CPU", "cold", 10, "less"),
    Promise("the same, another root of the system's", "another", None, "less"),
    Promise("peak memory", "memory", 2, "less"),
    Promise("warm CPU per event", "warm_cpu", 4, "less"),
    Promise("batch of 1,000 SQS messages, events/s", "batch", 100, "more"),
    Promise("warm latency p50, of raw sockets'", "warm_latency", 1, "less", of_limit=True),
    Promise("warm CPU per event, with a hook", "warm_cpu", None, "less", handler="hooked"),
    Promise("the batch with a hook, events/s", "batch", None, "more", handler="hooked"),
]


@dataclass(frozen=True)
class Outcome:
    """A promise kept or not. `ours`, `obvious`, `floor` are medians: seconds, bytes for memory.

    `limit` is what a presigned request over a raw socket reaches. `powertools` is how many times
    better than that handler ours is; None without it.
    """

    figure: str
    ratio: float
    low: float
    high: float
    limit: float
    powertools: float | None
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
    size = package.PACKAGE.stat().st_size
    print(table(outcomes, size))
    if options.json:
        options.json.write_text(json.dumps(report(outcomes, size), indent=2) + "\n")
    if options.chart:
        from bench import chart

        options.chart.mkdir(parents=True, exist_ok=True)
        chart.draw([asdict(outcome) for outcome in outcomes], options.chart / "handler-speed")
    return 0 if all(outcome.holds for outcome in outcomes) and size <= PACKAGE_BYTES else 1


class Handler(NamedTuple):
    """The folder that holds it, and its environment."""

    folder: Path
    environment: dict[str, str]


# One turn of all: each handler's measurements by name.
Run = dict[str, dict[str, float]]


def measure(quick: bool, progress: TextIO) -> list[Run]:
    """What each turn measured."""
    plan: list[tuple[str, list[str]]] = (
        [("cold", [])] * (8 if quick else 40)
        + [("another", [])] * (4 if quick else 10)
        + [("warm", ["100" if quick else "300"])] * (4 if quick else 12)
        + [("batch", ["3"])] * (3 if quick else 8)
    )
    runs = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, stub(Path(name)) as urls:
        handlers = all_handlers(Path(name), urls[1])
        started = time.monotonic()
        for number, (kind, arguments) in enumerate(plan):
            names = [each for each in handlers if each not in ("another", "hooked")]
            if kind in ("warm", "batch"):
                names.insert(1, "hooked")
            took = {}
            # The first finds the machine in another state, so they take turns.
            for each in names[:: 1 if number % 2 else -1]:
                used = handlers["another" if kind == "another" and each == "ours" else each]
                one_by_one = kind == "batch" and each in ("obvious", "powertools")
                took[each] = run(kind, used, ["1"] if one_by_one else arguments)
            runs.append(took)
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


def unpacked(folder: Path, roots: list[Path]) -> Path:
    """Our package as Lambda unpacks it, with `roots` as further ones of Amazon's."""
    if found := package.differences(package.PACKAGE, compiled=True):
        raise NotTriedError(f"run `python -m tools package`: {found[0]}")
    with zipfile.ZipFile(package.PACKAGE) as archive:
        archive.extractall(folder)
    with (folder / package.ROOTS.name).open("a") as file:
        file.writelines(root.read_text() for root in roots)
    return folder


def all_handlers(folder: Path, url: str) -> dict[str, Handler]:
    """Each by name; writes `everybody.pem`, the machine's store and the stub's."""
    usual = ssl.get_default_verify_paths().cafile or ssl.get_default_verify_paths().openssl_cafile
    if not Path(usual).is_file():
        raise NotTriedError(f"no certificate authorities at {usual}")
    certificate, everybody = folder / "certificate.pem", folder / "everybody.pem"
    everybody.write_text(Path(usual).read_text() + certificate.read_text())
    common = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": "S3ToDynamoProcessor",
        "AWS_ENDPOINT_URL": url,
        "TABLE_NAME": "events",
        "TTL_SECONDS": "86400",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret-EXAMPLEKEY",
        "AWS_SESSION_TOKEN": "token-EXAMPLETOKEN" * 40,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    amazon = unpacked(folder / "amazon", [certificate])
    (amazon / "team.py").write_text(HOOK)
    every = common | {"AWS_CA_BUNDLE": str(everybody)}
    found = {
        "ours": Handler(amazon, common),
        "hooked": Handler(amazon, common | {"RECORD_HOOK": "team.on_event"}),
        "another": Handler(
            unpacked(folder / "another", []), common | {"SSL_CERT_FILE": str(everybody)}
        ),
        "obvious": Handler(OBVIOUS, every),
        "powertools": Handler(POWERTOOLS, every),
        "limit": Handler(FLOOR, common | {"AWS_CA_BUNDLE": str(certificate)}),
    }
    if not importlib.util.find_spec("aws_lambda_powertools"):
        del found["powertools"]
    for name in found.keys() & {"obvious", "powertools"}:
        # Lambda's runtime has boto3's bytecode, and so has this one from the first import on.
        compiling = {**every, "PYTHONDONTWRITEBYTECODE": ""}
        run("cold", found[name]._replace(environment=compiling), [])
    return found


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


def run(kind: str, handler: Handler, arguments: list[str]) -> dict[str, float]:
    """One child's measurements."""
    folder = handler.folder
    try:
        child = subprocess.run(
            [sys.executable, str(CHILD), kind, str(folder), *arguments],
            env=handler.environment,
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
    turns = [
        {name: timings[promise.measurement] for name, timings in run.items()}
        for run in runs
        if promise.measurement in run["obvious"] and promise.handler in run
    ]

    def ratios(of: str, to: str) -> list[float]:
        return [turn[of] / turn[to] for turn in turns if of in turn]

    def median(of: str) -> float:
        return statistics.median(turn[of] for turn in turns)

    measured = ratios("limit" if promise.of_limit else "obvious", promise.handler)
    ratio = statistics.median(measured)
    low, high = interval(measured)
    powertools = ratios("powertools", promise.handler)
    return Outcome(
        promise.figure,
        ratio,
        low,
        high,
        statistics.median(ratios("obvious", "limit")),
        statistics.median(powertools) if powertools else None,
        promise.at_least,
        promise.words,
        median(promise.handler),
        median("obvious"),
        median("limit"),
        promise.at_least is None or ratio >= promise.at_least * NOISE,
    )


def interval(ratios: list[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the median, by the bootstrap."""
    # Seeded: the same measurements always print the same interval.
    chance = random.Random(1)  # noqa: S311  (no secret)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[49], medians[1949]


def table(outcomes: list[Outcome], size: int) -> str:
    """The outcomes for people."""
    head = (
        *("figure", "at least", "measured", "95 % interval", "of Powertools", "limit", "ours"),
        *("obvious", ""),
    )
    rows = [head] + [
        (
            outcome.figure,
            f"{outcome.at_least:g}x {outcome.words}" if outcome.at_least else "",
            f"{outcome.ratio:.{digits(outcome)}f}x",
            f"{outcome.low:.{digits(outcome)}f} to {outcome.high:.{digits(outcome)}f}",
            f"{outcome.powertools:.1f}x" if outcome.powertools else "",
            f"{outcome.limit:.1f}x",
            amount(outcome, outcome.ours),
            amount(outcome, outcome.obvious),
            ("pass" if outcome.holds else "MISS") if outcome.at_least else "",
        )
        for outcome in outcomes
    ]
    passed = "pass" if size <= PACKAGE_BYTES else "MISS"
    rows.append(("package", "160 KB at most", f"{size / 1024:.1f} KB", "", "", "", "", "", passed))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def digits(outcome: Outcome) -> int:
    """Decimals for a ratio: near 1 a tenth says little."""
    return 1 if outcome.ratio >= 2 else 2


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
