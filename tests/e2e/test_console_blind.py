"""The page that only looks: what it may not do, and what it says that it can't see."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.page.browser import opened
from tests.support.page.console import Watched, row, serve, settled
from tests.support.page.readers import serve_outputs, user

# What the names of AWS's operations that change nothing begin with.
HARMLESS = ("BatchGet", "Describe", "Filter", "Get", "List", "Receive", "Scan", "Simulate", "Test")


def test_read_only_means_that_no_call_is_made_that_changes_anything(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    watched.forget_failures()
    bucket = watched.name("bucket_name")
    with (
        user(watched, "reader") as reader,
        serve_outputs(watched, tmp_path, reader.environment) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        with watched.broken():
            watched.upload("looked at.txt")
            expect(row(page, "failures", "looked at.txt")).to_be_visible()
        for name in "Choose files", "Choose a folder", "Type a text":
            expect(page.get_by_role("button", name=name)).to_be_disabled()
        expect(page.locator("#drop")).to_contain_text("start it with --write")
        expect(page.get_by_role("button", name="Replay")).to_have_count(0)
        page.evaluate("upload([{ file: new Blob(['x']), path: 'not taken.txt' }])")
        assert served.ask("objects?key=not+taken.txt", "PUT", body=b"x")[0] == 403
        assert served.ask("replay", "POST", body=b'{"messages": "all"}')[0] == 403

        # All that there is to be opened asks AWS once more.
        page.locator("#alarms summary").first.click()
        expect(page.locator("#alarms .history").first).to_be_visible()
        page.get_by_label("Key begins with").fill("looked")
        expect(page.locator("#records-note")).to_have_text("")
        calls = served.calls()
        assert {"Scan", "GetRecords", "FilterLogEvents", "ReceiveMessage"} <= calls.keys()
        assert [name for name in calls if not name.startswith(HARMLESS)] == []
        for panel in "records", "log", "failures", "alarms", "mails", "points", "metrics", "checks":
            expect(page.locator(f"#blind-{panel}")).to_be_hidden()

        log = (tmp_path / "log").read_text()
        shown = page.content() + page.evaluate("JSON.stringify(known)")
        for secret in reader.secret, reader.key, served.token:
            assert secret not in shown
        for secret in reader.secret, reader.key:
            assert secret not in log
        # The link is printed once, and nothing that is asked under it.
        assert log.count(served.token) == 1
    assert "Contents" not in watched.client("s3").list_objects_v2(Bucket=bucket, Prefix="not taken")
    assert watched.failed() == 1
    watched.forget_failures()


DENIED = {
    "log": ("logs:FilterLogEvents", "FilterLogEvents"),
    "alarms": ("cloudwatch:DescribeAlarms", "DescribeAlarms"),
    "failures": ("sqs:GetQueueAttributes", "GetQueueAttributes"),
    "records": ("dynamodb:GetRecords", "GetRecords"),
}


@pytest.mark.parametrize("panel", DENIED)
def test_one_service_denied_makes_its_panel_blind_and_no_other(
    browser: Browser, watched: Watched, tmp_path: Path, panel: str
) -> None:
    action, operation = DENIED[panel]
    with (
        user(watched, f"without-{panel}", action) as half,
        serve_outputs(watched, tmp_path, half.environment) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        expect(page.locator(f"#blind-{panel}")).to_contain_text(operation)
        key = f"half seen without {panel}.txt"
        watched.upload(key)
        if panel == "records":
            expect(page.locator("#log > li").first).to_be_visible()
        else:
            expect(row(page, "records", key)).to_be_visible()
        for other in DENIED.keys() - {panel}:
            expect(page.locator(f"#blind-{other}")).to_be_hidden()
        expect(page.locator("#connection")).to_have_text("✓ live")
        expect(page.locator("#banner")).to_be_hidden()


def test_credentials_that_expire_are_told_and_once_renewed_all_is_seen_again(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    iam = watched.client("iam")
    with (
        user(watched, "expiring") as expiring,
        serve_outputs(watched, tmp_path, expiring.environment) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        watched.upload("before they expire.txt")
        expect(row(page, "records", "before they expire.txt")).to_be_visible()
        which = {"UserName": expiring.name, "AccessKeyId": expiring.key}
        iam.update_access_key(**which, Status="Inactive")
        expect(page.locator("#banner")).to_contain_text("credentials are refused")
        expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
        expect(page.locator("#connection")).to_have_text("✓ live")
        # What was seen before stays.
        expect(row(page, "records", "before they expire.txt")).to_be_visible()
        iam.update_access_key(**which, Status="Active")
        expect(page.locator("#banner")).to_be_hidden()
        watched.upload("after they expired.txt")
        expect(row(page, "records", "after they expired.txt")).to_be_visible()


def test_wrong_credentials_are_told_at_the_top_of_a_page_that_stays_up(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    wrong = {"AWS_ACCESS_KEY_ID": "AKIAWRONGWRONGWRONG1", "AWS_SECRET_ACCESS_KEY": "wrong"}
    with (
        serve_outputs(watched, tmp_path, wrong) as served,
        opened(browser) as page,
    ):
        page.goto(served.url)
        expect(page.locator("#banner")).to_contain_text("credentials are refused")
        expect(page.locator("#connection")).to_have_text("✓ live")
        assert served.ask("records")[0] == 502


def test_no_stack_yet_is_told_and_the_stack_is_found_once_it_is_there(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text('output "other" {\n  value = 1\n}\n')
    with (
        serve(tmp_path / "log", "--stack", str(root), **watched.environment) as served,
        opened(browser) as page,
    ):
        page.goto(served.url)
        expect(page.locator("#banner")).to_contain_text("has no outputs")
        expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
        expect(page.locator("#connection")).to_have_text("✓ live")
        state = watched.folder / "root" / "terraform.tfstate"
        (root / "terraform.tfstate").write_text(state.read_text())
        expect(page.locator("#banner")).to_be_hidden()
        watched.upload("the stack is there.txt")
        expect(row(page, "records", "the stack is there.txt")).to_be_visible()


def test_half_a_stack_is_shown_as_far_as_it_goes(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    with (
        serve_outputs(watched, tmp_path, failure_queue_url=None, alarm_names=None) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        expect(page.locator("#blind-failures")).to_contain_text("failure_queue_url")
        expect(page.locator("#blind-alarms")).to_contain_text("alarm_names")
        watched.upload("half a stack.txt")
        expect(row(page, "records", "half a stack.txt")).to_be_visible()
        expect(row(page, "log", "1 stored")).to_be_visible()
