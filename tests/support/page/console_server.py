"""The console's server on loopback, in a thread of its own."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from pipeline.console.server.app import make
from pipeline.console.server.connections import Connections, configuration
from pipeline.console.server.console import Console
from pipeline.console.sources.watch import Found
from pipeline.emulator.ports import HOST
from tests.support.aws import s3_events

Clients = Callable[[str], Any]
Send = Callable[..., None]

TOKEN = "T0k-en_"
ALARM = "FailureQueueAlert"


@dataclass(frozen=True)
class Answer:
    """A whole answer, its headers by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A console that is served at `port` under `/TOKEN/`."""

    console: Console
    port: int

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    def ask(
        self,
        method: str = "GET",
        path: str = f"/{TOKEN}/",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; `body` as http.client takes it."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, lower, answer.read())

    @contextlib.contextmanager
    def listen(self) -> Iterator[Callable[[str], Any]]:
        """Listen as a page does; gives what waits for the next event of a kind."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", f"/{TOKEN}/events")
            answer = connection.getresponse()
            assert answer.status == 200

            def wait_for(kind: str) -> Any:
                event = b""
                while line := answer.readline():
                    if line.startswith(b"event: "):
                        event = line.removeprefix(b"event: ").strip()
                    if line.startswith(b"data: ") and event == kind.encode():
                        return json.loads(line.removeprefix(b"data: "))
                raise AssertionError(f"the page was disconnected before the event {kind}")

            try:
                yield wait_for
            finally:
                answer.close()


@contextlib.contextmanager
def serve(
    find: Callable[[], Found], *, write: bool, largest: int = 1_000_000, lab: Path | None = None
) -> Iterator[Served]:
    """Serve a console about what `find` finds, until the end of the block."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        port = listening.getsockname()[1]
        console = Console(find, write=write, largest=largest, lab=lab)
        connections = Connections()
        app = make(console, port=port, token=TOKEN, know=connections.know)
        server = uvicorn.Server(configuration(app, connections))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            # It answers as soon as it listens; before, the kernel keeps who asks waiting.
            listening.listen()
            yield Served(console, port)
        finally:
            console.close()
            server.should_exit = True
            thread.join()
            console.wait_for_replay()


def event(key: str) -> str:
    return json.dumps(s3_events.notification(s3_events.record(key)))


def item(identity: str, key: str = "a.txt", **more: Any) -> dict[str, Any]:
    return {
        "objectId": {"S": identity},
        "objectKey": {"S": key},
        "eventName": {"S": "ObjectCreated:Put"},
        "timestamp": {"N": str(int(time.time()))},
    } | more
