"""`python -m pipeline verify`: does the pipeline work, stage by stage; if not, which one is it?"""

import json
import sys
import time
from contextlib import closing
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from pipeline import terminal
from pipeline.deployed.session import connect
from pipeline.deployed.target import Target
from pipeline.verify.run import Step, verify

_NEEDED = (
    "bucket_name",
    "table_name",
    "function_name",
    "topic_arn",
    "failure_queue_url",
    "log_group_name",
    "alarm_names",
    "delivery",
)
_COLOURS = {"ok": "green", "broken": "bold red", "unknown": "yellow", "skipped": "dim"}


def run(found: Target, *, seconds: float, wait_alarm: bool = False, as_json: bool = False) -> int:
    """Verify what was found; returns the exit status: 0 it works, 1 not, 2 some can't be told.

    Raises PipelineError where nothing can be tried.
    """
    console = Console(stderr=as_json, highlight=False, emoji=False)
    began = time.monotonic()
    steps: list[Step] = []
    # Before anything is asked: an absent one is told first.
    for name in _NEEDED:
        getattr(found, name)
    session = connect(found)
    try:
        with terminal.progress(console, "verify") as tell:
            stages = verify(
                session,
                seconds=seconds,
                wait_alarm=wait_alarm,
                tell=lambda what: tell(what, len(steps), 0),
            )
            with closing(stages):
                for step in stages:
                    steps.append(step)
                    _tell(console, step)
    except KeyboardInterrupt:
        terminal.note(console, "Interrupted: nothing of the probe is left.")
        raise
    took = time.monotonic() - began
    verdicts = {step.verdict for step in steps}
    status = 1 if "broken" in verdicts else 2 if "unknown" in verdicts else 0
    _sum_up(console, steps, took, status)
    if as_json:
        told = {
            "holds": status == 0,
            "seconds": round(took, 3),
            "broken": [step.name for step in steps if step.verdict == "broken"],
            "steps": [asdict(step) for step in steps],
        }
        # ASCII, for a terminal that takes a control character at its word.
        json.dump(told, sys.stdout, indent=2)
        sys.stdout.write("\n")
    return status


def _tell(console: Console, step: Step) -> None:
    line = Text("  ")
    line.append(f"{step.verdict:8}", style=_COLOURS[step.verdict])
    line.append(f"{step.seconds:6.2f} s  {step.name:14}", style="cyan")
    line.append(terminal.printable(step.says))
    console.print(line, soft_wrap=True)


def _sum_up(console: Console, steps: list[Step], took: float, status: int) -> None:
    names = {
        verdict: ", ".join(step.name for step in steps if step.verdict == verdict)
        for verdict in ("broken", "unknown")
    }
    told = {
        0: f"The pipeline works: {sum(step.verdict == 'ok' for step in steps)} stages are well",
        1: f"Broken: {names['broken']}",
        2: f"Could not be told: {names['unknown']}",
    }[status]
    if status == 1 and names["unknown"]:
        told += f"; could not be told: {names['unknown']}"
    style = {0: "bold green", 1: "bold red", 2: "yellow"}[status]
    console.print(Text(f"\n{told} ({took:.1f} s).", style=style), soft_wrap=True)
