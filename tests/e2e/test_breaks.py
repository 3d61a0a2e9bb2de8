"""What the page breaks on purpose: it fails, is fixed and replayed, and nothing is lost."""

import contextlib
import json
import os
import re
import signal
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from playwright.sync_api import Page, expect

from pipeline.emulator.process import REGION, Emulator, emulators_in
from pipeline.emulator.throttle import THROTTLED
from pipeline.lab import folder as lab_folder
from pipeline.lab.breaks import run as breaks
from pipeline.lab.breaks.kinds import BREAKS
from tests.support.aws.clients import client
from tests.support.page.browser import faults
from tests.support.page.console import Lab, Served, row, serve
from tests.support.poll import until
from tests.support.processes import alive
from tests.support.stacks import kept

# By break: an upload of it goes to the failure queue.
QUEUED = {"role", "table", "handler"}
DONE = re.compile(r"✓ Fixed \d\d:\d\d · 2 recovered · nothing lost( · alarm ends about \d\d:\d\d)?")


def pipeline_of(lab: Lab) -> dict[str, Any]:
    """What breaks touch, to be compared."""
    name = lab.name("function_name")
    iam, role = lab.client("iam"), lab.name("role_name")
    functions, dynamodb = lab.client("lambda"), lab.client("dynamodb")
    table = dynamodb.describe_table(TableName=lab.name("table_name"))["Table"]["TableArn"]
    notifications = lab.client("s3").get_bucket_notification_configuration(
        Bucket=lab.name("bucket_name")
    )
    notifications.pop("ResponseMetadata")
    return {
        "policies": iam.list_role_policies(RoleName=role)["PolicyNames"],
        "variables": functions.get_function_configuration(FunctionName=name)["Environment"],
        "tags": dynamodb.list_tags_of_resource(ResourceArn=table)["Tags"],
        "notifications": notifications,
    }


def act(served: Served, step: str, **body: str) -> dict[str, Any]:
    """What the page is answered when it breaks, fixes or recovers."""
    status, text = served.ask(step, "POST", body=json.dumps(body).encode())
    assert status == 200, text
    answer: dict[str, Any] = json.loads(text)
    return answer


def test_a_break_shows_its_cause_and_fix_and_replay_lose_nothing(page: Page, lab: Lab) -> None:
    lab.forget_failures()
    before = pipeline_of(lab)
    page.get_by_role("button", name="Break something on purpose").click()
    page.get_by_role("button", name="Revoke the right to write").click()
    expect(page.locator("#break-cause")).to_contain_text("may not write to the table")
    expect(page.locator("#break-replay")).to_have_attribute("aria-disabled", "true")
    expect(row(page, "failures", "broken-on-purpose/").first).to_contain_text("AccessDenied")
    expect(page.locator("#failures > li")).to_have_count(2)
    assert pipeline_of(lab) != before

    page.get_by_role("button", name="Fix").click()
    expect(page.locator("#break-result")).to_contain_text("2 uploads without a record")
    assert pipeline_of(lab) == before
    page.locator("#break-replay").click()
    expect(page.locator("#break-result")).to_have_text(DONE)
    expect(page.locator("#failures-none")).to_be_visible()
    assert lab.failed() == 0
    page.get_by_role("button", name="Break something else").click()
    expect(page.locator("#break-list button")).to_have_count(len(BREAKS))
    # The lab has no buffer.
    expect(page.locator("#break-list button[aria-disabled=true]")).to_have_text("Fill the buffer")
    assert faults(page) == {}


@pytest.mark.soak
@pytest.mark.parametrize("name", ["role", "table", "handler", "notification"])
def test_each_break_fails_uploads_and_is_fixed_and_replayed(
    console: Served, page: Page, lab: Lab, name: str
) -> None:
    lab.forget_failures()
    before = pipeline_of(lab)
    act(console, "break", name=name)
    keys = {f"{name}/{uuid.uuid4()}/{number}" for number in range(3)}
    for key in keys:
        lab.upload(key)
    if name in QUEUED:
        until(lambda: lab.failed() == len(keys))
    assert not lab.keys() & keys
    # As long as it is broken, there is one thing to do.
    assert console.ask("recover", "POST", body=b"{}")[0] == 409
    assert console.ask("break", "POST", body=b'{"name": "role"}')[0] == 409

    assert act(console, "fix")["waiting"] == len(keys)
    assert pipeline_of(lab) == before
    act(console, "recover")
    expect(page.locator("#break-result")).to_contain_text("3 recovered · nothing lost")
    assert keys <= lab.keys()
    assert lab.failed() == 0


@pytest.mark.soak
def test_a_file_dropped_while_the_emulator_is_stopped_goes_up_once_it_runs_again(
    page: Page, lab: Lab
) -> None:
    page.get_by_role("button", name="Break something on purpose").click()
    page.get_by_role("button", name="Stop the emulator").click()
    expect(page.locator("#break-cause")).to_contain_text("does not run")
    key = f"kept-{uuid.uuid4()}.txt"
    page.get_by_role("button", name="Enter text").click()
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Upload text").click()
    expect(page.locator("#drop-total")).to_contain_text("waiting")

    page.get_by_role("button", name="Fix").click()
    expect(page.locator("#break-result")).to_contain_text("nothing lost")
    expect(page.locator("#drop-total")).to_contain_text("1 of 1 file uploaded")
    until(lambda: {key} <= lab.keys())


