"""The page's server: the page, its events, and the few requests that it makes."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import ClientError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline import times
from pipeline.console import runbook
from pipeline.console.board.board import RECORDS
from pipeline.console.board.shapes import invoke_json
from pipeline.console.server import breaks, drops
from pipeline.console.server.console import Console
from pipeline.console.server.hub import encode, hear, message
from pipeline.console.server.safety import HEADERS, refusal
from pipeline.console.sources import timeline, trace
from pipeline.console.sources.cloudwatch import history
from pipeline.console.sources.log import search_log
from pipeline.console.sources.session import explain
from pipeline.console.sources.table import search_records
from pipeline.console.sources.watch import Watch
from pipeline.deployed import aws
from pipeline.deployed.invokes import Invokes
from pipeline.errors import PipelineError

PAGE = Path(__file__).parents[1] / "page"
# So much of an upload stays in memory; the rest goes to a temporary file.
_IN_MEMORY = 1024 * 1024
# S3's own limit, in bytes of UTF-8.
_MAX_KEY = 1024
# In bytes: many more message ids than the page shows.
_MAX_REPLAY_REQUEST = 65_536


def make(
    console: Console,
    *,
    port: int,
    token: str,
    know: Callable[[tuple[str, int]], None] = lambda _: None,
) -> ASGIApp:
    """The application; it serves under `/TOKEN/` on `port` of loopback.

    Calls `know` with the address of whoever has the token.
    """
    app = Starlette(
        routes=[
            Route("/events", partial(_events, console)),
            Route("/objects", partial(_upload, console), methods=["PUT"]),
            Route("/replay", partial(_replay, console), methods=["POST"]),
            Route("/records", _reading("the table", _records, console)),
            Route("/log", _reading("the log group", _log, console)),
            Route("/trace", _reading("the upload", _trace, console)),
            Route("/timeline", _reading("the timeline", _timeline, console)),
            Route("/alarm", _reading("the alarms", _alarm, console)),
            Route(
                "/calls", _reading("this page", lambda *_: console.watch().calls.counts(), console)
            ),
            *breaks.routes(console.breaks),
            *drops.routes(console.drops, console.expect_write),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        exception_handlers={HTTPException: _refused},
    )
    # It would redirect to an address without the token.
    app.router.redirect_slashes = False
    return _guarded(app, port=port, token=token, know=know)


def _guarded(
    app: ASGIApp, *, port: int, token: str, know: Callable[[tuple[str, int]], None]
) -> ASGIApp:
    """`app` for requests of the page itself; every answer has HEADERS."""
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(part: Message) -> None:
            if part["type"] == "http.response.start":
                part = {**part, "headers": [*part.get("headers", []), *headers]}
            await send(part)

        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        sent = {name.lower(): value for name, value in Headers(scope=scope).items()}
        rest = scope["path"].removeprefix(f"/{token}")
        answer: ASGIApp = app
        if refused := refusal(scope["method"], scope["path"], sent, port=port, token=token):
            status, reason = refused
            answer = PlainTextResponse(f"{reason}\n", status)
        else:
            know(scope["client"])
            if not rest:
                # The page's relative addresses need the slash.
                answer = Response(status_code=308, headers={"Location": f"/{token}/"})
        scope = {**scope, "path": rest, "raw_path": rest.encode()}
        await answer(scope, receive, send_with_headers)

    return guarded


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    return JSONResponse({"error": error.detail}, error.status_code)


async def _events(console: Console, request: Request) -> Response:
    page, joined = request.query_params.get("page", ""), False

    async def stream() -> AsyncIterator[str]:
        nonlocal joined
        # Before the snapshot, so that no event after it is missed.
        queue = console.hub.join()
        try:
            # In here, so that it ends also with a page that leaves at once.
            watch = console.open()
            # In a thread: the board may be locked.
            snapshot = await run_in_threadpool(lambda: message("snapshot", watch.snapshot()))
            yield "retry: 1000\n\n" + snapshot
            yield message("breaks", console.breaks.state())
            # Tells the pages, this one too.
            console.drops.join(page)
            joined = True
            watch.wake()
            async for event in hear(queue):
                yield event
        finally:
            console.hub.leave(queue)
            if joined:
                console.drops.leave(page)
            task = asyncio.ensure_future(console.linger())
            _LINGERING.add(task)
            task.add_done_callback(_LINGERING.discard)

    return StreamingResponse(stream(), media_type="text/event-stream")


# asyncio holds tasks weakly: without these they could be collected before they end.
_LINGERING: set[asyncio.Future[None]] = set()


async def _upload(console: Console, request: Request) -> Response:
    console.expect_write()
    key = request.query_params.get("key", "")
    length = len(key.encode())
    if not 1 <= length <= _MAX_KEY:
        raise HTTPException(400, f"The key has {length} bytes; S3 takes 1 to {_MAX_KEY}.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        _expect_size(int(declared), console.largest)
    try:
        watch = console.watch()
        # Before the file is received.
        watch.current()
        async with console.uploads:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
                size = await _receive(request, body, console.largest)
                body.seek(0)
                answer = await run_in_threadpool(_put, watch, key, body, size)
        console.drops.done(key)
        return answer
    except PipelineError as error:
        raise HTTPException(503, str(error)) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The file was not received whole.") from error
    except OSError as error:
        reason = f"There is no room for the file here ({error.strerror})."
        raise HTTPException(507, reason) from error


async def _receive(request: Request, body: IO[bytes], largest: int) -> int:
    """Bytes received. Raises HTTPException where they are too many."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        _expect_size(size, largest)
        if len(chunk) + body.tell() > _IN_MEMORY:
            await run_in_threadpool(body.write, chunk)
        else:
            body.write(chunk)
    return size


