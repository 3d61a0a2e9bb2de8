"""Which of a test's parameters wait for a soak."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def sampled(values: Iterable[Any], now: Collection[Any]) -> list[Any]:
    """The values as parameters, those not in `now` marked for a soak."""
    return [
        pytest.param(each, id=str(each), marks=[] if each in now else pytest.mark.soak)
        for each in values
    ]
