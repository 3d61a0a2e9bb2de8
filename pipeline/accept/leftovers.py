"""Find and delete what a run left in the account, by its names' prefix.

For what Terraform's state does not know: made by hand, by Lambda, or by a Terraform that was killed
before it could write.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from pipeline.deployed import aws

Clients = Callable[[str], Any]
# Kind, name, and what deletes it.
Found = tuple[str, str, Callable[[], Any]]

# What uses something else goes first; the rest goes in another round.
_ROUNDS = 4
# What the run's keys are tagged with: the prefix.
TAG = "pipeline-accept"
# KMS deletes no key sooner.
_KEY_DAYS = 7


def find(clients: Clients, prefix: str) -> list[Found]:
    """All that has a name with the prefix, or belongs to it. Raises botocore's errors."""
    return [found for look in _LOOKS for found in look(clients, prefix)]


def sweep(clients: Clients, prefix: str, settled: float) -> tuple[list[str], list[str]]:
    """Delete all of it; what was there at first, and what stays. Raises botocore's errors.

    AWS lists for up to `settled` seconds what is gone.
    """
    first: list[str] = []
    if settled and find(clients, prefix):
        time.sleep(settled)
    refused: dict[str, str] = {}
    for number in range(_ROUNDS):
        found = find(clients, prefix)
        if number == 0:
            first = [f"{kind} {name}" for kind, name, _ in found]
        if not found:
            return first, []
        refused = {}
        for kind, name, delete in found:
            try:
                delete()
            except ClientError as error:
                if not aws.is_gone(error):
                    if aws.is_stale(error):
                        raise
                    refused[f"{kind} {name}"] = aws.code(error)
    time.sleep(settled)
    still = [f"{kind} {name}" for kind, name, _ in find(clients, prefix)]
    return first, [f"{what} ({refused[what]})" if what in refused else what for what in still]


def _all(client: Any, operation: str, path: str, **given: Any) -> Iterator[Any]:
    yield from client.get_paginator(operation).paginate(**given).search(path)


def _rules(clients: Clients, prefix: str) -> Iterator[Found]:
    events = clients("events")
    for rule in _all(events, "list_rules", "Rules[]", NamePrefix=prefix):
        name = rule["Name"]

        def delete(name: str = name) -> None:
            targets = events.list_targets_by_rule(Rule=name)["Targets"]
            if targets:
                events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets])
            events.delete_rule(Name=name)

        yield "rule", name, delete


def _functions(clients: Clients, prefix: str) -> Iterator[Found]:
    functions = clients("lambda")
    for mapping in _all(functions, "list_event_source_mappings", "EventSourceMappings[]"):
        name = mapping.get("FunctionArn", "").split(":function:")[-1]
        if name.startswith(prefix) and mapping.get("State") != "Deleting":
            uuid = mapping["UUID"]
            yield (
                "event source mapping",
                uuid,
                partial(functions.delete_event_source_mapping, UUID=uuid),
            )
    for function in _all(functions, "list_functions", "Functions[]"):
        name = function["FunctionName"]
        if name.startswith(prefix):
            yield (
                "function",
                name,
                partial(functions.delete_function, FunctionName=name),
            )


def _layers(clients: Clients, prefix: str) -> Iterator[Found]:
    functions = clients("lambda")
    for layer in _all(functions, "list_layers", "Layers[].LayerName"):
        if layer.startswith(prefix):
            versions = "LayerVersions[].Version"
            for version in _all(functions, "list_layer_versions", versions, LayerName=layer):
                delete = partial(functions.delete_layer_version, LayerName=layer)
                yield "layer", f"{layer}:{version}", partial(delete, VersionNumber=version)


def _buckets(clients: Clients, prefix: str) -> Iterator[Found]:
    s3 = clients("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        if name.startswith(prefix):
            yield "bucket", name, partial(_delete_bucket, s3, name)


def _delete_bucket(s3: Any, name: str) -> None:
    for path in "Versions[]", "DeleteMarkers[]":
        for version in _all(s3, "list_object_versions", path, Bucket=name):
            if version:
                s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=name)


