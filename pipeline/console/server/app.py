"""The page's server: one page, what it listens to, and the few things that it may ask for."""

import asyncio
import contextlib
import json
import math
import secrets
import tempfile
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.console import runbook
from pipeline.console.board.board import RECORDS, Board, told_failure, told_invoke
from pipeline.console.board.invokes import Invokes
from pipeline.console.server.hub import Hub, encoded, hear, message
from pipeline.console.server.safety import HEADERS, refusal
from pipeline.console.sources import cloudwatch, sources
from pipeline.console.sources.calls import Watched
from pipeline.console.sources.watch import Found, Watch
from pipeline.deployed import aws
from pipeline.deployed.failure_queue import Failure
from pipeline.errors import PipelineError
from pipeline.replay.run import clients, replay

PAGE = Path(__file__).parents[1] / "page"
_FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}
# Of an upload as much stays in memory; the rest goes to a temporary file.
_IN_MEMORY = 1024 * 1024
_UPLOADS_AT_ONCE = 4
# S3's own limit, in bytes of UTF-8.
_LONGEST_KEY = 1024
_LINGER_SECONDS = 5.0
# In bytes: of a replay, as many ids as the page shows, and many more.
_LONGEST_REQUEST = 65_536


class Console:
    """What the page is about, while somebody looks at it.

    `write` lets it upload and replay; `largest` is of an upload, in bytes.
    """

    def __init__(self, find: Callable[[], Found], *, write: bool, largest: int) -> None:
        """Ask nothing before a page is opened."""
        self._find = find
        self.write, self.largest = write, largest
        self.hub = Hub()
        self._watch: Watch | None = None
        self._replaying = threading.Lock()
        self.stopping = threading.Event()
        self.uploads = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    def watch(self) -> Watch:
        """What is being watched, from now on; for a page that listens."""
        if self._watch is None:
            self._watch = Watch(self._find, self.hub.publish, write=self.write)
            self._watch.start()
        return self._watch

    def watched(self) -> Watch:
        """What is being watched, as a page listens. PipelineError where none does."""
        watch = self._watch
        if watch is None:
            raise PipelineError("No page is open: open the link first.")
        return watch

    async def linger(self) -> None:
        """Ask nothing any more, once nobody has listened for some seconds."""
        while self._watch is not None:
            await asyncio.sleep(_LINGER_SECONDS)
            if self.hub.listeners or self._watch is None:
                return
            if not self._replaying.locked():
                self._watch.end()
                self._watch = None

    def close(self) -> None:
        """End all of it; events that are in the function are waited for."""
        self.stopping.set()
        self.hub.close()
        if self._watch is not None:
            self._watch.end()

    def finish(self) -> None:
        """Wait for a replay to end."""
        with self._replaying:
            return

    def replay(self, chosen: frozenset[str] | None) -> None:
        """Replay these messages, or all, and tell the pages; another one may not run.

        PipelineError.
        """
        watch = self.watched()
        session, board = watch.now()
        target = session.target
        queue_url, function, table = (
            target.failure_queue_url,
            target.function_name,
            target.table_name,
        )
        if not self._replaying.acquire(blocking=False):
            raise PipelineError("A replay is running: wait until it has ended.")
        work = partial(self._replay, watch, session, board, chosen, queue_url, function, table)
        threading.Thread(target=work, name="replay").start()

    def _replay(
        self,
        watch: Watch,
        session: Watched,
        board: Board,
        chosen: frozenset[str] | None,
        queue_url: str,
        function: str,
        table: str,
    ) -> None:
        told: dict[str, Any] = {"running": True, "done": 0, "stayed": [], "why": None}
        wanted = None if chosen is None else set(chosen)

        def choose(one: Failure) -> bool:
            return wanted is None or one.message_id in wanted

        try:
            seconds = watch.hold(True)
            watch.replaying(dict(told))
            self.stopping.wait(seconds)
            outcomes = replay(
                clients(**session.target.settings),
                queue_url=queue_url,
                function_name=function,
                table_name=table,
                chosen=choose,
            )
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    if outcome.done:
                        told["done"] += 1
                        board.taken(outcome.message.message_id)
                    else:
                        stayed = told_failure(outcome.message) | {"reason": outcome.reason}
                        told["stayed"] = [*told["stayed"], stayed][-20:]
                    watch.replaying(dict(told))
                    watch.hurry("records", "log")
                    if wanted is not None:
                        wanted.discard(outcome.message.message_id)
                    if self.stopping.is_set() or (wanted is not None and not wanted):
                        break
            if wanted and not self.stopping.is_set():
                told["why"] = (
                    f"{len(wanted)} of them are not in the queue any more, or somebody else "
                    "holds them."
                )
        except Exception as error:  # noqa: BLE001 - whatever it is, the page is told
            told["why"] = _sentence(error, "the failure queue")
        finally:
            told["running"] = False
            watch.replaying(dict(told))
            watch.hold(False)
            self._replaying.release()


