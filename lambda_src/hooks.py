"""Call the team's hook: a function that adds attributes to the record of each event.

Environment: `RECORD_HOOK` ("module.function") and `RECORD_HOOK_CONCURRENCY` (calls at a time, 8).

    from hooks import SkipRecord

    def on_event(event, record):
        if not event.size:
            raise SkipRecord
        return {"megabytes": event.size / 1e6}

`event` is an `ObjectEvent`, `record` the record's attributes by name, read-only. The function
returns what to add, or None. Raising `SkipRecord` stores nothing; any other exception fails this
record alone. It is called once for each distinct event of an invoke, in several threads.
"""

from __future__ import annotations

import base64
import importlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from types import MappingProxyType

import logs
from events import ObjectEvent as ObjectEvent
from events import Passing, Replication
from records import Item
from typed import Any, NamedTuple

# How long a call that outlived its invoke may still take before the process is given up.
GRACE_SECONDS = 1.0

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_LARGEST = 400 * 1024
_DEEPEST = 32
_DIGITS = 38

RESERVED = frozenset(
    {
        *("objectId", "bucket", "objectKey", "timestamp", "ttl", "eventName", "eventTime"),
        *("sequencer", "versionId", "eTag", "size", "requestId", *Replication._fields),
    }
)

# Threads of earlier invokes whose call did not return in time.
_stuck: list[threading.Thread] = []


class SkipRecord(Exception):  # noqa: N818  (nothing is wrong)
    """Raised by a hook so that nothing is stored for its event."""


class UnfitError(Exception):
    """Says why what a hook returned can't be stored."""


class Hook(NamedTuple):
    """The team's function, named "module.function", and how many calls of it run at a time."""

    name: str
    function: Callable[[ObjectEvent, Mapping[str, Any]], Mapping[str, Any] | None]
    concurrency: int


class Outcome(NamedTuple):
    """The items that are to be written, the skipped `objectId`s, and why others failed."""

    items: dict[str, Item]
    skipped: list[str]
    reasons: dict[str, str]


@cache
def load() -> Hook:
    """The hook that the environment names. Raises ImportError, which says what is wrong with it.

    Only a hook that was loaded is remembered: what failed once is tried again.
    """
    name = os.environ["RECORD_HOOK"]
    module, _, function = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), function)
        if not callable(found):
            raise TypeError(f"{function} is {type(found).__name__}, not a function")
    except BaseException as error:
        raise ImportError(f"hook {name} can't be loaded: {_text(error)}") from error
    return Hook(name, found, int(os.environ.get("RECORD_HOOK_CONCURRENCY", "8")))


def prepare() -> None:
    """Load the hook before the first event; why that fails is logged, and the events' failure."""
    try:
        load()
    except ImportError as error:
        logs.write("ERROR", "Hook not loaded", reason=str(error))


def apply(items: dict[str, Item], sources: Mapping[str, ObjectEvent], end: float) -> Outcome:
    """Call the hook for each of `sources`, by `objectId`, until `end` (`time.monotonic()`).

    Ends the process where calls of earlier invokes keep all threads: Lambda then starts another.
    """
    try:
        hook = load()
    except ImportError as error:
        return Outcome({}, [], dict.fromkeys(items, str(error)))
    threads = _free(hook)
    began = time.monotonic()
    done: dict[str, Item | SkipRecord | str | None] = dict.fromkeys(items)
    todo = deque(items)
    begun: set[str] = set()

    def work() -> None:
        while time.monotonic() < end:
            try:
                object_id = todo.popleft()
            except IndexError:
                return
            begun.add(object_id)
            done[object_id] = _call(hook, sources[object_id], items[object_id])

    # Daemons, and none of it on this thread: a call that never returns can't be ended.
    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(items)))]
    started = []
    try:
        for worker in workers:
            worker.start()
            started.append(worker)
    except RuntimeError as error:
        logs.write("WARN", "Fewer threads for the hook", threads=len(started), reason=str(error))
    for worker in started:
        worker.join(max(0.0, end - time.monotonic()))
    todo.clear()
    _stuck.extend(worker for worker in started if worker.is_alive())
    # What a late call returns goes nowhere.
    results = dict(done)
    passed = f"{time.monotonic() - began:.1f} s"
    waited = {
        object_id: f"did not return within {passed}"
        if object_id in begun
        else f"was not called within {passed}: raise timeout_seconds or take smaller batches"
        for object_id, result in results.items()
        if result is None
    }
    failed = {name: text for name, text in results.items() if isinstance(text, str)}
    failed |= {name: Passing(text) for name, text in waited.items()}
    return Outcome(
        {name: item for name, item in results.items() if isinstance(item, dict)},
        [name for name, result in results.items() if isinstance(result, SkipRecord)],
        {name: type(text)(f"hook {hook.name}: {text}") for name, text in failed.items()},
    )


