"""The lab on a laptop: apply the module, upload files, show every step of the pipeline, destroy."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline import terminal
from pipeline.emulator.process import point_this_process_at
from pipeline.lab import apply, observe, root, texts
from pipeline.lab import folder as stack
from pipeline.lab.apply import timed

FILES = {
    "quarterly report.pdf": b"%PDF-1.7\n",
    "notes/größe übersicht.txt": "Maße und Gewichte\n".encode(),
    "a+b=c.csv": b"a,b,c\n1,2,3\n",
    "100% done.md": b"# Done\n",
    "backup-1KiB.bin": bytes(1024),
}
BURST = 30
_NOTIFICATION = ".aws_s3_bucket_notification."


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


def run(
    folder: Path = stack.FOLDER,
    *,
    keep: bool = False,
    as_json: bool = False,
    port: int | None = None,
) -> int:
    """Run the demo in `folder`. Returns the exit status.

    Raises PipelineError when something is missing or Terraform fails. Whatever happens, nothing
    stays but logs, unless `keep` was asked for and it all went well.
    """
    console = Console(stderr=as_json, highlight=False)
    result = Result()
    began = time.monotonic()
    folder = folder.resolve()
    with stack.exclusive(folder):
        stack.make_room(folder)
        try:
            _run(folder, console, result, began, keep=keep, port=port)
        except observe.NotSeenError as error:
            stack.forget(folder)
            log = folder / "emulator.log"
            Console(stderr=True).print(
                f"[red]{escape(str(error))}: look what happened in {escape(str(log))}.[/]",
                soft_wrap=True,
            )
            return 1
        except BaseException as error:
            stack.forget(folder)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                terminal.note(
                    console, "Interrupted: Terraform and the emulator ended, nothing stays."
                )
            raise
        if not keep:
            stack.forget(folder)
    if as_json:
        json.dump(asdict(result), sys.stdout, indent=2, ensure_ascii=False, default=str)
        sys.stdout.write("\n")
    return 0


def _run(
    folder: Path,
    console: Console,
    result: Result,
    began: float,
    *,
    keep: bool,
    port: int | None,
) -> None:
    environment = apply.prepare(folder, console, result.seconds)
    with stack.running_emulator(folder, keep=keep, port=port) as running:
        point_this_process_at(running.environment)
        environment |= running.environment
        terminal.note(console, f"The emulator listens on {running.endpoint}, and nowhere else.")
        with timed(result.seconds, "terraform apply"):
            made: dict[str, str] = {}
            for event in apply.follow(console, folder, environment, "apply"):
                made[event.address] = event.identifier
                if event.kind == "completed" and _NOTIFICATION in event.address:
                    _first_record(console, result, began, made)
        outputs = root.outputs(folder)
        result.outputs = outputs["pipeline"]
        subscriber = outputs["subscriber_queue_url"]
        _steps(console, result, subscriber)
        if keep:
            stack.write_env(folder, running.endpoint, environment)
            result.kept = {"endpoint": running.endpoint, "env": str(folder / "env")}
        else:
            apply.destroy(folder, environment, console, result.seconds)
    first = result.first_record_seconds
    texts.durations(console, ({"start to first record": first} if first else {}) | result.seconds)
    endpoint = running.endpoint if keep else None
    texts.next_steps(console, folder, result.outputs, subscriber, endpoint)


def _steps(console: Console, result: Result, subscriber: str) -> None:
    names = result.outputs
    table = names["table_name"]
    for key in list(FILES)[1:]:
        _upload(result, names["bucket_name"], key)
    with timed(result.seconds, "upload to record"):
        uploaded = _upload(result, names["bucket_name"], "invoices/2026-11 müller+söhne.pdf")
        item = observe.record(table, names["bucket_name"], uploaded["key"], uploaded["versionId"])
    result.record = item

    terminal.heading(console, "1  The object is in the bucket")
    terminal.fields(console, {"bucket": names["bucket_name"], **uploaded})
    others = ", ".join(one["key"] for one in result.objects[:-1])
    terminal.note(console, f"and before it: {others}")

    terminal.heading(console, f"2  Its record is in the table {table}")
    texts.record(console, item)

    terminal.heading(console, f"3  The function logged it to {names['log_group_name']}")
    result.log_lines = observe.log_lines(names["log_group_name"], item["objectId"]["S"])
    for line in result.log_lines:
        texts.log_line(console, line)

    activity, throttle = _lab_alarms(names["alarm_names"])
    with timed(result.seconds, f"burst of {BURST} uploads to records"):
        for number in range(BURST):
            _upload(result, names["bucket_name"], f"burst/{number:02}.txt", b"burst\n")
        observe.count_records(table, len(result.objects))
    with timed(result.seconds, "write units to alarm message"):
        units = observe.consumed_units(names["table_stream_arn"])
        observe.publish_units(observe.client("cloudwatch"), table, units)
        watched = [observe.alarm(activity, "ALARM"), observe.alarm(throttle)]
        message = observe.message(subscriber, activity, "ALARM")
    result.write_units = asdict(units)
    result.alarms = [asdict(alarm) for alarm in watched]
    result.message = {**message, "Message": json.loads(message["Message"])}

    terminal.heading(console, "4  The alarms watch the table")
    terminal.note(
        console,
        f"{BURST} more files went up, {len(result.objects)} in all. The table took {units.writes} "
        f"writes, which is {units.total:g} write units, counted on its stream.",
    )
    terminal.note(
        console,
        "The emulator has no metrics of DynamoDB's own, so the lab published that sum; in AWS "
        f"DynamoDB does. The lab set the threshold to {root.ALARM_THRESHOLD} (default: 1,200).",
    )
    texts.alarms(console, watched)

    terminal.heading(console, "5  A subscriber of the topic received the message")
    terminal.fields(console, _readable(message))


def _first_record(console: Console, result: Result, began: float, made: Mapping[str, str]) -> None:
    """Upload as soon as the bucket notifies: the slower resources don't matter to it."""
    bucket = next(made[address] for address in made if _NOTIFICATION in address)
    table = next(made[address] for address in made if ".aws_dynamodb_table." in address)
    with timed(result.seconds, "first upload to first record"):
        uploaded = _upload(result, bucket, next(iter(FILES)))
        observe.record(table, bucket, uploaded["key"], uploaded["versionId"])
    result.first_record_seconds = round(time.monotonic() - began, 1)
    console.print(
        f"  [bold green]The first record is there, {result.first_record_seconds:.0f} s after the "
        "start.[/] Terraform goes on: its provider waits 25 s for queues, 55 s for lifecycles.",
        soft_wrap=True,
    )


