"""A lab that stays: found again, stopped, killed, changed and brought back, with its contents.

The tests share one lab, in which each leaves a lab that runs; the last one ends it.
"""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.emulator.process import client_environment, emulators_in
from pipeline.lab.folder import Kept, read_kept
from pipeline.lab.root import outputs
from tests.support.aws.clients import client
from tests.support.poll import until
from tests.support.processes import read_until, wait_until_gone
from tests.support.stacks import kept

ODD = "a b+c%/[red]ü[/red].txt"
ACTIVITY, THROTTLE = "DynamoDBWriteActivityAlert", "DynamoDBWriteThrottleAlert"


@dataclass(frozen=True)
class Lab:
    """The lab in `folder`, seen anew at each look: its port and its processes change."""

    folder: Path

    def run(self, *arguments: str, expected: int = 0) -> str:
        """What `python -m pipeline lab ARGUMENTS` prints about it."""
        process = kept.start("lab", *arguments, "--work-dir", str(self.folder))
        out, err = process.communicate(timeout=900)
        assert process.returncode == expected, out + err
        return out + err

    @property
    def now(self) -> Kept:
        found = read_kept(self.folder)
        assert found is not None
        return found

    def name(self, output: str) -> Any:
        return outputs(self.folder)["pipeline"][output]

    def client(self, service: str) -> Any:
        return client(service, client_environment(self.now.endpoint))

    def objects(self) -> set[str]:
        page = self.client("s3").list_objects_v2(Bucket=self.name("bucket_name"))
        return {item["Key"] for item in page.get("Contents", [])}

    def records(self) -> set[str]:
        items = self.client("dynamodb").scan(TableName=self.name("table_name"))["Items"]
        return {item["objectKey"]["S"] for item in items}

    def upload(self, key: str) -> None:
        """Upload, and wait for the record."""
        self.client("s3").put_object(Bucket=self.name("bucket_name"), Key=key, Body=b"content")
        until(lambda: key in self.records())

    def alarm(self, name: str) -> Any:
        return self.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]

    def measure(self, metric: str, value: float) -> None:
        table = {"Name": "TableName", "Value": self.name("table_name")}
        datum = {"MetricName": metric, "Dimensions": [table], "Value": value}
        self.client("cloudwatch").put_metric_data(Namespace="AWS/DynamoDB", MetricData=[datum])

    def notifications(self) -> str:
        """The alarms' notifications since the last look."""
        queue = outputs(self.folder)["subscriber_queue_url"]
        sqs = self.client("sqs")
        return str(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"))

    def plan(self) -> None:
        """The operator's own plan, which must find nothing to do."""
        script = '. "$0/env" && terraform -chdir="$0/root" plan -detailed-exitcode -no-color'
        planned = subprocess.run(
            ["sh", "-c", script, str(self.folder)], capture_output=True, text=True, check=False
        )
        assert planned.returncode == 0, planned.stdout + planned.stderr


@pytest.fixture
def lab(staying: Path) -> Lab:
    """The lab, made once."""
    return Lab(staying)


def test_up_finds_a_lab_that_runs_and_what_it_prints_works_as_printed(
    lab: Lab, tmp_path: Path
) -> None:
    before = lab.now
    printed = lab.run("up")
    assert lab.now == before
    assert "Terraform applies" not in printed
    assert before.endpoint in printed

    lines = printed.splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip() == "import boto3")
    snippet = "\n".join(line.strip() for line in lines[first : first + 3])
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    answer = subprocess.check_output([sys.executable, "-c", snippet], env=clean, text=True)
    assert lab.name("bucket_name") in answer

    source = next(line.strip() for line in lines if line.strip().startswith(". "))
    ask = "import boto3; print(boto3.client('s3').list_buckets()['Buckets'])"
    script = f'{source} && exec "$0" -c "$1"'
    command = ["sh", "-c", script, sys.executable, ask]
    assert lab.name("bucket_name") in subprocess.check_output(command, env=clean, text=True)


def test_a_lab_that_was_stopped_comes_back_as_it_was_and_works(lab: Lab) -> None:
    lab.upload(ODD)
    message = {"QueueUrl": lab.name("failure_queue_url"), "MessageBody": "{}"}
    lab.client("sqs").send_message(**message)
    lab.measure("ConsumedWriteCapacityUnits", 2000)
    until(lambda: lab.alarm(ACTIVITY)["StateValue"] == "ALARM")
    before = lab.now, lab.objects(), lab.records()

    printed = lab.run("status")
    for line in (r"objects +1", r"records +1", r"failure queue +1 message\b", r"1 ALARM, 8 OK"):
        assert re.search(line, printed)

    assert "Bring it back with" in lab.run("down", "--keep-state")
    assert wait_until_gone(lab.folder) == {}
    assert " is stopped, and what it held was saved at " in lab.run("status", expected=1)
    assert "but does not run: bring it back with" in lab.run("demo", expected=2)
    printed = lab.run("up")

    assert "Terraform applies" not in printed
    assert (lab.now.endpoint, lab.objects(), lab.records()) == (before[0].endpoint, *before[1:])
    assert lab.alarm(ACTIVITY)["StateValue"] == "ALARM"
    received = lab.client("sqs").receive_message(QueueUrl=lab.name("failure_queue_url"))
    assert [message["Body"] for message in received["Messages"]] == ["{}"]
    lab.upload("after a stop")
    lab.measure("WriteThrottleEvents", 1)
    until(lambda: THROTTLE in lab.notifications())
    lab.plan()


def test_a_lab_whose_emulator_was_killed_comes_back_on_another_port_if_its_own_is_taken(
    lab: Lab,
) -> None:
    lab.upload("before the kill")
    saved = lab.folder / "state" / "dynamodb.json"
    until(lambda: "before the kill" in saved.read_text())
    before = lab.now
    os.kill(before.pid, signal.SIGSTOP)
    assert "does not answer on" in lab.run("status", expected=2)
    os.kill(before.pid, signal.SIGKILL)
    assert wait_until_gone(lab.folder) == {}
    assert "ended unexpectedly" in lab.run("status", expected=1)

    with socket.create_server(("127.0.0.1", before.port)):
        printed = lab.run("up")

    assert f"Port {before.port} is taken now" in printed
    assert lab.now.port != before.port
    assert "before the kill" in lab.objects() & lab.records()
    for url in (lab.name("failure_queue_url"), outputs(lab.folder)["subscriber_queue_url"]):
        assert url.startswith(f"{lab.now.endpoint}/")
        name = url.rpartition("/")[2]
        assert f":{lab.now.port}/" in lab.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    lab.upload("after the kill")
    lab.plan()


def test_up_applies_what_has_changed_since_and_again_if_it_was_killed(lab: Lab) -> None:
    main = lab.folder / "root" / "main.tf"
    alarms = "alarms = { write_activity = { threshold = 21 } }\n  bucket ="
    main.write_text(main.read_text().replace("bucket =", alarms, 1))
    assert "changed since" in lab.run("status")
    with kept.start("lab", "up", "--work-dir", str(lab.folder)) as process:
        read_until(process.stdout, "The module has changed: Terraform applies it again")
        process.kill()
    assert "Terraform applies it again" in lab.run("up")
    assert lab.alarm(ACTIVITY)["Threshold"] == 21
    assert "as it was applied" in lab.run("status")


def test_up_puts_back_and_names_what_was_changed_by_hand_and_use_is_no_change(lab: Lab) -> None:
    lab.upload("before the drift")
    lab.measure("WriteThrottleEvents", 1)
    assert "Terraform applies it again" not in lab.run("up")

    function = {"FunctionName": lab.name("function_name")}
    own = io.BytesIO()
    with zipfile.ZipFile(own, "w") as archive:
        archive.writestr("lambda_function.py", "def lambda_handler(event, context):\n    pass\n")
    client = lab.client("lambda")
    applied = client.get_function_configuration(**function)
    client.update_function_code(**function, ZipFile=own.getvalue())
    client.update_function_configuration(**function, Environment={"Variables": {}})

    printed = lab.run("up")
    assert "Something in the emulator was changed by hand" in printed
    assert "put back function.aws_lambda_function.this" in printed
    assert f"put back the code of {function['FunctionName']}" in printed
    now = client.get_function_configuration(**function)
    assert [now[name] for name in ("CodeSha256", "Environment")] == [
        applied[name] for name in ("CodeSha256", "Environment")
    ]
    lab.upload("after the drift")
    assert "Terraform applies it again" not in lab.run("up")


def test_a_new_lab_is_restored_from_the_snapshot_of_the_first_and_works(
    staying: Path, original: kept.Original, tmp_path: Path
) -> None:
    # The lab that is copied was new, too.
    folder = tmp_path / "restored"
    with kept.start("lab", "up", "--work-dir", str(folder), **original.cache) as process:
        out, err = process.communicate(timeout=900)
    try:
        assert process.returncode == 0, err
        assert "a snapshot of this module was restored." in out
        assert "terraform apply " not in out
        restored = Lab(folder)
        assert restored.objects() == restored.records() == set()
        restored.upload("restored")
        restored.plan()
    finally:
        kept.down(folder)


def _kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)


def _terminate(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("end", [_kill, pytest.param(_terminate, marks=pytest.mark.soak)])
def test_an_up_that_ended_while_it_brought_a_lab_back_leaves_one_that_up_finds(
    lab: Lab, end: Callable[["subprocess.Popen[str]"], None]
) -> None:
    before = lab.objects()
    lab.run("down", "--keep-state")
    with kept.start("lab", "up", "--work-dir", str(lab.folder)) as process:
        # It begins to start the emulator; noting it may come before or after the end.
        until(lambda: emulators_in(lab.folder) or process.poll() is not None)
        end(process)
        process.communicate(timeout=900)
    lab.run("up")
    assert emulators_in(lab.folder) == [lab.now.pid]
    assert lab.objects() == before
    lab.upload(f"after {end.__name__}")


def test_down_deletes_a_lab_that_is_stopped_for_good(lab: Lab) -> None:
    lab.run("down", "--keep-state")
    assert "is deleted" in lab.run("down")
    assert wait_until_gone(lab.folder) == {}
    assert {file.suffix for file in lab.folder.glob("[!.]*")} == {".log"}
    assert "No lab is in" in lab.run("status", expected=1)
    assert "No lab runs in" in lab.run("down", expected=2)
