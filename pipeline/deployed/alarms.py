"""The pipeline's alarms, as CloudWatch has them."""

from collections.abc import Mapping
from itertools import batched
from typing import Any

from pipeline.deployed.session import Session

# What DescribeAlarms takes.
_NAMES = 100
# Without them CloudWatch tells of metric alarms only.
TYPES = ("MetricAlarm", "CompositeAlarm")


def describe(session: Session) -> dict[str, Mapping[str, Any]]:
    """DescribeAlarms' answers by name. Raises botocore's errors."""
    names = session.target.alarm_names
    pages = session.client("cloudwatch").get_paginator("describe_alarms")
    return {
        alarm["AlarmName"]: alarm
        for batch in batched(names, _NAMES)
        for page in pages.paginate(AlarmNames=batch, AlarmTypes=TYPES)
        for alarm in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ()))
    }