def make(console: Console, *, port: int, token: str) -> ASGIApp:
    """The application; it serves under `/TOKEN/` on `port` of loopback."""
    routes = [
        Route("/events", partial(_events, console)),
        Route("/objects", partial(_upload, console), methods=["PUT"]),
        Route("/replay", partial(_start_replay, console), methods=["POST"]),
        Route("/records", partial(_records, console)),
        Route("/log", partial(_log, console)),
        Route("/alarm", partial(_alarm, console)),
        Route("/calls", partial(_calls, console)),
        Route("/{name}", _file),
        Route("/", _file),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        console.close()

    inner = Starlette(routes=routes, lifespan=lifespan)
    # It would lead to an address without the token.
    inner.router.redirect_slashes = False
    return _Guarded(inner, port=port, token=token)


class _Guarded:
    """Refuse what does not come from the page itself, and say to browsers what they may do."""

    def __init__(self, inner: ASGIApp, *, port: int, token: str) -> None:
        self._inner, self._port, self._token = inner, port, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in Headers(scope=scope).items()}
        path = scope["path"]
        refused = refusal(scope["method"], path, headers, port=self._port, token=self._token)
        answer = send_with(send)
        if refused is not None:
            status, why = refused
            await PlainTextResponse(f"{why}\n", status)(scope, receive, answer)
            return
        rest = path.removeprefix(f"/{self._token}")
        if not rest:
            # Relative addresses need the slash.
            moved = {"Location": f"/{self._token}/"}
            await Response(status_code=308, headers=moved)(scope, receive, answer)
            return
        await self._inner({**scope, "path": rest, "raw_path": rest.encode()}, receive, answer)


def send_with(send: Send) -> Send:
    """The same, with the headers that every answer has."""

    async def sending(one: Message) -> None:
        if one["type"] == "http.response.start":
            more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            one = {**one, "headers": [*one.get("headers", []), *more]}
        await send(one)

    return sending


async def _file(request: Request) -> Response:
    found = _FILES.get(request.path_params.get("name", ""))
    if found is None:
        return _refused(404, "There is nothing here.")
    name, kind = found
    return Response((PAGE / name).read_bytes(), media_type=kind)


async def _events(console: Console, request: Request) -> Response:
    async def told() -> AsyncIterator[str]:
        # First of all: what happens while all is told must not be missed.
        queue = console.hub.join()
        try:
            # Here, so that it ends with a page that leaves before it is told anything.
            watch = console.watch()
            # Whoever tells the board something just now must not hold up all other pages.
            snapshot = await run_in_threadpool(lambda: message("snapshot", watch.told()))
            yield "retry: 1000\n\n" + snapshot
            watch.hurry()
            async for one in hear(queue):
                yield one
        finally:
            console.hub.leave(queue)
            task = asyncio.ensure_future(console.linger())
            _LINGERING.add(task)
            task.add_done_callback(_LINGERING.discard)

    return StreamingResponse(told(), media_type="text/event-stream")


# A task that nobody holds may be collected before it has run.
_LINGERING: set[asyncio.Future[None]] = set()


