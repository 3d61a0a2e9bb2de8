"""What the embedded lab's commands print."""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline import times
from pipeline.deployed.documents import json_object
from pipeline.emulator.process import REGION
from pipeline.lab.folder import command
from pipeline.terminal import fields, heading, note, printable


def record(console: Console, item: Mapping[str, Mapping[str, str]]) -> None:
    """A record with all its attributes; times also as people read them."""
    shown = {}
    for name in sorted(item, key=lambda name: (name != "objectId", name)):
        kind, value = next(iter(item[name].items()))
        is_time = name in ("timestamp", "ttl") and kind == "N"
        read = f"  ({times.local(float(value))})" if is_time else ""
        shown[name] = f"{kind}  {value}{read}"
    fields(console, shown)


def log_line(console: Console, line: str) -> None:
    """A log line; JSON is spread over its fields."""
    parsed = json_object(line)
    if not parsed:
        note(console, printable(line.replace("\t", "  ")))
        return
    fields(console, {k: v if isinstance(v, str) else json.dumps(v) for k, v in parsed.items()})


def alarms(console: Console, found: Iterable[Mapping[str, Any]]) -> None:
    """Alarms with their states, as `observe.alarm` returns them."""
    colours = {"OK": "green", "ALARM": "red"}
    for alarm in found:
        state = f"[bold {colours.get(alarm['state'], 'yellow')}]{alarm['state']:5}[/]"
        console.print(f"  {state} {escape(alarm['name'])}", soft_wrap=True)
        watched = f"{alarm['metric']} over {alarm['period']} s, threshold {alarm['threshold']:g}"
        for line in (watched, alarm["reason"]):
            console.print(f"        {escape(line)}", style="dim", soft_wrap=True)


def notification(console: Console, envelope: Mapping[str, Any], change: Mapping[str, Any]) -> None:
    """An alarm's notification: its SNS envelope, and the change of state that it tells of."""
    of_change = ("AlarmName", "OldStateValue", "NewStateValue", "NewStateReason", "StateChangeTime")
    trigger = change["Trigger"]
    fields(
        console,
        {name: envelope.get(name, "") for name in ("Subject", "TopicArn")}
        | {name: change[name] for name in of_change}
        | {name: trigger[name] for name in ("MetricName", "Statistic", "Threshold")}
        | {"Period": f"{trigger['Period']} s"},
    )


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
        note(console, f"Keep it running and look around: {command('lab demo --keep', folder)}")
        note(
            console,
            "Read how it works: docs/start/how-it-works.md; how it is built: main.tf, modules/",
        )
        return
    heading(console, f"The lab runs at {endpoint}")
    note(console, f"Region {REGION}, access key test, secret key test. Only this machine gets in.")
    source = f". {shlex.quote(f'{folder}/env')}"
    _commands(console, {source: "this shell's aws and terraform talk to the lab"})
    note(console, "From Python, with boto3:")
    for line in (
        "import boto3",
        f'lab = boto3.Session("test", "test", region_name="{REGION}")',
        f'print(lab.client("s3", endpoint_url="{endpoint}").list_buckets()["Buckets"])',
    ):
        console.print(f"  [green]{escape(line)}[/]", soft_wrap=True)
    heading(console, "What to try next")
    note(console, "The aws commands need AWS's command line, of any version, and the file above.")
    bucket, table, group = (
        outputs[name] for name in ("bucket_name", "table_name", "log_group_name")
    )
    root = shlex.quote(f"{folder}/root")
    aws_commands = {
        f"aws s3 cp README.md s3://{bucket}/": "upload something of your own",
        f"aws dynamodb scan --table-name {table}": "read the records",
        f"aws logs filter-log-events --log-group-name {group}": "read what the function logged",
        f"aws sqs receive-message --queue-url {subscriber}": "read the alarms that come",
        f"terraform -chdir={root} plan": "change main.tf there, and see what would change",
    }
    ours = {
        "console": "watch it on a page: drop a file, see it travel",
        "tail": "follow uploads, records, failures and alarms in one stream",
        "lab dev": "run the handler or a hook each time that you save it",
        "verify": "check that every part does what it should",
        "load": "upload many files, and count their records",
        "replay": "look into the failure queue, and put it through again",
        "reconcile": "compare the objects with their records",
        "lab status": "what is in it, and whether the module has changed",
        "lab up": "apply what has changed in the module",
        "lab down --keep-state": "stop it; `up` brings it back as it was",
        "lab down": "destroy everything, stacks of your own in it too",
    }
    _commands(console, aws_commands | {command(name, folder): why for name, why in ours.items()})
    note(
        console,
        "The emulator has no metrics of asynchronous invokes and SQS: alarms on these change only "
        "while the page is open, which publishes what it sees.",
    )


def _commands(console: Console, lines: Mapping[str, str]) -> None:
    for line, why in lines.items():
        console.print(f"  [green]{escape(line)}[/]", soft_wrap=True)
        console.print(f"      {escape(why)}", style="dim", soft_wrap=True)
