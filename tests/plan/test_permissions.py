"""The role and every resource policy can do what the page on permissions says, and no more."""

import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pytest

from pipeline.paths import ROOT
from tests.plan.conftest import Planned
from tests.support.aws.permissions import Permission, given, table, words, written

with warnings.catch_warnings():
    # Of setuptools' own, which parliament finds its data with.
    warnings.simplefilter("ignore")
    import parliament

ACCOUNT, REGION = "123456789012", "us-east-1"
FUNCTIONS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
LATER = "known after apply"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
VPC = {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}
HOOK = {
    "package": str(ROOT / "examples/enrich/enrich.zip"),
    "handler": "enrich.on_event",
    "read_objects": True,
}
THEIRS = {"create": False, "name": "theirs"}
OURS_NOW = {**THEIRS, "take_over_notifications": True}

DELIVERIES: dict[str, dict[str, Any]] = {
    "notification": {},
    "notification-buffer": {"buffer": {}},
    "eventbridge": {"via": "eventbridge"},
    "eventbridge-buffer": {"via": "eventbridge", "buffer": {}},
}
KEYS: dict[str, dict[str, Any]] = {
    "service": {},
    "create": {"mode": "create"},
    "given": {"mode": "given", "kms_key_arn": KEY},
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    **{
        f"{name}-{key}": {
            **({"delivery": delivery} if delivery else {}),
            **({"encryption": encryption} if encryption else {}),
        }
        for name, delivery in DELIVERIES.items()
        for key, encryption in KEYS.items()
    },
    "traces": {"function": {"tracing": "Active"}, "backfill": {"create": True}},
    "vpc": {"function": {"vpc": VPC}},
    "hook": {"function": {"hook": HOOK}, "encryption": KEYS["given"]},
    # The rule takes further buckets alone.
    "buckets": {
        "delivery": {"buckets": ["partners", "others"], "accounts": ["210987654321"]},
        "function": {"hook": HOOK},
    },
    "drain": {"delivery": {"buffer": {"drain": True}}},
    "handover": {"delivery": {"handover": True}},
    "paused": {"delivery": {"paused": True, "buffer": {}}},
    "existing-bucket": {
        "bucket": THEIRS,
        "delivery": {"via": "eventbridge"},
        "backfill": {"create": True, "bucket": "inventories"},
    },
    "existing-bucket-buffer": {
        "bucket": THEIRS,
        "delivery": {"via": "eventbridge", "buffer": {}},
    },
    "taken-over-notification": {"bucket": OURS_NOW},
    "taken-over-eventbridge-buffer-create": {
        "bucket": OURS_NOW,
        "delivery": {"via": "eventbridge", "buffer": {}},
        "encryption": KEYS["create"],
    },
    "existing-topic": {"topic": {"create": False, "arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:shared"}},
    "all-at-once": {
        "name_prefix": "acme-",
        "function": {"tracing": "Active", "vpc": VPC},
        "delivery": {"handover": True, "buffer": {}},
        "encryption": KEYS["create"],
        "backfill": {"create": True},
    },
}

# Where each policy stands: the word of the page, and the resource that carries it.
CARRIERS = {
    "role": "role.aws_iam_role.this assume_role_policy",
    "failure queue": "queues.aws_sqs_queue.failures policy",
    "buffer": "queues.aws_sqs_queue.buffer[0] policy",
    "topic": "topic.aws_sns_topic_policy.this[0] policy",
    "bucket": "bucket.aws_s3_bucket_policy.this[0] policy",
    "key": "key.aws_kms_key_policy.this[0] policy",
    "job role": "backfill.aws_iam_role.this[0] assume_role_policy",
}
ROLE = "role.aws_iam_role_policy.pipeline"
JOBS = "backfill.aws_iam_role_policy.jobs[0]"
TABLES = ["role", "jobs", "resources"]


def _get(values: Mapping[str, Any], path: str, default: Any) -> Any:
    found: Any = values
    for part in path.split("."):
        found = (found or {}).get(part)
    return default if found is None else found


def _has_rule(values: Mapping[str, Any]) -> bool:
    by_rule: bool = _get(values, "delivery.via", "notification") == "eventbridge"
    further = bool(_get(values, "delivery.buckets", []))
    return by_rule or further or bool(_get(values, "delivery.handover", False))


