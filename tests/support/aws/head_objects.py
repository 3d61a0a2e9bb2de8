"""S3 on loopback, as much of it as HeadObject."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request: the path with its query, headers in lower case, and the client's port."""

    path: str
    headers: dict[str, str]
    port: int


@dataclass
class Heads:
    """Objects by bucket, key and version id ("" is the current one): their headers.

    `script` are the next answers, whatever is asked for: a status with headers, or None to hang up.
    """

    url: str = ""
    objects: dict[tuple[str, str, str], dict[str, str]] = field(default_factory=dict)
    script: deque[tuple[int, Mapping[str, str]] | None] = field(default_factory=deque)
    requests: list[Asked] = field(default_factory=list)

    def put(
        self, bucket: str, key: str, version: str = "v1", *, size: int = 3, etag: str = "e1"
    ) -> None:
        """The current version of an object, uploaded at 2026-11-22T09:40:00Z."""
        headers = {
            "Last-Modified": "Sun, 22 Nov 2026 09:40:00 GMT",
            "Content-Length": str(size),
            "ETag": f'"{etag}"',
        }
        versioned = {"x-amz-version-id": version} if version else {}
        self.objects[bucket, key, version] = self.objects[bucket, key, ""] = headers | versioned


@contextlib.contextmanager
def head_objects() -> Iterator[Heads]:
    """A server on a free port of loopback that ends with the block."""
    heads = Heads()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            heads.requests.append(Asked(self.path, headers, self.client_address[1]))
            answer: tuple[int, Mapping[str, str]] | None = (404, {})
            if heads.script:
                answer = heads.script.popleft()
            else:
                url = urlsplit(self.path)
                bucket, _, key = unquote(url.path.removeprefix("/")).partition("/")
                (version,) = parse_qs(url.query).get("versionId", [""])
                if found := heads.objects.get((bucket, key, version)):
                    answer = 200, found
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            for name, value in answer[1].items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    heads.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield heads
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
