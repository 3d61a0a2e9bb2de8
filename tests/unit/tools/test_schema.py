"""The HCL fits the newest provider 6.x, as far as its schema tells."""

import json
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tests.support.terraform.provider_schema import misfits
from tools import schema
from tools.bindings import Bindings
from tools.deprecations import Deprecations
from tools.hcl import Use, used_here, used_in

SCHEMA = json.loads(schema.FILE.read_text())

# Deprecated, and used all the same, with the reason.
KEPT = {
    "aws_dynamodb_table.global_secondary_index.hash_key": "5.100 does not know key_schema",
    "aws_dynamodb_table.global_secondary_index.range_key": "5.100 does not know key_schema",
}

FITS = """
variable "seconds" {
  type = number
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = [1]
    content {
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.this.arn]
      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }
    }
  }
}

resource "aws_sqs_queue" "this" {
  name                       = "some-queue"
  visibility_timeout_seconds = var.seconds
  sqs_managed_sse_enabled    = true
  tags                       = { Environment = "Lab" }
}

resource "aws_sqs_queue_policy" "this" {
  count     = 1
  queue_url = aws_sqs_queue.this[var.keys[aws_sns_topic.this[0].name]].url
  policy    = data.aws_iam_policy_document.this.json
}
"""


@pytest.fixture(scope="module")
def use() -> Use:
    return used_here()


