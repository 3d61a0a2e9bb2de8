"""The page of `pipeline console` in a browser: uploads that are recorded, fail and are replayed.

All tests of the page share one lab; each uses keys of its own and leaves the pipeline working.
"""

import re
import uuid
from pathlib import Path

from playwright.sync_api import Page, expect

from pipeline.console.board.board import RECORDS
from pipeline.console.board.stages import NOTHING
from tests.support.page.browser import drag
from tests.support.page.console import (
    PATIENCE_SECONDS,
    Lab,
    Served,
    expect_recorded,
    row,
    settled,
    upload_row,
)
from tests.support.poll import until
from tests.support.stacks import kept

THROTTLE, FAILURES = "DynamoDBWriteThrottleAlert", "FailureQueueAlert"
ATTRIBUTES = (
    "objectId",
    "bucket",
    "objectKey",
    "timestamp",
    "ttl",
    "eventName",
    "eventTime",
    "sequencer",
    "versionId",
    "eTag",
    "size",
)
# A drop that a script makes has files, but no folders.
DROP = """names => {
  const transfer = new DataTransfer();
  for (const name of names) transfer.items.add(new File([`I am ${name}`], name));
  document.getElementById("drop").dispatchEvent(
    new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
}"""

# As many recorded uploads from elsewhere as the list shows.
MANY = """() => takeUploads(Array.from({ length: 150 }, (_, number) => ({ id: 1e6 + number,
  key: `x${number}`, at: Date.now(), from_page: false, state: "recorded", stages: {}, reason: null,
  message: null })))"""


def _write(folder: Path, *names: str) -> list[Path]:
    files = [folder / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"I am {file.name}")
    return files


def test_a_dropped_file_shows_at_every_stage_and_in_its_record_and_log_line(
    page: Page, tmp_path: Path, lab: Lab
) -> None:
    key = "dropped file ü+%.txt"
    drag(page, page.locator("#drop"), _write(tmp_path, key))

    expect_recorded(page, key)
    seen = upload_row(page, key)
    expect(seen.locator(".total")).to_have_text(re.compile(r"\d m?s"))
    expect(seen.locator(".about")).to_contain_text("from this page")

    record = row(page, "records", key)
    record.locator("summary").click()
    for name in ATTRIBUTES:
        expect(record.locator("dt").get_by_text(name, exact=False).first).to_be_visible()
    shown = record.locator("dl").inner_text()
    identity = record.locator("dd").first.inner_text()
    size = str(len(f"I am {key}".encode()))
    for part in (key, lab.name("bucket_name"), "ObjectCreated:Put", f"size N\n{size}", " UTC)"):
        assert part in shown

    table = lab.client("dynamodb")
    stored = table.get_item(TableName=lab.name("table_name"), Key={"objectId": {"S": identity}})[
        "Item"
    ]
    assert stored.keys() == set(ATTRIBUTES)
    for value in stored.values():
        assert next(iter(value.values())) in shown

    # The invoke that stored it names its record.
    def named() -> bool:
        for invoke in page.locator("#log > li").all():
            if not invoke.locator("details").evaluate("details => details.open"):
                invoke.locator("summary").click()
            if identity in invoke.locator("pre").inner_text():
                return True
        return False

    until(named, PATIENCE_SECONDS)
    for stage in "bucket", "delivery", "topic":
        expect(page.locator(f"#stage-{stage}")).to_have_attribute(
            "data-status", re.compile("ok|busy")
        )
    assert page.locator("#stage-function dd").first.inner_text() != "0"


def test_ten_files_dropped_at_once_are_all_recorded(page: Page, lab: Lab) -> None:
    keys = [f"ten-{number}.txt" for number in range(10)]
    page.evaluate(DROP, keys)
    for key in keys:
        expect_recorded(page, key)
    assert set(keys) <= lab.keys()


def test_a_dropped_folder_is_uploaded_with_its_paths_as_keys_below_the_prefix(
    page: Page, tmp_path: Path
) -> None:
    _write(tmp_path, "season/summer/a.txt", "season/b.txt")
    page.locator("#uploads").get_by_label("Key prefix").fill("of 2026/")
    drag(page, page.locator("#drop"), [tmp_path / "season"])
    expect_recorded(page, "of 2026/season/summer/a.txt")
    expect_recorded(page, "of 2026/season/b.txt")


