"""Drops of many files: progress, cancel, a warning, and what a closed tab left."""

import re
import uuid
from collections.abc import Iterable

import pytest
from playwright.sync_api import Page, expect

from tests.support.page.console import Lab, Served, settled
from tests.support.poll import until

DROP = """names => {
  const transfer = new DataTransfer();
  for (const name of names) transfer.items.add(new File([`I am ${name}`], name));
  document.getElementById("drop").dispatchEvent(
    new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
}"""
# Whether the browser asks before it closes the tab.
ASKS = "!window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"


def names(count: int) -> list[str]:
    prefix = uuid.uuid4()
    return [f"{prefix}-{number:04}.txt" for number in range(count)]


def objects(lab: Lab) -> set[str]:
    pages = lab.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=lab.name("bucket_name"))
    return {item["Key"] for each in found for item in each.get("Contents", ())}


def drop(page: Page, keys: Iterable[str]) -> None:
    page.evaluate(DROP, list(keys))


def test_a_drop_shows_its_progress_asks_before_the_tab_closes_and_can_be_cancelled(
    page: Page, lab: Lab
) -> None:
    assert not page.evaluate(ASKS)
    keys = names(400)
    drop(page, keys)
    expect(page.locator("#drop-total")).to_contain_text("of 400 files")
    assert page.evaluate(ASKS)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#upload-errors")).to_have_text(
        re.compile(r"Cancelled: \d+ of 400 files are uploaded\.")
    )
    expect(page.locator("#drop-progress")).to_be_hidden()
    assert not page.evaluate(ASKS)
    assert len(objects(lab) & set(keys)) < len(keys)
    # Whoever cancels has lost nothing.
    expect(page.locator("#drop-left > details")).to_have_count(0)

    drop(page, names(3))
    expect(page.locator("#drop-total")).to_contain_text("3 of 3 files uploaded in ")
    assert not page.evaluate(ASKS)


def test_what_a_closed_tab_left_is_listed_until_it_is_dropped_again(
    page: Page, console: Served, lab: Lab
) -> None:
    closing = settled(page.context.new_page(), console.url)
    keys = names(200)
    drop(closing, keys)
    expect(closing.locator("#drop-total")).to_contain_text("of 200 files")
    closing.close()

    left = page.locator("#drop-left > details")
    expect(left).to_contain_text("of 200 files")
    expect(left).to_contain_text("were not uploaded, since their tab was closed")

    # Those that were on their way may still arrive.
    def listed() -> set[str]:
        return set(left.locator("li").all_text_contents())

    until(lambda: listed() | objects(lab) >= set(keys) and listed())
    reopened = settled(page.context.new_page(), console.url)
    expect(reopened.locator("#drop-left > details")).to_have_count(1)

    drop(reopened, listed())
    expect(reopened.locator("#drop-left > details")).to_have_count(0)
    expect(left).to_have_count(0)
    reopened.close()
    assert objects(lab) >= set(keys)


def test_a_file_that_is_refused_is_listed_with_its_reason_and_tried_again(page: Page) -> None:
    # Too long, and markup that must stay text.
    drop(page, ["<img src=x onerror=alert(1)>" * 40])
    refused = page.locator("#drop-refused")
    expect(refused).to_contain_text("1 file not uploaded")
    expect(refused.locator("li")).to_contain_text("S3 takes 1 to 1024")
    refused.locator("summary").click()
    page.get_by_role("button", name="Try again").click()
    expect(refused.locator("li")).to_contain_text("S3 takes 1 to 1024")


@pytest.mark.soak
def test_a_thousand_files_are_all_recorded(page: Page, lab: Lab) -> None:
    lab.forget_failures()
    keys = names(1000)
    drop(page, keys)
    expect(page.locator("#drop-total")).to_contain_text(
        "1,000 of 1,000 files uploaded in ", timeout=600_000
    )
    until(lambda: lab.keys() >= set(keys), 300)
    assert lab.failed() == 0