def call(hook: Callable[..., Any], event: ObjectEvent, item: Item) -> Item:
    """What `hook` adds to `item`, in its wire form. Raises what the hook does, and UnfitError."""
    plain = {name: int(v["N"]) if "N" in v else v["S"] for name, v in item.items()}
    added = hook(event, MappingProxyType(plain))
    if added is None:
        return {}
    if not isinstance(added, Mapping):
        raise UnfitError(f"it returned {type(added).__name__}, not a mapping or None")
    attributes = {_name(name): value for name, value in added.items()}
    if own := sorted(RESERVED & attributes.keys()):
        raise UnfitError(f"it returned {', '.join(own)}, which the record has of its own: rename")
    wire: Item = {}
    for name, value in attributes.items():
        try:
            wire[name] = _wire(value, 0)
        except UnfitError as error:
            raise UnfitError(f"attribute {name:.80} {error}") from error
    size = sum(len(name.encode()) + _bytes(value) for name, value in (item | wire).items())
    if size > _LARGEST:
        raise UnfitError(f"the record would have {size:,} bytes, and DynamoDB takes {_LARGEST:,}")
    return wire


def _free(hook: Hook) -> int:
    """How many threads may run now; waits a moment for the first."""
    give_up = time.monotonic() + GRACE_SECONDS
    while True:
        _stuck[:] = [thread for thread in _stuck if thread.is_alive()]
        if len(_stuck) < hook.concurrency:
            return hook.concurrency - len(_stuck)
        if time.monotonic() >= give_up:
            reason = f"{len(_stuck)} calls of hook {hook.name} did not return: the process ends"
            logs.write("FATAL", "Hook stuck", reason=reason)
            os._exit(1)
        _stuck[0].join(0.05)


def _call(hook: Hook, event: ObjectEvent, item: Item) -> Item | SkipRecord | str:
    try:
        return item | call(hook.function, event, item)
    except SkipRecord as skip:
        return skip
    except UnfitError as error:
        return str(error)
    except BaseException as error:  # noqa: BLE001  (a SystemExit fails its record, too)
        return _text(error)


def _text(error: BaseException) -> str:
    """The error, and where it came from outside of Lambda's and Python's own code."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001  (the hook's class, whatever its text does)
        text = type(error).__name__
    place, step = "", error.__traceback__
    while step:
        file = step.tb_frame.f_code.co_filename
        if "/python/" in file and "/site-packages/" not in file:
            place = f" ({file.rpartition('/')[2]}:{step.tb_lineno})"
        step = step.tb_next
    return f"{text[:300]}{place}"


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise UnfitError(f"has a name that is {name!r:.80}: write texts that are not empty")
    _checked(name)
    return name


def _wire(value: Any, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise UnfitError(f"is nested deeper than {_DEEPEST} levels")
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float | Decimal):
        return {"N": _number(value)}
    if isinstance(value, str):
        _checked(value)
        return {"S": value}
    if isinstance(value, bytes | bytearray):
        return {"B": base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return {"L": [_wire(each, depth + 1) for each in value]}
    if isinstance(value, Mapping):
        return {"M": {_name(name): _wire(each, depth + 1) for name, each in value.items()}}
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    raise UnfitError(
        f"holds a {kind}: return str, int, float, Decimal, bool, bytes, list, dict or None"
    )


def _checked(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnfitError("holds a lone surrogate, which is no UTF-8") from error


def _number(value: float | Decimal) -> str:
    # A float through its shortest text, 0.1 and not 0.1000000000000000055.
    number = Decimal(float.__repr__(value) if isinstance(value, float) else value)
    if number.is_finite():
        digits = "".join(map(str, number.as_tuple().digits)).strip("0")
        if len(digits) <= _DIGITS and (not digits or -130 <= number.adjusted() <= 125):
            return str(number)
    raise UnfitError(
        f"holds {number!s:.60}: DynamoDB takes {_DIGITS} digits, from 1e-130 to below 1e126"
    )


def _bytes(wire: Mapping[str, Any]) -> int:
    """About as many bytes as DynamoDB counts for a value."""
    ((kind, value),) = wire.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return len(value) // 2 + 1
    if kind == "B":
        return len(value) * 3 // 4
    if kind == "L":
        return 3 + sum(1 + _bytes(each) for each in value)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _bytes(each) for name, each in value.items())
    return 1
