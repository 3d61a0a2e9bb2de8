"""What a pipeline costs a month, each figure worked out by hand beside it."""

from decimal import Decimal
from typing import Any

import pytest

from pipeline import prices
from pipeline.cost import bill
from pipeline.cost import plan as plan_json
from pipeline.cost.module_usage import Assumed
from pipeline.cost.usage import Usage, usage_of
from tests.support.terraform.cost_plans import FUNCTION, QUEUE, buffered, pipeline, plan, resource

PRICES = prices.load()
MILLION = Decimal(1_000_000)
# No storage, so that nothing but requests is left of S3.
NOTHING_KEPT: dict[str, Any] = {"object_bytes": Decimal(0)}


def usage(
    *modules: Any, uploads: Decimal = MILLION, document: Any = None, **assumed: Any
) -> tuple[Usage, Assumed]:
    read = plan_json.read(document or plan(*modules), "it")
    assumption = Assumed(uploads, **assumed)
    return usage_of(read, assumption, PRICES), assumption


def billed(*modules: Any, **given: Any) -> dict[str, str]:
    """What costs something, in dollars of four places."""
    used, assumption = usage(*modules, **given)
    found = bill.costs(used.uses, assumption.uploads, PRICES)
    return {
        cost.key: f"{cost.dollars:.4f}" if cost.dollars is not None else "?"
        for cost in found
        if cost.billed
    }


def quantities(*modules: Any, **given: Any) -> dict[str, Decimal]:
    used, assumption = usage(*modules, **given)
    return {cost.key: cost.quantity for cost in bill.costs(used.uses, assumption.uploads, PRICES)}


def rates(*modules: Any, **given: Any) -> dict[str, str]:
    """Uploads a second where each free amount ends."""
    found = bill.free_until(
        lambda uploads: usage(*modules, uploads=uploads, **given)[0].uses, PRICES
    )
    return {end.items[0]: f"{end.uploads / PRICES.seconds_a_month:.3f}" for end in found}


def test_a_million_uploads_cost_nothing_but_s3() -> None:
    # 1,000,000 x $0.005 / 1,000; 1,000,000 x 100 KB for 30 of 30 days = 100 GB-months x $0.023
    assert billed(pipeline()) == {"s3_puts": "5.0000", "s3_storage": "2.3000"}
    # Half as long of a tenth of it.
    small = billed(pipeline(), object_bytes=Decimal(10_000), keep_days=Decimal(15))
    assert small["s3_storage"] == "0.1150"


def test_two_million_cost_lambdas_requests_too() -> None:
    # 1,000,000 beyond the free ones x $0.20 / 1,000,000
    assert billed(pipeline(), uploads=2 * MILLION, **NOTHING_KEPT) == {
        "lambda_requests": "0.2000",
        "s3_puts": "10.0000",
    }


def test_without_uploads_the_default_costs_nothing() -> None:
    assert billed(pipeline(), uploads=Decimal(0)) == {}
    assert quantities(pipeline(), uploads=Decimal(0)) == {
        "dynamodb_write_units": 5,
        "dynamodb_read_units": 5,
        "cloudwatch_alarms": 8,
        "sns_publishes": 30,
    }


def test_an_alarm_over_others_costs_by_existing() -> None:
    health: dict[str, Any] = {"alarms__aws_cloudwatch_composite_alarm__health[0]": {}}
    assert billed(pipeline(**health), uploads=Decimal(0)) == {"cloudwatch_composites": "0.5000"}


def test_what_an_upload_takes_of_each_free_amount() -> None:
    found = quantities(pipeline())
    assert found["lambda_requests"] == MILLION
    # 1,000,000 x 0.020 s x 0.25 GB
    assert found["lambda_arm64"] == 5000
    # 1,000,000 x (300 + 100) bytes for 3 of 30 days: one to live, two until TTL comes round
    assert found["dynamodb_storage"] == Decimal("0.04")
    # 1,000,000 x (280 + 40 + 450) bytes, and the same for 15 of 30 days
    assert found["cloudwatch_ingestion"] == Decimal("0.77")
    assert found["cloudwatch_archive"] == Decimal("0.385")


