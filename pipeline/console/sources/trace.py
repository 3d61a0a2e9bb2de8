"""Everything that is known of one upload, read where the page does not have it."""

import re
import shlex
from typing import Any

from pipeline.console.board import trace
from pipeline.console.board.board import Board, Item
from pipeline.console.board.shapes import upload_json
from pipeline.console.sources.log import search_log
from pipeline.console.sources.session import ReadSession
from pipeline.deployed.invokes import Invoke, Invokes
from pipeline.errors import PipelineError
from pipeline.program import command_line

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{1,9}")
# Between the first attempt of an event and the last; Lambda's own default is six hours.
_LONGEST_WAY_MS = 6 * 3600 * 1000.0
_CLOCKS_MS = 5000.0


def read(session: ReadSession, board: Board, name: str) -> dict[str, Any]:
    """An upload by its record's `objectId`, or by its number on this page.

    Raises PipelineError where nothing is known of it.
    """
    if not _ID.fullmatch(name):
        raise PipelineError(
            f"{name[:80]!r} names no upload: open one from a list, whose link has its objectId."
        )
    upload = board.find_upload(name)
    object_id = (upload.object_id if upload is not None else name) or ""
    record = _record(session, board, object_id) if "-" in object_id else None
    failure = board.find_failure(object_id, upload.message if upload is not None else None)
    request = failure["request"] if failure else None
    invokes = board.find_invokes(object_id, request)
    if not invokes and "-" in object_id and (upload is None or upload.state != "uploading"):
        found = Invokes().add(search_log(session, object_id))
        invokes = [invoke for invoke in found if invoke.names(object_id)]
    if upload is None and record is None and not invokes and failure is None:
        raise PipelineError(
            f"Nothing is known of {name}: no record has this objectId, and no line of the last day."
        )
    at, _ = trace.uploaded_at(upload, record)
    failed_at = failure["failed_at"] and 1000 * failure["failed_at"] if failure else None
    unnamed: list[Invoke] = []
    if not invokes and (failure or (upload is not None and upload.state == "in_progress")):
        since = at or (failed_at or 0.0) - _LONGEST_WAY_MS
        until = failed_at and failed_at + _CLOCKS_MS
        unnamed = trace.candidates(board.failed_invokes(), since, until)
    via = session.target.outputs.get("delivery")
    by_rule = isinstance(via, dict) and via.get("via") == "eventbridge"
    wait = "Wait in the rule" if by_rule else "Wait for the notification"
    if session.buffered:
        wait = f"{wait} and the buffer"
    spans = trace.spans(upload, record, invokes, failed_at, wait)
    return {
        "id": object_id or name,
        "key": _key(upload, record, failure),
        "upload": None if upload is None else upload_json(upload),
        "spans": spans,
        "record": record,
        "recorded_at": None if upload is None else upload.recorded_at,
        "failure": failure,
        "lines": trace.lines(invokes or unnamed),
        "requests": [invoke.request for invoke in invokes],
        # Which of these was this upload's nobody tells.
        "unnamed": [[invoke.at, invoke.request, invoke.reason] for invoke in unnamed],
        "commands": _commands(session, failure, invokes),
        "now": session.clock.now() * 1000,
    }


def _record(session: ReadSession, board: Board, object_id: str) -> Item | None:
    known = board.find_record(object_id)
    if known is not None:
        return known
    table = session.target.table_name
    keys = {table: {"Keys": [{"objectId": {"S": object_id}}]}}
    answer = session.client("dynamodb").batch_get_item(RequestItems=keys)
    found: list[Item] = answer["Responses"].get(table, [])
    return found[0] if found else None


def _key(upload: Any, record: Item | None, failure: dict[str, Any] | None) -> str:
    if upload is not None:
        return str(upload.key)
    if record is not None:
        return str(next(iter(record.get("objectKey", {}).values()), ""))
    objects = failure["objects"] if failure else []
    return str(objects[0][1]) if len(objects) == 1 else ""


def _commands(
    session: ReadSession, failure: dict[str, Any] | None, invokes: list[Invoke]
) -> list[tuple[str, str]]:
    """What does the same in a terminal, each with what it does."""
    wanted = [(["logs", "--request", invoke.request], "its log lines") for invoke in invokes[-1:]]
    if failure is not None:
        wanted.insert(0, (["replay", "--message", failure["id"]], "replays it"))
    flags = session.target.flags
    return [
        (f"{command_line()} {shlex.join([words[0], *flags, *words[1:]])}", what)
        for words, what in wanted
    ]
