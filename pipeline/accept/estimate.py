"""What a run costs, by the module's own table of prices.

Without the free amounts, which others in the account may have used up: so it is the most.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal

from pipeline.accept.checks import is_late, places
from pipeline.accept.deliveries import DELIVERIES, Delivery
from pipeline.accept.trial import Check
from pipeline.prices import Item, Prices

# What the module makes by default (prices.json's item, how many of it), for as long as it stands.
_STANDING = {
    "dynamodb_write_units": 5,
    "dynamodb_read_units": 5,
    "cloudwatch_alarms": 11,
    "cloudwatch_dashboards": 1,
}
# What an upload may use, retries and reading it again included.
_UPLOAD = {
    "s3_puts": 3,
    "lambda_requests": 4,
    "lambda_arm64": 1,
    "sqs_requests": 20,
    "sns_publishes": 1,
    "eventbridge_events": 2,
    "kms_requests": 20,
    "xray_traces": 4,
}
# What AWS takes to make and to destroy everything.
_APPLY_SECONDS = 900
# Five pollers wait up to 20 s each; others read queues, too.
_POLLS_AN_HOUR = 2000


def of(checks: Sequence[Check], prices: Prices) -> tuple[float, float]:
    """Seconds and dollars that these checks take in AWS, at most."""
    by_place: dict[str, float] = {}
    late = 0.0
    for check in checks:
        if is_late(check):
            late += check.seconds
        else:
            by_place[check.places[0]] = by_place.get(check.places[0], 0.0) + check.seconds
    seconds = _APPLY_SECONDS + max(by_place.values(), default=0.0) + late
    return seconds, spent(checks, seconds, sum(check.uploads for check in checks), prices)


def spent(checks: Sequence[Check], seconds: float, uploaded: int, prices: Prices) -> float:
    """Dollars, at most, of these checks' pipelines that stood so long."""
    rate = hourly((DELIVERIES.get(place) for place in places(checks)), prices)
    beside = sum(check.dollars for check in checks)
    return float(dollars(rate, seconds, uploaded, prices)) + beside


def hourly(deliveries: Iterable[Delivery | None], prices: Prices) -> Decimal:
    """Dollars an hour of pipelines that stand; None is one without a buffer and a key."""
    dollars = Decimal(0)
    for each in deliveries:
        dollars += sum(
            (_an_hour(prices, key) * count for key, count in _STANDING.items()), Decimal()
        )
        if each is not None and each.customer_key:
            dollars += _an_hour(prices, "kms_keys")
        if each is not None and each.buffered:
            dollars += _each(prices.items["sqs_requests"]) * _POLLS_AN_HOUR
    return dollars


def uploads(number: int, prices: Prices) -> Decimal:
    """Dollars of so many uploads."""
    return number * sum(
        (_each(prices.items[key]) * count for key, count in _UPLOAD.items()), Decimal(0)
    )


def dollars(rate: Decimal, seconds: float, uploaded: int, prices: Prices) -> Decimal:
    """Dollars of pipelines at that hourly `rate`, and of what was uploaded to them.

    AWS bills begun hours of some of it, so that all hours count as whole.
    """
    return rate * max(1, math.ceil(seconds / 3600)) + uploads(uploaded, prices)


def _an_hour(prices: Prices, key: str) -> Decimal:
    item = prices.items[key]
    return _each(item) if item.hourly else _each(item) / prices.hours_a_month


def _each(item: Item) -> Decimal:
    return (item.price or Decimal(0)) / item.per