WHEN: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "always": lambda _: True,
    "buffer": lambda values: _get(values, "delivery.buffer", None) is not None,
    "rule": _has_rule,
    "own notifications": lambda values: (
        _get(values, "bucket.create", True) or _get(values, "bucket.take_over_notifications", False)
    ),
    "own bucket": lambda values: _get(values, "bucket.create", True),
    "own topic": lambda values: _get(values, "topic.create", True),
    "customer-managed key": lambda values: _get(values, "encryption.mode", "service") != "service",
    "new key": lambda values: _get(values, "encryption.mode", "service") == "create",
    "traces": lambda values: _get(values, "function.tracing", "PassThrough") == "Active",
    "vpc": lambda values: _get(values, "function.vpc", None) is not None,
    "senders": lambda values: bool(_get(values, "delivery.accounts", [])),
    "hook reads": lambda values: _get(values, "function.hook.read_objects", False),
    "backfill": lambda values: _get(values, "backfill.create", False),
    "reads": lambda values: (
        _get(values, "function.hook.read_objects", False) or _get(values, "backfill.create", False)
    ),
}


def _names(values: Mapping[str, Any]) -> dict[str, str]:
    """What the words of the page stand for in this configuration."""
    prefix = values.get("name_prefix", "")
    default_bucket = f"{prefix}event-driven-lab-{ACCOUNT}-{REGION}"
    bucket = f"arn:aws:s3:::{_get(values, 'bucket.name', default_bucket)}"
    function = f"{prefix}S3ToDynamoProcessor"
    buckets = [bucket, *(f"arn:aws:s3:::{name}" for name in _get(values, "delivery.buckets", []))]
    # Whoever names a bucket for jobs has inventories there, at a place of their own.
    jobs = f"arn:aws:s3:::{_get(values, 'backfill.bucket', bucket.removeprefix('arn:aws:s3:::'))}"
    written = f"{jobs}/batch-operations/{function}/*"
    log_group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{function}"
    return {
        "region": REGION,
        "anybody": "*",
        "the account": ACCOUNT,
        "the account's IAM": f"arn:aws:iam::{ACCOUNT}:root",
        "the account's alarms": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*",
        "the bucket": bucket,
        "the bucket's objects": f"{bucket}/*",
        "the objects of all buckets": " and ".join(f"{each}/*" for each in buckets),
        "the default event bus": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
        "each sender": " and ".join(
            f"arn:aws:iam::{each}:root" for each in _get(values, "delivery.accounts", [])
        ),
        "the written objects of jobs": written,
        "the readable objects of jobs": (
            f"{jobs}/*" if _get(values, "backfill.bucket", None) else written
        ),
        "the table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{prefix}S3ObjectEvents",
        "the function": f"{FUNCTIONS}:{function}",
        "the log group": log_group,
        "the log group's streams": f"{log_group}:*",
        "the failure queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{prefix}event-driven-failures",
        "the buffer": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{prefix}event-driven-buffer",
        "the rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{prefix}event-driven-uploads",
        "the topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{prefix}event-driven-alerts",
        "the key": KEY if _get(values, "encryption.mode", "") == "given" else LATER,
    }