def test_the_requests_of_lambda_are_the_first_to_end() -> None:
    found = rates(pipeline())
    assert list(found) == [
        "lambda_requests",
        "cloudwatch_ingestion",
        "lambda_arm64",
        "dynamodb_storage",
    ]
    # 1,000,000 / 2,592,000; 5 GB / 1,155 bytes; 400,000 / 0.005; 25 GB / 40 bytes, all a second
    assert list(found.values()) == ["0.386", "1.670", "30.864", "241.127"]


def test_a_buffer_is_asked_for_messages_all_month() -> None:
    # 648,000 idle requests and three an upload: 3,648,000 - 1,000,000 at $0.40 a million
    assert billed(buffered(), **NOTHING_KEPT) == {"sqs_requests": "1.0592", "s3_puts": "5.0000"}
    # (1,000,000 - 648,000) / 3 / 2,592,000
    assert rates(buffered())["sqs_requests"] == "0.045"


def test_batches_save_requests_of_sqs_in_tens_and_of_lambda_in_all() -> None:
    found = quantities(buffered(), batch=Decimal(50), uploads=100 * MILLION)
    # One send, and two tenths of receive and delete.
    assert found["sqs_requests"] == 648_000 + 120 * MILLION
    assert found["lambda_requests"] == 2 * MILLION


def test_a_batch_is_no_larger_than_what_comes_together() -> None:
    # 2,592,000 uploads are one a second: one that opens the window, and 5 in its 5 seconds.
    month = PRICES.seconds_a_month
    used, _ = usage(buffered(), batch=Decimal(50), uploads=month)
    found = quantities(buffered(), batch=Decimal(50), uploads=month)
    assert round(found["lambda_requests"]) == 432_000
    assert "6 to a batch are counted, not 50" in used.notes[0]
    # Nor than batch_size.
    assert quantities(buffered(), batch=Decimal(5000), uploads=1000 * MILLION)[
        "lambda_requests"
    ] == (10 * MILLION)


def test_where_free_ends_with_batches_is_told_for_the_rate_of_that_end() -> None:
    found = rates(buffered(), batch=Decimal(33))
    # At so low a rate 1.26 come together: 352,000 / (1 + 2 / 1.26) / 2,592,000
    assert found["sqs_requests"] == "0.053"
    # However many come, batches are full sooner: 33,000,000 / 2,592,000
    assert found["lambda_requests"] == "12.731"


def test_an_even_stream_is_told_what_batches_it_would_fill() -> None:
    used, _ = usage(buffered(), uploads=PRICES.seconds_a_month)
    assert "make up to 6: try --batch" in used.notes[0]


def test_a_paused_buffer_is_not_polled_and_takes_what_comes() -> None:
    found = quantities(buffered(enabled=False))
    assert found["sqs_requests"] == MILLION
    assert not {"lambda_requests", "dynamodb_storage", "cloudwatch_ingestion"} & found.keys()
    used, _ = usage(buffered(enabled=False))
    assert any("is paused" in note for note in used.notes)


def test_what_a_paused_function_never_took_goes_to_the_failure_queue() -> None:
    found = quantities(pipeline(reserved=0))
    assert found["sqs_requests"] == MILLION
    assert "lambda_requests" not in found


def test_a_buffer_that_drains_is_polled_while_events_go_direct() -> None:
    found = quantities(buffered(to_function=[{"id": "filter-0"}], to_queue=[]))
    assert found["sqs_requests"] == 648_000
    assert found["lambda_requests"] == MILLION


RULE: dict[str, Any] = {
    "rule__aws_cloudwatch_event_rule__this[0]": {},
    "rule__aws_cloudwatch_event_target__this[0]": {"arn": FUNCTION},
}


def test_eventbridge_costs_by_every_event() -> None:
    found = billed(
        pipeline(to_function=[], notification={"eventbridge": True}, **RULE), **NOTHING_KEPT
    )
    assert found == {"eventbridge_events": "1.0000", "s3_puts": "5.0000"}