def test_files_can_be_chosen_and_text_entered(page: Page, tmp_path: Path, lab: Lab) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(_write(tmp_path, "chosen 1.txt", "chosen 2.txt"))
    expect_recorded(page, "chosen 1.txt")
    expect_recorded(page, "chosen 2.txt")

    page.get_by_role("button", name="Enter text").click()
    page.get_by_label("Key", exact=True).fill("typed.txt")
    page.get_by_role("textbox", name="Text", exact=True).fill("what I typed, ümlaut")
    page.get_by_role("button", name="Upload text").click()
    expect_recorded(page, "typed.txt")
    answer = lab.client("s3").get_object(Bucket=lab.name("bucket_name"), Key="typed.txt")
    assert answer["Body"].read().decode() == "what I typed, ümlaut"


def test_an_upload_from_elsewhere_shows_too(page: Page, lab: Lab) -> None:
    lab.upload("elsewhere.txt")
    expect_recorded(page, "elsewhere.txt")
    expect(upload_row(page, "elsewhere.txt").locator(".about")).to_contain_text("from elsewhere")


def test_records_are_filtered_by_prefix_and_time_and_the_log_by_level_and_request(
    page: Page, lab: Lab
) -> None:
    prefix = f"filtered-{uuid.uuid4()}/"
    for key in f"{prefix}in.txt", "other.txt":
        lab.upload(key)
        expect_recorded(page, key)
    page.locator("#panel-records").get_by_label("Key prefix").fill(prefix)
    expect(page.locator("#records > li")).to_have_count(1)
    page.get_by_label("Since").select_option("5 minutes")
    expect(page.locator("#records > li")).to_have_count(1)
    expect(page.locator("#records-note")).to_have_text("")
    page.locator("#panel-records").get_by_label("Key prefix").fill("no such key")
    expect(page.locator("#records > li")).to_have_count(0)

    first = page.locator("#log > li").first
    first.locator("summary").click()
    request = first.locator(".body > div").first.inner_text().removeprefix("request ")
    page.get_by_label("Request id").fill(request)
    expect(page.locator("#log > li")).to_have_count(1)
    page.get_by_label("Request id").fill("ffffffff-none")
    expect(page.locator("#log > li")).to_have_count(0)
    page.get_by_role("button", name="Search the last day").click()
    expect(page.locator("#log-note")).to_have_text(
        "No log line of the last day has this request id."
    )
    page.get_by_label("Request id").fill("")
    page.get_by_label("Level").select_option("errors")
    assert set(page.locator("#log .state").all_inner_texts()) <= {"✕ ERROR"}


