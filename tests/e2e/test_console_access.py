"""The page for everybody: by axe-core, by keyboard alone, in the dark, and on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.page.browser import faults, opened, tab_to
from tests.support.page.console import Served, Watched, expect_arrival, row, serve, settled, travel
from tests.support.poll import until

THROTTLE = "DynamoDBWriteThrottleAlert"
PHONE = {"width": 390, "height": 844}
WAYS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": PHONE, "has_touch": True},
    "narrow and dark": {"viewport": PHONE, "color_scheme": "dark"},
}
LONG = "a-name-without-any-place-to-break-it-" * 10 + ".txt"
SCROLLS = """() => {
  const most = document.documentElement.clientWidth;
  return [...document.body.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > most + 1 && one.checkVisibility()
      && !one.closest(".visually-hidden, .skip"))
    .map((one) => one.outerHTML.slice(0, 200));
}"""


@pytest.fixture(scope="module")
def full(watched: Watched) -> Iterator[Watched]:
    """The lab with an upload that arrived, one that failed, an alarm that is on, a message."""
    watched.forget_failures()
    watched.upload(LONG)
    with watched.broken():
        for number in range(3):
            watched.upload(f"failed {number} {LONG}")
        until(lambda: watched.failed() == 3, 120)
    watched.measure("WriteThrottleEvents", 5)
    try:
        yield watched
    finally:
        watched.quiet(THROTTLE)


def _open_everything(page: Page) -> None:
    expect(page.locator("#failures > li")).to_have_count(3)
    expect(page.locator("#log > li").first).to_be_visible()
    for panel in "records", "log", "mails", "alarms":
        page.locator(f"#{panel} summary").first.click()
    page.get_by_role("button", name="Type a text").click()
    expect(page.locator("#alarms .history").first).to_be_visible()
    expect(page.locator("#alarms .state").first).to_have_text("✕ ALARM")


@pytest.mark.parametrize("way", WAYS)
def test_axe_finds_nothing_serious_and_nothing_sticks_out(
    browser: Browser, console: Served, full: Watched, way: str
) -> None:
    with opened(browser, reduced_motion="reduce", **WAYS[way]) as page:
        settled(page, console.url)
        assert faults(page) == {}
        _open_everything(page)
        full.upload(f"{way}/{LONG}")
        expect_arrival(page, f"{way}/{LONG}")
        assert faults(page) == {}
        assert page.evaluate(SCROLLS) == []
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0


@pytest.mark.parametrize("way", ["light", "dark", "narrow"])
def test_axe_finds_nothing_serious_where_there_is_no_stack_yet(
    browser: Browser, tmp_path: Path, way: str
) -> None:
    (tmp_path / "main.tf").write_text('output "other" {\n  value = 1\n}\n')
    with (
        serve(tmp_path / "log", "--stack", str(tmp_path), AWS_REGION="us-east-1") as served,
        opened(browser, **WAYS[way]) as page,
    ):
        page.goto(served.url)
        expect(page.locator("#banner")).to_be_visible()
        assert faults(page) == {}
        assert page.evaluate(SCROLLS) == []


def test_the_button_turns_light_into_dark_and_the_page_remembers(
    browser: Browser, console: Served
) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, color_scheme="light") as page:
        settled(page, console.url)
        light = page.evaluate(paper)
        page.get_by_role("button", name="Light or dark").click()
        dark = page.evaluate(paper)
        assert dark != light
        assert faults(page) == {}
        page.reload()
        assert page.evaluate(paper) == dark


def test_a_health_is_told_by_sign_and_word_and_not_by_colour_alone(
    page: Page, full: Watched
) -> None:
    expect(page.locator("#stage-failures .state")).to_have_text("✕ broken")
    expect(page.locator("#stage-topic .state")).to_have_text("✓ well")
    expect(page.locator("#verdict")).to_contain_text("✕ Something is wrong at: ")


def test_everything_can_be_done_with_the_keyboard_alone(page: Page, full: Watched) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the uploads")).to_be_focused()
    page.keyboard.press("Enter")

    # Upload a text.
    tab_to(page, page.get_by_role("button", name="Type a text"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("keyboard.txt")
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("typed")
    tab_to(page, page.get_by_role("button", name="Upload the text"))
    page.keyboard.press("Enter")
    expect_arrival(page, "keyboard.txt")

    # Replay one event, then choose one, then all.
    keys = [f"failed {number} {LONG}" for number in range(3)]
    tab_to(page, row(page, "failures", keys[2]).get_by_role("button", name="Replay"))
    page.keyboard.press("Enter")
    expect(page.locator("#failures > li")).to_have_count(2)
    expect(page.locator("#replay-all")).to_be_enabled()
    tab_to(page, page.get_by_label(f"Choose {keys[1]}"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Replay 1 chosen"), back=True)
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


def test_what_happens_to_an_upload_is_said_to_a_screen_reader(page: Page, watched: Watched) -> None:
    watched.upload("said.txt")
    expect(page.locator("#live")).to_have_text("said.txt is recorded")
    steps = travel(page, "said.txt").locator(".step")
    said = [step.locator("span").all_text_contents()[2:] for step in steps.all()]
    assert ["".join(one) for one in said] == [
        "bucket passed",
        "notification passed",
        "function passed",
        "table passed",
    ]
