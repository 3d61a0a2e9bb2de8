"""Serve the page on loopback until Ctrl-C."""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

import uvicorn
from rich.console import Console as Terminal

from pipeline import terminal
from pipeline.console.server.app import make
from pipeline.console.server.connections import Connections, configuration, refuse_quietly
from pipeline.console.server.console import Console
from pipeline.console.sources.watch import Found
from pipeline.deployed.target import NotYetError, Target
from pipeline.emulator.ports import HOST, user_of
from pipeline.errors import PipelineError
from pipeline.lab import folder, lifecycle, root
from pipeline.options import Named
from pipeline.paths import LAB

# Of an upload, in bytes.
LARGEST = 100 * 1024 * 1024
# What acts on the page by itself: it gets the console, the page's address, and what ends the page.
Play = Callable[[Console, str, Callable[[], None]], None]


def run(
    named: Named, *, write: bool, port: int | None, largest: int, as_json: bool, open_browser: bool
) -> None:
    """Serve the page of a pipeline until Ctrl-C; `largest` is of an upload, in bytes.

    Starts the embedded lab if that is what `named` names. Raises PipelineError where a lab can't be
    started, or the port is taken. A stack that is not applied yet is looked for until it is.
    """
    output = Terminal(stderr=as_json, highlight=False)
    find, lab = choose(named)
    if lab is None:
        try:
            find()
        except NotYetError as error:
            terminal.note(output, f"{error} The page waits for that.")
    elif folder.look(lab)[0] != "running":
        terminal.note(output, f"No lab runs in {lab}: starting it.")
        lifecycle.start(lab, output)

    show(
        find,
        lab,
        output,
        write=write,
        port=port,
        largest=largest,
        as_json=as_json,
        open_browser=open_browser,
    )


def show(
    find: Callable[[], Target],
    lab: Path | None,
    output: Terminal,
    *,
    write: bool = False,
    port: int | None = None,
    largest: int = LARGEST,
    as_json: bool = False,
    open_browser: bool = True,
    play: Play | None = None,
) -> None:
    """Serve the page of what `find` finds, the embedded lab in `lab` if it is that one.

    Until Ctrl-C, or until `play` ends it, which runs beside. Raises PipelineError where the port is
    taken, or what is broken can't be put back.
    """

    def found() -> Found:
        subscriber = None if lab is None else root.outputs(lab).get("subscriber_queue_url")
        return Found(find(), subscriber, embedded=lab is not None)

    listening = _listen(port)
    # 192 bits that nobody guesses.
    number, token = listening.getsockname()[1], secrets.token_urlsafe(24)
    console = Console(found, write=write or lab is not None, largest=largest, lab=lab)
    if (left := console.breaks.put_back_at_start) is not None:
        terminal.note(output, f"An earlier page had broken something ({left}): it is put back.")
    url = f"http://{HOST}:{number}/{token}/"
    if as_json:
        print(json.dumps({"url": url, "write": console.write}), flush=True)
    terminal.heading(output, f"The page: {url}")
    acts = "uploads and replays" if console.write else "is read-only; --write lets it act"
    terminal.note(output, f"It {acts}. Whoever has the link gets in, from this machine only.")
    terminal.note(output, "Ctrl-C ends it" + (", the lab stays." if lab is not None else "."))
    if open_browser and not as_json and has_desktop(os.environ):
        webbrowser.open(url)
    connections = Connections()
    app = make(console, port=number, token=token, know=connections.know)
    config = configuration(app, connections)
    server = _Server(console, config)
    if play is not None:
        threading.Thread(target=play, args=(console, url, server.end), daemon=True).start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        console.close()
        listening.close()
    console.wait_for_replay()
    if (broken := console.breaks.close()) is not None:
        terminal.note(output, f"What was broken on purpose is put back ({broken}).")
    terminal.note(output, "The page has ended.")


def choose(named: Named) -> tuple[Callable[[], Target], Path | None]:
    """What finds the pipeline, and the embedded lab's folder if it is that one."""
    others = named.root, named.outputs
    if others == (None, None) and (named.work_dir is not None or not named.given):
        return named.find, (named.work_dir or LAB).resolve()
    if str(named.outputs) == "-":
        # Standard input can be read only once.
        target = named.find()
        return lambda: target, None
    return named.find, None


def has_desktop(environment: Mapping[str, str]) -> bool:
    """Whether somebody sits at a terminal of this machine with a browser to be opened."""
    if "CI" in environment or "SSH_CONNECTION" in environment or not sys.stdout.isatty():
        return False
    return sys.platform == "darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & environment.keys())


class _Server(uvicorn.Server):
    """Disconnects the pages at Ctrl-C, instead of waiting for them."""

    def __init__(self, console: Console, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._console = console

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        refuse_quietly(asyncio.get_running_loop())
        await super().startup(sockets)

    def end(self) -> None:
        """End as Ctrl-C does; from any thread."""
        self._console.hub.close()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # The rest is closed after the loop: a signal may come while a lock is held.
        self._console.hub.close()
        super().handle_exit(sig, frame)


def _listen(port: int | None) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port or 0))
        # The link is printed before the server runs: requests wait until then.
        listening.listen()
    except OSError as error:
        listening.close()
        raise PipelineError(
            f"Port {port} on {HOST} is taken{user_of(port or 0)}: end what listens there, or give "
            "another port (none takes a free one)."
        ) from error
    return listening
