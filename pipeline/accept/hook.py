"""A hook in the account's own runtime: its layer, its right to read, and a process that it ends."""

import zipfile
from pathlib import Path
from typing import Any

from pipeline.accept.trial import FAILED_SECONDS, RECORD_SECONDS, Trial
from pipeline.deployed import table
from pipeline.deployed.session import FailingError

# Its bucket is encrypted with the customer-managed key, so that reading needs the key, too.
PLACE = "ednk"
PACKAGE = "hook.zip"
SETTINGS: dict[str, Any] = {
    "package": f"${{path.module}}/{PACKAGE}",
    "handler": "accepted.on_event",
    "read_objects": True,
}
_ATTRIBUTE, _BODY = "accepted", b"read by the hook"
_HOOK = f"""import os

import boto3

s3 = boto3.client("s3")


def on_event(event, record):
    if "/ends-" in event.key:
        os._exit(1)
    if "/read-" in event.key:
        body = s3.get_object(Bucket=event.bucket, Key=event.key)["Body"].read()
        return {{"{_ATTRIBUTE}": body.decode()}}
"""


def write(folder: Path) -> None:
    """Write the hook's package for `SETTINGS` into the folder of its root."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / PACKAGE, "w") as archive:
        # Without the time of the writing: a second apply changes nothing.
        archive.writestr(zipfile.ZipInfo("python/accepted.py"), _HOOK)


def called(trial: Trial) -> str:
    """A record has what the hook read; a hook that ends its process costs its own event alone."""
    session = trial.session
    _read(trial, "read")
    ended = trial.upload(session, "ends")
    found = trial.failed(session, ended, FAILED_SECONDS)
    _read(trial, "read-by-another-process")
    reason = getattr(found, "reason", None)
    return f"the object was read; a process that ended left its event ({reason}), another goes on"


def _read(trial: Trial, name: str) -> None:
    session = trial.session
    key = trial.upload(session, name, _BODY)
    trial.recorded(session, [key], RECORD_SECONDS)
    dynamodb = session.client("dynamodb")
    rows = table.Table(dynamodb, session.target.table_name)
    # A scan tells of no attribute but the module's own.
    items = (item for page in rows.scan(consistent=True) for item in page)
    found = next(item["objectId"] for item in items if item["objectKey"]["S"] == key)
    answer = dynamodb.get_item(TableName=rows.name, Key={"objectId": found}, ConsistentRead=True)
    if answer["Item"].get(_ATTRIBUTE) != {"S": _BODY.decode()}:
        raise FailingError(f"the record of {key} has nothing of the hook")
