"""What the lab that stays is doing: whether it runs, and what is in it."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline import terminal, times
from pipeline.deployed import aws, failure_queue
from pipeline.deployed.target import Target
from pipeline.emulator.process import client_environment, point_this_process_at
from pipeline.lab import folder as lab
from pipeline.lab import root
from pipeline.lab.breaks import run as breaks
from pipeline.lab.breaks.kinds import BREAKS
from pipeline.paths import fingerprint


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
    point_this_process_at(client_environment(kept.endpoint))
    # Not `up`, which looks for changes of the module only.
    again = f"run `terraform apply` in {folder / 'root'}, after `. {folder / 'env'}`"
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
        _contents(found, again),
        what,
    )


def _contents(found: Target, again: str) -> dict[str, Any]:
    bucket, table, queue = found.bucket_name, found.table_name, found.failure_queue_url

    def pages(service: str, operation: str, **arguments: Any) -> Any:
        return aws.client(service).get_paginator(operation).paginate(**arguments)

    with aws.asking(f"the bucket {bucket}", again):
        listed = pages("s3", "list_objects_v2", Bucket=bucket)
        objects = sum(page["KeyCount"] for page in listed)
    with aws.asking(f"the table {table}", again):
        scanned = pages("dynamodb", "scan", TableName=table, Select="COUNT")
        records = sum(page["Count"] for page in scanned)
    with aws.asking("the failure queue", again):
        failed = sum(failure_queue.depth(aws.client("sqs"), queue))
    with aws.asking("the alarms", again):
        described = pages("cloudwatch", "describe_alarms", AlarmNames=list(found.alarm_names))
        states = Counter(
            alarm["StateValue"] for page in described for alarm in page["MetricAlarms"]
        )
    alarms = dict(sorted(states.items()))
    return {"objects": objects, "records": records, "failed": failed, "alarms": alarms}


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
