"""The lab on a laptop: apply the module, upload files, show every step of the pipeline, destroy."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline import terminal
from pipeline.deployed import aws
from pipeline.emulator.process import point_this_process_at
from pipeline.lab import apply, observe, root, texts
from pipeline.lab import folder as lab
from pipeline.lab.apply import timed

FILES = {
    "quarterly report.pdf": b"%PDF-1.7\n",
    "notes/größe übersicht.txt": "Maße und Gewichte\n".encode(),
    "a+b=c.csv": b"a,b,c\n1,2,3\n",
    "100% done.md": b"# Done\n",
    "backup-1KiB.bin": bytes(1024),
    "invoices/2026-11 müller+söhne.pdf": b"content\n",
}
BURST = 30
ACTIVITY, THROTTLE = "DynamoDBWriteActivityAlert", "DynamoDBWriteThrottleAlert"
# Write units in five minutes: few enough for a burst of a second to cross. The default is 80 % of
# what the write units give.
_THRESHOLD = {"module": {"pipeline": {"alarms": {"write_activity": {"threshold": 20}}}}}
_OVERRIDE = "demo_override.tf.json"


@dataclass
class Result:
    """What `--json` prints. Durations are in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)
    first_record_seconds: float | None = None
    objects: list[dict[str, Any]] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    log_lines: list[str] = field(default_factory=list)
    write_units: dict[str, float] = field(default_factory=dict)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    message: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] | None = None


def run(folder: Path, port: int | None, *, keep: bool, as_json: bool) -> int:
    """Run the demo in `folder`. Returns the exit status.

    Only logs stay, unless `keep` is given and the demo succeeds. Raises PipelineError when
    something is missing or Terraform fails.
    """
    console = terminal.console(stderr=as_json)
    result = Result()
    try:
        with lab.exclusive(folder):
            _run(folder, port, console, result, keep=keep)
    except observe.NotSeenError as error:
        log = folder / "emulator.log"
        Console(stderr=True).print(
            f"[red]{escape(str(error))}: look what happened in {escape(str(log))}.[/]",
            soft_wrap=True,
        )
        return 1
    if as_json:
        terminal.print_json(asdict(result))
    return 0


def _run(folder: Path, port: int | None, console: Console, result: Result, *, keep: bool) -> None:
    began = time.monotonic()
    new_lab = apply.new_lab(folder, port, console, result.seconds, keep=keep)
    with new_lab as new:
        point_this_process_at(new.emulator.environment)
        override = folder / "root" / _OVERRIDE
        override.write_text(json.dumps(_THRESHOLD), encoding="utf-8")
        with timed(result.seconds, "terraform apply"):
            made: dict[str, str] = {}
            for event in apply.events(folder, new.environment, console, "apply"):
                made[event.address] = event.identifier
                if apply.delivers(event):
                    _first_record(console, result, began, made)
        result.outputs, subscriber = root.needed(folder)
        _steps(console, result, subscriber)
        if keep:
            terminal.heading(console, "The alarm gets its default threshold again")
            override.unlink()
            apply.run(folder, new.environment, console, {})
            result.kept = {"endpoint": new.emulator.endpoint, "env": str(folder / "env")}
        else:
            apply.run(folder, new.environment, console, result.seconds, "destroy")
    first = {"start to first record": result.first_record_seconds or 0.0}
    texts.durations(console, first | result.seconds)
    endpoint = new.emulator.endpoint if keep else None
    texts.next_steps(console, folder, result.outputs, subscriber, endpoint)


def _first_record(console: Console, result: Result, began: float, made: Mapping[str, str]) -> None:
    """Upload as soon as the bucket notifies: the slower resources don't matter to it."""
    bucket = next(made[address] for address in made if apply.NOTIFICATION in address)
    table = next(made[address] for address in made if ".aws_dynamodb_table." in address)
    with timed(result.seconds, "first upload to first record"):
        uploaded = _upload(result, bucket, *next(iter(FILES.items())))
        observe.record(table, uploaded["key"], uploaded["versionId"])
    result.first_record_seconds = round(time.monotonic() - began, 1)
    console.print(
        f"  [bold green]The first record is there, {result.first_record_seconds:.0f} s after the "
        "start.[/] Terraform goes on: its provider waits 25 s for queues, 55 s for lifecycles.",
        soft_wrap=True,
    )


def _steps(console: Console, result: Result, subscriber: str) -> None:
    names = result.outputs
    bucket, table, group = (names[name] for name in ("bucket_name", "table_name", "log_group_name"))
    _, *others, last = FILES.items()
    for key, content in others:
        _upload(result, bucket, key, content)
    with timed(result.seconds, "upload to record"):
        uploaded = _upload(result, bucket, *last)
        result.record = observe.record(table, uploaded["key"], uploaded["versionId"])

    terminal.heading(console, "1  The object is in the bucket")
    terminal.fields(console, {"bucket": bucket, **uploaded})
    before = ", ".join(earlier["key"] for earlier in result.objects[:-1])
    terminal.note(console, f"and before it: {before}")

    terminal.heading(console, f"2  Its record is in the table {table}")
    texts.record(console, result.record)

    terminal.heading(console, f"3  The function logged it to {group}")
    result.log_lines = observe.log_lines(group, result.record["objectId"]["S"])
    for line in result.log_lines:
        texts.log_line(console, line)

    with timed(result.seconds, f"burst of {BURST} uploads to records"):
        for number in range(BURST):
            _upload(result, bucket, f"burst/{number:02}.txt", b"burst\n")
        observe.wait_for_records(table, len(result.objects))
    with timed(result.seconds, "write units to alarm message"):
        writes = observe.writes(names["table_stream_arn"])
        observe.publish_writes(aws.client("cloudwatch"), table, writes)
        result.alarms = [observe.alarm(ACTIVITY, "ALARM"), observe.alarm(THROTTLE)]
        message = observe.notification(subscriber, ACTIVITY, "ALARM")
    change = json.loads(message["Message"])
    threshold = result.alarms[0]["threshold"]
    result.write_units = {"writes": writes, "total": float(writes), "largest": 1.0}
    result.message = {**message, "Message": change}

    terminal.heading(console, "4  The alarms watch the table")
    terminal.note(
        console,
        f"{BURST} more files went up, {len(result.objects)} in all. The table took {writes} "
        f"writes, which is {writes} write units, counted on its stream.",
    )
    terminal.note(
        console,
        "The emulator has no metrics of DynamoDB's own, so the lab published that sum; in AWS "
        f"DynamoDB does. The demo set the threshold to {threshold:g} (default: 1,200).",
    )
    texts.alarms(console, result.alarms)

    terminal.heading(console, "5  A subscriber of the topic received the message")
    texts.notification(console, message, change)


def _upload(result: Result, bucket: str, key: str, content: bytes) -> dict[str, Any]:
    answer = aws.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    uploaded = {
        "key": key,
        "bytes": len(content),
        "versionId": answer["VersionId"],
        "eTag": answer["ETag"].strip('"'),
    }
    result.objects.append(uploaded)
    return uploaded
