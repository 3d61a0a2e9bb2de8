"""Save ministack's state while it runs: by itself it does so only when it is asked to end.

A `kill -9` or a power failure then costs the newest writes, and no more.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

_PAUSE_SECONDS = 1.0
# A request's effects, such as retries and a failure's message, go on after the answer.
_FOLLOW_UP_SECONDS = 10.0
# Copying takes the interpreter away from requests: at most one part in twenty.
_REST = 19
# POST saves at once, and answers when that is done.
SAVE = "/_lab/save"


def keep_saving() -> None:
    """From the first request on, save after each second in which something may have changed.

    Does nothing where ministack's environment asks for no saved state.
    """
    import asyncio

    from ministack import app
    from ministack.core import persistence

    if not persistence.PERSIST_STATE:
        return
    # A line for each service and second would bury everything else in the log.
    logging.getLogger(persistence.logger.name).setLevel(logging.WARNING)
    serve, save_all = app.app, app.save_all
    turn = threading.Lock()
    ended = False
    # Before the first request ministack may not have read yet what was saved: never save then.
    requested_at: float | None = None

    async def serve_and_note(scope: Any, receive: Any, send: Any) -> None:
        nonlocal requested_at
        if scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", SAVE):
            saved = requested_at is not None and await asyncio.to_thread(save_now)
            status = 204 if saved else 503
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            await serve(scope, receive, send)
        finally:
            if scope["type"] == "http":
                requested_at = time.monotonic()

    def save_last(services: Mapping[str, Callable[[], Any]]) -> None:
        nonlocal ended
        with turn:
            ended = True
            save_all(services)

    def save_now() -> bool:
        with turn:
            if not ended:
                services = app._build_persistence_save_dict()
                save_all({name: _patient(state) for name, state in services.items()})
        return not ended

    def save_now_and_then() -> None:
        pause, saved_at = _PAUSE_SECONDS, 0.0
        while True:
            time.sleep(pause)
            if requested_at is None or requested_at + _FOLLOW_UP_SECONDS < saved_at:
                continue
            saved_at, busy = time.monotonic(), time.thread_time()
            if not save_now():
                return
            pause = max(_PAUSE_SECONDS, _REST * (time.thread_time() - busy))

    app.app, app.save_all = serve_and_note, save_last
    threading.Thread(target=save_now_and_then, daemon=True).start()


def _patient(state: Callable[[], Any]) -> Callable[[], Any]:
    def copied() -> Any:
        for _ in range(10):
            # A request may change a table's size while it is copied.
            with contextlib.suppress(RuntimeError):
                return state()
        return state()

    return copied