def _holds(row: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    return all(WHEN[word](values) for word in row["when"].split(" and "))


def _expected(rows: Iterable[Mapping[str, str]], values: Mapping[str, Any]) -> set[Permission]:
    names = _names(values)
    return {p for row in rows if _holds(row, values) for p in written(row, names)}


def _role_statements(planned: Planned) -> list[dict[str, Any]]:
    """The role's policy: from the plan, or where it waits for a key's ARN, from its arguments."""
    if "policy" in planned.resources[ROLE]:
        statements: list[dict[str, Any]] = json.loads(planned.resources[ROLE]["policy"])[
            "Statement"
        ]
        return statements
    assert planned.unknown[ROLE]["policy"]
    document = planned.documents["role.data.aws_iam_policy_document.pipeline"]
    assert document["source_policy_documents"] == []
    assert document["override_policy_documents"] is None
    return [
        {
            "Sid": statement["sid"],
            "Effect": statement["effect"] or "Allow",
            "Action": statement["actions"],
            "Resource": [resource or LATER for resource in statement["resources"]],
            "Condition": {
                condition["test"]: {condition["variable"]: condition["values"]}
                for condition in statement["condition"]
            },
        }
        for statement in document["statement"]
    ]


def _permission_resources(planned: Planned) -> list[dict[str, Any]]:
    """The function's policy, as Lambda writes it for each `aws_lambda_permission`."""
    found = []
    for address, permission in planned.resources.items():
        if ".aws_lambda_permission." not in address:
            continue
        # Nothing that would let in a whole organisation, a function URL or one alias.
        assert not any(
            permission[name]
            for name in (
                "event_source_token",
                "function_url_auth_type",
                "principal_org_id",
                "qualifier",
            )
        )
        conditions = {"ArnLike": {"aws:SourceArn": permission["source_arn"]}}
        if permission["source_account"]:
            conditions["StringEquals"] = {"aws:SourceAccount": permission["source_account"]}
        found.append(
            {
                "Sid": re.sub(r".*permission\.(\w+)\[0\]", r"\1", address),
                "Effect": "Allow",
                "Principal": {"Service": permission["principal"]},
                "Action": permission["action"],
                "Resource": f"{FUNCTIONS}:{permission['function_name']}",
                "Condition": conditions,
            }
        )
    return found


def _sender_resources(planned: Planned) -> list[dict[str, Any]]:
    """The event bus's policy, as EventBridge writes it for each `aws_cloudwatch_event_permission`.

    Their names hold the rule's, and the account's id, for which the page has words.
    """
    return [
        {
            "Sid": re.sub(r"^.*-\d{12}$", "RuleAccount", permission["statement_id"]),
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{permission['principal']}:root"},
            "Action": permission["action"],
            "Resource": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
        }
        for address, permission in planned.resources.items()
        if ".aws_cloudwatch_event_permission." in address
    ]


def _resource_statements(planned: Planned) -> dict[str, list[dict[str, Any]]]:
    """The statements of each resource policy, by the page's word for where it stands."""
    found = {"function": _permission_resources(planned), "event bus": _sender_resources(planned)}
    for word, carrier in CARRIERS.items():
        address, attribute = carrier.split()
        if address in planned.resources:
            found[word] = json.loads(planned.resources[address][attribute])["Statement"]
    # In the other modes they are what the key's owner is asked to add.
    found.setdefault("key", planned.outputs["kms_policy_statements"])
    return found


def _all(statements: Iterable[Mapping[str, Any]]) -> set[Permission]:
    return {permission for statement in statements for permission in given(statement)}


each_configuration = pytest.mark.parametrize(
    "values",
    [
        pytest.param(values, marks=pytest.mark.variables.with_args(**values), id=name)
        for name, values in CONFIGURATIONS.items()
    ],
)


@each_configuration
def test_the_role_may_do_what_is_written_and_nothing_else(
    planned: Planned, values: dict[str, Any]
) -> None:
    assert _all(_role_statements(planned)) == _expected(table("role"), values)


@each_configuration
def test_a_jobs_role_may_do_what_is_written_and_nothing_else(
    planned: Planned, values: dict[str, Any]
) -> None:
    policy = planned.resources.get(JOBS, {}).get("policy", '{"Statement": []}')
    assert _all(json.loads(policy)["Statement"]) == _expected(table("jobs"), values)


@each_configuration
def test_a_key_made_here_is_all_that_the_roles_policy_waits_for(
    planned: Planned, values: dict[str, Any]
) -> None:
    waits = {
        permission.action
        for permission in _all(_role_statements(planned))
        if permission.resource == LATER
    }
    new_key = WHEN["new key"](values)
    assert waits == ({"kms:Decrypt", "kms:GenerateDataKey"} if new_key else set())
    assert planned.unknown[ROLE].get("policy", False) is new_key


@each_configuration
def test_each_resource_lets_in_what_is_written_and_nobody_else(
    planned: Planned, values: dict[str, Any]
) -> None:
    found = _resource_statements(planned)
    rows = table("resources")
    assert found.keys() >= {row["on"] for row in rows if _holds(row, values)}
    for word, statements in found.items():
        by_name = {statement["Sid"]: _all([statement]) for statement in statements}
        assert by_name == {
            row["statement"]: _expected([row], values)
            for row in rows
            if row["on"] == word and _holds(row, values)
        }, word


@each_configuration
def test_no_other_resource_carries_a_policy(planned: Planned, values: dict[str, Any]) -> None:
    carrying = {
        f"{address} {attribute}"
        for address, attributes in planned.resources.items()
        for attribute, value in attributes.items()
        if isinstance(value, str) and '"Statement"' in value
    }
    assert carrying - {f"{ROLE} policy", f"{JOBS} policy"} <= set(CARRIERS.values())
    assert not [
        address
        for address in planned.resources
        if re.search(r"policy_attachment|_policy\.|_permission\.|_grant\.", address)
        and address.partition("[")[0]
        not in {
            ROLE,
            JOBS.partition("[")[0],
            "bucket.aws_s3_bucket_policy.this",
            "topic.aws_sns_topic_policy.this",
            "key.aws_kms_key_policy.this",
            "function.aws_lambda_permission.bucket",
            "function.aws_lambda_permission.rule",
            "rule.aws_cloudwatch_event_permission.sender",
        }
    ]


@pytest.mark.parametrize("name", TABLES)
def test_every_line_gives_a_reason_a_page_of_aws_and_words_that_are_explained(name: str) -> None:
    for row in table(name):
        assert row["why"], row
        assert re.search(r"\]\(https://(docs|repost)\.aws(\.amazon\.com)?/", row["page"]), row
    used = {word for row in table(name) for word in row["when"].split(" and ")}
    assert used <= words()


def test_the_explained_words_are_the_ones_that_count() -> None:
    assert words() == set(WHEN)


@pytest.mark.parametrize("name", TABLES)
def test_no_line_is_there_in_no_configuration_or_twice(name: str) -> None:
    rows = table(name)
    for row in rows:
        assert any(_holds(row, values) for values in CONFIGURATIONS.values()), row
    names = ("on", "statement", "effect", "action", "resource", "condition")
    keys = [tuple(row.get(name) for name in names) for row in rows]
    assert len(set(keys)) == len(keys)


def _team(sid: str, action: str) -> dict[str, str]:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::theirs/*"}


@pytest.mark.variables(
    function={
        "policy_json": json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": _team("Own", "s3:GetObject"),
            }
        )
    }
)
def test_a_team_adds_to_the_role_and_replaces_nothing(planned: Planned) -> None:
    own = Permission("Allow", "s3:GetObject", "arn:aws:s3:::theirs/*")
    assert _all(_role_statements(planned)) == _expected(table("role"), {}) | {own}


class Accepted(NamedTuple):
    """What parliament finds that is no fault: where, what, in which statements, and why not."""

    where: str
    issue: str
    statements: tuple[str, ...]
    why: str

    def findings(self) -> set[tuple[str, str, str]]:
        return {(self.where, statement, self.issue) for statement in self.statements}


ACCEPTED = [
    Accepted(
        "the role",
        "RESOURCE_STAR",
        ("ManageNetworkInterfaces",),
        "Lambda's page and managed policy use *, and the code itself is denied all of it.",
    ),
    Accepted(
        "the role",
        "UNKNOWN_CONDITION_FOR_ACTION",
        ("NoNetworkInterfacesFromCode",),
        "lambda:SourceFunctionArn is in the context of every call that a function's code makes.",
    ),
    Accepted(
        "key",
        "RESOURCE_STAR",
        (
            "AccountAdministers",
            "PipelineLogs",
            "PipelineAlarmsToTopic",
            "PipelineBucketToBuffer",
            "PipelineRuleToQueues",
            "PipelineObjectsOfBucket",
            "PipelineThroughIam",
        ),
        "In a key's policy * is the key itself.",
    ),
    Accepted(
        "key",
        "PERMISSIONS_MANAGEMENT_ACTIONS",
        ("AccountAdministers", "PipelineThroughIam"),
        "KMS's default key policy has the one, and DynamoDB's page asks for the other's grants.",
    ),
    Accepted(
        "key",
        "UNKNOWN_CONDITION_FOR_ACTION",
        ("PipelineLogs",),
        "CloudWatch Logs' page has kms:Describe* under this condition, which keeps it shut.",
    ),
    Accepted(
        "key",
        "MISMATCHED_TYPE",
        ("PipelineLogs", "PipelineObjectsOfBucket"),
        "An encryption context is a string; these hold ARNs, and their services' pages say so.",
    ),
]
ACCEPTED_FINDINGS = {finding for accepted in ACCEPTED for finding in accepted.findings()}


def _findings(where: str, statements: Iterable[Mapping[str, Any]]) -> set[tuple[str, str, str]]:
    """Where, in which statement and what: each looked at by itself, and all of them together."""
    found = set()
    for sid, part in [*((s["Sid"], [s]) for s in statements), ("all", list(statements))]:
        document = json.dumps({"Version": "2012-10-17", "Statement": part})
        policy = parliament.analyze_policy_string(
            document.replace(LATER, KEY), include_community_auditors=True
        )
        found |= {(where, sid, finding.issue) for finding in policy.findings}
    # What is found in one statement is found in the whole, too.
    issues = {(where, issue) for _, sid, issue in found if sid != "all"}
    return {f for f in found if f[1] != "all" or (f[0], f[2]) not in issues}


def _every_finding(planned: Planned) -> set[tuple[str, str, str]]:
    resources = _resource_statements(planned)
    # parliament takes a trust policy, which has no resource, for a malformed one. It is compared
    # with its line above.
    for trusting in ("role", "job role"):
        resources.pop(trusting, None)
    jobs = json.loads(planned.resources[JOBS]["policy"]) if JOBS in planned.resources else {}
    resources["a job's role"] = jobs.get("Statement", [])
    return _findings("the role", _role_statements(planned)).union(
        *(_findings(where, statements) for where, statements in resources.items())
    )


@each_configuration
def test_parliament_finds_nothing_but_what_is_accepted_with_a_reason(
    planned: Planned, values: dict[str, Any]
) -> None:
    assert _every_finding(planned) - ACCEPTED_FINDINGS == set()


@pytest.mark.variables.with_args(**CONFIGURATIONS["all-at-once"])
def test_nothing_is_accepted_that_parliament_no_longer_finds(planned: Planned) -> None:
    assert _every_finding(planned) == ACCEPTED_FINDINGS
