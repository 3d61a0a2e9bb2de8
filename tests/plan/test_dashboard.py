"""The dashboard shows what the delivery has, on one screen, in metrics that cost nothing."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plan.conftest import LATER, Planned

variables = pytest.mark.variables
ACCOUNT, REGION = "123456789012", "us-east-1"
DASHBOARD = "dashboard.aws_cloudwatch_dashboard.this[0]"
ON = {"create": True}
COLUMNS = 24
FREE_METRICS = 50
# Units of height that a screen of 1080 lines shows without scrolling.
SCREEN = 16

DIRECT: dict[str, object] = {"dashboard": ON}
BUFFERED: dict[str, object] = {"dashboard": ON, "delivery": {"buffer": {}}}
RULE: dict[str, object] = {"dashboard": ON, "delivery": {"via": "eventbridge"}}
RULE_BUFFERED: dict[str, object] = {
    "dashboard": ON,
    "delivery": {"via": "eventbridge", "buffer": {}},
}
DRAINING: dict[str, object] = {"dashboard": ON, "delivery": {"buffer": {"drain": True}}}
HANDOVER: dict[str, object] = {
    "dashboard": ON,
    "delivery": {"via": "eventbridge", "handover": True},
}
SILENT: dict[str, object] = {"dashboard": ON, "alarms": {"create": False}}

# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html and its like.
AWS_METRICS = {
    "AWS/Lambda": {
        "AsyncEventAge",
        "AsyncEventsDropped",
        "AsyncEventsReceived",
        "ConcurrentExecutions",
        "DestinationDeliveryFailures",
        "Duration",
        "Errors",
        "Invocations",
        "Throttles",
    },
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
        "NumberOfMessagesDeleted",
        "NumberOfMessagesReceived",
        "NumberOfMessagesSent",
    },
    "AWS/Events": {"FailedInvocations", "InvocationsFailedToBeSentToDlq", "MatchedEvents"},
    "AWS/DynamoDB": {"ConsumedWriteCapacityUnits", "WriteThrottleEvents"},
}
DIMENSIONS = {
    "AWS/Lambda": ("FunctionName", "S3ToDynamoProcessor"),
    "AWS/Events": ("RuleName", "event-driven-uploads"),
    "AWS/DynamoDB": ("TableName", "S3ObjectEvents"),
}
FAILURES, BUFFER = "event-driven-failures", "event-driven-buffer"

ALWAYS = {f"Lambda {name}" for name in ("Invocations", "Errors", "Throttles", "Duration")} | {
    "DynamoDB ConsumedWriteCapacityUnits",
    "DynamoDB WriteThrottleEvents",
    f"SQS ApproximateNumberOfMessagesVisible {FAILURES}",
    f"SQS ApproximateAgeOfOldestMessage {FAILURES}",
}
OF_DIRECT = {
    "Lambda AsyncEventsReceived",
    "Lambda AsyncEventAge",
    "Lambda AsyncEventsDropped",
    "Lambda DestinationDeliveryFailures",
}
OF_BUFFER = {
    f"SQS {name} {BUFFER}"
    for name in (
        "NumberOfMessagesSent",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateAgeOfOldestMessage",
    )
}
OF_RULE = {
    "Events MatchedEvents",
    "Events FailedInvocations",
    "Events InvocationsFailedToBeSentToDlq",
}

# Properties of each kind of widget that AWS documents and we use: required, then optional.
SCHEMA: dict[str, tuple[set[str], set[str]]] = {
    "text": ({"markdown"}, set()),
    "alarm": ({"alarms", "title", "sortBy"}, set()),
    "log": ({"query", "region", "title", "view"}, set()),
    "metric": (
        {"metrics", "region", "title", "view", "period", "legend", "stacked", "yAxis"},
        {"annotations"},
    ),
}
METRIC_OPTIONS = {"id", "stat", "label", "yAxis", "visible", "expression"}

every_way = pytest.mark.parametrize(
    (),
    [
        pytest.param(id=name, marks=variables(**values))
        for name, values in {
            "direct": DIRECT,
            "buffered": BUFFERED,
            "rule": RULE,
            "rule-buffered": RULE_BUFFERED,
            "draining": DRAINING,
            "handover": HANDOVER,
            "no-alarms": SILENT,
        }.items()
    ],
)


def widgets(planned: Planned, *kinds: str) -> list[dict[str, Any]]:
    body = json.loads(planned.resources[DASHBOARD]["dashboard_body"])
    return [widget for widget in body["widgets"] if not kinds or widget["type"] in kinds]


def graph(planned: Planned, title: str) -> dict[str, Any]:
    (found,) = (w for w in widgets(planned, "metric") if w["properties"]["title"] == title)
    return dict(found["properties"])


def rows(planned: Planned) -> Iterator[list[Any]]:
    """Each row of each graph: a metric, or the options of a formula alone."""
    for widget in widgets(planned, "metric"):
        yield from widget["properties"]["metrics"]


def metrics(planned: Planned) -> list[list[Any]]:
    return [row for row in rows(planned) if isinstance(row[0], str)]


def lines(planned: Planned, title: str) -> dict[str, float]:
    drawn = graph(planned, title).get("annotations", {"horizontal": []})["horizontal"]
    return {line["label"]: line["value"] for line in drawn}


def test_there_is_none_by_default(planned: Planned) -> None:
    assert not [address for address in planned.resources if address.startswith("dashboard.")]
    assert planned.outputs["dashboard_name"] is None


@variables(dashboard=ON)
def test_it_has_the_pipelines_name(planned: Planned) -> None:
    assert planned.resources[DASHBOARD]["dashboard_name"] == "event-driven-pipeline"
    assert planned.outputs["dashboard_name"] == "event-driven-pipeline"


@variables(name_prefix="team-a-", dashboard=ON)
def test_the_prefix_stands_before_its_name_and_all_names_in_it(planned: Planned) -> None:
    assert planned.outputs["dashboard_name"] == "team-a-event-driven-pipeline"
    assert all(row[3].startswith("team-a-") for row in metrics(planned))
    (alarms,) = widgets(planned, "alarm")
    assert all(":alarm:team-a-" in arn for arn in alarms["properties"]["alarms"])


@variables(name_prefix="team-a-", dashboard={"create": True, "name": "wall"})
def test_a_given_name_is_taken_as_it_is(planned: Planned) -> None:
    assert planned.outputs["dashboard_name"] == "wall"


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param(ALWAYS | OF_DIRECT, id="direct", marks=variables(**DIRECT)),
        pytest.param(ALWAYS | OF_BUFFER, id="buffered", marks=variables(**BUFFERED)),
        pytest.param(ALWAYS | OF_DIRECT | OF_RULE, id="rule", marks=variables(**RULE)),
        pytest.param(
            ALWAYS | OF_BUFFER | OF_RULE, id="rule-buffered", marks=variables(**RULE_BUFFERED)
        ),
        pytest.param(ALWAYS | OF_DIRECT | OF_BUFFER, id="draining", marks=variables(**DRAINING)),
        pytest.param(ALWAYS | OF_DIRECT | OF_RULE, id="handover", marks=variables(**HANDOVER)),
    ],
)
def test_it_shows_the_metrics_of_the_way_of_delivery_and_no_others(
    planned: Planned, expected: set[str]
) -> None:
    shown = {
        f"{namespace.removeprefix('AWS/')} {name}" + (f" {value}" if "SQS" in namespace else "")
        for namespace, name, _, value, _ in metrics(planned)
    }
    assert shown == expected


@every_way
def test_every_metric_is_one_that_aws_gives_away_of_a_component_of_this_pipeline(
    planned: Planned,
) -> None:
    for namespace, name, dimension, value, _ in metrics(planned):
        assert name in AWS_METRICS[namespace]
        if namespace == "AWS/SQS":
            assert dimension == "QueueName"
            assert value in {FAILURES, BUFFER}
        else:
            assert (dimension, value) == DIMENSIONS[namespace]


@every_way
def test_it_stays_within_the_metrics_of_a_free_dashboard(planned: Planned) -> None:
    assert 0 < len(list(rows(planned))) <= FREE_METRICS


@every_way
def test_widgets_lie_side_by_side_within_the_grid(planned: Planned) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets(planned):
        cells = set(
            itertools.product(
                range(widget["x"], widget["x"] + widget["width"]),
                range(widget["y"], widget["y"] + widget["height"]),
            )
        )
        assert cells
        assert not cells & taken, widget
        taken |= cells
    assert {x for x, _ in taken} == set(range(COLUMNS))
    # No gap either.
    assert len(taken) == COLUMNS * (1 + max(y for _, y in taken))


@every_way
def test_all_but_the_log_fits_one_screen(planned: Planned) -> None:
    for widget in widgets(planned, "text", "alarm", "metric"):
        assert widget["y"] + widget["height"] <= SCREEN


@every_way
def test_the_body_has_the_form_that_cloudwatch_documents(planned: Planned) -> None:
    body = json.loads(planned.resources[DASHBOARD]["dashboard_body"])
    assert set(body) == {"start", "widgets"}
    assert re.fullmatch(r"-PT\d+H", body["start"])
    for widget in body["widgets"]:
        assert set(widget) == {"type", "x", "y", "width", "height", "properties"}
        required, optional = SCHEMA[widget["type"]]
        assert required <= set(widget["properties"]) <= required | optional
        if widget["type"] in {"metric", "log"}:
            assert widget["properties"]["region"] == REGION
    for widget in widgets(planned, "metric"):
        properties = widget["properties"]
        assert properties["view"] == "timeSeries"
        assert properties["period"] in {60, 300}
        if "annotations" in properties:
            assert set(properties["annotations"]) == {"horizontal"}
            assert properties["annotations"]["horizontal"]
        ids = [row[-1]["id"] for row in properties["metrics"]]
        assert len(set(ids)) == len(ids)
        assert any(row[-1].get("visible", True) for row in properties["metrics"])
        for row in properties["metrics"]:
            assert set(row[-1]) <= METRIC_OPTIONS
            assert row[-1]["yAxis"] in properties["yAxis"]
            if len(row) == 1:
                used = set(re.findall(r"\bm\d+\b", row[0]["expression"]))
                assert used
                assert used <= set(ids)
            else:
                assert len(row) == 5
                assert "expression" not in row[-1]


@every_way
def test_the_alarm_widget_lists_the_alarms_of_the_plan(planned: Planned) -> None:
    planned_alarms = [
        f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{values['alarm_name']}"
        for address, values in planned.resources.items()
        if "metric_alarm" in address
    ]
    listed = [arn for widget in widgets(planned, "alarm") for arn in widget["properties"]["alarms"]]
    assert sorted(listed) == sorted(planned_alarms)


@variables(**SILENT)
def test_without_alarms_there_is_no_widget_for_them_nor_a_line(planned: Planned) -> None:
    assert widgets(planned, "alarm") == []
    (text,) = widgets(planned, "text")
    assert text["width"] == COLUMNS
    assert lines(planned, "Waiting for the function") == {}
    assert lines(planned, "Duration of an invoke") == {"timeout": 30_000}
    assert lines(planned, "Writes to the table") == {"capacity": 5}


@every_way
def test_a_metric_has_the_statistic_that_its_alarm_looks_at(planned: Planned) -> None:
    shown = {
        (namespace, name, value, options["stat"])
        for namespace, name, _, value, options in metrics(planned)
    }
    for address, alarm in planned.resources.items():
        if "metric_alarm" not in address:
            continue
        several = [query["metric"][0] for query in alarm["metric_query"] if query["metric"]]
        for metric in several or [alarm | {"stat": alarm["statistic"]}]:
            (value,) = metric["dimensions"].values()
            assert (metric["namespace"], metric["metric_name"], value, metric["stat"]) in shown


@variables(**DIRECT)
def test_the_duration_is_shown_as_p50_and_p99_under_the_timeout(planned: Planned) -> None:
    statistics = [row[-1]["stat"] for row in metrics(planned) if row[1] == "Duration"]
    assert {"p50", "p99"} <= set(statistics)
    assert lines(planned, "Duration of an invoke") == {"timeout": 30_000, "alarm": 24_000}


@variables(
    dashboard=ON,
    function={"timeout_seconds": 90},
    table={"write_units": 20},
    alarms={"write_activity": {"threshold": 600, "period_seconds": 60}},
)
def test_lines_follow_the_settings(planned: Planned) -> None:
    assert lines(planned, "Duration of an invoke") == {"timeout": 90_000, "alarm": 72_000}
    assert lines(planned, "Writes to the table") == {"capacity": 20, "alarm": 10}


@variables(**DIRECT)
def test_writes_are_shown_a_second_whatever_the_period(planned: Planned) -> None:
    consumed, rate = graph(planned, "Writes to the table")["metrics"]
    assert consumed[-1]["visible"] is False
    assert rate[0]["expression"] == "m0 / PERIOD(m0)"
    # 1200 units in 300 seconds.
    assert lines(planned, "Writes to the table") == {"capacity": 5, "alarm": 4}


@variables(dashboard=ON, table={"billing_mode": "PAY_PER_REQUEST"})
def test_a_table_without_capacity_has_no_line_of_it(planned: Planned) -> None:
    assert lines(planned, "Writes to the table") == {}


@variables(**DRAINING)
def test_ages_are_in_seconds_wherever_events_wait(planned: Planned) -> None:
    waiting = graph(planned, "Waiting for the function")
    formulas = [row[0]["expression"] for row in waiting["metrics"] if len(row) == 1]
    (age,) = (row for row in waiting["metrics"] if row[1:2] == ["AsyncEventAge"])
    assert formulas == [f"{age[-1]['id']} / 1000"]
    drawn = waiting["annotations"]["horizontal"]
    assert [(line["label"], line["value"], line["yAxis"]) for line in drawn] == [
        ("alarm", 600, "left"),
        ("alarm: waiting + in flight", 30, "right"),
    ]


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param("function", id="direct", marks=variables(**DIRECT)),
        pytest.param("buffer function", id="buffered", marks=variables(**BUFFERED)),
        pytest.param("rule function", id="rule", marks=variables(**RULE)),
        pytest.param("rule buffer function", id="rule-buffered", marks=variables(**RULE_BUFFERED)),
    ],
)
def test_the_heading_names_the_stages_in_order(planned: Planned, stages: str) -> None:
    (text,) = widgets(planned, "text")
    first = text["properties"]["markdown"].splitlines()[0]
    assert re.findall(r"(\w+) `", first) == ["bucket", *stages.split(), "table"]


@variables(dashboard=ON, function={"name": "fn"})
def test_the_log_is_asked_for_failures_of_handler_runtime_and_platform(planned: Planned) -> None:
    (log,) = widgets(planned, "log")
    source, *commands = log["properties"]["query"].split("\n| ")
    assert source == "SOURCE '/aws/lambda/fn'"
    assert [command.split()[0] for command in commands] == ["fields", "filter", "sort", "limit"]
    asked = commands[1]
    assert 'level in ["ERROR", "FATAL"]' in asked
    assert '"platform.report"' in asked
    assert 'record.status != "success"' in asked


@variables(
    name_prefix="later-",
    dashboard=ON,
    bucket={"name": LATER},
    topic={"create": False, "arn": LATER},
    alarms={"errors": {"threshold": 3}, "write_activity": {"threshold": LATER}},
)
def test_it_plans_while_names_are_still_unknown(planned: Planned) -> None:
    assert planned.unknown[DASHBOARD]["dashboard_body"] is True
    assert planned.outputs["dashboard_name"] == "later-event-driven-pipeline"


@variables(
    dashboard={"create": True, "name": LATER},
    function={"name": LATER},
    table={"name": LATER},
    delivery={"via": "eventbridge", "rule_name": LATER, "failure_queue_name": LATER},
    alarms={"errors": {"name": LATER}},
)
def test_it_plans_while_its_own_name_is_unknown_too(planned: Planned) -> None:
    assert planned.unknown[DASHBOARD]["dashboard_name"] is True
