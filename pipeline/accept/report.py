"""Show what a run found: for people, for programs, and as Markdown."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.accept.checks import CHECKS
from pipeline.accept.journal import Journal, Result
from pipeline.errors import PipelineError
from pipeline.terminal import entry, printable

_COLOURS = {"proved": "green", "disproved": "red", "could not be tried": "yellow"}
# Narrower, no room is left for what was seen.
_TABLE_WIDTH = 100


def document(journal: Journal, seconds: float, dollars: float) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "account": journal.account,
        "region": journal.region,
        "prefix": journal.prefix,
        "estimate_dollars": journal.estimate,
        "dollars": round(dollars, 4),
        "seconds": round(seconds, 1),
        "left": journal.left,
        "checks": [
            {
                "id": name,
                "what": CHECKS[name].what if name in CHECKS else "",
                "line": name in CHECKS and CHECKS[name].line,
                "verdict": result.verdict,
                "message": result.message,
                "seconds": result.seconds,
                "dollars": result.dollars,
            }
            for name, result in _ordered(journal)
        ],
    }


def show(console: Console, journal: Journal) -> None:
    """Print the table; folded only to a terminal's width."""
    table = Table(box=None, pad_edge=False)
    for name in "check", "verdict":
        table.add_column(name, no_wrap=True)
    for name in "seconds", "dollars":
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what was seen", overflow="fold")
    for name, result in _ordered(journal):
        seconds, dollars = f"{result.seconds:.1f}", f"{result.dollars:.4f}"
        message, verdict = printable(result.message), result.verdict
        if console.is_terminal and console.width < _TABLE_WIDTH:
            head = Text(f"{verdict}  {name}", style=_COLOURS[verdict])
            entry(console, head, f"{seconds} s, ${dollars}: {message}")
        elif console.is_terminal:
            coloured = f"[{_COLOURS[verdict]}]{verdict}[/]"
            table.add_row(name, coloured, seconds, dollars, escape(message))
        else:
            line = f"{name:24} {verdict:18} {seconds:>8} {dollars:>8}  {message}"
            console.print(line, soft_wrap=True, markup=False)
    if console.is_terminal and console.width >= _TABLE_WIDTH:
        console.print(table)


def summary(results: Iterable[Result]) -> str:
    """`5 proved, 0 disproved, 3 could not be tried`."""
    verdicts: list[str] = [result.verdict for result in results]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in _COLOURS)


def markdown(journal: Journal, seconds: float, dollars: float) -> str:
    """The same as a Markdown table."""
    head = (
        f"Account {journal.account}, region {journal.region}: {summary(journal.results.values())} "
        f"in {seconds:.0f} s for ${dollars:.2f}, estimated ${journal.estimate:.2f}."
    )
    rows = [
        f"| {name} | {result.verdict} | {result.seconds:.1f} | {result.dollars:.4f} "
        f"| {_cell(result.message)} |"
        for name, result in _ordered(journal)
    ]
    header = ["| check | verdict | seconds | dollars | what was seen |", "|---|---|---|---|---|"]
    return "\n".join([head, "", *header, *rows, ""])


def refuse_unwritable(file: Path | None) -> None:
    """Raise PipelineError where a result could not be written, which takes hours to come."""
    if file is None:
        return
    if file.is_dir():
        raise PipelineError(f"{file} is a folder: name a file with --markdown.")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise PipelineError(f"{file} can't be written: name another file with --markdown.")


def write(file: Path, text: str) -> None:
    """Write `text`. Raises PipelineError."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PipelineError(
            f"{file} can't be written ({error.strerror}): name another file with --markdown."
        ) from error


def status(results: Iterable[Result]) -> int:
    """0: none is disproved, and what was not tried never can be here; 1: one is; 2: else."""
    results = list(results)
    if any(result.verdict == "disproved" for result in results):
        return 1
    return 2 if any(result.open for result in results) else 0


def _ordered(journal: Journal) -> list[tuple[str, Result]]:
    known = [(name, journal.results[name]) for name in CHECKS if name in journal.results]
    return known + [each for each in journal.results.items() if each[0] not in CHECKS]


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("<", "&lt;")
