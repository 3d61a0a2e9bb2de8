"""What the lab that stays is doing: whether it runs, and what is in it."""

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipeline import terminal
from pipeline.deployed import aws
from pipeline.emulator.process import client_environment, point_this_process_at
from pipeline.lab import folder as stack
from pipeline.lab import root
from pipeline.paths import fingerprint


@dataclass(frozen=True)
class Contents:
    """How many objects, records, messages in the failure queue, and alarms by state there are."""

    objects: int
    records: int
    failed: int
    alarms: dict[str, int]


@dataclass(frozen=True)
class Status:
    """What `--json` prints; times are epoch seconds.

    `module` tells whether what was applied is what the files say now. All but `state` and `folder`
    is None where there is nothing to tell.
    """

    state: stack.State
    folder: str
    endpoint: str | None = None
    since: float | None = None
    saved: float | None = None
    module: str | None = None
    env: str | None = None
    contents: Contents | None = None


def run(folder: Path = stack.FOLDER, *, as_json: bool = False) -> int:
    """Tell the status of the lab in `folder`; returns 0 when it runs, 1 when it does not.

    Raises PipelineError where that can't be found out.
    """
    folder = folder.resolve()
    status = look(folder)
    if as_json:
        json.dump(asdict(status), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _show(Console(highlight=False), folder, status)
    return int(status.state != "running")


def look(folder: Path) -> Status:
    """The status of the lab in `folder`.

    Raises PipelineError when a lab that runs does not answer.
    """
    state, kept = stack.look(folder)
    if kept is None or state == "unfinished":
        return Status(state, str(folder))
    module = "same" if kept.module == fingerprint(folder / "root") else "changed"
    saved = stack.saved_at(folder)
    if state != "running":
        return Status(state, str(folder), saved=saved, module=module)
    stack.expect_answer(folder, kept)
    return Status(
        state,
        str(folder),
        kept.endpoint,
        kept.since,
        saved,
        module,
        str(folder / "env"),
        _contents(folder, kept),
    )


def _contents(folder: Path, kept: stack.Kept) -> Contents:
    point_this_process_at(client_environment(kept.endpoint))
    names, _ = root.needed(folder)
    bucket, table, queue = (
        names[name] for name in ("bucket_name", "table_name", "failure_queue_url")
    )
    # Not `up`, which looks for changes of the module only.
    again = f"run `terraform apply` in {folder / 'root'}, after `. {folder / 'env'}`"
    with aws.asking(f"the bucket {bucket}", again):
        pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        objects = sum(page["KeyCount"] for page in pages)
    with aws.asking(f"the table {table}", again):
        scan = aws.client("dynamodb").get_paginator("scan")
        records = sum(page["Count"] for page in scan.paginate(TableName=table, Select="COUNT"))
    with aws.asking("the failure queue", again):
        kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=kinds)
        failed = sum(int(told["Attributes"][kind]) for kind in kinds)
    with aws.asking("the alarms", again):
        pages = aws.client("cloudwatch").get_paginator("describe_alarms")
        alarms = [
            alarm["StateValue"]
            for page in pages.paginate(AlarmNames=names["alarm_names"])
            for alarm in page["MetricAlarms"]
        ]
    return Contents(objects, records, failed, dict(sorted(Counter(alarms).items())))


def _show(console: Console, folder: Path, status: Status) -> None:
    up, down = (f"`{stack.command(name, folder)}`" for name in ("up", "down"))
    held = "nothing was saved"
    if status.saved is not None:
        held = f"what it held was saved at {terminal.moment(status.saved)}"
    told = {
        "none": f"No lab is in {folder}: make one with {up}.",
        "unfinished": f"A lab is being made in {folder}, or that was cut short: then {up} begins "
        "again.",
        "running": f"The lab in {folder} runs.",
        "stopped": f"The lab in {folder} is stopped, and {held}: bring it back with {up}, or "
        f"delete it with {down}.",
        "died": f"The emulator of the lab in {folder} ended without a word, but {held}: bring the "
        f"lab back with {up}, or delete it with {down}.",
    }
    console.print(escape(told[status.state]), soft_wrap=True)
    module = "as it was applied" if status.module == "same" else f"changed since: {up} applies it"
    if status.contents is None or status.since is None:
        if status.module is not None:
            terminal.fields(console, {"module": module})
        return
    alarms = ", ".join(f"{count} {state}" for state, count in status.contents.alarms.items())
    terminal.fields(
        console,
        {
            "endpoint": status.endpoint,
            "since": terminal.moment(status.since),
            "module": module,
            "objects": status.contents.objects,
            "records": status.contents.records,
            "failure queue": f"{status.contents.failed} messages",
            "alarms": alarms or "none",
            "to use it": f". {status.env}",
            "what to try": up,
        },
    )