def test_what_others_are_notified_of_costs_the_pipeline_nothing() -> None:
    theirs = [{"id": "other-0", "queue_arn": QUEUE}]
    assert quantities(pipeline(to_queue=theirs)) == quantities(pipeline())


def test_during_a_handover_each_upload_is_delivered_twice() -> None:
    both = pipeline(notification={"eventbridge": True}, **RULE)
    found = quantities(both)
    assert found["lambda_requests"] == 2 * MILLION
    assert found["eventbridge_events"] == MILLION
    # One record, however often it is written.
    assert found["dynamodb_storage"] == Decimal("0.04")


@pytest.mark.parametrize(("arn", "requests"), [(QUEUE, 3), (FUNCTION, 0), (None, 3)])
def test_a_rule_feeds_what_its_target_names(arn: str | None, requests: int) -> None:
    rule: dict[str, Any] = {**RULE, "rule__aws_cloudwatch_event_target__this[0]": {"arn": arn}}
    found = quantities(buffered(to_queue=[], **rule))
    assert found["sqs_requests"] == 648_000 + requests * MILLION


def test_a_hook_that_may_read_objects_reads_one_for_each_upload() -> None:
    hooked = {"variables": {"TTL_SECONDS": "86400", "RECORD_HOOK": "enrich.on_event"}}
    for policy, reads in ('{"Action": ["s3:GetObject"]}', True), ('{"Action": "sqs:*"}', False):
        role: dict[str, Any] = {"role__aws_iam_role_policy__pipeline": {"policy": policy}}
        found = billed(pipeline(function={"environment": [hooked]}, **role))
        # 1,000,000 x $0.0004 / 1,000
        assert found.get("s3_gets") == ("0.4000" if reads else None)
        assert "s3_gets" not in billed(pipeline(**role))


def test_on_demand_writes_are_never_free_and_an_index_doubles_them() -> None:
    index: list[Any] = [{"name": "ObjectKeyIndex", "write_capacity": None}]
    table: dict[str, Any] = {
        "global_secondary_index": index,
        "point_in_time_recovery": [{"enabled": True}],
    }
    found = billed(pipeline(billing_mode="PAY_PER_REQUEST", table=table), **NOTHING_KEPT)
    # 2,000,000 x $0.625 / 1,000,000; 0.04 GB x $0.20
    assert found == {
        "dynamodb_writes": "1.2500",
        "dynamodb_recovery": "0.0080",
        "s3_puts": "5.0000",
    }
    assert quantities(pipeline(table=table))["dynamodb_storage"] == Decimal("0.08")


def test_units_are_the_tables_and_its_indexes() -> None:
    index: list[Any] = [{"name": "ObjectKeyIndex", "write_capacity": 15, "read_capacity": 5}]
    module = pipeline(write_units=15, table={"global_secondary_index": index})
    # 5 beyond 25 x $0.00065 x 730 hours
    assert billed(module, uploads=Decimal(0)) == {"dynamodb_write_units": "2.3725"}


def test_more_than_the_table_takes_is_told() -> None:
    used, _ = usage(pipeline(), uploads=6 * PRICES.seconds_a_month)
    assert "5 write units take 5 records a second, and this is more" in used.notes[0]


def test_alarms_are_billed_by_their_metrics() -> None:
    query: list[Any] = [
        {"id": "total", "expression": "SUM([m0, m1])", "metric": []},
        {"id": "m0", "metric": [{"metric_name": "FailedInvocations"}]},
        {"id": "m1", "metric": [{"metric_name": "InvocationsFailedToBeSentToDlq"}]},
    ]
    rule: dict[str, Any] = {
        'alarms__aws_cloudwatch_metric_alarm__this["rule"]': {"metric_query": query}
    }
    assert quantities(pipeline(**rule))["cloudwatch_alarms"] == 10
    # 11 and 12 metrics: 13 beyond 10, $0.10 each
    assert billed(
        pipeline(alarms=9, **rule), pipeline("module.b", alarms=12), uploads=Decimal(0)
    ) == {"cloudwatch_alarms": "1.3000"}


