"""Send what is missing to the function as an event, where a hook adds to each record.

The function then writes the record itself, so that backfilled records have what the hook adds.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from botocore.config import Config

from pipeline import times
from pipeline.backfill.run import Outcome
from pipeline.deployed import aws, bucket
from pipeline.deployed.bucket import Version
from pipeline.deployed.documents import json_object, text

# Throttled invokes are tried again; a hook takes as long as the function may.
_ATTEMPTS = 10
_INVOKE_SECONDS = 15 * 60 + 15


def sender(function_name: str, parallel: int, **settings: Any) -> Callable[[Version], Outcome]:
    """What invokes the function for one version. Raises PipelineError, and so does what it returns.

    A record that the function could not store is `failed`, one that its hook skipped is `skipped`.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=max(10, parallel),
        read_timeout=_INVOKE_SECONDS,
        tcp_keepalive=True,
    )
    functions = aws.client("lambda", config, **settings)

    def send(version: Version) -> Outcome:
        fix = "take function_name from the stack's outputs, and its account and region"
        with aws.asking(f"the function {function_name}", fix):
            answer = functions.invoke(
                FunctionName=function_name, Payload=json.dumps(notification(version))
            )
            said = json_object(answer["Payload"].read()) or {}
        if error := answer.get("FunctionError"):
            return Outcome(version, "failed", text(said.get("errorMessage") or error))
        return Outcome(version, "skipped" if said.get("skipped") else "written")

    return send


def notification(version: Version) -> dict[str, Any]:
    """The S3 notification that the function reads as `bucket.event_of`."""
    item = {
        "key": quote_plus(version.key),
        "size": version.size,
        "eTag": version.etag,
        "versionId": version.version_id,
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": bucket.BACKFILL_EVENT,
        "eventTime": times.iso(version.modified),
        "s3": {"bucket": {"name": version.bucket}, "object": item},
    }
    return {"Records": [record]}
