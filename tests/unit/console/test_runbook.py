"""Each alarm has its section of the runbook, whatever its name."""

import re
from typing import Any

import hcl2
import pytest

from pipeline.console.runbook import FILE, paragraphs, section
from pipeline.paths import ROOT

DEFINITIONS = ROOT / "modules" / "alarms" / "definitions.tf"
SILENT = ("AsyncEventsReceived", "NumberOfMessagesSent", "MatchedEvents")


def made() -> dict[str, dict[str, Any]]:
    """DescribeAlarms' answer for each alarm of the module, by its default name."""
    options = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False)
    found = hcl2.loads(DEFINITIONS.read_text(encoding="utf-8"), serialization_options=options)
    (local,) = found["locals"]
    found = {}
    for key, alarm in local["definitions"].items():
        if key == "silence":
            continue
        if "sum" in alarm:
            stats = [{"MetricStat": {"Metric": {"MetricName": name}}} for name in alarm["sum"]]
            found[alarm["name"]] = {"Metrics": [{"Id": "total", "Expression": "SUM"}, *stats]}
        else:
            found[alarm["name"]] = {"MetricName": alarm["metric"]}
    # Which metric it has depends on where events come from.
    for metric in SILENT:
        assert f'"{metric}"' in local["received"]
        found[f"{local['definitions']['silence']['name']} {metric}"] = {"MetricName": metric}
    return found


def headings() -> list[str]:
    return re.findall(r"^## (\S+Alert)$", FILE.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_alarm_of_the_module_has_a_section_and_every_section_an_alarm() -> None:
    alarms = made()
    assert len(alarms) == 14
    for name, found in alarms.items():
        assert section({"AlarmName": "theirs", **found}) == name.split()[0]
        words = [piece.text for part in paragraphs(name.split()[0]) for piece in part]
        assert {"Means:", "Look:", "Do:"} <= set(words)
    assert sorted({name.split()[0] for name in alarms}) == sorted(headings())


def test_the_alarm_over_the_others_has_a_section() -> None:
    name = section({"AlarmName": "theirs", "AlarmRule": 'ALARM("a") OR ALARM("b")'})
    words = [piece.text for part in paragraphs(name) for piece in part]
    assert {"Means:", "Look:", "Do:"} <= set(words)


def test_an_alarm_that_is_not_the_modules_has_no_section() -> None:
    assert section({"MetricName": "CPUUtilization"}) == ""
    assert section({"MetricName": 5}) == ""
    assert section({}) == section({"Metrics": [{"Id": "e", "Expression": "5"}]}) == ""
    assert paragraphs("") == []
    assert paragraphs("What verify looks") == []


@pytest.mark.parametrize("name", headings())
def test_a_paragraph_is_all_of_its_text_and_nothing_of_markdown(name: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    body = text.split(f"## {name}\n")[1].split("\n## ")[0]
    found = [piece for part in paragraphs(name) for piece in part]
    assert {piece.kind for piece in found} <= {"text", "strong", "code", "pre"}
    prose = " ".join(piece.text for piece in found if piece.kind != "pre")
    assert not re.search(r"\*\*|`|\]\(|^#", prose)
    plain = re.sub(r"\]\([^)]*\)|[*`\[\]#]", "", body)
    assert re.sub(r"\W", "", prose) in re.sub(r"\W", "", plain)
    assert len(re.sub(r"\W", "", prose)) > 0.9 * len(re.sub(r"\W", "", plain))
