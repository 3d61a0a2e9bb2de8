"""What `terraform show -json` prints of a pipeline, as far as its costs need it."""

from typing import Any

QUEUE = "arn:aws:sqs:us-east-1:123456789012:event-driven-buffer"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:S3ToDynamoProcessor"


def resource(address: str, **values: Any) -> dict[str, Any]:
    """A managed resource; its type is read off its address."""
    kind = address.split(".")[-2]
    return {"address": address, "mode": "managed", "type": kind, "values": values}


def pipeline(address: str = "module.pipeline", **more: Any) -> dict[str, Any]:
    """The module's tree with nothing set.

    `more` has attributes by what they change (`function={"memory_size": 512}`), or whole lists of
    resources by a name of their own.
    """
    prefix = f"{address}." if address else ""

    def make(name: str, path: str, **values: Any) -> dict[str, Any]:
        return resource(f"{prefix}module.{path}", **{**values, **more.pop(name, {})})

    found = [
        make(
            "function",
            "function.aws_lambda_function.this",
            architectures=more.pop("architectures", ["arm64"]),
            memory_size=more.pop("memory_size", 256),
            environment=[{"variables": {"TTL_SECONDS": "86400"}}],
            reserved_concurrent_executions=more.pop("reserved", -1),
        ),
        make(
            "table",
            "table.aws_dynamodb_table.this",
            billing_mode=more.pop("billing_mode", "PROVISIONED"),
            write_capacity=more.pop("write_units", 5),
            read_capacity=5,
        ),
        make("failures", "queues.aws_sqs_queue.failures"),
        make("log", "function.aws_cloudwatch_log_group.this", retention_in_days=15),
        make("topic", "topic.aws_sns_topic.this[0]"),
        make("bucket", "bucket.aws_s3_bucket.this[0]"),
        make(
            "notification",
            "bucket.aws_s3_bucket_notification.this[0]",
            lambda_function=more.pop("to_function", [{"id": "filter-0"}]),
            queue=more.pop("to_queue", []),
        ),
    ]
    found += [
        resource(f'{prefix}module.alarms.aws_cloudwatch_metric_alarm.this["{number}"]', period=300)
        for number in range(more.pop("alarms", 8))
    ]
    for path, values in more.items():
        found.append(resource(f"{prefix}module.{path.replace('__', '.')}", **values))
    return {"address": address, "resources": found} if address else {"resources": found}


def buffered(address: str = "module.pipeline", *, enabled: bool = True, **more: Any) -> Any:
    """The same with a buffer between."""
    mapping = {
        "enabled": enabled,
        "batch_size": 100,
        "maximum_batching_window_in_seconds": 5,
    }
    more |= {
        "to_function": more.get("to_function", []),
        "to_queue": more.get("to_queue", [{"id": "filter-0", "queue_arn": QUEUE}]),
        "function__aws_lambda_event_source_mapping__buffer": mapping,
        "queues__aws_sqs_queue__buffer": {},
    }
    return pipeline(address, **more)


def plan(*modules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plan of a root that calls these."""
    root = {"child_modules": list(modules), "resources": more.pop("resources", [])}
    return {"format_version": "1.2", "planned_values": {"root_module": root}, **more}
