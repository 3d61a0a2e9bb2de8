"""Print on a terminal, and as plain lines where there is none."""

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress

# Called with what is being done, how much of it is done, and of how much in all, 0 if unknown.
ShowProgress = Callable[[str, int, int], None]

# The exit status where whoever read the output has gone, as in `| head`: 128 and SIGPIPE.
_PIPE_CLOSED = 141
# Where no bar can move.
_LINE_SECONDS = 5.0


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: on stderr where stdout is for JSON."""
    return _Console(stderr=stderr, highlight=False, emoji=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        end_quietly()


def end_quietly() -> NoReturn:
    """End, since nobody reads standard output any more."""
    # What is still to be flushed goes nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(_PIPE_CLOSED)


def wait(seconds: float) -> None:
    """Wait, but end at once when nobody reads standard output any more, as after `| head`."""
    watched = select.poll()
    try:
        watched.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        # It has no file.
        time.sleep(seconds)
        return
    if watched.poll(seconds * 1000):
        end_quietly()


def print_json(document: Any) -> None:
    """Print `document` on stdout; in ASCII, so that no name in it can control a terminal."""
    try:
        print(json.dumps(document, indent=2, default=str), flush=True)
    except BrokenPipeError:
        end_quietly()


def print_json_line(document: Any) -> None:
    """Print `document` on one line of stdout, at once; in ASCII."""
    try:
        print(json.dumps(document, default=str), flush=True)
    except BrokenPipeError:
        end_quietly()


@contextlib.contextmanager
def progress(console: Console, title: str) -> Iterator[ShowProgress]:
    """A bar on a terminal, for as long as the block lasts; elsewhere a line now and then.

    Without a terminal what is quick prints nothing, and what is not ends with a line that all of it
    is done, where how much that is was known.

    Yields what moves it: to be called with what is being done, how much of it is done, and of how
    much in all, 0 where that is unknown.
    """
    began = printed_at = time.monotonic()
    last, whole = "", False
    with bar(console) as shown:
        task = shown.add_task(escape(title), total=None)

        def move(what: str, done: int, total: int) -> None:
            nonlocal printed_at, last, whole
            now = time.monotonic()
            line = f"  {title}: {done}{f' of {total}' if total else ''} {what}"
            due = not console.is_terminal and now - printed_at >= _LINE_SECONDS
            last, whole = line, not due and 0 < total <= done
            if due:
                console.print(Text(line), soft_wrap=True)
                printed_at = now
            description = escape(f"{title}: {what}")
            shown.update(task, description=description, completed=done, total=total or None)

        yield move
    if whole and printed_at > began:
        console.print(Text(last), soft_wrap=True)


@contextlib.contextmanager
def interruptible(sentence: str) -> Iterator[None]:
    """Answer Ctrl-C at once, with what is waited for; the next one ends it without waiting."""

    def interrupted(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not print: it may be what was interrupted.
        os.write(2, f"\n{sentence}\n".encode())
        signal.default_int_handler(signum, frame)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def printable(text: str, at_most: int | None = None) -> str:
    """`text` in one line without control characters, cut after `at_most` characters."""
    cut = text if at_most is None or len(text) <= at_most else text[: at_most - 1] + "…"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut
    )


def heading(console: Console, text: str) -> None:
    """A line that opens a part."""
    console.print()
    _words(console, Text(text, style="bold"), 0)


def note(console: Console, text: str) -> None:
    """A plain sentence."""
    _words(console, Text(text), 2)


def _words(console: Console, text: Text, indent: int) -> None:
    """Print text, broken between words on a terminal, but where a command is to be copied."""
    if console.is_terminal and "`" not in text.plain:
        console.print(Padding(text, (0, 0, 0, indent)), overflow="fold")
    else:
        console.print(Text(" " * indent) + text, soft_wrap=True)


def problems(console: Console, kind: str, lines: Sequence[str], at_most: int) -> None:
    """Print the first lines, each after its `kind` in red, and how many more there are."""
    for line in lines[:at_most]:
        _words(console, Text.assemble((f"{kind}  ", "red"), printable(line)), 2)
    if len(lines) > at_most:
        note(console, f"and {len(lines) - at_most} more {kind} (--json has all)")


def command(console: Console, command_line: str, purpose: str) -> None:
    """Print a command to copy, and what it does."""
    console.print(Text(f"  {printable(command_line)}", style="green"), soft_wrap=True)
    console.print(Text(f"      {purpose}", style="dim"), soft_wrap=True)


def entry(console: Console, head: Text, body: str) -> None:
    """One line; on a terminal where it does not fit, its head, and below it the rest, indented."""
    body = printable(body.replace("\t", "  "))
    line = Text.assemble("  ", head, "  ", body)
    if not console.is_terminal or line.cell_len <= console.width:
        console.print(line, soft_wrap=True)
        return
    head = Text.assemble("  ", head)
    if head.cell_len > console.width:
        # Columns that stand below each other are of no use here.
        parts = (part[len(part) - len(part.plain.lstrip()) :] for part in head.split("  "))
        head = Text("  ") + Text("  ").join(part for part in parts if part)
    console.print(head, overflow="fold")
    console.print(Padding(Text(body, overflow="fold"), (0, 0, 0, 4)))


def aside(text: str) -> None:
    """Say something on stderr, so that stdout has nothing but what was asked for."""
    console(stderr=True).print(Text(printable(text), style="dim"), soft_wrap=True)


@contextlib.contextmanager
def last_line(text: Callable[[], str]) -> Iterator[None]:
    """Say in the end what the block came to, also after Ctrl-C; not where nobody reads any more."""
    try:
        yield
    except BaseException as end:
        if isinstance(end, KeyboardInterrupt) and sys.stderr.isatty():
            # Below the `^C` that the terminal shows.
            sys.stderr.write("\n")
        if not (isinstance(end, SystemExit) and end.code == _PIPE_CLOSED):
            aside(text())
        raise
    aside(text())


def fields(console: Console, values: Mapping[str, object]) -> None:
    """Names and values, each pair a line; folded only to a terminal's width."""
    shown = {printable(name): _lines(str(value)) for name, value in values.items()}
    if not console.is_terminal:
        width = max(map(len, shown))
        for name, value in shown.items():
            console.print(Text(f"  {name:{width}}  {value}"), soft_wrap=True)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    for name, value in shown.items():
        table.add_row(Text(name), Text(value))
    console.print(Padding(table, (0, 0, 0, 2)))


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.replace("\t", "  ").split("\n")))


def table(
    console: Console,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str] = (),
) -> None:
    """Rows below each other, the first column to the left and all others to the right.

    On a terminal that they don't fit, each row is a block. `styles` are of the rows.
    """
    columns = zip(head, *rows, strict=True)
    first, *widths = (max(map(len, column)) for column in columns)
    colours = [*styles, *[""] * (len(rows) - len(styles))]
    if console.is_terminal and 2 + first + sum(2 + width for width in widths) > console.width:
        for (name, *cells), style in zip(rows, colours, strict=True):
            _words(console, Text(name, style=style), 2)
            named = zip(head[1:], cells, strict=True)
            _words(console, Text(", ".join(f"{label} {cell}" for label, cell in named if cell)), 6)
        return
    for (name, *cells), style in zip([head, *rows], ["", *colours], strict=True):
        right = (f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        line = f"  {name:{first}}{''.join(right)}".rstrip()
        console.print(Text(line, style=style), soft_wrap=True)


def bar(console: Console) -> "Progress":
    """A progress bar that shows on a terminal only, and is gone at its end."""
    # It takes long to load.
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        BarColumn(bar_width=10),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        # A narrow terminal cuts the name, not the figures.
        TextColumn(
            "{task.description}",
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        expand=True,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
