"""Record the page while a lab breaks and heals: README's recording, and the picture in the docs.

Uses the default lab, so that the page shows the commands as the docs have them: makes it, and
destroys it at the end.
"""

import io
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect
from rich.console import Console as Terminal

from pipeline import terminal
from pipeline.lab import folder as lab_folder
from pipeline.paths import LAB, ROOT
from tests.support.page.browser import WHY_NONE, browser, chromium
from tests.support.page.console import Lab, serve, settled
from tests.support.stacks import kept

RECORDING, PICTURE = "docs/operate/break-and-heal.webp", "docs/operate/console.png"
SECONDS = 20.0
MOST_BYTES = 2_000_000
_VIEW: ViewportSize = {"width": 1280, "height": 800}
_SHOWN = 960, 600
_PAUSE_SECONDS = 0.2
# A pipeline that nobody uses has nothing to show.
_BUSY_SECONDS = 150.0
_UPLOAD = """keys => import("./drops.js").then(({ upload }) =>
  upload(keys.map((key, at) => ({ body: new Blob(["x".repeat(900 * at + 99)]), key }))))"""


class Film:
    """Pictures of a page, each with when it was taken (seconds)."""

    def __init__(self, page: Page) -> None:
        """Takes none yet."""
        self._page = page
        self._frames: list[tuple[float, bytes]] = []

    def roll(self, seconds: float) -> None:
        """Take pictures for so long; of two that are alike the first."""
        end = time.monotonic() + seconds
        while (at := time.monotonic()) < end:
            shot = self._page.screenshot(animations="allow")
            if not self._frames or shot != self._frames[-1][1]:
                self._frames.append((at, shot))
            self._page.wait_for_timeout(1000 * _PAUSE_SECONDS)

    def until(self, selector: str, seconds: float = 60.0) -> None:
        """Take pictures until this is on the page. Raises AssertionError."""
        end = time.monotonic() + seconds
        while not self._page.locator(selector).count():
            assert time.monotonic() < end, f"{selector} is not on the page"  # noqa: S101
            self.roll(_PAUSE_SECONDS)

    def write(self, file: Path) -> None:
        """Write them as an animated WebP of SECONDS, faster than it was where that took longer."""
        times = [at for at, _ in self._frames] + [time.monotonic()]
        scale = 1000 * SECONDS / (times[-1] - times[0])
        images = [
            Image.open(io.BytesIO(shot)).convert("RGB").resize(_SHOWN, Image.Resampling.LANCZOS)
            for _, shot in self._frames
        ]
        images[0].save(
            file,
            save_all=True,
            append_images=images[1:],
            duration=[round(scale * (b - a)) for a, b in itertools.pairwise(times)],
            loop=0,
            quality=70,
            method=4,
            minimize_size=True,
        )


def run() -> int:
    """Record, and write both files. Returns the exit status."""
    output = Terminal(highlight=False)
    if chromium() is None or lab_folder.look(LAB)[0] != "none":
        down = lab_folder.command("lab down", LAB)
        why = WHY_NONE if chromium() is None else f"there is a lab already: `{down}` destroys it"
        print(f"It can't be recorded: {why}.", file=sys.stderr)
        return 2
    terminal.note(output, f"Making a lab, and keeping it busy for {_BUSY_SECONDS:.0f} s …")
    kept.up(LAB)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            serve(Path(folder) / "log") as console,
            browser() as started,
            started.new_page(viewport=_VIEW, color_scheme="light") as page,
        ):
            settled(page, console.url)
            with _busy(Lab(LAB)):
                page.wait_for_timeout(1000 * _BUSY_SECONDS)
                film = _play(page, ROOT / PICTURE)
    finally:
        kept.down(LAB)
    film.write(ROOT / RECORDING)
    size = (ROOT / RECORDING).stat().st_size
    terminal.note(output, f"{RECORDING}: {SECONDS:.0f} s, {size:,} bytes. {PICTURE} is new, too.")
    return int(size > MOST_BYTES)


@contextmanager
def _busy(lab: Lab) -> Iterator[None]:
    """Uploads from elsewhere, one or some at a time, as long as the block lasts."""
    ended = threading.Event()

    def upload() -> None:
        number = 1000
        while not ended.wait(0.7 + number % 7 / 2):
            for _ in range(1 + number % 3):
                number += 1
                lab.upload(f"orders/{number}.csv")

    thread = threading.Thread(target=upload)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _play(page: Page, picture: Path) -> Film:
    """Press what somebody would press who breaks it and heals it."""
    page.get_by_role("button", name="5 min", exact=True).click()
    page.wait_for_timeout(1000)
    film = Film(page)
    film.roll(2.5)
    page.get_by_role("button", name="Break something on purpose").click()
    expect(page.locator("#break-list button").first).to_be_visible()
    film.roll(2)
    page.get_by_role("button", name="Revoke the right to write").click()
    film.until("#failures > li")
    film.until("#verdict[data-state=failing]")
    film.until("#stage-alarms[data-status=failing]")
    film.roll(4)
    page.screenshot(path=picture)
    page.get_by_role("button", name="Fix", exact=True).click()
    film.until("#break-replay[aria-disabled=false]")
    film.roll(1.5)
    page.locator("#break-replay").click()
    film.until("#break-another:not([hidden])")
    film.roll(4)
    return film
