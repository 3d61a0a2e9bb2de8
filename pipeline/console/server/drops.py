"""What pages upload: which files of a drop are still to come, and which a closed tab left."""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAX_FILES = 5000
_MAX_REQUEST = 8 * 1024 * 1024
# Of what closed tabs left; the oldest drops are forgotten.
_MAX_KEPT = 20_000
_MAX_SHOWN = 1000
# Of a drop's id.
_DIGITS = 15


@dataclass
class _Drop:
    page: str
    at: float
    total: int
    waiting: dict[str, None]


class Drops:
    """The drops of all pages; thread-safe. A page's own drops are left once it is gone."""

    def __init__(self, publish: Callable[[str, Any], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._drops: dict[int, _Drop] = {}
        self._pages = Counter[str]()

    def join(self, page: str) -> None:
        """A page is connected."""
        with self._lock:
            self._pages[page] += 1
        self._tell()

    def leave(self, page: str) -> None:
        """It is not any more, or not by this connection."""
        with self._lock:
            self._pages[page] -= 1
            if self._pages[page] <= 0:
                del self._pages[page]
        self._tell()

    def begin(self, page: str, keys: Sequence[str]) -> int:
        """A page is about to upload these; the drop's id."""
        with self._lock:
            number = next(self._ids)
            drop = _Drop(page, time.time(), len(keys), dict.fromkeys(keys))
            self._drops[number] = drop
            while sum(len(drop.waiting) for drop in self._drops.values()) > _MAX_KEPT:
                del self._drops[next(iter(self._drops))]
        return number

    def done(self, key: str) -> None:
        """A key was uploaded, by whatever page."""
        with self._lock:
            left = False
            for number, drop in list(self._drops.items()):
                if key in drop.waiting:
                    del drop.waiting[key]
                    left = left or drop.page not in self._pages
                    if not drop.waiting:
                        del self._drops[number]
        if left:
            self._tell()

    def end(self, number: int) -> None:
        """Whoever dropped them does not want the rest."""
        with self._lock:
            self._drops.pop(number, None)
        self._tell()

    def left(self) -> list[dict[str, Any]]:
        """What closed tabs left, the oldest first: `at` in epoch seconds, and the first keys."""
        with self._lock:
            return [
                {
                    "id": number,
                    "at": drop.at,
                    "total": drop.total,
                    "count": len(drop.waiting),
                    "keys": list(itertools.islice(drop.waiting, _MAX_SHOWN)),
                }
                for number, drop in self._drops.items()
                if drop.page not in self._pages
            ]

    def _tell(self) -> None:
        self._publish("left", self.left())


def routes(drops: Drops, expect_write: Callable[[], None]) -> list[Route]:
    """What the page asks for; `expect_write` raises HTTPException on a read-only page."""

    async def begin(request: Request) -> Response:
        expect_write()
        return JSONResponse({"id": drops.begin(*await _asked(request))}, 201)

    async def end(request: Request) -> Response:
        expect_write()
        number = request.path_params["number"]
        if len(number) > _DIGITS or not (number.isascii() and number.isdecimal()):
            raise HTTPException(404, "There is no such drop.")
        drops.end(int(number))
        return JSONResponse({})

    return [
        Route("/drops", begin, methods=["POST"]),
        Route("/drops/{number}", end, methods=["DELETE"]),
    ]


async def _asked(request: Request) -> tuple[str, list[str]]:
    """A page's id, and the keys that it is about to upload. Raises HTTPException."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_REQUEST:
                raise HTTPException(413, f"That is more than {_MAX_REQUEST:,} bytes.")
        document = json.loads(body)
        page, keys = document["page"], document["keys"]
    except (ClientDisconnect, ValueError, TypeError, KeyError, RecursionError):
        page = keys = None
    if not isinstance(page, str) or not isinstance(keys, list) or not keys:
        raise HTTPException(400, 'Send {"page": id, "keys": [key, …]}.')
    if not all(isinstance(key, str) for key in keys):
        raise HTTPException(400, "A key is a string.")
    if len(keys) > MAX_FILES:
        raise HTTPException(
            413,
            f"{len(keys):,} files are more than this page takes at once ({MAX_FILES:,}): use "
            "`aws s3 cp --recursive`.",
        )
    return page, keys
