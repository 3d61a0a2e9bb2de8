"""`python -m pipeline console`: serve the page on loopback until Ctrl-C."""

import json
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from rich.console import Console as Terminal

from pipeline import terminal as show
from pipeline.console.server.app import Console, make, new_token
from pipeline.console.sources.watch import Found
from pipeline.deployed import target
from pipeline.deployed.target import Target
from pipeline.emulator.ports import HOST, user_of
from pipeline.errors import PipelineError
from pipeline.lab import folder as stack
from pipeline.lab import lifecycle
from pipeline.lab import root as lab_root
from pipeline.options import Named


def choose(named: Named) -> tuple[Callable[[], Target], Path | None]:
    """What finds the pipeline that the options name, and the embedded lab's folder if it is that.

    What standard input gives is read once.
    """
    others = named.root is None and named.outputs is None
    if others and (named.work_dir is not None or not named.given):
        return named.find, (named.work_dir or stack.FOLDER).resolve()
    if str(named.outputs) == "-":
        once = named.find()
        return lambda: once, None
    return named.find, None


def run(
    find: Callable[[], Target],
    lab: Path | None,
    *,
    write: bool,
    port: int | None,
    largest: int,
    as_json: bool,
) -> int:
    """Serve the page; returns the exit status once it is ended with Ctrl-C.

    `find` finds the pipeline; `lab` is the folder of the embedded lab where it is that one, which
    is started if it does not run. Raises PipelineError where a lab can't be started, or the port is
    taken. A stack that can't be told yet is looked for until it can, which the page says.
    """
    terminal = Terminal(stderr=as_json, highlight=False)
    if lab is not None:
        _see_to_it(lab, as_json)

    def found() -> Found:
        one = find()
        subscriber = None if lab is None else lab_root.outputs(lab).get("subscriber_queue_url")
        return Found(one, subscriber, embedded=lab is not None)

    if lab is None:
        _try(find, terminal)
    listening = _listen(port)
    number, token = listening.getsockname()[1], new_token()
    console = Console(found, write=write or lab is not None, largest=largest)
    url = f"http://{HOST}:{number}/{token}/"
    if as_json:
        json.dump({"url": url, "write": console.write}, sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()
    show.heading(terminal, f"The page: {url}")
    acts = "uploads and replays too" if console.write else "only looks; --write lets it act"
    show.note(terminal, f"It {acts}. Whoever has the link gets in, from this machine only.")
    show.note(terminal, "Ctrl-C ends it" + (", the lab stays." if lab is not None else "."))
    server = _Server(
        console,
        uvicorn.Config(
            make(console, port=number, token=token),
            # The link is a secret: it must not stand in any log.
            access_log=False,
            log_level=logging.WARNING,
            server_header=False,
            timeout_graceful_shutdown=2,
            ws="none",
        ),
    )
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        console.close()
        listening.close()
    console.finish()
    show.note(terminal, "The page has ended.")
    return 0


class _Server(uvicorn.Server):
    """Sends the pages away when it is told to end, instead of waiting for them."""

    def __init__(self, console: Console, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._console = console

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # All else is closed once the loop has ended: a signal may come while a lock is held.
        self._console.hub.close()
        super().handle_exit(sig, frame)


def _see_to_it(folder: Path, as_json: bool) -> None:
    state, kept = stack.look(folder)
    if kept is None or state != "running":
        # What `up` prints as JSON is of no use here.
        terminal = Terminal(stderr=as_json, highlight=False)
        show.note(terminal, f"No lab runs in {folder}: it is started first.")
        lifecycle.start(folder, terminal)


def _try(find: Callable[[], Target], terminal: Terminal) -> None:
    try:
        find()
    except target.NotYetError as error:
        show.note(terminal, f"{error} The page waits for that.")


def _listen(port: int | None) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port or 0))
        # The link is printed before the server runs: who opens it at once has to wait, no more.
        listening.listen()
    except OSError as error:
        listening.close()
        raise PipelineError(
            f"Port {port} on {HOST} is taken{user_of(port or 0)}: end what listens there, or give "
            "another port (none takes a free one)."
        ) from error
    return listening
