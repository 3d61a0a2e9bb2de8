"""Refuse writes to a table that is tagged as throttled, as DynamoDB does where capacity is used up.

ministack throttles no table. The tag is saved with the table, and seen by whoever reads its tags.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

# The key of the tag; its value does not matter.
THROTTLED = "throttled-on-purpose"

_CODE = "ProvisionedThroughputExceededException"
_MESSAGE = (
    "The level of configured provisioned throughput for the table was exceeded. Consider "
    "increasing your provisioning level with the UpdateTable API."
)
Response = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], Response]
Tables = Callable[[Mapping[str, Any]], list[str]]


def throttle_tagged_tables() -> None:
    """From now on, refuse writes to tagged tables, and count them as WriteThrottleEvents."""
    from ministack.core import responses
    from ministack.services import cloudwatch, dynamodb

    def refusing(original: Operation, tables: Tables) -> Operation:
        def write(data: dict[str, Any]) -> Response:
            names = {dynamodb._normalize_table_name(name) for name in tables(data)}
            tagged = [name for name in names if _is_tagged(dynamodb, name)]
            if not tagged:
                return original(data)
            for name in tagged:
                table = {"TableName": name}
                namespace, metric = "AWS/DynamoDB", "WriteThrottleEvents"
                cloudwatch._store_datum(
                    namespace, metric, table, time.time(), "Count", 1.0, None, None, None
                )
            answer: Response = responses.error_response_json(_CODE, _MESSAGE, 400)
            return answer

        return write

    def named(data: Mapping[str, Any]) -> list[str]:
        return [str(data.get("TableName"))]

    for name in ("_put_item", "_update_item", "_delete_item"):
        setattr(dynamodb, name, refusing(getattr(dynamodb, name), named))
    dynamodb._batch_write_item = refusing(
        dynamodb._batch_write_item, lambda data: list(data.get("RequestItems") or ())
    )


def _is_tagged(dynamodb: Any, table: str) -> bool:
    described = dynamodb._tables.get(table)
    tags = dynamodb._tags.get(described["TableArn"], []) if described else []
    return any(tag["Key"] == THROTTLED for tag in tags)
