"""Print the stages as they are checked, and a sentence in the end."""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import asdict

from rich.text import Text

from pipeline import terminal
from pipeline.deployed.session import Session, connect
from pipeline.deployed.target import Target
from pipeline.verify import before_destroy as destroying
from pipeline.verify.run import verify
from pipeline.verify.stages import Step

Tell = Callable[[str], None]

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
_COLOURS = {"ok": "green", "failing": "bold red", "unknown": "yellow", "skipped": "dim"}


def run(
    target: Target, *, seconds: float, wait_alarm: bool, as_json: bool, bucket: str | None = None
) -> int:
    """Verify the pipeline; returns the exit status. Raises PipelineError if it can't be tried."""

    def stages(session: Session, tell: Tell) -> Generator[Step]:
        return verify(session, seconds=seconds, wait_alarm=wait_alarm, bucket=bucket, tell=tell)

    return _report(target, _NEEDED, stages, "The pipeline works: {} stages are OK", as_json)


def before_destroy(target: Target, *, as_json: bool) -> int:
    """Say what a destroy would stop at or lose; returns the exit status. Raises PipelineError."""
    well = "A destroy goes through and loses nothing: {} stages are OK"
    needed = destroying.NEEDED
    return _report(target, needed, destroying.before_destroy, well, as_json)


def _report(
    target: Target,
    needed: Iterable[str],
    stages: Callable[[Session, Tell], Generator[Step]],
    well: str,
    as_json: bool,
) -> int:
    console = terminal.console(stderr=as_json)
    began = time.monotonic()
    steps: list[Step] = []
    # An absent output is reported before AWS is asked.
    for name in needed:
        getattr(target, name)
    session = connect(target)
    try:
        with (
            terminal.progress(console, "verify") as tell,
            closing(stages(session, lambda what: tell(what, len(steps), 0))) as checked,
        ):
            for step in checked:
                steps.append(step)
                head = Text(f"{step.verdict:8}", style=_COLOURS[step.verdict])
                head.append(f"{step.seconds:6.2f} s  {step.name:13}", style="cyan")
                terminal.entry(console, head, step.message)
    except KeyboardInterrupt:
        terminal.note(console, "Interrupted: nothing of the probe is left.")
        raise
    took = time.monotonic() - began
    failing, unknown, ok = (
        [step.name for step in steps if step.verdict == verdict]
        for verdict in ("failing", "unknown", "ok")
    )
    status = 1 if failing else 2 if unknown else 0
    parts = [f"Failing: {', '.join(failing)}"] if failing else []
    parts += [f"Unknown: {', '.join(unknown)}"] if unknown else []
    summary = "; ".join(parts) or well.format(len(ok))
    style = ("bold green", "bold red", "yellow")[status]
    console.print(Text(f"\n{summary} ({took:.1f} s).", style=style), soft_wrap=True)
    if as_json:
        document = {
            "holds": status == 0,
            "seconds": round(took, 3),
            "failing": failing,
            "steps": [asdict(step) for step in steps],
        }
        terminal.print_json(document)
    return status
