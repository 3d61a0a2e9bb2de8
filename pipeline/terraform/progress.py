"""Show on a terminal what Terraform does, as it does it."""

from collections.abc import Generator, Iterable

from rich.console import Console
from rich.markup import escape

from pipeline.terminal import bar
from pipeline.terraform.run import Event


def follow(console: Console, title: str, events: Iterable[Event]) -> Generator[Event]:
    """Show Terraform's events as they come, and pass each on."""
    started: list[str] = []
    drifted = set[str]()
    total, done, doing = 0, 0, title
    with bar(console) as shown:
        task = shown.add_task(title, total=0)
        for event in events:
            if event.action == "read":
                continue
            label = escape(event.address.removeprefix("module.pipeline.").removeprefix("module."))
            if event.kind == "planned_change":
                total += 1
            elif event.kind == "resource_drift":
                drifted.add(label)
            elif event.kind == "apply_start":
                started.append(label)
            elif event.kind == "warning":
                console.print(f"  [yellow]{escape(event.text)}[/]", soft_wrap=True)
            else:
                started = [address for address in started if address != label]
                line = f"  [red]failed[/]  {label}"
                if event.kind == "apply_complete":
                    done += 1
                    verbs = {"create": "made", "delete": "destroyed", "update": "changed"}
                    verb = verbs.get(event.action, event.action)
                    if label in drifted and event.action != "delete":
                        verb = "put back"
                    line = f"  {verb} {label} in {event.seconds:.0f} s"
                console.print(line, soft_wrap=True)
            if started:
                doing = started[0]
            elif total and done >= total:
                doing = "finishing"
            shown.update(task, total=total, completed=done, description=doing)
            yield event
