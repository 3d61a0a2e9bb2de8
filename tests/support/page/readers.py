"""Users with few rights, and the page as it is for them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.lab import root
from tests.support.page.console import Lab, Served, serve

# What docs/operate/console.md says that the read-only page needs.
READING = [
    "cloudwatch:Describe*",
    "cloudwatch:Get*",
    "dynamodb:BatchGetItem",
    "dynamodb:Describe*",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:Scan",
    "events:Describe*",
    "events:List*",
    "events:TestEventPattern",
    "iam:SimulatePrincipalPolicy",
    "lambda:Get*",
    "lambda:List*",
    "logs:FilterLogEvents",
    "s3:GetBucketNotification",
    "sns:Get*",
    "sns:List*",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
]


def outputs_file(lab: Lab, folder: Path, **changes: Any) -> Path:
    """What `terraform output -json` prints of the lab; a change to None leaves an output out."""
    pipeline = dict(root.outputs(lab.folder)["pipeline"]) | changes
    given = {name: value for name, value in pipeline.items() if value is not None}
    file = folder / "outputs.json"
    file.write_text(json.dumps({"pipeline": {"sensitive": False, "value": given}}))
    return file


@dataclass(frozen=True)
class User:
    """An IAM user, and what AWS clients need to be that user."""

    name: str
    key: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}


@contextmanager
def user(lab: Lab, name: str, denied: str = "nothing:Nothing") -> Iterator[User]:
    """A user who may read everything but for one action, and change nothing, for the block."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": READING, "Resource": "*"},
            {"Effect": "Deny", "Action": denied, "Resource": "*"},
        ],
    }
    iam = lab.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="reads", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        yield User(name, made["AccessKeyId"], made["SecretAccessKey"])
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="reads")
        iam.delete_user(UserName=name)


@contextmanager
def serve_outputs(
    lab: Lab, folder: Path, who: Mapping[str, str] | None = None, **changes: Any
) -> Iterator[Served]:
    """The lab's page as of a deployed stack, by what its outputs say; `changes` as above.

    `who` is whose environment it runs in, the lab's owner's by default.
    """
    file = outputs_file(lab, folder, **changes)
    variables = {**lab.environment, **(who or {})}
    with serve(folder / "log", "--outputs", str(file), **variables) as served:
        yield served
