"""Invoke the function with an event, wait for its answer, and print that and the log."""

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

from botocore.config import Config
from rich.text import Text

from pipeline import terminal
from pipeline.deployed import aws
from pipeline.errors import PipelineError
from pipeline.options import Named

# What Lambda takes of a synchronous invoke.
_MOST_BYTES = 6 * 1024 * 1024
# As long as Lambda lets a function run, and a little more.
_INVOKE_SECONDS = 15 * 60 + 15
# A second attempt would be a second invoke.
_CONFIG = Config(connect_timeout=5, read_timeout=_INVOKE_SECONDS, retries={"total_max_attempts": 1})


def run(named: Named, file: Path, *, as_json: bool) -> int:
    """Invoke the pipeline's function with the event in `file` (`-` is stdin).

    Returns the exit status: 1 when the function raised or named messages that it did not store.
    Raises PipelineError.
    """
    if str(file) == "-" and str(named.outputs) == "-":
        raise PipelineError("FILE and --outputs are both -: give one of them a file.")
    event = _event(file)
    target = named.find()
    functions, name = aws.client("lambda", _CONFIG, **target.settings), target.function_name
    began = time.monotonic()
    with aws.asking(f"the function {name}", "run `terraform apply` in the stack's root"):
        answer = functions.invoke(FunctionName=name, Payload=event, LogType="Tail")
        payload = answer["Payload"].read().decode(errors="replace")
    took = time.monotonic() - began
    error = answer.get("FunctionError")
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace").splitlines()
    returned = _parsed(payload)
    failed = error is not None or bool(
        isinstance(returned, dict) and returned.get("batchItemFailures")
    )
    if as_json:
        terminal.print_json(
            {
                "failed": failed,
                "error": error,
                "answer": returned,
                "log": log,
                "seconds": round(took, 3),
                "requestId": answer["ResponseMetadata"].get("RequestId"),
            }
        )
        return int(failed)
    console = terminal.console()
    for line in log:
        terminal.entry(console, Text("log", style="dim"), line)
    style, word = ("bold red", "failed") if failed else ("green", "answer")
    head = Text.assemble((word, style), (f"  {took * 1000:,.0f} ms", "cyan"))
    terminal.entry(console, head, payload)
    return int(failed)


def _event(file: Path) -> bytes:
    """The event's text as it is. Raises PipelineError where Lambda would not take it."""
    stdin = str(file) == "-"
    origin = "The standard input" if stdin else f"The file {file}"
    try:
        text = sys.stdin.buffer.read() if stdin else file.read_bytes()
    except OSError as error:
        raise PipelineError(
            f"{origin} can't be read ({error.strerror}): give a file with an event, or -."
        ) from error
    try:
        # What PowerShell redirects is UTF-16 or has a byte order mark; Lambda takes neither.
        event = json.dumps(json.loads(text)).encode()
    except (ValueError, RecursionError) as error:
        raise PipelineError(
            f"{origin} holds no JSON ({error!s:.200}): write the event as S3 sends it, with "
            "`Records`, say."
        ) from error
    if len(event) > _MOST_BYTES:
        raise PipelineError(
            f"{origin} has {len(event):,} bytes, and Lambda takes {_MOST_BYTES:,}: split the event."
        )
    return event


def _parsed(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload
