"""Read the event table's stream: one line in the log for each new record."""

import json
import sys
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Announce each record of the batch, in the stream's order.

    At the first that fails it stops and names it: Lambda comes back with that one and all behind
    it, and gives the one up after the mapping's attempts.
    """
    for record in event["Records"]:
        change = record["dynamodb"]
        try:
            announce(change["NewImage"])
        except Exception as error:  # noqa: BLE001 - whatever it was, the rest must not be lost
            say("ERROR", "Record not announced", reason=repr(error), **change["Keys"])
            return {"batchItemFailures": [{"itemIdentifier": change["SequenceNumber"]}]}
    return {"batchItemFailures": []}


def announce(image: dict[str, dict[str, str]]) -> None:
    """Here goes what is yours to do; `image` is the record in DynamoDB's wire form.

    A record may come more than once, after a failure say: make twice as good as once.
    """
    size = int(image["size"]["N"]) if "size" in image else None
    say(
        "INFO",
        "New record",
        objectId=image["objectId"]["S"],
        bucket=image["bucket"]["S"],
        key=image["objectKey"]["S"],
        size=size,
    )


def say(level: str, message: str, **facts: object) -> None:
    """One JSON object a line."""
    sys.stdout.write(json.dumps({"level": level, "message": message, **facts}) + "\n")
