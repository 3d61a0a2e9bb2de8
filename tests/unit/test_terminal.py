"""What a terminal of any width gets."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from pipeline import terminal

REPOSITORY = Path(__file__).parents[2]
KEY = "invoices/2026-11 müller+söhne.pdf"


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_an_entry_keeps_to_the_width_and_loses_nothing(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, no_color=True, highlight=False)
    terminal.entry(console, Text("2026-11-28T22:59:56.431+00:00  INFO  12 ms"), f"{KEY}\tstored")
    shown = Text.from_ansi(out.getvalue()).plain.splitlines()
    assert max(map(len, shown)) <= width
    assert KEY.replace(" ", "") in "".join(shown).replace(" ", "")


def test_what_stands_before_an_entry_fits_a_narrow_terminal_without_its_columns() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=40, no_color=True, highlight=False)
    terminal.entry(console, Text("2026-11-28T22:59:56+00:00           3 B"), KEY)
    first = Text.from_ansi(out.getvalue()).plain.splitlines()[0]
    assert first == "  2026-11-28T22:59:56+00:00  3 B"


def test_an_entry_is_one_line_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    terminal.entry(Console(file=out, width=20), Text("2026-11-28  INFO"), f"{KEY}\n\x1b[31m")
    assert out.getvalue() == f"  2026-11-28  INFO  {KEY}\\n\\x1b[31m\n"


ROWS = [("until S3 took it", "800 ms", "2.3 s"), ("from there to its record", "12.6 s", "14.2 s")]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_field_keeps_its_lines_and_shows_what_a_terminal_would_obey(is_terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=60, no_color=True)
    terminal.fields(console, {"reason": "first\n\tsecond \x1b[2J\ud800"})
    shown = [line.rstrip() for line in Text.from_ansi(out.getvalue()).plain.splitlines()]
    assert shown[0] == "  reason  first"
    assert shown[1].strip() == r"second \x1b[2J\ud800"


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_table_that_does_not_fit_becomes_blocks_and_loses_nothing(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, no_color=True, highlight=False)
    terminal.table(console, ("", "p50", "p99"), ROWS, ["", "bold"])
    shown = Text.from_ansi(out.getvalue()).plain.splitlines()
    assert max(map(len, shown)) <= width
    together = " ".join(" ".join(shown).split())
    for name, p50, p99 in ROWS:
        assert name in together
        between = f" p50 {p50}, p99 {p99}" if width < 80 else f" {p50} {p99}"
        assert between in together.replace("  ", " ")


def test_without_a_terminal_a_table_has_one_line_a_row() -> None:
    out = io.StringIO()
    terminal.table(Console(file=out, width=20), ("", "p50", "p99"), ROWS)
    assert len(out.getvalue().splitlines()) == 1 + len(ROWS)


@pytest.mark.parametrize("width", [20, 40])
def test_sentences_break_between_words_but_commands_stay_whole(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, highlight=False)
    terminal.note(console, "A record counts from when it was read from the stream.")
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(out.getvalue().split()).endswith("was read from the stream.")
    terminal.note(console, "Bring it back with `pipeline lab up --work-dir /tmp/a-folder`.")
    assert "`pipeline lab up --work-dir /tmp/a-folder`" in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "steps", "lines"),
    [
        (0, 3, []),
        (10, 3, ["1 of 3 replayed", "2 of 3 replayed", "3 of 3 replayed"]),
        (3, 3, ["2 of 3 replayed", "3 of 3 replayed"]),
        # Where it ended early, the command itself says how far it came.
        (3, 2, ["2 of 3 replayed"]),
        (3, 4, ["2 of 4 replayed", "4 of 4 replayed"]),
    ],
)
def test_piped_progress_ends_with_one_true_line_or_prints_none(
    seconds: int, steps: int, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, out = 100.0, io.StringIO()
    monkeypatch.setattr("time.monotonic", lambda: now)
    with terminal.progress(Console(file=out), "queue") as move:
        move("replayed", 0, max(3, steps))
        for step in range(1, steps + 1):
            now += seconds
            move("replayed", step, max(3, steps))
    assert out.getvalue().splitlines() == [f"  queue: {line}" for line in lines]


@pytest.mark.parametrize(
    "printing",
    [
        "terminal.print_json(list(range(99_999)))",
        "[terminal.print_json_line({}) for _ in range(99_999)]",
        "[terminal.console().print('line') for _ in range(9_999)]",
        "terminal.wait(60)",
    ],
)
def test_whoever_reads_no_more_ends_it_quietly(printing: str) -> None:
    script = f"from pipeline import terminal\nprint('first', flush=True)\n{printing}\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "first\n"
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (141, "")
