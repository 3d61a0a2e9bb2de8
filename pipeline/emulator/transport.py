"""What ministack makes of a request before any service sees it, where a client depends on it.

Repairs like those of repairs.py.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

# What is kept for requests that come again: so many answers, each shorter.
_ANSWERS, _ANSWER_BYTES = 500, 65536


def stand_behind_tls() -> None:
    """Requests count as made over TLS, unless they have `X-Forwarded-Proto: http`.

    No fault of ministack's: it enforces `aws:SecureTransport`, and we speak plain HTTP on loopback
    with policies that refuse that. ministack knows proxies that end TLS; this plays one.
    """
    from ministack import app
    from ministack.core import iam_evaluator

    inner = app.app

    async def behind_tls(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope | {"scheme": "https"}, receive, send)

    app.app = behind_tls
    # For what ministack delivers by itself, outside any request.
    iam_evaluator._request_origin = ContextVar("origin", default=("127.0.0.1", True))


def take_a_proxys_requests() -> None:
    """The URL of a request may be absolute, as a client writes it for a proxy.

    Provider 6.23 and newer read a bucket's tags at `<account>.<host of the endpoint>`, a name that
    no resolver knows for an IP address: they get there with us as their `HTTP_PROXY`. Without this
    the URL counts as a bucket. Any other host is refused, since we forward nothing.
    """
    from ministack import app

    inner = app.app
    ours = f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"

    async def in_origin_form(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("http://"):
            await inner(scope, receive, send)
            return
        host, _, path = scope["path"].removeprefix("http://").partition("/")
        if host == ours or host.endswith(f".{ours}"):
            raw = b"/" + scope["raw_path"].removeprefix(b"http://").partition(b"/")[2]
            await inner(scope | {"path": f"/{path}", "raw_path": raw}, receive, send)
            return
        refusal = f"{host} can't be reached from here: the emulator at {ours} is no proxy.\n"
        headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 502, "headers": headers})
        await send({"type": "http.response.body", "body": refusal.encode()})

    app.app = in_origin_form


def what_is_sent_again_gets_the_same_answer() -> None:
    """A request that an SDK sends again, since the answer got lost, gets the answer once more.

    On a busy machine a connection ends now and then before the answer is out. Terraform then reads
    "exists already" of what it just made, and gives up after five minutes, or leaves it tainted.
    Both requests have the same `amz-sdk-invocation-id`.
    """
    from ministack import app

    inner = app.app
    answers: OrderedDict[bytes, list[Any]] = OrderedDict()

    async def once(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        name = headers.get(b"amz-sdk-invocation-id")
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD") or name is None:
            await inner(scope, receive, send)
            return
        if not headers.get(b"amz-sdk-request", b"").startswith(b"attempt=1") and name in answers:
            while (await receive()).get("more_body"):
                pass
            for message in answers[name]:
                await send(message)
            return
        parts: list[Any] = []

        async def keep(message: Any) -> None:
            parts.append(message)
            if not message.get("more_body") and len(parts) > 1 and parts[0]["status"] < 400:
                if sum(len(each.get("body", b"")) for each in parts) < _ANSWER_BYTES:
                    answers[name] = parts
                while len(answers) > _ANSWERS:
                    answers.popitem(last=False)
            await send(message)

        await inner(scope, receive, keep)

    app.app = once


REPAIRS: tuple[Callable[[], None], ...] = (
    stand_behind_tls,
    take_a_proxys_requests,
    what_is_sent_again_gets_the_same_answer,
)
