"""A table goes back from a customer-managed key to DynamoDB's before that key is deleted."""

from pathlib import Path
from typing import Any

from pipeline.emulator.process import emulator
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment
from tests.support.aws.clients import client
from tools.module import copy_module

TABLE = {
    "name": "recrypted",
    "billing_mode": "PROVISIONED",
    "write_units": 1,
    "read_units": 1,
    "stream_view_type": "NEW_IMAGE",
    "point_in_time_recovery": False,
    "deletion_protection": False,
    "object_index": False,
}


def test_a_table_leaves_its_key_in_place(tmp_path: Path) -> None:
    place = copy_module(tmp_path / "module") / "root"
    with emulator(tmp_path) as running:
        environment = terraform_environment(tmp_path) | running.environment
        dynamodb = client("dynamodb", running.environment)
        key = client("kms", running.environment).create_key()["KeyMetadata"]["Arn"]
        for enabled in (True, False):
            kms = {"enabled": enabled, "key_arn": key if enabled else None}
            call: dict[str, Any] = {"source": "../modules/dynamodb", "table": TABLE, "tags": {}}
            root = {"provider": {"aws": {}}, "module": {"table": call | {"kms": kms}}}
            terraform.write_root(place, root)
            terraform.init(place, environment)
            planned = terraform.changes(terraform.plan(place, environment))
            terraform.apply(place, environment)
            found = dynamodb.describe_table(TableName=TABLE["name"])["Table"]["SSEDescription"]
            assert (found["Status"] == "ENABLED") is enabled
            assert (found["KMSMasterKeyArn"] == key) is enabled
        assert planned == {"module.table.aws_dynamodb_table.this": ["update"]}
        assert terraform.changes(terraform.plan(place, environment)) == {}