async def _upload(console: Console, request: Request) -> Response:
    if not console.write:
        return _read_only()
    key = request.query_params.get("key", "")
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        length = 0
    if not 1 <= length <= _LONGEST_KEY:
        return _refused(400, f"The key has {length} bytes; S3 takes 1 to {_LONGEST_KEY}.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > console.largest:
        return _too_large(console)
    try:
        watch = console.watched()
        session, board = watch.now()
    except PipelineError as error:
        return _refused(503, str(error))
    async with console.uploads:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
            try:
                size = await _spool(request, body, console.largest)
                if size is None:
                    return _too_large(console)
                body.seek(0)
            except ClientDisconnect:
                return _refused(400, "The file did not come whole.")
            except OSError as error:
                return _refused(507, f"There is no room for the file here ({error.strerror}).")
            return await run_in_threadpool(_put, watch, session, board, key, body, size)


async def _spool(request: Request, body: IO[bytes], largest: int) -> int | None:
    """Bytes received, None where they are too many. Raises ClientDisconnect."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > largest:
            return None
        if len(chunk) + body.tell() > _IN_MEMORY:
            await run_in_threadpool(body.write, chunk)
        else:
            body.write(chunk)
    return size


def _put(
    watch: Watch, session: Watched, board: Board, key: str, body: IO[bytes], size: int
) -> Response:
    travel = board.begin(key, size)
    watch.hurry("records", "log")
    try:
        s3 = session.client("s3")
        answer = s3.put_object(Bucket=session.target.bucket_name, Key=key, Body=body)
    except Exception as error:  # noqa: BLE001 - whatever it is, the page is told
        why = _sentence(error, "the bucket")
        board.refuse(travel, why)
        return _refused(502, why)
    version = str(answer.get("VersionId") or "")
    board.put(travel, "" if version == "null" else version, size)
    watch.hurry("records", "log")
    return JSONResponse({"id": travel.id, "key": key, "versionId": version, "size": size})


async def _start_replay(console: Console, request: Request) -> Response:
    if not console.write:
        return _read_only()
    try:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST_REQUEST:
                return _refused(413, f"That is more than {_LONGEST_REQUEST:,} bytes.")
        asked = json.loads(body)
    except (ClientDisconnect, ValueError, RecursionError):
        asked = None
    chosen = asked.get("messages") if isinstance(asked, dict) else None
    if chosen != "all" and not (
        isinstance(chosen, list) and chosen and all(isinstance(one, str) for one in chosen)
    ):
        return _refused(400, 'Send {"messages": "all"}, or a list of message ids.')
    try:
        console.replay(None if chosen == "all" else frozenset(chosen))
    except PipelineError as error:
        return _refused(409, str(error))
    return JSONResponse({"started": True}, 202)


async def _records(console: Console, request: Request) -> Response:
    moments = []
    for name in "since", "until":
        given = request.query_params.get(name) or None
        try:
            moment = None if given is None else float(given)
        except ValueError:
            moment = math.nan
        if moment is not None and not math.isfinite(moment):
            return _refused(400, f"{name} is {given!r}, and takes epoch seconds.")
        moments.append(moment)
    prefix = request.query_params.get("prefix", "")

    def ask() -> dict[str, Any]:
        session, _ = console.watched().now()
        since, until = moments
        items, whole = sources.search_records(session, prefix, since, until, RECORDS)
        return {"items": items, "whole": whole}

    return await _asked(ask, "the table")


async def _log(console: Console, request: Request) -> Response:
    wanted = request.query_params.get("request", "")
    if not wanted or not wanted.replace("-", "").isalnum() or len(wanted) > 64:
        return _refused(400, "A request id has letters, digits and hyphens only.")

    def ask() -> dict[str, Any]:
        session, _ = console.watched().now()
        found = sources.search_log(session, wanted)
        invokes = Invokes().take(found)
        return {"invokes": [told_invoke(one) for one in invokes if one.request.startswith(wanted)]}

    return await _asked(ask, "the log group")


async def _alarm(console: Console, request: Request) -> Response:
    name = request.query_params.get("name", "")

    def ask() -> dict[str, Any]:
        session, board = console.watched().now()
        alarm = next((one for one in board.alarms if one["name"] == name), None)
        if alarm is None:
            raise PipelineError(f"The stack has no alarm {name!r}.")
        return {
            "history": cloudwatch.history(session, name),
            "runbook": [list(map(list, one)) for one in runbook.paragraphs(alarm["section"])],
        }

    return await _asked(ask, "the alarms")


async def _calls(console: Console, request: Request) -> Response:
    return await _asked(lambda: console.watched().calls.so_far(), "this page")


async def _asked(ask: Callable[[], Mapping[str, Any]], thing: str) -> Response:
    try:
        told = await run_in_threadpool(lambda: encoded(ask()))
        return Response(told, media_type="application/json")
    except Exception as error:  # noqa: BLE001 - whatever it is, the page is told
        return _refused(502, _sentence(error, thing))


def _sentence(error: Exception, thing: str) -> str:
    if isinstance(error, ClientError | BotoCoreError):
        return aws.sentence(error, thing, "run `terraform apply` in the stack's root")
    if isinstance(error, PipelineError):
        return str(error)
    # Botocore's, where what answers is not AWS, say.
    traceback.print_exception(error)
    return f"{thing[:1].upper()}{thing[1:]}: {type(error).__name__}: {error!s:.300}"


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)


def _read_only() -> Response:
    return _refused(
        403, "This page only looks: start `pipeline console` with --write to let it act."
    )


def _too_large(console: Console) -> Response:
    return _refused(413, f"The file is larger than {console.largest:,} bytes: use `aws s3 cp`.")


def new_token() -> str:
    """Enough for nobody to guess: 192 bits."""
    return secrets.token_urlsafe(24)