def test_a_failed_file_shows_where_it_failed_and_its_replay_makes_a_record(
    page: Page, lab: Lab
) -> None:
    keys = [f"failed-{uuid.uuid4()}-{number}.txt" for number in range(5)]
    lab.forget_failures()
    with lab.failing():
        page.evaluate(DROP, keys)
        for key in keys:
            seen = upload_row(page, key)
            expect(seen).to_have_attribute("data-upload", "failed")
            expect(seen.locator(".step[data-step=failed]")).to_contain_text("function")
            expect(seen.locator(".step[data-step=done]")).to_have_count(2)
            expect(row(page, "failures", key)).to_contain_text("AccessDenied")
        expect(page.locator("#failures > li")).to_have_count(5)
        expect(page.locator("#stage-failures")).to_have_attribute("data-status", "failing")
        expect(page.locator("#stage-function")).to_have_attribute("data-status", "failing")
        cause = re.compile("Function failing: .*(AccessDenied|may not dynamodb:PutItem)")
        expect(page.locator("#verdict")).to_contain_text(cause)
        expect(page.locator("#verdict")).to_contain_text("5 events wait in the failure queue.")
        # They stay in sight while they are queued, whatever comes after them.
        page.evaluate(MANY)
        for key in keys:
            expect(upload_row(page, key)).to_be_visible()
        page.evaluate(
            "for (const id of known.uploads.keys()) if (id >= 1e6) known.uploads.delete(id)"
        )
        expect(page.locator(f"#alarm-{FAILURES} .state").first).to_have_text("✕ ALARM")
        expect(page.locator("#log .state").get_by_text("ERROR").first).to_be_visible()

        # Its trace says what each attempt met, and how to replay it here and in a terminal.
        row(page, "failures", keys[0]).locator("a.key").click()
        expect(page.locator("#detail-title")).to_have_text(keys[0])
        named = page.locator(".what").get_by_text(re.compile(r"^Attempt \d$"))
        attempts = page.locator("#detail .waterfall li").filter(has=named)
        expect(attempts).to_have_count(3)
        expect(attempts.last).to_contain_text("AccessDenied")
        expect(page.locator("#detail .waterfall .what").last).to_have_text("In the failure queue")
        expect(page.locator("#detail")).to_contain_text("replay --work-dir")
        expect(page.get_by_role("button", name="Replay this upload")).to_be_visible()
        page.go_back()

        # Too early: the message stays in the queue.
        upload_row(page, keys[0]).get_by_role("button", name="Replay").click()
        expect(page.locator("#replay-state")).to_contain_text("1 still in the queue")
    assert not lab.keys() & set(keys)

    upload_row(page, keys[0]).get_by_role("button", name="Replay").click()
    expect_recorded(page, keys[0])
    expect(page.locator("#failures > li")).to_have_count(4)

    for key in keys[1:3]:
        page.get_by_label(f"Select {key}").check()
    page.get_by_role("button", name="Replay 2 selected").click()
    for key in keys[1:3]:
        expect_recorded(page, key)
    expect(page.locator("#failures > li")).to_have_count(2)
    assert lab.keys() & set(keys) == set(keys[:3])

    page.get_by_role("button", name="Replay all").click()
    for key in keys[3:]:
        expect_recorded(page, key)
    expect(page.locator("#failures-none")).to_be_visible()
    expect(page.locator("#stage-failures")).to_have_attribute("data-status", "ok")
    expect(page.locator("#stage-function")).to_have_attribute("data-status", re.compile("ok|busy"))
    expect(page.locator("#verdict")).to_contain_text("Recovered at ")
    expect(page.locator("#verdict")).to_contain_text("replayed, the failure queue is empty.")
    expect(page.locator(f"#alarm-{FAILURES} .state").first).to_have_text("✓ OK")
    assert set(keys) <= lab.keys()
    assert lab.failed() == 0


def test_a_handler_that_raises_is_an_error_everywhere_and_green_again_after_its_replay(
    page: Page, lab: Lab
) -> None:
    """What it prints is a plain traceback, as a team's own handler does."""
    key = f"crash-{uuid.uuid4()}.txt"
    lab.forget_failures()
    with lab.crashing():
        page.evaluate(DROP, [key])
        crashed = row(page, "log", "ValueError: TTL_SECONDS is ''")
        expect(crashed.locator(".state")).to_have_text("✕ ERROR")
        # By the exception, or once the function was looked at, by its environment.
        expect(page.locator("#verdict")).to_have_text(re.compile("Function failing: .*TTL_SECONDS"))
        expect(page.locator("#verdict")).to_contain_text("Since ")
        expect(page.locator("#stage-function dl")).to_contain_text("errors")
        expect(page.locator("#alarm-LambdaErrorsAlert .state").first).to_have_text("✕ ALARM")
        expect(upload_row(page, key)).to_have_attribute("data-upload", "failed")
        # Lines are shown as they are.
        crashed.locator("summary").click()
        shown = crashed.locator("pre").inner_text()
        assert "\tDuration: " in shown
        assert "\\u" not in shown
    page.get_by_role("button", name="Replay all").click()
    expect_recorded(page, key)
    expect(page.locator("#verdict")).to_contain_text("Recovered at ")
    expect(page.locator("#verdict")).not_to_have_attribute("data-state", "failing")
    # Its environment was new: as long as Lambda says that it took.
    replayed = row(page, "log", "cold start")
    replayed.locator("summary").click()
    reported = re.search(r"\tDuration: (\d+)", replayed.locator("pre").inner_text())
    assert reported is not None
    seconds = int(reported[1]) / 1000
    took = f"{round(seconds)} s" if seconds >= 10 else f"{int(reported[1]):,} ms"
    expect(replayed.locator(".ms")).to_have_text(took)


