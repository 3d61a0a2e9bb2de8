"""Records and messages of the stack that the console's unit tests read."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.support import s3_events

Clients = Callable[[str], Any]
Send = Callable[..., None]

KEYS = {
    "AttributeDefinitions": [{"AttributeName": "objectId", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "objectId", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
ALARM = "FailureQueueAlert"


def event(key: str) -> str:
    return json.dumps(s3_events.notification(s3_events.record(key)))


def item(identity: str, key: str = "a.txt", **more: Any) -> dict[str, Any]:
    return {
        "objectId": {"S": identity},
        "objectKey": {"S": key},
        "eventName": {"S": "ObjectCreated:Put"},
        "timestamp": {"N": str(int(time.time()))},
    } | more
