"""Show on a terminal what Terraform does, as it does it."""

import time
from collections.abc import Generator, Iterable

from rich.console import Console
from rich.markup import escape

from pipeline.terminal import bar
from pipeline.terraform.run import Event


def follow(console: Console, title: str, events: Iterable[Event]) -> Generator[Event]:
    """Show Terraform's events as they come, and pass each on."""
    started: dict[str, float] = {}
    shown = bar(console)
    with shown:
        task = shown.add_task(title, total=0)
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
            shown.update(task, total=total, completed=done, description=doing)
            yield event


def _label(address: str) -> str:
    return address.removeprefix("module.pipeline.").removeprefix("module.")
