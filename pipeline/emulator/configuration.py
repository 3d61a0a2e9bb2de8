"""What ministack has saved: how its resources are configured, and data."""

import glob
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from pipeline.emulator.process import ask
from pipeline.emulator.saves import SAVE

# What use changes, by the service that has it; the names are ministack's.
_DATA = {
    "cloudwatch": {
        "metrics",
        "alarm_history",
        "StateValue",
        "StateReason",
        "StateUpdatedTimestamp",
    },
    "cloudwatch_logs": {"streams"},
    "dynamodb": {"items", "ItemCount", "TableSizeBytes"},
    "eventbridge": set[str](),
    "iam": set[str](),
    "kms": set[str](),
    # Code counts by its hash, not by when it was given.
    "lambda": {
        "LastModified",
        "RevisionId",
        "LastProcessingResult",
        "dynamodb_stream_positions",
        "kinesis_positions",
    },
    "s3": set[str](),
    "sns": {"sms_messages"},
    "sqs": {
        "messages",
        "dedup_cache",
        "fifo_seq",
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
    },
}
_SCOPED = ("__account_region_scoped__", "__scoped__")
_PORT = re.compile(r"(?<=http://localhost:)\d+|(?<=http://127\.0\.0\.1:)\d+")
_SAVE_SECONDS = 30.0
_ABOUT_AN_OBJECT = ".meta.json"


def save(endpoint: str) -> bool:
    """Have the emulator save all that it has; whether it did."""
    # One of an older release knows no such path.
    return ask(endpoint, "POST", SAVE, _SAVE_SECONDS) == 204


def resources(state: Path, service: str, kind: str) -> dict[str, dict[str, Any]]:
    """What is saved of the resources of a kind ("dynamodb", "tables"), by ministack's keys.

    Raises OSError and ValueError.
    """
    saved = json.loads((state / f"{service}.json").read_text(encoding="utf-8"))
    try:
        # Account and region come first, and the key is quoted.
        found = saved["payload"][kind]["data"].items()
        return {key.rpartition("\0")[2].strip("'\""): value for key, value in found}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{kind} of {service} are not as expected") from error


def objects(state: Path, bucket: str) -> int:
    """How many objects are saved of a bucket, without those below a delete marker.

    Raises OSError and ValueError.
    """
    found = (state / "s3").glob(f"[!.]*/{glob.escape(bucket)}/**/*{_ABOUT_AN_OBJECT}")
    saved = (json.loads(file.read_text(encoding="utf-8")) for file in found)
    return sum(not about.get("is_delete_marker") for about in saved)


def digest(state: Path) -> str:
    """A digest of the configuration that is saved in `state`, whatever port the emulator has.

    Raises OSError and ValueError.
    """
    found = {}
    for service, data in _DATA.items():
        file = state / f"{service}.json"
        if file.exists():
            found[service] = _without(json.loads(file.read_text(encoding="utf-8")), data)
    text = _PORT.sub("", json.dumps(found, sort_keys=True))
    return hashlib.sha256(text.encode()).hexdigest()


def empty(state: Path) -> None:
    """Take the data out of a copy of what was saved: objects, records, messages, log lines.

    Raises OSError and ValueError.
    """
    for service, data in _DATA.items():
        file = state / f"{service}.json"
        if file.exists():
            saved = _emptied(json.loads(file.read_text(encoding="utf-8")), data)
            file.write_text(json.dumps(saved), encoding="utf-8")
    # Accounts, and in them buckets.
    for inside in (state / "s3").glob("*/*/*"):
        if inside.is_dir():
            shutil.rmtree(inside)
        else:
            inside.unlink()


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, names) for name, inner in value.items() if name not in names}
    return [_without(inner, names) for inner in value] if isinstance(value, list) else value


def _emptied(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: _nothing(inner) if name in names else _emptied(inner, names)
            for name, inner in value.items()
        }
    return [_emptied(inner, names) for inner in value] if isinstance(value, list) else value


def _nothing(value: Any) -> Any:
    """As much of a value as there is of it before any use."""
    if isinstance(value, dict):
        scope = {name: True for name in _SCOPED if name in value}
        return scope | {"data": {}} if scope else {}
    if isinstance(value, bool | int):
        return type(value)(0)
    # Words, such as an alarm's state, stay.
    return [] if isinstance(value, list) else value