def _break_and_die(folder: Path, log: Path, name: str) -> None:
    """Break something with a page that is killed."""
    # Its exit status is not the one of Ctrl-C.
    with contextlib.suppress(AssertionError), serve(log, "--work-dir", str(folder)) as served:
        act(served, "break", name=name)
        os.kill(served.pid, signal.SIGKILL)
        until(lambda: not alive(served.pid))


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "then"),
    [
        *((name, then) for then in ("console", "up") for name in BREAKS if name != "buffer"),
        # What Terraform does not know, and what does not run; the rest is as it was.
        ("role", "down"),
        ("emulator", "down"),
    ],
)
def test_what_a_killed_page_broke_is_put_back_or_gone(
    lab: Lab, tmp_path: Path, name: str, then: str, labs: Callable[[str], kept.Kept]
) -> None:
    folder = labs(f"{name}-{then}").folder if then == "down" else lab.folder
    mine = Lab(folder)
    before = pipeline_of(mine)
    log = tmp_path / "console.log"
    _break_and_die(folder, log, name)
    assert breaks.current(folder) is not None

    if then == "console":
        with serve(log, "--work-dir", str(folder)):
            assert pipeline_of(mine) == before
        assert "put back" in log.read_text()
    else:
        process = kept.start("lab", then, "--work-dir", str(folder))
        out, err = process.communicate(timeout=900)
        assert process.returncode == 0, out + err
    if then == "down":
        assert lab_folder.look(folder)[0] == "none"
        assert emulators_in(folder) == []
    else:
        assert pipeline_of(mine) == before
    assert breaks.current(folder) is None


@pytest.mark.soak
def test_the_end_of_the_page_puts_back_what_it_broke(lab: Lab, tmp_path: Path) -> None:
    before = pipeline_of(lab)
    with serve(tmp_path / "console.log", "--work-dir", str(lab.folder)) as served:
        act(served, "break", name="handler")
        assert pipeline_of(lab) != before
        process = kept.start("lab", "status", "--json", "--work-dir", str(lab.folder))
        said = json.loads(process.communicate(timeout=60)[0])
        assert said["broken_on_purpose"] == "Crash the handler"
    assert pipeline_of(lab) == before
    assert breaks.current(lab.folder) is None


@pytest.mark.soak
def test_a_filled_buffer_drains_once_it_is_fixed(
    labs: Callable[[str], kept.Kept], tmp_path: Path
) -> None:
    made = labs("buffered")
    main = made.folder / "root" / "main.tf"
    text = main.read_text()
    assert breaks.unavailable(made.folder, "buffer") is not None
    main.write_text(
        text.replace('module "pipeline" {', 'module "pipeline" {\n  delivery = { buffer = {} }')
    )
    status, out, err = made.lab("lab", "up")
    assert status == 0, out + err
    lab = Lab(made.folder)
    with serve(tmp_path / "console.log", "--work-dir", str(made.folder)) as served:
        act(served, "break", name="buffer")
        keys = {f"buffered/{number}" for number in range(5)}
        for key in keys:
            lab.upload(key)
        assert not lab.keys() & keys
        act(served, "fix")
        until(lambda: keys <= lab.keys())


@pytest.mark.soak
def test_the_demo_plays_a_round_on_the_page_and_loses_nothing(lab: Lab) -> None:
    lab.forget_failures()
    process = kept.start("lab", "demo", "--page", "--json", "--work-dir", str(lab.folder))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    result = json.loads(out)
    assert (result["recovered"], result["lost"], result["problem"]) == (2, [], None)
    assert "2 recovered · nothing lost" in err
    # It was there before.
    assert lab_folder.look(lab.folder)[0] == "running"


def test_a_table_that_is_tagged_refuses_writes_until_the_tag_is_gone(running: Emulator) -> None:
    dynamodb = client("dynamodb", running.environment)
    names = [f"throttled-{uuid.uuid4()}" for _ in range(2)]
    arns = [
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "objectId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "objectId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )["TableDescription"]["TableArn"]
        for name in names
    ]
    item = {"objectId": {"S": "1"}}
    puts = [{"PutRequest": {"Item": item}}]
    dynamodb.tag_resource(ResourceArn=arns[0], Tags=[{"Key": THROTTLED, "Value": ""}])
    # As a client that doesn't retry sees it.
    once = boto3.client(
        "dynamodb",
        endpoint_url=running.endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(once.exceptions.ProvisionedThroughputExceededException):
        once.put_item(TableName=names[0], Item=item)
    with pytest.raises(once.exceptions.ProvisionedThroughputExceededException):
        once.batch_write_item(RequestItems={names[0]: puts})
    dynamodb.put_item(TableName=names[1], Item=item)

    dynamodb.untag_resource(ResourceArn=arns[0], TagKeys=[THROTTLED])
    dynamodb.put_item(TableName=names[0], Item=item)
    now = datetime.now(UTC)
    counted = client("cloudwatch", running.environment).get_metric_statistics(
        Namespace="AWS/DynamoDB",
        MetricName="WriteThrottleEvents",
        Dimensions=[{"Name": "TableName", "Value": names[0]}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in counted) == 2
