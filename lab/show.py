"""How the lab looks on a terminal, and as plain lines where there is none."""

import contextlib
import json
import os
import shlex
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from lab.emulator import REGION
from lab.observe import Alarm
from lab.stack import command
from lab.terraform import Event

# Where no bar can move.
_LINE_SECONDS = 5.0


def follow(console: Console, title: str, events: Iterable[Event]) -> Generator[Event]:
    """Show Terraform's events as they come, and pass each on."""
    started: dict[str, float] = {}
    bar = _bar(console)
    with bar:
        task = bar.add_task(title, total=0)
        total = done = 0
        doing = title
        for event in events:
            if event.action == "read":
                continue
            label = _label(event.address)
            if event.kind == "planned":
                total += 1
            elif event.kind == "started":
                started[label] = time.monotonic()
            elif event.kind == "completed":
                started.pop(label, None)
                done += 1
                done_as = {"create": "made", "delete": "destroyed"}.get(event.action, event.action)
                line = f"  {done_as} {escape(label)} in {event.seconds:.0f} s"
                console.print(line, soft_wrap=True)
            elif event.kind == "failed":
                started.pop(label, None)
                console.print(f"  [red]failed[/]  {escape(label)}", soft_wrap=True)
            elif event.kind == "warning":
                console.print(f"  [yellow]{escape(event.text)}[/]", soft_wrap=True)
            if started:
                doing = escape(min(started, key=lambda name: started[name]))
            elif total and done >= total:
                doing = "finishing"
            bar.update(task, total=total, completed=done, description=doing)
            yield event