def _put(watch: Watch, key: str, body: IO[bytes], size: int) -> Response:
    session, board = watch.current()
    upload = board.begin_upload(key, size)
    watch.wake("records", "log")
    try:
        bucket = session.target.bucket_name
        answer = session.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    except Exception as error:
        reason = explain(error, "the bucket")
        board.upload_rejected(upload, reason)
        # What passes is tried again.
        raise HTTPException(503 if _passes(error) else 502, reason) from error
    version = str(answer.get("VersionId") or "")
    board.upload_stored(upload, "" if version == "null" else version)
    watch.wake("records", "log")
    return JSONResponse({"id": upload.id, "key": key, "versionId": version, "size": size})


def _passes(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status == 429 or status >= 500
    return isinstance(error, aws.UNREACHED)


async def _replay(console: Console, request: Request) -> Response:
    console.expect_write()
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_REPLAY_REQUEST:
                raise HTTPException(413, f"That is more than {_MAX_REPLAY_REQUEST:,} bytes.")
        document = json.loads(body)
    except (ClientDisconnect, ValueError, RecursionError):
        document = None
    chosen = document.get("messages") if isinstance(document, dict) else None
    are_ids = isinstance(chosen, list) and all(isinstance(part, str) for part in chosen)
    if chosen != "all" and not (chosen and are_ids):
        raise HTTPException(400, 'Send {"messages": "all"}, or a list of message ids.')
    try:
        console.start_replay(None if chosen == "all" else frozenset(chosen))
    except PipelineError as error:
        raise HTTPException(409, str(error)) from error
    return JSONResponse({"started": True}, 202)


def _expect_size(size: int, largest: int) -> None:
    if size > largest:
        raise HTTPException(413, f"The file is larger than {largest:,} bytes: use `aws s3 cp`.")


def _reading(
    thing: str, read: Callable[[Console, Request], Any], console: Console
) -> Callable[[Request], Response]:
    """An endpoint that answers what `read` returns; `thing` is what it reads, for a sentence."""

    # Not async: Starlette runs it in a thread.
    def endpoint(request: Request) -> Response:
        try:
            return Response(encode(read(console, request)), media_type="application/json")
        except HTTPException:
            raise
        except Exception as error:
            raise HTTPException(502, explain(error, thing)) from error

    return endpoint


def _records(console: Console, request: Request) -> dict[str, Any]:
    text = request.query_params.get("since") or None
    try:
        since = None if text is None else times.checked(float(text))
    except ValueError as error:
        raise HTTPException(400, f"since is {text!r:.80}, and takes epoch seconds.") from error
    session, _ = console.watch().current()
    prefix = request.query_params.get("prefix", "")
    items, complete = search_records(session, prefix, since, RECORDS)
    return {"items": items, "complete": complete}


def _log(console: Console, request: Request) -> dict[str, Any]:
    name = request.query_params.get("request", "")
    if not name.replace("-", "").isalnum() or len(name) > 64:
        raise HTTPException(400, "A request id has letters, digits and hyphens only.")
    session, _ = console.watch().current()
    found = Invokes().add(search_log(session, name))
    return {"invokes": [invoke_json(invoke) for invoke in found if invoke.request.startswith(name)]}


def _trace(console: Console, request: Request) -> dict[str, Any]:
    session, board = console.watch().current()
    return trace.read(session, board, request.query_params.get("id", ""))


def _timeline(console: Console, request: Request) -> dict[str, Any]:
    session, board = console.watch().current()
    return timeline.read(session, board, request.query_params.get("minutes", ""))


def _alarm(console: Console, request: Request) -> dict[str, Any]:
    name = request.query_params.get("name", "")
    session, board = console.watch().current()
    for alarm in board.alarms or ():
        if alarm["name"] == name:
            pieces = runbook.paragraphs(alarm["section"])
            return {"history": history(session, name), "runbook": pieces}
    raise PipelineError(f"The stack has no alarm {name!r}.")
