"""What others need of the bucket, and what a team adds to its policies, stands beside ours."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from tests.plan.conftest import Planned
from tests.support.terraform.plans import diagnostics

variables = pytest.mark.variables
NOTIFICATION = "bucket.aws_s3_bucket_notification.this[0]"
REGION, ACCOUNT = "us-east-1", "123456789012"
PARTNER = {
    service: f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"
    for service, name in (("sqs", "partner"), ("sns", "partner"), ("lambda", "function:partner"))
}
STATEMENT = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
    "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::shared/*",
}
# One object, where IAM takes a list too.
POLICY = json.dumps({"Version": "2012-10-17", "Statement": STATEMENT})
BUCKET: dict[str, Any] = {
    "name": "shared",
    "eventbridge": True,
    "policy_json": POLICY,
    "notifications": [
        {
            "arn": PARTNER["sqs"],
            "prefix": "out/ü x/",
            "events": ["s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete"],
        },
        {"arn": PARTNER["sns"], "prefix": "out/"},
        {"arn": PARTNER["lambda"], "prefix": "job/", "suffix": ".json"},
    ],
    "lifecycle_rules": [
        {
            "id": "logs",
            "prefix": "logs/",
            "expiration_days": 90,
            "transitions": [{"days": 30, "storage_class": "STANDARD_IA"}],
        },
        {"id": "all", "noncurrent_days": 3},
    ],
}
SHARED: dict[str, Any] = {
    "bucket": BUCKET,
    "function": {"policy_json": POLICY.replace("s3:PutObject", "ssm:GetParameter")},
    # The family holds the second one: S3 gets it once.
    "delivery": {
        "filters": [
            {
                "prefix": "in/",
                "suffix": "",
                "events": ["s3:ObjectCreated:*", "s3:ObjectCreated:Put"],
            }
        ]
    },
}
shared = variables.with_args(**SHARED)


@shared
def test_a_partners_statement_is_merged_and_tls_stays(planned: Planned) -> None:
    address = "bucket.aws_s3_bucket_policy.this[0]"
    first, second = json.loads(planned.resources[address]["policy"])["Statement"]
    assert first == STATEMENT
    assert (second["Sid"], second["Effect"]) == ("TlsOnly", "Deny")


@shared
def test_a_teams_one_object_statement_is_taken(planned: Planned) -> None:
    policy = planned.resources["role.aws_iam_role_policy.pipeline"]["policy"]
    team, *ours = json.loads(policy)["Statement"]
    assert team["Action"] == "ssm:GetParameter"
    assert [statement["Sid"] for statement in ours] == [
        "WriteRecords",
        "WriteLogs",
        "HandOverFailures",
    ]


@shared
def test_others_are_notified_beside_the_function(planned: Planned) -> None:
    notification = planned.resources[NOTIFICATION]
    assert notification["eventbridge"] is True
    ours, theirs = notification["lambda_function"]
    assert (ours["id"], ours["filter_prefix"]) == ("filter-0", "in/")
    assert theirs["lambda_function_arn"] == PARTNER["lambda"]
    assert (theirs["filter_prefix"], theirs["filter_suffix"]) == ("job/", ".json")
    (queue,), (topic,) = notification["queue"], notification["topic"]
    assert (queue["queue_arn"], topic["topic_arn"]) == (PARTNER["sqs"], PARTNER["sns"])
    assert (queue["filter_prefix"], queue["filter_suffix"]) == ("out/%C3%BC+x/", None)
    assert (queue["events"], topic["events"]) == (["s3:ObjectRemoved:*"], ["s3:ObjectCreated:*"])


@shared
def test_an_event_type_that_its_family_holds_is_sent_once(planned: Planned) -> None:
    events = ["s3:ObjectCreated:*"]
    assert planned.resources[NOTIFICATION]["lambda_function"][0]["events"] == events
    (filter_,) = planned.outputs["delivery"]["filters"]
    assert filter_["events"] == events


@shared
def test_others_lifecycle_rules_stand_behind_the_modules(planned: Planned) -> None:
    rules = planned.resources["bucket.aws_s3_bucket_lifecycle_configuration.this[0]"]["rule"]
    assert [rule["id"] for rule in rules[2:]] == ["logs", "all"]
    *_, logs, every = rules
    assert logs["filter"][0]["prefix"] == "logs/"
    assert logs["expiration"][0]["days"] == 90
    (transition,) = logs["transition"]
    assert (transition["days"], transition["storage_class"]) == (30, "STANDARD_IA")
    assert every["noncurrent_version_expiration"][0]["noncurrent_days"] == 3
    assert not every["filter"][0]["prefix"]


@shared
def test_eventbridge_for_others_has_its_price(planned: Planned) -> None:
    (sentence,) = planned.outputs["free_tier_exceptions"]
    assert sentence.startswith("bucket.eventbridge is true: S3 sends every event of the bucket")


@variables(
    bucket={
        "create": False,
        "name": "theirs",
        "take_over_notifications": True,
        "notifications": [{"arn": PARTNER["sqs"]}],
    },
    delivery={"via": "eventbridge"},
)
def test_of_a_bucket_that_was_taken_over_others_get_all_beside_a_rule(planned: Planned) -> None:
    notification = planned.resources[NOTIFICATION]
    assert notification["eventbridge"] is True
    assert not notification.get("lambda_function")
    (queue,) = notification["queue"]
    assert queue["queue_arn"] == PARTNER["sqs"]


@pytest.mark.parametrize(("policy", "list_"), [("modules/iam", "role"), ("modules/s3", "bucket")])
def test_the_sids_that_are_refused_are_those_of_the_policy(policy: str, list_: str) -> None:
    used = re.findall(r'sid += "(\w+)"', (ROOT / policy / "policy.tf").read_text())
    own = re.search(rf"{list_} += \[(.*?)\]", (ROOT / "allowed_values.tf").read_text(), re.DOTALL)
    assert own
    assert sorted(re.findall(r'"(\w+)"', own[1])) == sorted(used)


def test_a_filter_that_says_what_s3_does_not_know_is_warned_of(
    reattached: dict[str, str], tmp_path: Path
) -> None:
    filters = [{"prefix": "in/*", "suffix": "*.csv"}, {"prefix": "/abs/", "suffix": "/x?"}]
    others = [{"arn": PARTNER["sqs"], "suffix": "*.gz", "events": ["s3:ObjectRemoved:*"]}]
    call = {
        "source": os.path.relpath(ROOT, tmp_path),
        "delivery": {"filters": filters},
        "bucket": {"notifications": others},
    }
    terraform.write_root(tmp_path, {"module": {"pipeline": call}})
    terraform.init(tmp_path, reattached)
    said = terraform.run(tmp_path, reattached, "plan", "-json", "-input=false").stdout
    (found,) = diagnostics(said)
    assert found["severity"] == "warning"
    literal = "S3 knows no wildcards and looks for keys with this very"
    assert sorted(found["detail"].splitlines()[1:]) == [
        f'bucket.notifications[0].suffix is "*.gz": {literal} *.',
        f'delivery.filters[0].prefix is "in/*": {literal} *.',
        f'delivery.filters[0].suffix is "*.csv": {literal} *.',
        'delivery.filters[1].prefix is "/abs/": keys have no / before them, unless the uploader '
        "wrote one.",
        f'delivery.filters[1].suffix is "/x?": {literal} ?.',
    ]