@contextlib.contextmanager
def progress(console: Console, title: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, a line now and then elsewhere, for as long as the block lasts.

    It is moved by what it yields: called with what is being done, how much of it is done, and of
    how much in all, 0 where nobody knows.
    """
    said = -_LINE_SECONDS
    with _bar(console) as bar:
        task = bar.add_task(escape(title), total=None)

        def tell(what: str, done: int, total: int) -> None:
            nonlocal said
            now = time.monotonic()
            if not console.is_terminal and now - said >= _LINE_SECONDS:
                of_all = f" of {total}" if total else ""
                console.print(f"  {escape(title)}: {done}{of_all} {what}", soft_wrap=True)
                said = now
            description = escape(f"{title}: {what}")
            bar.update(task, description=description, completed=done, total=total or None)

        yield tell


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
    """`text` in one line that does nothing to a terminal, cut after `at_most` characters."""
    cut = text if at_most is None or len(text) <= at_most else text[: at_most - 1] + "…"
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in cut
    )


def moment(epoch: float | str) -> str:
    """Epoch seconds as people read them."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(float(epoch)))


def heading(console: Console, text: str) -> None:
    """A line that opens a part."""
    console.print(f"\n[bold]{escape(text)}[/]", soft_wrap=True)


def note(console: Console, text: str) -> None:
    """A plain sentence."""
    console.print(f"  {escape(text)}", soft_wrap=True)


def fields(console: Console, values: Mapping[str, object]) -> None:
    """Names and values, one a line; folded to the width only where there is one."""
    if not console.is_terminal:
        width = max(map(len, values))
        for name, value in values.items():
            console.print(f"  {escape(name):{width}}  {escape(str(value))}", soft_wrap=True)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(escape(name), escape(str(value)))
    console.print(Padding(table, (0, 0, 0, 2)))


def record(console: Console, item: Mapping[str, Mapping[str, str]]) -> None:
    """A record with all its attributes; times also as people read them."""
    shown = {}
    for name in sorted(item, key=lambda name: (name != "objectId", name)):
        kind, value = next(iter(item[name].items()))
        read = f"  ({moment(value)})" if name in ("timestamp", "ttl") else ""
        shown[name] = f"{kind}  {value}{read}"
    fields(console, shown)


def log_line(console: Console, line: str) -> None:
    """A log line; JSON is spread over its fields."""
    try:
        parsed = json.loads(line)
    except ValueError:
        note(console, line)
        return
    shown = {k: v if isinstance(v, str) else json.dumps(v) for k, v in parsed.items()}
    fields(console, shown)


def alarms(console: Console, found: Iterable[Alarm]) -> None:
    """Alarms with their states."""
    colours = {"OK": "green", "ALARM": "red"}
    for alarm in found:
        colour = colours.get(alarm.state, "yellow")
        console.print(f"  [bold {colour}]{alarm.state:5}[/] {escape(alarm.name)}", soft_wrap=True)
        watched = f"{alarm.metric} over {alarm.period} s, threshold {alarm.threshold:g}"
        console.print(f"        {escape(watched)}", style="dim", soft_wrap=True)
        console.print(f"        {escape(alarm.reason)}", style="dim", soft_wrap=True)


def durations(console: Console, seconds: Mapping[str, float]) -> None:
    """How long each part took."""
    heading(console, "How long it took")
    fields(console, {name: f"{value:7.2f} s" for name, value in seconds.items()})


def next_steps(
    console: Console,
    folder: Path,
    outputs: Mapping[str, Any],
    subscriber: str,
    endpoint: str | None = None,
) -> None:
    """How to use a lab that runs at `endpoint`, or, without one, what to try after it is gone.

    `subscriber` is the URL of the queue that gets the alarms.
    """
    if endpoint is None:
        heading(console, "What to try next")
        note(
            console, f"Watch it on a page, drop a file, see it travel: {command('console', folder)}"
        )
        note(console, f"Keep it running and look around: {command('demo --keep', folder)}")
        note(console, "Read how it works: docs/how-it-works.md; how it is built: main.tf, modules/")
        return
    bucket, table, group = (
        outputs[name] for name in ("bucket_name", "table_name", "log_group_name")
    )
    heading(console, f"The lab runs at {endpoint}")
    note(console, f"Region {REGION}, access key test, secret key test. Only this machine gets in.")
    source = {f". {shlex.quote(f'{folder}/env')}": "this shell's aws and terraform talk to the lab"}
    _commands(console, source)
    note(console, "From Python, with boto3:")
    for line in (
        "import boto3",
        f'lab = boto3.Session("test", "test", region_name="{REGION}")',
        f'print(lab.client("s3", endpoint_url="{endpoint}").list_buckets()["Buckets"])',
    ):
        console.print(f"  [green]{escape(line)}[/]", soft_wrap=True)
    heading(console, "What to try next")
    note(console, "The aws commands need AWS's command line, version 2, and the file above.")
    _commands(
        console,
        {
            f"aws s3 cp README.md s3://{bucket}/": "upload something of your own",
            f"aws dynamodb scan --table-name {table}": "read the records",
            f"aws logs filter-log-events --log-group-name {group}": "read what the function logged",
            f"aws sqs receive-message --queue-url {subscriber}": "read the alarms that come",
            f"terraform -chdir={shlex.quote(f'{folder}/root')} plan": (
                "change main.tf there, and see what would change"
            ),
            command("console", folder): "watch it on a page: drop a file, see it travel",
            command("verify", folder): "check that every part does what it should",
            command("load", folder): "upload many files, and count their records",
            command("replay", folder): "look into the failure queue, and put it through again",
            command("reconcile", folder): "compare the objects with their records",
            command("status", folder): "what is in it, and whether the module has changed",
            command("up", folder): "apply what has changed in the module",
            command("down --keep-state", folder): "stop it; `up` brings it back as it was",
            command("down", folder): "destroy everything, stacks of your own in it too",
        },
    )
    note(
        console,
        "The emulator has no metrics of asynchronous invokes and SQS: alarms on these change only "
        "while the page is open, which publishes what it sees.",
    )


def _commands(console: Console, lines: Mapping[str, str]) -> None:
    for line, why in lines.items():
        console.print(f"  [green]{escape(line)}[/]", soft_wrap=True)
        console.print(f"      {escape(why)}", style="dim", soft_wrap=True)


def _bar(console: Console) -> Progress:
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


def _label(address: str) -> str:
    return address.removeprefix("module.pipeline.").removeprefix("module.")
