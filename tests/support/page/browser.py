"""A browser without a window, and what people do with it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Locator, Page, sync_playwright

WHY_NONE = (
    "no chromium, chromium-browser or google-chrome on PATH: on Debian `apt-get install chromium`, "
    "elsewhere set CHROMIUM to a Chromium's or Chrome's program"
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# It needs no display, no sandbox of its own where tests run as root, and nothing from elsewhere.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Two lists of a hundred rows, and the rest of the page.
_MOST_TABS = 300


def chromium() -> str | None:
    """The program, None where there is none: see WHY_NONE."""
    given = os.environ.get("CHROMIUM")
    return given or next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start one, for the block."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        try:
            yield started
        finally:
            started.close()


@contextmanager
def opened(browser: Browser, **settings: Any) -> Iterator[Page]:
    """An empty page for the block; a script's failure or a dialog in it is an AssertionError.

    `settings` are a browser context's.
    """
    with browser.new_context(**settings) as context:
        page = context.new_page()
        bad: list[str] = []

        def refuse(dialog: Dialog) -> None:
            # Without a listener it would be dismissed unseen.
            bad.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        page.on("dialog", refuse)
        page.on("pageerror", lambda error: bad.append(str(error)))
        yield page
        assert bad == []


def drag(page: Page, onto: Locator, files: Sequence[Path]) -> None:
    """Drag files and folders from the desktop and drop them there, as a hand does."""
    onto.scroll_into_view_if_needed()
    box = onto.bounding_box()
    assert box is not None
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 10}
    session = page.context.new_cdp_session(page)
    for kind in "dragEnter", "dragOver", "drop":
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **place})
    session.detach()


def faults(page: Page) -> dict[str, list[str]]:
    """axe-core's serious and critical findings: what is wrong, and the elements' markup."""
    found: dict[str, Any] = Axe().run(page).response
    return {
        f"{finding['id']}: {finding['help']}": [node["html"] for node in finding["nodes"]]
        for finding in found["violations"]
        if finding["impact"] in ("serious", "critical")
    }


def tab_to(page: Page, wanted: Locator, *, back: bool = False) -> None:
    """Press Tab, or Shift and Tab, until it has the focus, as without a mouse."""
    for _ in range(_MOST_TABS):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"{wanted} is not reached with {_MOST_TABS} tabs")
