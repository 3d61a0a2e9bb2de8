"""A team's package in S3 is what the function runs, and a new one there is deployed."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.emulator.process import emulator
from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment
from tests.support.aws.clients import client
from tools.module import copy_module
from tools.package import PACKAGE

OTHER = ROOT / "examples/bring-your-own-handler/checksums.zip"
FUNCTION: dict[str, Any] = {
    "name": "from-s3",
    "package": "",
    "handler": "lambda_function.lambda_handler",
    "runtime": "python3.12",
    "architecture": "arm64",
    "memory_mb": 128,
    "timeout_seconds": 3,
    "reserved_concurrency": None,
    "environment": {},
    "layers": [],
    "tracing": "PassThrough",
    "hook": None,
    "vpc": None,
}
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


@pytest.mark.soak
@pytest.mark.parametrize("versioned", [True, False], ids=["versions", "no versions"])
def test_a_new_object_under_the_old_key_is_deployed_by_the_next_apply(
    tmp_path: Path, *, versioned: bool
) -> None:
    place = copy_module(tmp_path / "module") / "root"
    with emulator(tmp_path) as running:
        environment = terraform_environment(tmp_path) | running.environment
        s3, functions = (client(name, running.environment) for name in ("s3", "lambda"))
        s3.create_bucket(Bucket="code")
        if versioned:
            s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
        role = client("iam", running.environment).create_role(
            RoleName="runs", AssumeRolePolicyDocument=json.dumps({"Statement": [TRUST]})
        )["Role"]["Arn"]
        package = {"bucket": "code", "key": "handler.zip", "version": None}
        call = {
            "source": "../modules/lambda",
            "function": {**FUNCTION, "role_arn": role, "package_s3": package},
            "log": {"group_name": "/aws/lambda/from-s3", "level": "INFO", "retention_days": 1},
            "delivery": {
                "max_retries": 0,
                "max_event_age_seconds": 60,
                "failure_queue_arn": "arn:aws:sqs:us-east-1:000000000000:failures",
                "bucket_arn": None,
                "rule_arn": None,
                "account_id": "000000000000",
            },
            "kms": {"enabled": False, "key_arn": None},
            "tags": {},
        }
        terraform.write_root(place, {"provider": {"aws": {}}, "module": {"function": call}})
        terraform.init(place, environment)
        planned: dict[str, Any] = {}
        for file in PACKAGE, OTHER:
            s3.put_object(Bucket="code", Key="handler.zip", Body=file.read_bytes())
            planned = terraform.changes(terraform.plan(place, environment))
            terraform.apply(place, environment)
            found = functions.get_function_configuration(FunctionName="from-s3")["CodeSha256"]
            assert base64.b64decode(found) == hashlib.sha256(file.read_bytes()).digest()
            assert terraform.changes(terraform.plan(place, environment)) == {}
        assert planned == {"module.function.aws_lambda_function.this": ["update"]}