def test_dashboards_beyond_three_cost_three_dollars() -> None:
    more = [resource(f"aws_cloudwatch_dashboard.d{number}") for number in range(5)]
    found = billed(document=plan(pipeline(), resources=more), uploads=Decimal(0))
    assert found == {"cloudwatch_dashboards": "6.0000"}


def test_messages_of_alarms_cost_by_who_gets_them() -> None:
    to: dict[str, Any] = {
        f'topic__aws_sns_topic_subscription__this["{protocol}"]': {"protocol": protocol}
        for protocol in ("email", "email-json", "https", "sqs", "lambda", "sms")
    }
    found = quantities(pipeline(**to), alarm_messages=1000)
    assert found["sns_publishes"] == 1000
    assert found["sns_emails"] == 2000
    assert found["sns_https"] == 1000
    # 1,000 beyond 1,000 x $2 / 100,000; no price for SMS
    assert billed(pipeline(**to), alarm_messages=1000, uploads=Decimal(0)) == {
        "sns_emails": "0.0200",
        "sns_sms": "?",
    }


def test_every_invoke_is_traced_until_there_is_more_than_one_a_second() -> None:
    traced = pipeline(function={"tracing_config": [{"mode": "Active"}]})
    # 900,000 beyond x $5 / 1,000,000
    assert billed(traced, **NOTHING_KEPT)["xray_traces"] == "4.5000"
    assert rates(traced)["xray_traces"] == "0.039"
    # Ten a second: one of them, and 5 % of nine.
    month = PRICES.seconds_a_month
    assert quantities(traced, uploads=10 * month)["xray_traces"] == month * Decimal("1.45")
    assert "xray_traces" not in quantities(pipeline())


KEPT: dict[str, Any] = {"table": {"server_side_encryption": [{"enabled": True}]}}


def test_a_key_costs_a_dollar_and_requests_until_data_keys_are_reused() -> None:
    key: dict[str, Any] = {"key__aws_kms_key__this[0]": {}}
    # Table, log and bucket ask at most every five minutes: 3 x 8,640 - 20,000, $0.03 / 10,000
    assert billed(pipeline(**KEPT, **key), **NOTHING_KEPT) == {
        "kms_keys": "1.0000",
        "kms_requests": "0.0178",
        "s3_puts": "5.0000",
    }
    assert quantities(pipeline(**KEPT), uploads=Decimal(1000))["kms_requests"] == 3000
    # AWS's formula for a queue: twice for who sends, once for who receives.
    assert quantities(buffered(**KEPT))["kms_requests"] == 6 * 8640
    # 20,000 / 3 uploads a month
    assert rates(pipeline(**KEPT))["kms_requests"] == "0.003"


def test_a_bound_use_that_stays_free_has_no_end() -> None:
    bucket = pipeline(**KEPT)
    bucket["resources"] = [each for each in bucket["resources"] if each["type"] != "aws_s3_bucket"]
    # 2 x 8,640 is less than 20,000.
    assert "kms_requests" not in rates(bucket)


@pytest.mark.parametrize(
    ("logging", "gb"),
    [
        ({"application_log_level": "INFO", "system_log_level": "INFO"}, "0.770"),
        ({"application_log_level": "DEBUG", "system_log_level": "INFO"}, "0.955"),
        ({"application_log_level": "WARN", "system_log_level": "INFO"}, "0.450"),
        ({"application_log_level": "ERROR", "system_log_level": "WARN"}, "0.000"),
    ],
)
def test_logs_cost_by_their_level(logging: dict[str, str], gb: str) -> None:
    found = quantities(pipeline(function={"logging_config": [logging]}))
    assert f"{found.get('cloudwatch_ingestion', 0):.3f}" == gb


def test_logs_share_one_free_amount() -> None:
    # 7.7 GB taken in and 3.85 kept: 5 are free, of the dearer first. 2.7 x $0.50, 3.85 x $0.03
    found = billed(pipeline(), uploads=10 * MILLION, **NOTHING_KEPT)
    assert (found["cloudwatch_ingestion"], found["cloudwatch_archive"]) == ("1.3500", "0.1155")


