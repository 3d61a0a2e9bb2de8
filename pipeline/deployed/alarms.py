"""The pipeline's alarms, as CloudWatch has them."""

from collections.abc import Mapping
from typing import Any

from pipeline.deployed.session import Session

# What DescribeAlarms takes.
_NAMES = 100


def describe(session: Session) -> dict[str, Mapping[str, Any]]:
    """DescribeAlarms' answers by name. Raises botocore's errors."""
    names = session.target.alarm_names
    pages = session.client("cloudwatch").get_paginator("describe_alarms")
    return {
        alarm["AlarmName"]: alarm
        for start in range(0, len(names), _NAMES)
        for page in pages.paginate(AlarmNames=names[start : start + _NAMES])
        for alarm in page["MetricAlarms"]
    }
