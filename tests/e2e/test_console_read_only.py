"""The read-only page: what it does not call, and what it shows where it may not read."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.page.browser import opened
from tests.support.page.console import Lab, row, serve, settled
from tests.support.page.readers import serve_outputs, user
from tests.support.soak import sampled

# What the names of AWS's operations that change nothing begin with.
HARMLESS = ("BatchGet", "Describe", "Filter", "Get", "List", "Receive", "Scan", "Simulate", "Test")

UPLOAD = """key => import("./drops.js").then(({ upload }) =>
  upload([{ body: new Blob(["x"]), key }]))"""


def test_read_only_means_that_no_call_is_made_that_changes_anything(
    browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    lab.forget_failures()
    bucket = lab.name("bucket_name")
    with (
        user(lab, "reader") as reader,
        serve_outputs(lab, tmp_path, reader.environment) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        with lab.failing():
            lab.upload("read only.txt")
            expect(row(page, "failures", "read only.txt")).to_be_visible()
        for name in "Choose files", "Choose folder", "Enter text":
            expect(page.get_by_role("button", name=name)).to_be_disabled()
        expect(page.locator("#drop")).to_contain_text("Start it with --write")
        expect(page.get_by_role("button", name="Replay")).to_have_count(0)
        page.evaluate(UPLOAD, "not taken.txt")
        assert served.ask("objects?key=not+taken.txt", "PUT", body=b"x")[0] == 403
        assert served.ask("replay", "POST", body=b'{"messages": "all"}')[0] == 403

        # All that there is to be opened asks AWS once more.
        page.locator("#alarms summary").first.click()
        expect(page.locator("#alarms .history").first).to_be_visible()
        publish_hours_ago(lab)
        page.get_by_role("button", name="24 h").click()
        note = page.locator("#timeline-note")
        # The lab's own page may have published some, too.
        expect(note).to_contain_text(
            re.compile(r"\d invocations in 24 hours, \d+ errors, by Cloud")
        )
        page.locator("#timeline-table summary").click()
        period = page.locator("#timeline-rows tr").filter(has_text="100 invocations, 2 errors")
        expect(period.locator("td").nth(2)).to_have_text("p50 10 ms, p99 90 ms")
        page.get_by_role("button", name="15 min").click()
        expect(note).to_contain_text("Uploads in 15 minutes")
        page.locator("#panel-records").get_by_label("Key prefix").fill("read")
        expect(page.locator("#records-note")).to_have_text("")
        calls = served.calls()
        assert {"Scan", "GetRecords", "FilterLogEvents", "ReceiveMessage"} <= calls.keys()
        assert [name for name in calls if not name.startswith(HARMLESS)] == []
        for panel in (
            "records",
            "log",
            "failures",
            "alarms",
            "notifications",
            "datapoints",
            "metrics",
            "checks",
        ):
            expect(page.locator(f"#unknown-{panel}")).to_be_hidden()

        log = (tmp_path / "log").read_text()
        shown = page.content() + page.evaluate("JSON.stringify(known)")
        for secret in reader.secret, reader.key, served.token:
            assert secret not in shown
        for secret in reader.secret, reader.key:
            assert secret not in log
        # The link is printed once, and nothing that is asked under it.
        assert log.count(served.token) == 1
    assert "Contents" not in lab.client("s3").list_objects_v2(Bucket=bucket, Prefix="not taken")
    assert lab.failed() == 1
    lab.forget_failures()


def publish_hours_ago(lab: Lab) -> None:
    """What AWS publishes of a function, which the emulator does not."""
    each = {
        "Dimensions": [{"Name": "FunctionName", "Value": lab.name("function_name")}],
        "Timestamp": datetime.now(UTC) - timedelta(hours=3),
    }
    took = {"Values": [10.0, 90.0], "Counts": [97.0, 3.0]}
    lab.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {**each, "MetricName": "Duration", "Unit": "Milliseconds", **took},
            {**each, "MetricName": "Invocations", "Value": 100.0},
            {**each, "MetricName": "Errors", "Value": 2.0},
        ],
    )


DENIED = {
    "log": ("logs:FilterLogEvents", "FilterLogEvents"),
    "alarms": ("cloudwatch:DescribeAlarms", "DescribeAlarms"),
    "failures": ("sqs:GetQueueAttributes", "GetQueueAttributes"),
    "records": ("dynamodb:GetRecords", "GetRecords"),
}


@pytest.mark.parametrize("panel", sampled(DENIED, {"log"}))
def test_a_denied_service_makes_its_panel_unknown_and_no_other(
    browser: Browser, lab: Lab, tmp_path: Path, panel: str
) -> None:
    action, operation = DENIED[panel]
    with (
        user(lab, f"without-{panel}", action) as denied,
        serve_outputs(lab, tmp_path, denied.environment) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        expect(page.locator(f"#unknown-{panel}")).to_contain_text(operation)
        key = f"not seen without {panel}.txt"
        lab.upload(key)
        if panel == "records":
            expect(page.locator("#log > li").first).to_be_visible()
        else:
            expect(row(page, "records", key)).to_be_visible()
        for other in DENIED.keys() - {panel}:
            expect(page.locator(f"#unknown-{other}")).to_be_hidden()
        expect(page.locator("#connection")).to_have_text("✓ Live")
        expect(page.locator("#banner")).to_be_hidden()


def test_expired_credentials_show_and_once_renewed_the_page_goes_on(
    browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    iam = lab.client("iam")
    with (
        user(lab, "expiring") as expiring,
        serve_outputs(lab, tmp_path, expiring.environment) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        lab.upload("before they expire.txt")
        expect(row(page, "records", "before they expire.txt")).to_be_visible()
        which = {"UserName": expiring.name, "AccessKeyId": expiring.key}
        iam.update_access_key(**which, Status="Inactive")
        expect(page.locator("#banner")).to_contain_text("credentials are refused")
        expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
        expect(page.locator("#connection")).to_have_text("? No data")
        # What was seen before stays.
        expect(row(page, "records", "before they expire.txt")).to_be_visible()
        iam.update_access_key(**which, Status="Active")
        expect(page.locator("#banner")).to_be_hidden()
        lab.upload("after they expired.txt")
        expect(row(page, "records", "after they expired.txt")).to_be_visible()


def test_a_stack_that_is_not_applied_shows_and_is_found_once_it_is(
    browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text('output "other" {\n  value = 1\n}\n')
    with (
        serve(tmp_path / "log", "--stack", str(root), **lab.environment) as served,
        opened(browser) as page,
    ):
        page.goto(served.url)
        expect(page.locator("#banner")).to_contain_text("has no outputs")
        expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
        expect(page.locator("#connection")).to_have_text("? No data")
        state = lab.folder / "root" / "terraform.tfstate"
        (root / "terraform.tfstate").write_text(state.read_text())
        expect(page.locator("#banner")).to_be_hidden()
        lab.upload("the stack is there.txt")
        expect(row(page, "records", "the stack is there.txt")).to_be_visible()