def found(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    file = tmp_path / "main.tf"
    file.write_text(text)
    return [(each.path, each.what) for each in misfits(used_in([file], tmp_path), SCHEMA)]


def test_the_hcl_fits_the_newest_provider_6(use: Use) -> None:
    wrong = misfits(use, SCHEMA)
    assert [each for each in wrong if each.path not in KEPT] == []


def test_what_is_deprecated_and_kept_is_still_used_and_still_deprecated(use: Use) -> None:
    wrong = {each.path: each.what.partition(":")[0] for each in misfits(use, SCHEMA)}
    assert wrong == dict.fromkeys(KEPT, "deprecated")


def test_all_of_it_is_looked_at(use: Use) -> None:
    described = {(kind, name) for kind in ("resource", "data") for name in SCHEMA[kind]}
    assert use.types() == described, "run `python -m tools schema`"
    assert ("aws_dynamodb_table", ("stream_arn",)) in {(each.type, each.path) for each in use.reads}


def test_hcl_that_fits_is_not_objected_to(tmp_path: Path) -> None:
    assert found(tmp_path, FITS) == []


@pytest.mark.parametrize(
    ("right", "wrong", "path", "what"),
    [
        ("name  ", "nmae  ", "aws_sqs_queue.nmae", "unknown"),
        ("actions ", "action ", "aws_iam_policy_document.statement.action", "unknown"),
        (
            'dynamic "statement"',
            'dynamic "statment"',
            "aws_iam_policy_document.statment",
            "unknown",
        ),
        ("principals {", "principal {", "aws_iam_policy_document.statement.principal", "unknown"),
        (
            "principals {",
            "principals = {",
            "aws_iam_policy_document.statement.principals",
            "a block",
        ),
        ("tags                       = {", "tags {", "aws_sqs_queue.tags", "no block"),
        (
            'type        = "Service"\n',
            "",
            "aws_iam_policy_document.statement.principals.type",
            "required",
        ),
        ("this.arn", "this.anr", "aws_sqs_queue.anr", "unknown"),
        ("this[0].name", "this[0].nmae", "aws_sns_topic.nmae", "unknown"),
        ("]].url", "]].ulr", "aws_sqs_queue.ulr", "unknown"),
        ("this.json", "this.jsn", "aws_iam_policy_document.jsn", "unknown"),
        ('"aws_sqs_queue" "this"', '"aws_sqs_qeue" "this"', "aws_sqs_qeue", "unknown"),
        ("= true", '= "true"', "aws_sqs_queue.sqs_managed_sse_enabled", "bool, not string"),
        ('"some-queue"', '["some-queue"]', "aws_sqs_queue.name", "string, not list"),
        (
            "type = number",
            "type = list(number)",
            "aws_sqs_queue.visibility_timeout_seconds",
            "number, not list",
        ),
        (
            '["sqs:SendMessage"]',
            "[true]",
            "aws_iam_policy_document.statement.actions",
            "list(string), not list",
        ),
    ],
)
def test_hcl_that_does_not_fit_is_named(
    tmp_path: Path, right: str, wrong: str, path: str, what: str
) -> None:
    assert FITS.count(right) == 1
    assert (path, what) in found(tmp_path, FITS.replace(right, wrong))


def test_a_block_that_may_stand_there_once_is_not_repeated(tmp_path: Path) -> None:
    ttl = 'ttl { attribute_name = "expiresAt" }\n'
    table = 'resource "aws_dynamodb_table" "this" {\n  name = "a"\n'
    assert found(tmp_path, f"{table}{ttl}}}") == []
    assert found(tmp_path, f"{table}{ttl}{ttl}}}") == [("aws_dynamodb_table.ttl", "only once")]


def test_what_is_deprecated_is_named_where_it_is_set_and_where_it_is_read(tmp_path: Path) -> None:
    bucket = 'resource "aws_s3_bucket" "this" {\n  bucket = "some-bucket"\n}\n'
    (said,) = found(tmp_path, bucket.replace("}", '  acl = "private"\n}'))
    assert said[0] == "aws_s3_bucket.acl"
    assert said[1].startswith("deprecated: ")
    (said,) = found(tmp_path, f"{bucket}locals {{\n  x = aws_s3_bucket.this.website_endpoint\n}}")
    assert said[0] == "aws_s3_bucket.website_endpoint"


# As the two packages have it, cut down to what the reader must tell apart.
BINDINGS = """
class KmsKeySome(_cdktn.TerraformResource):
    @builtins.property
    def arn(self) -> builtins.str: ...
    @builtins.property
    def id(self) -> builtins.str: ...
    @builtins.property
    def key_input(self) -> typing.Optional[builtins.str]: ...
    @builtins.property
    def rotation(self) -> "KmsKeySomeRotationList": ...

class KmsKeySomeConfig(_cdktn.TerraformMetaArguments):
    def __init__(self, *, count: typing.Optional[jsii.Number] = None, key: builtins.str,
        rotation: typing.Union[_cdktn.IResolvable, typing.Sequence[
            typing.Union["KmsKeySomeRotation", typing.Dict[builtins.str, typing.Any]]]],
        id: typing.Optional[builtins.str] = None,
        multi_region: typing.Optional[typing.Union[builtins.bool, "_cdktn.IResolvable"]] = None,
        tags: typing.Optional[typing.Mapping[builtins.str, builtins.str]] = None) -> None:
        '''
        :param key: See {@link https://example.com/docs/resources/kms_key#lambda KmsKey#lambda}.
        '''

class KmsKeySomeRotation:
    def __init__(self, *, days: typing.Optional[typing.Sequence[jsii.Number]] = None) -> None: ...

class KmsKeySomeRotationList(_cdktn.ComplexList): ...
"""
PULUMI = """
class KeyArgs:
    @_builtins.property
    @pulumi.getter(name="lambda")
    @_utilities.deprecated('lambda is deprecated.')
    def lambda_(self) -> pulumi.Input[_builtins.str]: ...
    @_builtins.property
    def rotations(self) -> pulumi.Input[Sequence[pulumi.Input['KeyRotationArgs']]]: ...

class Key(pulumi.CustomResource):
    @_builtins.property
    def arn(self) -> pulumi.Output[_builtins.str]: ...
    @_builtins.property
    def rotations(self) -> pulumi.Output[Sequence['outputs.KeyRotation']]: ...
"""
PULUMI_INPUTS = """
class KeyRotationArgs:
    @_builtins.property
    @_utilities.deprecated('Use period.')
    def days(self) -> pulumi.Input[Sequence[_builtins.int]]: ...
"""


def test_a_type_is_read_out_of_the_two_wheels(tmp_path: Path) -> None:
    bindings, pulumi = tmp_path / "bindings.whl", tmp_path / "pulumi.whl"
    with zipfile.ZipFile(bindings, "w") as archive:
        about = "Name: cdktn-provider-aws\nVersion: 1.2.3\n\nhashicorp/aws provider version 6.7.8\n"
        archive.writestr("cdktn_provider_aws-1.2.3.dist-info/METADATA", about)
        archive.writestr("cdktn_provider_aws/kms_key/__init__.py", BINDINGS)
    with zipfile.ZipFile(pulumi, "w") as archive:
        archive.writestr("pulumi_aws-7.8.9.dist-info/METADATA", "")
        archive.writestr("pulumi_aws/kms/key.py", PULUMI)
        archive.writestr("pulumi_aws/kms/_inputs.py", PULUMI_INPUTS)
    described = Bindings(bindings)
    assert (described.provider, described.version) == ("6.7.8", "1.2.3")
    key = described.type("resource", "aws_kms_key")
    Deprecations(pulumi).mark("resource", "aws_kms_key", key)
    assert key == {
        "arguments": {"lambda": "string", "multi_region": "bool", "tags": "map(string)"},
        "attributes": {"arn": "string", "id": "string"},
        "blocks": {
            "rotation": {
                "arguments": {"days": "list(number)"},
                "deprecated": {"days": "Use period."},
                "many": True,
            }
        },
        "deprecated": {"lambda": "lambda is deprecated."},
        "required": ["lambda", "rotation"],
    }
    with pytest.raises(PipelineError, match=r"data aws_kms_key is not in provider 6\.7\.8"):
        described.type("data", "aws_kms_key")


def test_the_command_names_a_file_that_is_not_the_bindings_wheel(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no-wheel is no wheel"):
        schema.run(tmp_path / "no-wheel", tmp_path / "no-wheel")
    other = tmp_path / "other-1.0-py3-none-any.whl"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("other-1.0.dist-info/METADATA", "Name: other\nVersion: 1.0\n")
    with pytest.raises(PipelineError, match="is not a wheel of cdktn-provider-aws"):
        schema.run(other, other)


def test_without_a_package_index_the_command_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(
        PipelineError, match=r"pip got no wheel of cdktn-provider-aws==\S+ \(.+connect to"
    ):
        schema.run()


def test_the_documentation_tells_which_provider_the_schema_is_of() -> None:
    page = (ROOT / "docs/reference/compatibility.md").read_text()
    assert SCHEMA["provider"] in page
    assert SCHEMA["date"] in page
