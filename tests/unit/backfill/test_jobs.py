"""What S3 is asked for is what its model takes, and what it can't do is refused in a sentence."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import boto3
import botocore.session
import botocore.validate
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from typer.testing import CliRunner

from pipeline.backfill import jobs, manifests
from pipeline.backfill.costs import Costs
from pipeline.backfill.jobs import FailedTask, Job
from pipeline.cli import app
from pipeline.deployed.filters import EVERYTHING, Filter
from pipeline.errors import PipelineError

ACCOUNT, REGION = "123456789012", "eu-central-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:S3ToDynamoProcessor"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/S3-Batch-Role"
PLACE = {"bucket_arn": "arn:aws:s3:::reports", "prefix": "batch-operations/S3ToDynamoProcessor/"}
MANIFEST = {"Spec": {"Format": "S3InventoryReport_CSV_20161130"}, "Location": {}}
URL = "s3://lists/uploads/daily/2026-11-22T01-00Z/manifest.json"
INVENTORY = {
    "sourceBucket": "uploads",
    "fileFormat": "CSV",
    "fileSchema": "Bucket, Key, VersionId, IsLatest",
    "files": [{"key": "data/1.csv.gz", "size": 5, "MD5checksum": "x"}],
}


def s3() -> Any:
    return boto3.client(
        "s3", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


def body(content: bytes) -> StreamingBody:
    return StreamingBody(io.BytesIO(content), len(content))


def read(manifest: Any, url: str = URL, region: str = REGION, version: str = "v1") -> Any:
    """What `inventory` makes of this manifest.json, in a bucket of `region`."""
    client = s3()
    with Stubber(client) as stub:
        headers = {"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": region}}}
        stub.add_response("head_bucket", headers)
        content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        stub.add_response(
            "get_object", {"Body": body(content), "ETag": '"e1"', "VersionId": version}
        )
        return manifests.inventory(
            client, url, "uploads", readable="lists", partition="aws", region=REGION
        )


def model_finds(asked: Mapping[str, Any]) -> str:
    """What is wrong with CreateJob's parameters, as botocore sees it."""
    session: Any = botocore.session.get_session()
    operation = session.get_service_model("s3control").operation_model("CreateJob")
    report = botocore.validate.ParamValidator().validate(dict(asked), operation.input_shape)
    return str(report.generate_report())


@pytest.mark.parametrize(
    "of",
    [
        {"Manifest": read(INVENTORY)},
        {"Manifest": read(INVENTORY, version="null")},
        {
            "ManifestGenerator": manifests.generated(
                "arn:aws:s3:::uploads", {}, None, None, account=ACCOUNT, output=PLACE
            )
        },
        {
            "ManifestGenerator": manifests.generated(
                "arn:aws:s3:::uploads",
                {"MatchAnyPrefix": ["in/"], "MatchAnySuffix": [".csv"]},
                1795340000.0,
                1795340400.0,
                account=ACCOUNT,
                output=PLACE,
            )
        },
    ],
    ids=["inventory", "inventory without a version", "everything", "a part"],
)
def test_a_job_is_asked_for_as_botocore_s_model_has_it(of: dict[str, Any]) -> None:
    asked = jobs.request(ACCOUNT, FUNCTION, ROLE, PLACE, **of)
    assert model_finds(asked) == ""
    assert asked["ConfirmationRequired"] is True
    assert "Unknown parameter" in model_finds({**asked, "Operations": {}})


def test_a_manifest_is_named_with_its_etag_and_version() -> None:
    assert read(INVENTORY)["Location"] == {
        "ObjectArn": "arn:aws:s3:::lists/uploads/daily/2026-11-22T01-00Z/manifest.json",
        "ETag": '"e1"',
        "ObjectVersionId": "v1",
    }


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        (b"no JSON", "is no manifest of an S3 Inventory"),
        ([], "is no manifest of an S3 Inventory"),
        (INVENTORY | {"files": None}, "is no manifest of an S3 Inventory"),
        (INVENTORY | {"sourceBucket": "theirs"}, "lists the bucket theirs, and the pipeline's is"),
        (INVENTORY | {"fileFormat": "ORC"}, "lists files in ORC, of which S3 Batch Operations"),
        (
            INVENTORY | {"fileSchema": "Bucket, Key, Size"},
            "lists no versions, by which alone a record is known: let the inventory include all",
        ),
    ],
)
def test_an_inventory_that_no_job_can_use_is_refused(manifest: Any, sentence: str) -> None:
    with pytest.raises(PipelineError, match=sentence):
        read(manifest)


@pytest.mark.parametrize("url", ["manifest.json", "s3://lists/", "https://x/manifest.json", "s3:"])
def test_a_manifest_that_is_no_url_of_one_is_refused(url: str) -> None:
    with pytest.raises(PipelineError, match=r"--manifest is .*: write that of an inventory"):
        read(INVENTORY, url)


def test_a_manifest_in_a_bucket_that_jobs_may_not_read_is_refused() -> None:
    sentence = r'reads lists: write backfill = \{ create = true, bucket = "other" \}'
    with pytest.raises(PipelineError, match=sentence):
        read(INVENTORY, "s3://other/manifest.json")


def test_a_bucket_of_another_region_is_refused() -> None:
    with pytest.raises(PipelineError, match="The bucket lists is in eu-west-3, and the function"):
        read(INVENTORY, region="eu-west-3")


