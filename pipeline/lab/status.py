"""What the lab that stays is doing: whether it runs, and what is in it."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline import terminal, times
from pipeline.deployed.target import Target
from pipeline.emulator import configuration
from pipeline.errors import PipelineError
from pipeline.lab import folder as lab
from pipeline.lab import root
from pipeline.lab.breaks import run as breaks
from pipeline.lab.breaks.kinds import BREAKS
from pipeline.paths import fingerprint

_KINDS = {"dynamodb": "tables", "sqs": "queues", "cloudwatch": "alarms"}


@dataclass(frozen=True)
class Status:
    """What `--json` prints; times are ISO, in UTC.

    `bucket` and `table` are names. `module` is `same` where what was applied is what the files are
    now, or `changed`. `contents` counts objects, records, messages in the failure queue (`failed`),
    and alarms by state. `broken_on_purpose` is what a page broke. All but `state` and `folder` is
    None where it does not apply.
    """

    state: lab.State
    folder: str
    endpoint: str | None = None
    bucket: str | None = None
    table: str | None = None
    since: str | None = None
    saved: str | None = None
    module: str | None = None
    env: str | None = None
    contents: dict[str, Any] | None = None
    broken_on_purpose: str | None = None


def run(folder: Path, *, as_json: bool) -> int:
    """Print the status of the lab in `folder`; returns 0 when it runs, 1 when it does not.

    Raises PipelineError where that can't be found out.
    """
    status = look(folder)
    if as_json:
        terminal.print_json(asdict(status))
    else:
        _print(terminal.console(), folder, status)
    return int(status.state != "running")


def look(folder: Path) -> Status:
    """The status of the lab in `folder`.

    Raises PipelineError when a lab that runs does not answer.
    """
    state, kept = lab.look(folder)
    if kept is None or state == "unfinished":
        return Status(state, str(folder))
    broken = breaks.current(folder)
    what = None if broken is None else BREAKS[broken.name].title
    module = "same" if kept.module == fingerprint(folder / "root") else "changed"
    saved_at = lab.saved_at(folder)
    saved = None if saved_at is None else times.iso(saved_at)
    if state != "running":
        return Status(state, str(folder), saved=saved, module=module, broken_on_purpose=what)
    lab.expect_answer(folder, kept)
    # An emulator of an older release can't; what it saved is two seconds old at most.
    configuration.save(kept.endpoint)
    again = f"run `{lab.command('lab up', folder)}`"
    found = Target(root.needed(folder)[0], f"The lab in {folder}")
    return Status(
        state,
        str(folder),
        kept.endpoint,
        found.bucket_name,
        found.table_name,
        times.iso(kept.since),
        saved,
        module,
        str(folder / "env"),
        _contents(found, folder / "state", again),
        what,
    )


def _contents(found: Target, state: Path, again: str) -> dict[str, Any]:
    """What is in the lab, as its emulator saved it: to ask each service takes three times as long.

    Raises PipelineError.
    """
    queue = found.failure_queue_url.rpartition("/")[2]
    try:
        objects = configuration.objects(state, found.bucket_name)
        saved = {
            kind: configuration.resources(state, service, kind) for service, kind in _KINDS.items()
        }
        # A queue's key is its URL.
        queues = {url.rpartition("/")[2]: each for url, each in saved["queues"].items()}
        return {
            "objects": objects,
            "records": sum(map(len, saved["tables"][found.table_name]["items"].values())),
            "failed": len(queues[queue]["messages"]),
            "alarms": dict(
                sorted(Counter(saved["alarms"][n]["StateValue"] for n in found.alarm_names).items())
            ),
        }
    except KeyError as error:
        raise PipelineError(f"The lab has no {error.args[0]} any more: {again}.") from error
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PipelineError(
            f"What is in {state} can't be read ({error!s:.200}): {again}."
        ) from error


def _print(console: Console, folder: Path, status: Status) -> None:
    up, down = (f"`{lab.command(name, folder)}`" for name in ("lab up", "lab down"))
    saved = "nothing was saved"
    if status.saved is not None:
        saved = f"what it held was saved at {times.local(times.epoch(status.saved))}"
    sentences = {
        "none": f"No lab is in {folder}: make one with {up}.",
        "unfinished": f"A lab is being made in {folder}, or that was cut short: then {up} begins "
        "again.",
        "running": f"The lab in {folder} runs.",
        "stopped": f"The lab in {folder} is stopped, and {saved}: bring it back with {up}, or "
        f"delete it with {down}.",
        "died": f"The emulator of the lab in {folder} ended unexpectedly, but {saved}: bring the "
        f"lab back with {up}, or delete it with {down}.",
    }
    console.print(escape(sentences[status.state]), soft_wrap=True)
    if status.module is None:
        return
    shown = {
        "module": "as it was applied"
        if status.module == "same"
        else f"changed since: {up} applies it"
    }
    if status.broken_on_purpose is not None:
        shown["broken on purpose"] = f"{status.broken_on_purpose}: {up} puts it back"
    if (contents := status.contents) is not None:
        alarms = (f"{count} {state}" for state, count in contents["alarms"].items())
        shown = {
            "endpoint": str(status.endpoint),
            "bucket": str(status.bucket),
            "table": str(status.table),
            "since": times.local(times.epoch(status.since)),
            **shown,
            "objects": str(contents["objects"]),
            "records": str(contents["records"]),
            "failure queue": f"{contents['failed']} message{'s' * (contents['failed'] != 1)}",
            "alarms": ", ".join(alarms) or "none",
            "to use it": f". {status.env}",
            "what to try": up,
        }
    terminal.fields(console, shown)
