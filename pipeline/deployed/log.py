"""Read the function's log group."""

from typing import Any

from pipeline.deployed.documents import json_object


def events(
    logs: Any, group: str, since: float, pattern: str = "", at_most: int | None = None
) -> list[dict[str, Any]]:
    """CloudWatch's log events since then (epoch seconds) that match a filter pattern.

    `logs` is a boto3 client; AWS takes five of its FilterLogEvents a second from an account and
    region. Raises ClientError and BotoCoreError.
    """
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        filterPattern=pattern,
        startTime=int(since * 1000),
        PaginationConfig={"MaxItems": at_most},
    )
    return list(pages.search("events[]"))


def document(line: str) -> dict[str, Any]:
    """The JSON object that a log line is; empty for other lines."""
    return json_object(line) or {}
