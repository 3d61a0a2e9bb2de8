"""What the resources of a plan use in a month, and what of it is unknown."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pipeline.cost.bill import Use
from pipeline.cost.module_usage import Assumed, Pipeline, on_demand
from pipeline.cost.plan import Plan, Resource, as_number
from pipeline.prices import Prices

# Lambda's pollers of a queue, each of which waits 20 seconds for a message.
_POLLERS, _POLL_SECONDS = 5, 20

# Attributes that a figure depends on.
_ATTRIBUTES = {
    "aws_lambda_function": ("architectures", "memory_size", "reserved_concurrent_executions"),
    "aws_dynamodb_table": ("billing_mode", "global_secondary_index"),
    "aws_cloudwatch_log_group": ("retention_in_days",),
    "aws_lambda_event_source_mapping": ("batch_size", "enabled"),
}
_BY_USE = {
    "aws_cloudwatch_log_group",
    "aws_dynamodb_table",
    "aws_lambda_function",
    "aws_s3_bucket",
    "aws_sns_topic",
    "aws_sns_topic_subscription",
    "aws_sqs_queue",
}
# Priced without any upload, or free.
_OTHERS = {
    "aws_cloudwatch_composite_alarm",
    "aws_cloudwatch_dashboard",
    "aws_cloudwatch_metric_alarm",
    "aws_kms_key",
    "aws_lambda_event_source_mapping",
    "aws_cloudwatch_event_permission",
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target",
    "aws_kms_alias",
    "aws_kms_key_policy",
    "aws_lambda_function_event_invoke_config",
    # Up to 75 GB of code are free in a region.
    "aws_lambda_layer_version",
    "aws_lambda_permission",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_logging",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_sns_topic_policy",
    "aws_sqs_queue_policy",
    "terraform_data",
}
_FREE_FAMILIES = ("aws_appautoscaling_", "aws_iam_", "null_", "random_", "time_")


@dataclass(frozen=True)
class Usage:
    """What a plan uses. `by_use` and `unpriced` count the resources that are not in `uses`, by
    type: those whose usage is unknown, and those that the table has no price for.
    """

    uses: tuple[Use, ...]
    notes: tuple[str, ...]
    by_use: Mapping[str, int]
    unpriced: Mapping[str, int]


def usage_of(plan: Plan, assumed: Assumed, prices: Prices) -> Usage:
    """The usage of all resources of a plan, each pipeline with the same uploads."""
    uses: list[Use] = []
    notes: list[str] = []
    for resource in plan.resources:
        uses += _fixed(resource, prices)
        if unknown := resource.unknown & _attributes(resource):
            notes.append(
                f"{', '.join(sorted(unknown))} of {resource.address} is known only after apply: "
                "AWS's default is counted."
            )
    for name, resources in plan.pipelines.items():
        pipeline = Pipeline(name or "the root", resources, assumed, prices)
        uses += pipeline.uses()
        notes += pipeline.notes()
    if not plan.pipelines:
        notes.append("No pipeline of this module is in it: uploads cost nothing here.")
    if any(resource.type == "aws_appautoscaling_target" for resource in plan.others):
        notes.append("Something is scaled automatically: its capacity is counted as planned.")
    by_use = Counter(other.type for other in plan.others if other.type in _BY_USE)
    unpriced = Counter(filter(None, map(_unpriced, plan.resources)))
    return Usage(tuple(uses), tuple(notes), by_use, unpriced)


def _attributes(resource: Resource) -> set[str]:
    """The attributes that its figures depend on."""
    names = set(_ATTRIBUTES.get(resource.type, ()))
    # The units of a table on demand are unknown until apply.
    if resource.type == "aws_dynamodb_table" and not on_demand(resource):
        names |= {"read_capacity", "write_capacity"}
    return names


def _fixed(resource: Resource, prices: Prices) -> Iterator[Use]:
    """What it uses without any upload."""
    if _unpriced(resource):
        return
    match resource.type:
        case "aws_cloudwatch_metric_alarm":
            metrics = sum(bool(query.get("metric")) for query in resource.blocks("metric_query"))
            yield Use("cloudwatch_alarms", Decimal(max(1, metrics)))
        case "aws_cloudwatch_composite_alarm":
            yield Use("cloudwatch_composites", Decimal(1))
        case "aws_cloudwatch_dashboard":
            yield Use("cloudwatch_dashboards", Decimal(1))
        case "aws_kms_key":
            yield Use("kms_keys", Decimal(1))
        case "aws_lambda_event_source_mapping" if resource.values.get("enabled") is not False:
            yield Use("sqs_requests", _POLLERS * prices.seconds_a_month / _POLL_SECONDS)
        case "aws_dynamodb_table" if not on_demand(resource):
            for name in ("write", "read"):
                units = resource.number(f"{name}_capacity") + sum(
                    as_number(index.get(f"{name}_capacity"))
                    for index in resource.blocks("global_secondary_index")
                )
                yield Use(f"dynamodb_{name}_units", Decimal(units))


def _unpriced(resource: Resource) -> str | None:
    """What to call it where the table has no price for it."""
    kind = resource.type
    if kind == "aws_cloudwatch_metric_alarm" and (
        resource.values.get("threshold_metric_id") or 0 < resource.number("period", 60) < 60
    ):
        return f"{kind} of high resolution or of anomalies"
    if kind == "aws_dynamodb_table" and (
        resource.values.get("table_class") == "STANDARD_INFREQUENT_ACCESS"
    ):
        return f"{kind} of infrequent access"
    # A queue's ARN may be unknown; only a mapping of a stream has a starting position.
    if kind == "aws_lambda_event_source_mapping" and resource.values.get("starting_position"):
        return f"{kind} of a stream"
    known = kind in _BY_USE | _OTHERS or kind.startswith(_FREE_FAMILIES)
    return None if known else kind