def _upload(result: Result, bucket: str, key: str, body: bytes | None = None) -> dict[str, Any]:
    s3 = observe.client("s3")
    content = FILES.get(key, b"content\n") if body is None else body
    answer = s3.put_object(Bucket=bucket, Key=key, Body=content)
    uploaded = {
        "key": key,
        "bytes": len(content),
        "versionId": answer["VersionId"],
        "eTag": answer["ETag"].strip('"'),
    }
    result.objects.append(uploaded)
    return uploaded


def _lab_alarms(names: list[str]) -> tuple[str, str]:
    activity, throttle = "DynamoDBWriteActivityAlert", "DynamoDBWriteThrottleAlert"
    missing = {activity, throttle} - set(names)
    if missing:
        raise observe.NotSeenError(f"the alarm {' and the alarm '.join(sorted(missing))}")
    return activity, throttle


def _readable(message: Mapping[str, Any]) -> dict[str, object]:
    change = json.loads(message["Message"])
    wanted = ("AlarmName", "OldStateValue", "NewStateValue", "NewStateReason", "StateChangeTime")
    return {
        "Subject": message.get("Subject", ""),
        "TopicArn": message.get("TopicArn", ""),
        **{name: change[name] for name in wanted},
        **{name: change["Trigger"][name] for name in ("MetricName", "Statistic", "Threshold")},
        "Period": f"{change['Trigger']['Period']} s",
    }