def test_a_bucket_of_another_region_that_may_not_be_read_is_refused_by_its_region() -> None:
    client = s3()
    with Stubber(client) as stub:
        stub.add_client_error(
            "head_bucket",
            "403",
            http_status_code=403,
            response_meta={"HTTPHeaders": {"x-amz-bucket-region": "eu-west-3"}},
        )
        with pytest.raises(PipelineError, match="is in eu-west-3"):
            manifests.refuse_other_region(client, "uploads", REGION)


def test_a_bucket_without_versions_is_refused() -> None:
    client = s3()
    with Stubber(client) as stub:
        stub.add_response("get_bucket_versioning", {})
        with pytest.raises(PipelineError, match="has no versions, by which alone a job's records"):
            manifests.refuse_unversioned(client, "uploads")
        stub.add_response("get_bucket_versioning", {"Status": "Suspended"})
        manifests.refuse_unversioned(client, "uploads")


PUTS = frozenset({"Put"})


@pytest.mark.parametrize(
    ("filters", "prefix", "suffix", "expected"),
    [
        ([EVERYTHING], "", "", {}),
        ([EVERYTHING], "in/", ".csv", {"MatchAnyPrefix": ["in/"], "MatchAnySuffix": [".csv"]}),
        (
            [Filter("a/", "", PUTS), Filter("b/", "", PUTS)],
            "",
            "",
            {"MatchAnyPrefix": ["a/", "b/"]},
        ),
        (
            [Filter("a/", ".x", PUTS), Filter("b/", ".y", PUTS)],
            "b/c",
            "",
            {"MatchAnyPrefix": ["b/c"], "MatchAnySuffix": [".y"]},
        ),
        (
            [Filter("", ".x", PUTS), Filter("", ".y", PUTS)],
            "",
            "",
            {"MatchAnySuffix": [".x", ".y"]},
        ),
    ],
)
def test_s3_lists_the_keys_that_the_filters_take(
    filters: list[Filter], prefix: str, suffix: str, expected: Any
) -> None:
    assert manifests.constraint(filters, prefix, suffix) == expected


def test_keys_that_no_filter_takes_are_refused() -> None:
    with pytest.raises(PipelineError, match="No filter of the pipeline takes keys"):
        manifests.constraint([Filter("a/", "", PUTS)], "b/", "")


def test_filters_that_s3_would_take_too_much_for_are_refused() -> None:
    filters = [Filter("a/", ".x", PUTS), Filter("b/", ".y", PUTS)]
    with pytest.raises(PipelineError, match="give --prefix, so that one of them is left"):
        manifests.constraint(filters, "", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--manifest", URL], "are for jobs: add --batch-operations"),
        (["--budget", "0"], "are for jobs: add --batch-operations"),
        (["--batch-operations", "--dry-run"], "are not for jobs: leave them out"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], sentence: str) -> None:
    ended = CliRunner().invoke(app, ["backfill", *arguments])
    assert isinstance(ended.exception, PipelineError)
    assert sentence in str(ended.exception)


JOB = Job("j1", "Complete", FUNCTION, 3, 1, 2, (), ("reports", "r/job-j1/manifest.json"))
LINES = (
    'uploads,a+b%2Fc,v1,failed,PermanentFailure,200,"the object is gone, says ""S3"""\n'
    "uploads,%FF,,failed,PermanentFailure,200,the key is not URL-encoded UTF-8\n"
)


RESULTS: Any = [
    {"TaskExecutionStatus": "succeeded", "Bucket": "reports", "Key": "good.csv"},
    {"TaskExecutionStatus": "failed", "Bucket": "reports", "Key": "bad.csv"},
]


def named(lines: str, results: Any = RESULTS) -> list[FailedTask]:
    client = s3()
    with Stubber(client) as stub:
        for content in (json.dumps({"Results": results}), lines):
            stub.add_response("get_object", {"Body": body(content.encode())})
        return list(jobs.failed_tasks(client, JOB))


def test_the_report_names_each_object_that_failed_and_why() -> None:
    assert named(LINES) == [
        FailedTask("a b/c", "v1", "PermanentFailure", 'the object is gone, says "S3"'),
        FailedTask("%FF", None, "PermanentFailure", "the key is not URL-encoded UTF-8"),
    ]


@pytest.mark.parametrize(
    ("lines", "results", "sentence"),
    [
        ("uploads,key\n", RESULTS, "has a line of 2 columns, not 7"),
        ("x" * 200_000, RESULTS, "can't be read .field larger"),
        ("", None, "does not name its files"),
        ("", ["text"], "does not name its files"),
        ("", [{"TaskExecutionStatus": "failed"}], "does not name its files"),
    ],
)
def test_a_report_of_another_shape_is_refused(lines: str, results: Any, sentence: str) -> None:
    with pytest.raises(PipelineError, match=sentence):
        named(lines, results)


def test_a_job_of_others_without_a_report_is_refused() -> None:
    with pytest.raises(PipelineError, match="job j1 was made without a completion report"):
        list(jobs.failed_tasks(s3(), replace(JOB, report=("", "manifest.json"))))


def test_a_report_that_is_not_there_is_named() -> None:
    client = s3()
    with Stubber(client) as stub:
        stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
        with pytest.raises(PipelineError, match="completion report s3://reports/r/job-j1/manifest"):
            list(jobs.failed_tasks(client, JOB))


def test_a_million_objects_cost_what_the_table_of_prices_says() -> None:
    # A job, its objects, HeadObject and the invokes; on demand the writes too.
    assert f"{Costs(5).dollars(1_000_000):.3f}" == "1.850"
    assert f"{Costs(0).dollars(1_000_000):.3f}" == "2.475"
    assert Costs(0).pace(10**9) == ""
    assert "5 write units take 55.6 hours" in Costs(5).pace(1_000_000)