def _tables(clients: Clients, prefix: str) -> Iterator[Found]:
    dynamodb = clients("dynamodb")
    for name in _all(dynamodb, "list_tables", "TableNames[]"):
        if name.startswith(prefix):

            def delete(name: str = name) -> None:
                dynamodb.delete_table(TableName=name)
                dynamodb.get_waiter("table_not_exists").wait(TableName=name)

            yield "table", name, delete


def _queues(clients: Clients, prefix: str) -> Iterator[Found]:
    sqs = clients("sqs")
    for url in _all(sqs, "list_queues", "QueueUrls[]", QueueNamePrefix=prefix):
        if url:
            yield (
                "queue",
                url.rpartition("/")[2],
                partial(sqs.delete_queue, QueueUrl=url),
            )


def _topics(clients: Clients, prefix: str) -> Iterator[Found]:
    sns = clients("sns")
    for arn in _all(sns, "list_topics", "Topics[].TopicArn"):
        if arn.rpartition(":")[2].startswith(prefix):
            yield "topic", arn.rpartition(":")[2], partial(sns.delete_topic, TopicArn=arn)
    # A subscription outlives its topic.
    for each in _all(sns, "list_subscriptions", "Subscriptions[]"):
        arn = each["SubscriptionArn"]
        if each["TopicArn"].rpartition(":")[2].startswith(prefix) and arn.startswith("arn:"):
            yield (
                "subscription",
                arn.partition(":sns:")[2],
                partial(sns.unsubscribe, SubscriptionArn=arn),
            )


def _cloudwatch(clients: Clients, prefix: str) -> Iterator[Found]:
    cloudwatch, logs = clients("cloudwatch"), clients("logs")
    alarms = _all(cloudwatch, "describe_alarms", "MetricAlarms[].AlarmName", AlarmNamePrefix=prefix)
    for name in alarms:
        yield "alarm", name, partial(cloudwatch.delete_alarms, AlarmNames=[name])
    for entry in _all(
        cloudwatch, "list_dashboards", "DashboardEntries[]", DashboardNamePrefix=prefix
    ):
        name = entry["DashboardName"]
        yield (
            "dashboard",
            name,
            partial(cloudwatch.delete_dashboards, DashboardNames=[name]),
        )
    for group in _all(
        logs, "describe_log_groups", "logGroups[]", logGroupNamePrefix=f"/aws/lambda/{prefix}"
    ):
        name = group["logGroupName"]
        yield "log group", name, partial(logs.delete_log_group, logGroupName=name)


def _roles(clients: Clients, prefix: str) -> Iterator[Found]:
    iam = clients("iam")
    for role in _all(iam, "list_roles", "Roles[]"):
        name = role["RoleName"]
        if not name.startswith(prefix):
            continue

        def delete(name: str = name) -> None:
            for policy in _all(iam, "list_role_policies", "PolicyNames[]", RoleName=name):
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            attached = _all(iam, "list_attached_role_policies", "AttachedPolicies[]", RoleName=name)
            for policy in attached:
                iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
            iam.delete_role(RoleName=name)

        yield "role", name, delete


def _keys(clients: Clients, prefix: str) -> Iterator[Found]:
    kms = clients("kms")
    for alias in _all(kms, "list_aliases", "Aliases[]"):
        name = alias["AliasName"]
        if name.startswith(f"alias/{prefix}"):
            yield "alias", name, partial(kms.delete_alias, AliasName=name)
    # By its tag, since a key has no name.
    for key in _all(kms, "list_keys", "Keys[].KeyId"):
        if _is_ours(kms, key, prefix):
            delete = partial(kms.schedule_key_deletion, PendingWindowInDays=_KEY_DAYS)
            yield "key", key, partial(delete, KeyId=key)


def _is_ours(kms: Any, key: str, prefix: str) -> bool:
    try:
        tags = kms.list_resource_tags(KeyId=key).get("Tags", [])
        if {"TagKey": TAG, "TagValue": prefix} not in tags:
            return False
        return not kms.describe_key(KeyId=key)["KeyMetadata"].get("DeletionDate")
    except ClientError as error:
        # Keys of others may be closed to whoever runs this.
        if aws.is_stale(error):
            raise
        return False


_LOOKS: tuple[Callable[[Clients, str], Iterator[Found]], ...] = (
    _rules,
    _functions,
    _layers,
    _buckets,
    _queues,
    _topics,
    _cloudwatch,
    _tables,
    _roles,
    _keys,
)