def test_own_uploads_stay_own_after_a_reload_and_an_absence(
    page: Page, console: Served, lab: Lab
) -> None:
    page.evaluate(DROP, ["mine.txt"])
    expect_recorded(page, "mine.txt")
    page.reload()
    about = upload_row(page, "mine.txt").locator(".about")
    expect(about).to_contain_text("from this page")
    page.goto("about:blank")
    # Nothing is asked any more, so that all that was read is forgotten.
    until(lambda: console.ask("calls")[0] == 502, PATIENCE_SECONDS)
    lab.upload("meanwhile.txt")
    settled(page, console.url)
    expect(about).to_contain_text("from this page")
    expect_recorded(page, "mine.txt")
    expect_recorded(page, "meanwhile.txt")
    expect(upload_row(page, "meanwhile.txt").locator(".about")).to_contain_text("from elsewhere")
    # What was written before it was opened counts.
    writes = page.locator("#stage-table dl > div").filter(has_text="writes").locator("dd")
    expect(writes).to_have_text(re.compile(r"^[1-9]"))


def test_the_strip_names_each_stage_in_one_row_and_a_click_shows_all_of_it(
    page: Page, lab: Lab
) -> None:
    lab.upload("strip.txt")
    expect_recorded(page, "strip.txt")
    assert page.locator("#flow").evaluate("strip => strip.offsetHeight") <= 80
    rows = "[...document.querySelectorAll('#upload-list > li, #log > li')].map(e => e.offsetHeight)"
    assert max(page.evaluate(rows)) <= 37
    stages = page.locator("#flow > li")
    expect(stages).to_have_count(7)
    for stage in stages.all():
        expect(stage.locator(".state")).to_have_text(re.compile("OK|Busy|Failing|In alarm"))
        expect(stage.locator("dd")).to_have_count(1)
    expect(page.locator("#stage-function svg")).to_have_attribute(
        "aria-label", re.compile(r"of the last 15 minutes: \d")
    )
    page.locator("#stage-function a").click()
    detail = page.locator("#detail")
    expect(page.locator("#detail-title")).to_have_text("Function")
    expect(detail.locator(".names")).to_contain_text(lab.name("function_arn"))
    expect(detail.locator(".names")).to_contain_text(lab.name("log_group_name"))
    expect(detail.locator("svg.chart text").first).to_have_text(re.compile(r"^\d"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    detail.get_by_role("button", name="Copy ARN").click()
    copied = "navigator.clipboard.readText()"
    until(lambda: page.evaluate(copied) == lab.name("function_arn"))
    detail.locator("summary").filter(has_text="LambdaErrorsAlert").click()
    expect(detail.locator(".runbook")).to_contain_text("Means:")
    page.go_back()
    expect(detail).to_be_hidden()


def test_an_upload_has_an_address_of_its_own_that_says_how_long_each_part_took(
    page: Page, lab: Lab
) -> None:
    key = "traced.txt"
    page.evaluate(DROP, [key])
    expect_recorded(page, key)
    upload_row(page, key).locator("a.key").click()
    detail = page.locator("#detail")
    expect(page.locator("#detail-title")).to_have_text(key)
    parts = detail.locator(".waterfall .what")
    expect(parts.first).to_have_text("Upload to S3")
    expect(parts.last).to_have_text("Invocation, with the write")
    expect(detail.locator(".waterfall .took").last).to_have_text(re.compile(r"\d m?s$"))
    expect(detail.locator("dl.attributes")).to_contain_text("ObjectCreated:Put")
    expect(detail.locator("pre.lines")).to_contain_text("Invoke done")
    expect(detail).to_contain_text(re.compile(r"pipeline logs .*--request"))
    address = page.url
    identity = address.rpartition("/")[2]
    page.go_back()
    expect(detail).to_be_hidden()
    # From the log, from its record, and from its address alone.
    invoke = page.locator("#log > li").filter(has_text="1 stored").first
    invoke.locator("summary").click()
    invoke.locator(".traces a").first.click()
    expect(detail.locator(".waterfall li").first).to_be_visible()
    record = row(page, "records", key)
    record.locator("summary").click()
    record.get_by_role("link", name="Trace of this upload").click()
    expect(page.locator("#detail-title")).to_have_text(key)
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#detail-title")).to_have_text(key)
    # One that the page has never seen is read from the table and the log of the last day.
    page.evaluate("location.hash = '#/upload/00000000-0000-5000-8000-000000000000'")
    expect(page.locator("#detail-body")).to_contain_text("Nothing is known of 00000000")
    assert lab.client("dynamodb").get_item(
        TableName=lab.name("table_name"), Key={"objectId": {"S": identity}}
    )["Item"]


def test_a_slow_answer_about_an_upload_replaces_no_later_one(page: Page) -> None:
    page.evaluate(DROP, ["asked-twice.txt"])
    expect_recorded(page, "asked-twice.txt")
    upload_row(page, "asked-twice.txt").locator("a.key").click()
    expect(page.locator("#detail .waterfall .what").last).to_have_text("Invocation, with the write")
    assert page.evaluate("""async () => {
      const real = ask, now = traced;
      let answer;
      ask = () => new Promise((resolve) => { answer = resolve; });
      const slow = loadTrace(now.id);
      ask = async () => now;
      await loadTrace(now.id);
      answer({ ...now, spans: [] });
      await slow;
      ask = real;
      return traced === now;
    }""")


def test_a_slow_answer_about_the_timeline_replaces_no_later_one(page: Page) -> None:
    page.evaluate(DROP, ["asked-in-time.txt"])
    expect_recorded(page, "asked-in-time.txt")
    assert (
        page.evaluate("""async () => {
      const real = ask, dot = (id) => [id, "", Date.now(), 5, 5, 0, 0];
      const rest = { every: 1, alarms: [], changes: [] };
      let answer;
      ask = () => new Promise((resolve) => { answer = resolve; });
      const slow = loadTimeline();
      ask = async () => ({ dots: [dot("later")], ...rest });
      const later = loadTimeline();
      takeDots([dot("fresh")]);
      await later;
      answer({ dots: [dot("old")], ...rest });
      await slow;
      ask = real;
      return [...line.dots.keys()].sort().join();
    }""")
        == "fresh,later"
    )
    page.reload()


def test_the_timeline_has_each_upload_and_what_is_brushed_is_all_that_shows_below(
    page: Page, lab: Lab
) -> None:
    key = "<img src=x onerror=alert(1)>.txt"
    page.evaluate(DROP, [key, "timed.txt"])
    for each in key, "timed.txt":
        expect_recorded(page, each)
    expect(page.locator("#timeline-note")).to_contain_text("Uploads in 15 minutes: ")
    expect(page.locator("#timeline-note")).to_contain_text("p99 ")
    # A table has the same, for who sees no canvas.
    page.locator("#timeline-table summary").click()
    dot = page.locator("#timeline-rows tr").filter(has_text=key).first
    expect(dot.locator("td").nth(2)).to_have_text(re.compile(r"^\d.* m?s$"))
    expect(page.locator("#timeline-events")).to_contain_text("changed")

    # Hover names it, a click opens it.
    dot_at = """key => {
      drawTimeline();
      const dot = [...line.dots.values()].filter((dot) => dot[1] === key).at(-1);
      return { x: linePlace.x(dot[2]), y: rise(dot) };
    }"""
    canvas = page.locator("#timeline-canvas")
    canvas.hover(position=page.evaluate(dot_at, key))
    expect(page.locator("#timeline-tip")).to_have_text(re.compile(r"\.txt · .* · \d\d:\d\d:\d\d"))
    canvas.click(position=page.evaluate(dot_at, key))
    expect(page.locator("#detail-title")).to_have_text(re.compile(r"\.txt$"))
    page.go_back()

    # Nothing was uploaded in the first minutes of the hour that the test begins in the end of.
    page.get_by_role("button", name="5 min", exact=True).click()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 62, box["y"] + 100)
    page.mouse.move(box["x"] + 70, box["y"] + 100, steps=3)
    page.mouse.up()
    expect(page.locator("#brush")).to_contain_text("Everything below is of ")
    expect(upload_row(page, "timed.txt")).to_have_count(0)
    expect(page.locator("#records > li").filter(has_text="timed.txt")).to_have_count(0)
    expect(page.locator("#timeline-rows tr").filter(has_text="timed.txt")).to_have_count(0)
    page.get_by_role("button", name="Clear").click()
    expect(upload_row(page, "timed.txt")).to_be_visible()
    # The lab has no metrics of CloudWatch's own.
    expect(page.get_by_role("button", name="24 h")).to_be_hidden()
    page.get_by_role("button", name="60 min").click()
    expect(page.locator("#timeline-note")).to_contain_text("Uploads in 60 minutes: ")

    # More than are drawn: that is said. Each answer of the server tells the true number again.
    page.wait_for_function("""() => {
      line.every = 32; line.told = 0; drawTimeline();
      return document.getElementById("timeline-note").textContent.includes("one of 32 is drawn");
    }""")


def test_an_alarm_shows_with_its_notification_history_and_runbook(page: Page, lab: Lab) -> None:
    alarm = page.locator(f"#alarm-{THROTTLE}")
    expect(alarm.locator(".state").first).to_have_text("✓ OK")
    lab.put_datapoint("WriteThrottleEvents", 7)
    try:
        expect(alarm.locator(".state").first).to_have_text("✕ ALARM")
        expect(page.locator("#stage-alarms")).to_have_attribute("data-status", "failing")
        expect(page.locator("#stage-alarms .state")).to_have_text("✕ In alarm")
        expect(page.locator("#verdict")).to_contain_text(THROTTLE)
        expect(alarm.locator("svg")).to_have_attribute(
            "aria-label", re.compile("maximum 7, .*threshold 1")
        )

        message = row(page, "notifications", f'ALARM: "{THROTTLE}"')
        message.locator("summary").click()
        for part in ("OK → ALARM", "Reason: ", "AWS/DynamoDB WriteThrottleEvents", "threshold 1"):
            expect(message).to_contain_text(part)

        alarm.locator("summary").click()
        expect(alarm.locator(".history")).to_contain_text("OK → ALARM")
        expect(alarm.locator(".runbook")).to_contain_text("the table refused writes")
    finally:
        lab.reset_alarm(THROTTLE)
    expect(alarm.locator(".state").first).to_have_text("✓ OK")


def test_more_records_than_are_shown_leave_the_lists_short(page: Page, lab: Lab) -> None:
    items = lab.client("dynamodb")
    image = {"bucket": {"S": "b"}, "timestamp": {"N": "1"}, "eventName": {"S": "ObjectCreated:Put"}}
    names = [f"many-{number:04}" for number in range(RECORDS + 25)]
    puts = [
        {"PutRequest": {"Item": {"objectId": {"S": name}, "objectKey": {"S": name}, **image}}}
        for name in names
    ]
    for start in range(0, len(puts), 25):
        items.batch_write_item(RequestItems={lab.name("table_name"): puts[start : start + 25]})
    lab.upload("after many.txt")
    expect_recorded(page, "after many.txt")
    # Exactly, though the page keeps fewer.
    table = lab.client("dynamodb").describe_table(TableName=lab.name("table_name"))["Table"]
    expect(page.locator("#records-count")).to_have_text(f"100 of {table['ItemCount']}")
    assert page.locator("#records > li").count() == 100
    assert page.locator("#upload-list > li").count() <= 100
    expect(page.locator("#records > li").first).to_contain_text("after many.txt")


def test_when_the_emulator_goes_away_the_page_says_so_and_recovers_when_it_comes_back(
    page: Page, lab: Lab, console: Served
) -> None:
    down = kept.start("lab", "down", "--keep-state", "--work-dir", str(lab.folder))
    out, err = down.communicate(timeout=120)
    assert down.returncode == 0, out + err
    expect(page.locator("#banner")).to_be_visible()
    expect(page.locator("#banner")).to_contain_text(re.compile("does not (answer|run)|No lab runs"))
    expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
    # Nothing is green that nobody knows.
    expect(page.locator("#connection")).to_have_text("? No data")
    green = "#flow [data-status=ok], #flow [data-state=ok], #alarms [data-state=ok]"
    expect(page.locator(green)).to_have_count(0)
    assert set(page.locator("#flow dd").all_inner_texts()) == {NOTHING}
    assert console.ask("objects?key=meanwhile.txt", "PUT", body=b"lost")[0] == 503

    kept.up(lab.folder)
    expect(page.locator("#banner")).to_be_hidden()
    lab.upload("after the return.txt")
    expect_recorded(page, "after the return.txt")
    page.evaluate(DROP, ["dropped after the return.txt"])
    expect_recorded(page, "dropped after the return.txt")


def test_a_second_page_shows_the_same_and_one_that_was_closed_leaves_nothing_behind(
    page: Page, console: Served, lab: Lab
) -> None:
    second = settled(page.context.new_page(), console.url)
    lab.upload("seen twice.txt")
    expect_recorded(page, "seen twice.txt")
    expect_recorded(second, "seen twice.txt")
    second.close()
    lab.upload("seen once.txt")
    expect_recorded(page, "seen once.txt")
