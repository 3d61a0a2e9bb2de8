"""The runbook's table says how late each alarm comes, in the periods that are planned."""

import re
from typing import Any

import pytest

from pipeline.paths import ROOT
from tests.plan.conftest import Planned

SILENCE: dict[str, Any] = {"alarms": {"silence": {"enabled": True}}}
PAGE = (ROOT / "docs/operate/runbook.md").read_text()
ROW = re.compile(
    r"^\| (\w+Alert) \| .+ \| 1 minute(?:, (\d+) where [^|]+)? "
    r"\| (\d+) s \| (\d+) \| (\d+) minutes \|$",
    re.M,
)
# Alarm: most minutes until its datapoint, seconds of a period, periods, minutes in all.
TABLE = {
    name: (int(most or 1), int(period), int(periods), int(minutes))
    for name, most, period, periods, minutes in ROW.findall(PAGE)
}


def periods(alarm: dict[str, Any]) -> tuple[int, int]:
    metrics = [query["metric"][0] for query in alarm["metric_query"] if query["metric"]]
    (period,) = {metric["period"] for metric in metrics} or {alarm["period"]}
    return period, alarm["evaluation_periods"]


@pytest.mark.parametrize(
    (),
    [
        pytest.param(id=name, marks=pytest.mark.variables(delivery=delivery, **SILENCE))
        for name, delivery in (
            ("direct", {"via": "eventbridge"}),
            ("buffered", {"via": "eventbridge", "buffer": {}}),
        )
    ],
)
def test_each_alarm_has_its_row_with_the_periods_of_the_plan(planned: Planned) -> None:
    alarms = [found for address, found in planned.resources.items() if "metric_alarm" in address]
    assert alarms
    assert {alarm["alarm_name"]: periods(alarm) for alarm in alarms} == {
        alarm["alarm_name"]: TABLE[alarm["alarm_name"]][1:3] for alarm in alarms
    }


def test_the_table_lists_every_alarm_once_and_adds_up() -> None:
    definitions = (ROOT / "modules/alarms/definitions.tf").read_text()
    named = re.findall(r'^\s+name\s+= "(\w+Alert)"$', definitions, re.M)
    section = PAGE.partition("## How late an alarm comes\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\w+Alert) \|", section, re.M) == list(TABLE)
    assert sorted(TABLE) == sorted(named)
    for most, period, number, minutes in TABLE.values():
        assert minutes == most + period * number / 60
