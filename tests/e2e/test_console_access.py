"""The page for everybody: by axe-core, by keyboard alone, in the dark, and on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.page.browser import faults, opened, tab_to
from tests.support.page.console import Lab, Served, expect_recorded, row, serve, settled, upload_row
from tests.support.poll import until
from tests.support.soak import sampled

THROTTLE = "DynamoDBWriteThrottleAlert"
PHONE = {"width": 390, "height": 844}
APPEARANCES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": PHONE, "has_touch": True},
    "narrow and dark": {"viewport": PHONE, "color_scheme": "dark"},
}
LONG = "a-name-without-any-place-to-break-it-" * 10 + ".txt"
SCROLLS = """() => {
  const most = document.documentElement.clientWidth;
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().right > most + 1
      && element.checkVisibility() && !element.closest(".visually-hidden, .skip"))
    .map((element) => element.outerHTML.slice(0, 200));
}"""
# Where texts stand in the timeline that are all about the same moment.
LABELS = """() => {
  const places = [], pen = CanvasRenderingContext2D.prototype, write = pen.fillText;
  pen.fillText = function (value, at, up) {
    const wide = this.measureText(value).width, by = { left: 0, center: .5, right: 1 };
    places.push([at - wide * by[this.textAlign], at + wide * (1 - by[this.textAlign]), up]);
  };
  const at = now() - 5000;
  line.changes = [[at - 9000, "Function changed"], [at, "Broken on purpose"], [at + 2000, "Fixed"]];
  line.alarms = ["LambdaErrorsAlert", "FailureQueueAlert", "LambdaErrorsAlert"]
    .map((name) => [name, at, null]);
  line.dots = new Map([1, 2, 3].map((id) => [id, [id, "key", at, 800 + 9 * id, 8, 0, 0]]));
  line.told = 0;
  drawTimeline();
  pen.fillText = write;
  return places;
}"""


@pytest.fixture(scope="module")
def full(lab: Lab) -> Iterator[Lab]:
    """The lab with a recorded and three failed uploads, an alarm in ALARM and its notification."""
    lab.forget_failures()
    lab.upload(LONG)
    # Before the function may not write any more.
    until(lambda: {LONG} <= lab.keys())
    with lab.failing():
        for number in range(3):
            lab.upload(f"failed {number} {LONG}")
        until(lambda: lab.failed() == 3)
    lab.put_datapoint("WriteThrottleEvents", 5)
    try:
        yield lab
    finally:
        lab.reset_alarm(THROTTLE)


def _open_everything(page: Page) -> None:
    expect(page.locator("#failures > li")).to_have_count(3)
    expect(page.locator("#log > li").first).to_be_visible()
    for panel in "records", "log", "notifications", "alarms":
        page.locator(f"#{panel} summary").first.click()
    page.get_by_role("button", name="Enter text").click()
    expect(page.locator("#alarms .history").first).to_be_visible()
    expect(page.locator("#alarms .state").first).to_have_text("✕ ALARM")
    # A trace and a stage, with all that they have.
    page.locator("#timeline-table summary").click()
    expect(page.locator("#timeline-rows tr").first).to_be_visible()
    page.goto(f"{page.url}#/stage/failures")
    expect(page.locator("#detail-title")).to_have_text("Failure queue")
    assert faults(page) == {}
    page.locator("#failures a.key").first.click()
    expect(page.locator("#detail .waterfall li").first).to_be_visible()


@pytest.mark.parametrize("appearance", sampled(APPEARANCES, {"light", "narrow and dark"}))
def test_axe_finds_nothing_serious_and_nothing_sticks_out(
    browser: Browser, console: Served, full: Lab, appearance: str
) -> None:
    with opened(browser, reduced_motion="reduce", **APPEARANCES[appearance]) as page:
        settled(page, console.url)
        assert faults(page) == {}
        _open_everything(page)
        full.upload(f"{appearance}/{LONG}")
        expect_recorded(page, f"{appearance}/{LONG}")
        assert faults(page) == {}
        assert page.evaluate(SCROLLS) == []
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0


@pytest.mark.parametrize("appearance", sampled(["light", "dark", "narrow"], {"light"}))
def test_axe_finds_nothing_serious_where_there_is_no_stack_yet(
    browser: Browser, tmp_path: Path, appearance: str
) -> None:
    (tmp_path / "main.tf").write_text('output "other" {\n  value = 1\n}\n')
    with (
        serve(tmp_path / "log", "--stack", str(tmp_path), AWS_REGION="us-east-1") as served,
        opened(browser, **APPEARANCES[appearance]) as page,
    ):
        page.goto(served.url)
        expect(page.locator("#banner")).to_be_visible()
        assert faults(page) == {}
        assert page.evaluate(SCROLLS) == []


def test_the_button_switches_from_light_to_dark_and_the_page_remembers(
    browser: Browser, console: Served
) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, color_scheme="light") as page:
        settled(page, console.url)
        light = page.evaluate(paper)
        page.get_by_role("button", name="Switch between light and dark").click()
        dark = page.evaluate(paper)
        assert dark != light
        assert faults(page) == {}
        page.reload()
        assert page.evaluate(paper) == dark


def test_a_status_shows_as_a_sign_and_a_word_and_not_by_colour_alone(page: Page, full: Lab) -> None:
    expect(page.locator("#stage-failures .state")).to_have_text("✕ Failing")
    expect(page.locator("#stage-topic .state")).to_have_text("✓ OK")
    expect(page.locator("#verdict")).to_contain_text("✕ ")
    expect(page.locator("#verdict")).to_contain_text("3 events wait in the failure queue.")


def test_everything_can_be_done_with_the_keyboard_alone(page: Page, full: Lab) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the uploads")).to_be_focused()
    page.keyboard.press("Enter")

    # Upload a text.
    tab_to(page, page.get_by_role("button", name="Enter text"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("keyboard.txt")
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("typed")
    tab_to(page, page.get_by_role("button", name="Upload text"))
    page.keyboard.press("Enter")
    expect_recorded(page, "keyboard.txt")

    # Replay an event, then a selected one, then all.
    keys = [f"failed {number} {LONG}" for number in range(3)]
    tab_to(page, row(page, "failures", keys[2]).get_by_role("button", name="Replay"))
    page.keyboard.press("Enter")
    expect(page.locator("#failures > li")).to_have_count(2)
    expect(page.locator("#replay-all")).to_be_enabled()
    tab_to(page, page.get_by_label(f"Select {keys[1]}"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Replay 1 selected"), back=True)
    page.keyboard.press("Enter")
    expect(page.locator("#failures > li")).to_have_count(1)
    expect(page.locator("#replay-all")).to_be_enabled()
    tab_to(page, page.get_by_role("button", name="Replay all"), back=True)
    page.keyboard.press("Enter")
    expect(page.locator("#failures-none")).to_be_visible()
    until(lambda: set(keys) <= full.keys())

    # Open a record, and an alarm.
    record = row(page, "records", "keyboard.txt")
    tab_to(page, record.locator("summary"))
    page.keyboard.press("Enter")
    expect(record.locator("dd").first).to_be_visible()
    alarm = page.locator(f"#alarm-{THROTTLE}")
    tab_to(page, alarm.locator("summary"))
    page.keyboard.press("Space")
    expect(alarm.locator(".runbook")).to_contain_text("the table refused writes")


def test_a_screen_reader_hears_of_an_upload_and_its_steps(page: Page, lab: Lab) -> None:
    lab.upload("heard.txt")
    expect(page.locator("#announcement")).to_have_text("heard.txt is recorded")
    steps = upload_row(page, "heard.txt").locator(".step")
    texts = [step.locator("span").all_text_contents()[1:] for step in steps.all()]
    assert ["".join(step) for step in texts] == [
        "bucket passed",
        "notification passed",
        "function passed",
        "table passed",
    ]


def test_the_page_fits_from_360_to_2560_px_and_has_the_trace_beside_the_timeline_where_it_is_wide(
    page: Page, lab: Lab
) -> None:
    lab.upload(f"wide/{LONG}")
    expect_recorded(page, f"wide/{LONG}")
    upload_row(page, f"wide/{LONG}").locator(".key").click()
    expect(page.locator("#detail .waterfall li").first).to_be_visible()
    for width in 360, 1000, 1280, 1920, 2560:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(SCROLLS) == []
        timeline, trace = (page.locator(name).bounding_box() for name in ("#timeline", "#detail"))
        assert timeline is not None
        assert trace is not None
        beside = trace["x"] >= timeline["x"] + timeline["width"]
        assert beside == (width >= 1600)
        assert beside or trace["y"] >= timeline["y"] + timeline["height"]


def test_no_two_labels_of_the_timeline_lie_on_each_other(page: Page) -> None:
    for width in 360, 1280:
        page.set_viewport_size({"width": width, "height": 900})
        places = page.evaluate(LABELS)
        assert len(places) > 10
        for at, (left, right, up) in enumerate(places):
            for other_left, other_right, other_up in places[at + 1 :]:
                apart = left >= other_right or other_left >= right
                assert apart or abs(up - other_up) >= 12


def test_an_alarm_over_others_has_no_threshold(page: Page) -> None:
    page.evaluate("""takes.alarms([{ name: "health", state: "OK", metric: "other alarms",
      threshold: null, period: null, statistic: null, reason: "all is well", stage: "alarms" }])""")
    alarm = page.locator("#alarm-health")
    expect(alarm).to_contain_text("other alarms. All is well")
    expect(alarm).not_to_contain_text("threshold")
