"""The demo on the page: uploads, a break, its fix, a replay, by itself, for whoever watches."""

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from rich.console import Console as Terminal

from pipeline import find, terminal, times
from pipeline.console import serve
from pipeline.console.server.console import Console
from pipeline.errors import PipelineError
from pipeline.lab import lifecycle
from pipeline.lab.breaks.kinds import BREAKS

_BROKEN = "role"
_GOOD = {"report.pdf": 48_000, "notes/hello.txt": 120, "photo of 2026.jpg": 230_000}
_LATE = "invoice-1.pdf", "invoice-2.pdf"
# For whoever reads what happened.
_READING_SECONDS = 5.0
_PATIENCE_SECONDS = 120.0


@dataclass
class Result:
    """What `--json` prints; times are in epoch seconds."""

    broken_at: float | None = None
    fixed_at: float | None = None
    recovered: int = 0
    lost: list[str] = field(default_factory=list)
    alarm_ends: float | None = None
    problem: str | None = None


def run(folder: Path, port: int | None, *, keep: bool, as_json: bool) -> int:
    """Show the page of the lab in `folder`, and play one round. Returns the exit status.

    The lab that was made for it is destroyed at the end, without `keep`; one that was there stays.
    Raises PipelineError.
    """
    output = Terminal(stderr=as_json, highlight=False)
    result = Result()
    was = lifecycle.start(folder, output, port)[0]

    def play(console: Console, url: str, end: Callable[[], None]) -> None:
        try:
            if not as_json:
                _wait_for_watcher(console, output)
            _Player(url, output, result, 0.0 if as_json else _READING_SECONDS).play()
        except (PipelineError, OSError, http.client.HTTPException) as error:
            result.problem = str(error)
            terminal.note(output, f"The round ended early: {error}")
        if as_json:
            end()
        else:
            stays = keep or was not in ("none", "unfinished")
            rest = "the lab stays" if stays else "the lab is destroyed"
            terminal.note(output, f"That was the round. Ctrl-C ends the page; {rest}.")

    try:
        serve.show(
            lambda: find.find(lab=folder),
            folder,
            output,
            open_browser=not as_json,
            play=play,
        )
    finally:
        if was in ("none", "unfinished") and not keep:
            lifecycle.destroy(folder, output)
    if as_json:
        terminal.print_json(asdict(result))
    return int(bool(result.problem or result.lost))


def _wait_for_watcher(console: Console, output: Terminal) -> None:
    terminal.note(output, "Open the link: the round begins when the page is open.")
    while not console.hub.listeners:
        time.sleep(0.2)


class _Player:
    """Does what somebody at the page would do, by the page's own address."""

    def __init__(self, url: str, output: Terminal, result: Result, pause: float) -> None:
        self._url, self._output, self._result, self._pause = urlsplit(url), output, result, pause

    def play(self) -> None:
        """One round. Raises PipelineError where the page refuses, OSError where it is gone."""
        with self._events() as events:
            # It first finds the lab.
            _wait(events, "stages", bool)
            self._say("Three files go up, and become records.")
            self._upload(*_GOOD.items())
            self._wait_for(events, set(_GOOD), "recorded")
            self._say(BREAKS[_BROKEN].cause)
            self._result.broken_at = self._ask("POST", "break", {"name": _BROKEN})["since"]
            self._upload(*((key, 2_000) for key in _LATE))
            self._wait_for(events, set(_LATE), "failed")
            self._say(f"Both failed. Fix: {BREAKS[_BROKEN].fix}")
            self._ask("POST", "fix", {})
            self._say("Replay brings them through.")
            self._ask("POST", "recover", {})
            state = _wait(
                events, "breaks", lambda state: state["phase"] == "done" or state["problem"]
            )
            if state["problem"]:
                raise PipelineError(state["problem"])
            for name in ("fixed_at", "recovered", "lost"):
                setattr(self._result, name, state[name])
            with contextlib.suppress(PipelineError):
                state = _wait(events, "breaks", lambda state: state["alarm_ends"], 5.0)
                self._result.alarm_ends = state["alarm_ends"]
        self._say(summary(self._result))

    def _say(self, sentence: str) -> None:
        terminal.heading(self._output, sentence)
        time.sleep(self._pause)

    def _upload(self, *files: tuple[str, int]) -> None:
        for key, size in files:
            self._ask("PUT", f"objects?key={quote(key)}", bytes(size))

    def _wait_for(self, events: Iterator[tuple[str, Any]], keys: set[str], state: str) -> None:
        began = 1000 * (time.time() - 60)

        def arrived(uploads: Any) -> bool:
            keys.difference_update(
                each["key"] for each in uploads if each["state"] == state and each["at"] > began
            )
            return not keys

        _wait(events, "uploads", arrived)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        connection = self._connect()
        with contextlib.closing(connection):
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, f"{self._url.path}{path}", sent)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            if answer.status >= 400:
                raise PipelineError(str(said.get("error")))
            return said

    def _connect(self) -> http.client.HTTPConnection:
        assert self._url.hostname is not None  # noqa: S101 - it is ours
        return http.client.HTTPConnection(
            self._url.hostname, self._url.port, timeout=_PATIENCE_SECONDS
        )

    @contextlib.contextmanager
    def _events(self) -> Iterator[Iterator[tuple[str, Any]]]:
        connection = self._connect()
        with contextlib.closing(connection):
            connection.request("GET", f"{self._url.path}events?page=demo")
            yield _read(connection.getresponse())


def _read(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    kind = ""
    while line := answer.readline().decode().strip("\n") or " ":
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))
        elif answer.isclosed():
            return


def _wait(
    events: Iterator[tuple[str, Any]],
    wanted: str,
    enough: Callable[[Any], Any],
    seconds: float = _PATIENCE_SECONDS,
) -> Any:
    """The first event of a kind that is enough. Raises PipelineError once its time is over."""
    deadline = time.monotonic() + seconds
    for kind, data in events:
        if kind == wanted and enough(data):
            return data
        if kind == "snapshot" and wanted in data and enough(data[wanted]):
            return data[wanted]
        if time.monotonic() > deadline:
            break
    raise PipelineError(f"The page did not show {wanted} within {seconds:.0f} s.")


def summary(result: Result) -> str:
    """How the round ended, as the page says it."""
    parts = [f"Fixed {_clock(result.fixed_at)}", f"{result.recovered} recovered"]
    parts.append(f"{len(result.lost)} lost" if result.lost else "nothing lost")
    if result.alarm_ends is not None:
        parts.append(f"alarm ends about {_clock(result.alarm_ends)}")
    return " · ".join(parts)


def _clock(at: float | None) -> str:
    return times.utc(at or 0)[11:16]
