"""What a terminal of any width gets."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from pipeline import terminal

KEY = "invoices/2026-11 müller+söhne.pdf"


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_an_entry_keeps_to_the_width_and_loses_nothing(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, no_color=True, highlight=False)
    terminal.entry(console, Text("2026-11-28T22:59:56.431+00:00  INFO  12 ms"), f"{KEY}\tstored")
    shown = Text.from_ansi(out.getvalue()).plain.splitlines()
    assert max(map(len, shown)) <= width
    assert KEY.replace(" ", "") in "".join(shown).replace(" ", "")


def test_an_entry_is_one_line_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    terminal.entry(Console(file=out, width=20), Text("2026-11-28  INFO"), f"{KEY}\n\x1b[31m")
    assert out.getvalue() == f"  2026-11-28  INFO  {KEY}\\n\\x1b[31m\n"