def test_memory_and_architecture_decide_what_time_costs() -> None:
    module = pipeline(memory_size=1024, architectures=["x86_64"])
    # 1,000,000 x 0.5 s x 1 GB: 100,000 beyond x $0.0000166667
    assert billed(module, milliseconds=Decimal(500), **NOTHING_KEPT)["lambda_x86_64"] == "1.6667"


def test_pipelines_share_what_is_free() -> None:
    found = billed(pipeline("module.a"), pipeline('module.b["x.y"]'), **NOTHING_KEPT)
    # The rate is each one's: 2,000,000 requests, and 16 metrics.
    assert found == {
        "lambda_requests": "0.2000",
        "cloudwatch_alarms": "0.6000",
        "s3_puts": "10.0000",
    }
    assert rates(pipeline("module.a"), pipeline("module.b"))["lambda_requests"] == "0.193"


def test_two_buffers_are_beyond_the_free_amount_before_the_first_upload() -> None:
    two = [buffered("module.a"), buffered("module.b")]
    # 2 x 648,000 - 1,000,000
    assert billed(*two, uploads=Decimal(0)) == {
        "sqs_requests": "0.1184",
        "cloudwatch_alarms": "0.6000",
    }
    assert rates(*two)["sqs_requests"] == "0.000"


def test_what_is_not_ours_costs_by_being_there_and_is_named_otherwise() -> None:
    more = [
        resource("aws_nat_gateway.a"),
        resource("aws_instance.a"),
        resource("aws_instance.b"),
        resource("aws_sqs_queue.theirs"),
        resource("aws_lambda_function.theirs", memory_size=1024),
        resource("aws_iam_role.theirs"),
        resource("random_id.any"),
        resource("aws_kms_key.theirs"),
        resource("aws_dynamodb_table.theirs", billing_mode="PROVISIONED", write_capacity=21),
        resource("aws_cloudwatch_metric_alarm.fast", period=10),
    ]
    document = plan(pipeline(), resources=more)
    used, _ = usage(document=document)
    assert used.unpriced == {
        "aws_nat_gateway": 1,
        "aws_instance": 2,
        "aws_cloudwatch_metric_alarm of high resolution or of anomalies": 1,
    }
    assert used.by_use == {"aws_sqs_queue": 1, "aws_lambda_function": 1, "aws_dynamodb_table": 1}
    # 26 units: one beyond 25 x $0.00065 x 730
    assert billed(document=document, uploads=Decimal(0)) == {
        "kms_keys": "1.0000",
        "dynamodb_write_units": "0.4745",
    }


def test_without_a_pipeline_uploads_cost_nothing() -> None:
    used, _ = usage(document=plan(resources=[resource("aws_cloudwatch_dashboard.d")]))
    assert {use.item for use in used.uses} == {"cloudwatch_dashboards"}
    assert "No pipeline of this module" in used.notes[0]


def test_what_only_apply_tells_is_said() -> None:
    module = pipeline()
    (function,) = (each for each in module["resources"] if each["type"] == "aws_lambda_function")
    del function["values"]["memory_size"]
    change = {"address": function["address"], "change": {"after_unknown": {"memory_size": True}}}
    document = plan(module, resource_changes=[change])
    used, _ = usage(document=document)
    assert f"memory_size of {function['address']} is known only after apply" in used.notes[0]
    # 128 MB, which is Lambda's own default.
    assert quantities(document=document)["lambda_arm64"] == 2500


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        ("0", "$0.00"),
        ("0.0049", "<$0.01"),
        ("0.005", "$0.01"),
        ("0.835", "$0.84"),
        ("1234.5", "$1,234.50"),
    ],
)
def test_money_is_in_cents(dollars: str, shown: str) -> None:
    assert bill.money(Decimal(dollars)) == shown


def test_what_is_not_counted_is_said() -> None:
    logs: dict[str, Any] = {"bucket__aws_s3_bucket_logging__this[0]": {}}
    used, _ = usage(pipeline(log={"retention_in_days": 0}, **logs))
    assert "keeps its logs for ever: a year of them is counted" in used.notes[0]
    assert "access logs cost S3 storage, which is not counted" in used.notes[1]
