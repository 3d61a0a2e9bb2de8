"""A job of S3 Batch Operations, played by a server of ours, writes the records that are missing.

The server acts with the job's role on the emulator, and invokes the real function.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from pipeline import terminal
from pipeline.accept.deliveries import BACKFILLED
from pipeline.backfill import batch
from pipeline.backfill.batch import Options
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.reconcile import report as reconcile_report
from tests.e2e.conftest import Cloud
from tests.support.aws.batch_jobs import BatchJobs, Row, batch_jobs, put_inventory
from tests.support.aws.clients import client, items
from tests.support.stacks.deliveries import Applied

ODD = "a b+c%/ü~'()*!&=?#.txt"


@dataclass
class Site:
    """The pipeline with a role for jobs, while no event reaches it, and the commands about it."""

    cloud: Cloud
    outputs: dict[str, Any]
    service: BatchJobs
    capsys: pytest.CaptureFixture[str]

    @property
    def bucket(self) -> str:
        return str(self.outputs["bucket_name"])

    @property
    def target(self) -> Target:
        return Target(self.outputs, "The stack")

    def client(self, name: str) -> Any:
        return self.cloud.client(name)

    def upload(self, key: str, content: bytes = b"x") -> Row:
        """Upload an object; its line in an inventory."""
        answer = self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)
        return self.bucket, quote(key), answer["VersionId"]

    def delete(self, row: Row, key: str) -> None:
        self.client("s3").delete_object(Bucket=self.bucket, Key=key, VersionId=row[2])

    def inventory(self, rows: list[Row], **of: Any) -> str:
        place = self.outputs["backfill"]
        return put_inventory(
            self.client("s3"), place["bucket"], f"{place['prefix']}lists", rows, **of
        )

    def job(self, status: int = 0, **options: Any) -> dict[str, Any]:
        """What `backfill --batch-operations --json` prints."""
        self.capsys.readouterr()
        ended = batch.run(self.target, Options(**{"yes": True, **options}), as_json=True)
        printed = self.capsys.readouterr()
        assert ended == status, printed
        found: dict[str, Any] = json.loads(printed.out)
        return found

    def records(self, prefix: str) -> dict[str, dict[str, Any]]:
        found = items(self.outputs["table_name"], self.cloud.environment)
        return {
            item["objectKey"]["S"] + " " + item["versionId"]["S"]: item
            for item in found
            if item["objectKey"]["S"].startswith(prefix)
        }


@pytest.fixture
def site(
    deliveries: tuple[Cloud, Applied],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Site]:
    cloud, applied = deliveries
    monkeypatch.setattr(batch, "POLL_SECONDS", 0.05)
    outputs = dict(applied.outputs[BACKFILLED])
    events, rule = cloud.client("events"), f"{BACKFILLED}-event-driven-uploads"
    with batch_jobs(cloud.environment) as service:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3_CONTROL", service.url)
        events.disable_rule(Name=rule)
        try:
            yield Site(cloud, outputs, service, capsys)
        finally:
            events.enable_rule(Name=rule)


def test_a_job_on_an_inventory_writes_what_is_missing_and_names_what_failed(site: Site) -> None:
    keys = [f"jobs/{name}" for name in (ODD, "same", "same", "there", "gone")]
    rows = [site.upload(key, bytes(number)) for number, key in enumerate(keys)]
    first = site.job(manifest=site.inventory(rows[3:4]))
    before = site.records("jobs/")
    assert (first["succeeded"], list(before)) == (1, [f"jobs/there {rows[3][2]}"])
    site.delete(rows[4], keys[4])
    url = site.inventory([*rows, (site.bucket, "jobs/%FF", "v1")])

    done = site.job(1, manifest=url)

    assert (done["status"], done["objects"]) == ("Complete", 6)
    assert (done["succeeded"], done["failed"]) == (4, 2)
    assert done["dollars"] == "0.25"
    gone, unreadable = done["failures"]
    assert (gone["key"], gone["version_id"]) == ("jobs/gone", rows[4][2])
    assert "the object is gone" in gone["reason"]
    assert unreadable["key"] == "jobs/%FF"
    assert "the key is not URL-encoded UTF-8" in unreadable["reason"]
    found = site.records("jobs/")
    assert sorted(found) == sorted(
        f"{key} {row[2]}" for key, row in zip(keys, rows[:4], strict=False)
    )
    assert {name: found[name] for name in before} == before
    assert {item["eventName"]["S"] for item in found.values()} == {"ObjectCreated:Backfill"}
    assert (
        reconcile_report.run(site.target, prefix="jobs/", since=None, grace_seconds=0, as_json=True)
        == 0
    )


def test_s3_lists_the_bucket_for_a_job_and_a_budget_stops_it(site: Site) -> None:
    rows = {key: site.upload(key) for key in ("listed/a.csv", "listed/b.txt", "others/c.csv")}
    with pytest.raises(PipelineError, match=r"Nothing was made: say --yes"):
        site.job(prefix="listed/", yes=False)
    assert not site.service.jobs
    with pytest.raises(PipelineError, match=r"about \$0.25, more than --budget 0.1: it was cancel"):
        site.job(prefix="listed/", budget=0.1)
    (cancelled,) = site.service.jobs.values()
    assert cancelled.status == "Cancelled"
    assert site.records("listed/") == {}

    done = site.job(prefix="listed/", suffix=".csv", budget=1.0)

    assert (done["objects"], done["succeeded"]) == (1, 1)
    assert list(site.records("listed/")) == [f"listed/a.csv {rows['listed/a.csv'][2]}"]


def test_a_job_can_be_followed_again_after_ctrl_c(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.upload("again/a")

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(terminal, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            batch.run(site.target, Options(prefix="again/", yes=True), as_json=True)
    said = site.capsys.readouterr().err
    (job_id,) = site.service.jobs
    assert f"--batch-operations --job {job_id}" in said
    assert site.job(job=job_id)["succeeded"] == 1
    with pytest.raises(PipelineError, match="The job none12 does not exist: take the job's id"):
        site.job(job="none12")
    other = Target({**site.outputs, "function_arn": f"{site.outputs['function_arn']}2"}, "Another")
    with pytest.raises(PipelineError, match=f"The job {job_id} is not about"):
        batch.run(other, Options(job=job_id), as_json=True)


def test_a_stack_without_a_role_for_jobs_is_told_what_to_set(site: Site) -> None:
    site.outputs["backfill"] = None
    with pytest.raises(PipelineError, match=r"no role for jobs: write backfill = \{ create = true"):
        site.job()


@pytest.mark.soak
def test_of_5_000_objects_the_twentieth_part_fails_and_all_others_agree(site: Site) -> None:
    keys = [f"many/{number:04}" for number in range(5000)]
    rows = {key: site.upload(key) for key in keys}
    url = site.inventory(list(rows.values()))
    for key in keys[::20]:
        site.delete(rows[key], key)

    done = site.job(1, manifest=url)

    assert (done["succeeded"], done["failed"]) == (4750, 250)
    assert sorted(each["key"] for each in done["failures"]) == keys[::20]
    assert all("the object is gone" in each["reason"] for each in done["failures"])
    assert (
        reconcile_report.run(site.target, prefix="many/", since=None, grace_seconds=0, as_json=True)
        == 0
    )


# What the role does, by the line of the permissions page that allows it.
CALLS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "lambda:InvokeFunction": lambda clients, outputs: clients("lambda").invoke(
        FunctionName=outputs["function_arn"], Payload=b'{"Event": "s3:TestEvent"}'
    ),
    "s3:PutObject": lambda clients, outputs: clients("s3").put_object(
        Bucket=outputs["backfill"]["bucket"], Key=f"{outputs['backfill']['prefix']}x", Body=b""
    ),
    "s3:GetObject": lambda clients, outputs: clients("s3").get_object(
        Bucket=outputs["backfill"]["bucket"], Key=f"{outputs['backfill']['prefix']}x"
    ),
}


def _as_role(site: Site, role_arn: str) -> Callable[[str], Any]:
    session = site.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="proof")[
        "Credentials"
    ]
    keys = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    return lambda service: client(service, site.cloud.environment, **keys)


def _denied(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception as error:  # noqa: BLE001  (looked at)
        return "AccessDenied" in str(error) or "403" in str(error)
    return False


@pytest.mark.parametrize("action", CALLS)
def test_the_jobs_role_may_make_the_call_because_of_this_one_permission(
    site: Site, action: str
) -> None:
    role_arn = site.outputs["backfill"]["role_arn"]
    iam, role = site.client("iam"), role_arn.rpartition("/")[2]
    clients, call = _as_role(site, role_arn), CALLS[action]
    site.client("s3").put_object(
        Bucket=site.bucket, Key=f"{site.outputs['backfill']['prefix']}x", Body=b""
    )
    policy = iam.get_role_policy(RoleName=role, PolicyName="jobs")["PolicyDocument"]
    assert not _denied(lambda: call(clients, site.outputs))
    text = json.dumps(policy).replace(f'"{action}"', '"s3:GetBucketAcl"')
    iam.put_role_policy(RoleName=role, PolicyName="jobs", PolicyDocument=text)
    try:
        assert _denied(lambda: call(clients, site.outputs))
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="jobs", PolicyDocument=json.dumps(policy))


def test_the_jobs_role_may_not_read_uploads_nor_write_elsewhere(site: Site) -> None:
    s3 = _as_role(site, site.outputs["backfill"]["role_arn"])("s3")
    site.upload("secret")
    assert _denied(lambda: s3.get_object(Bucket=site.bucket, Key="secret"))
    assert _denied(lambda: s3.put_object(Bucket=site.bucket, Key="secret", Body=b""))
    assert _denied(lambda: s3.list_objects_v2(Bucket=site.bucket))


def test_the_function_may_ask_about_objects_of_its_bucket_and_do_nothing_else(site: Site) -> None:
    s3 = _as_role(site, site.outputs["role_arn"])("s3")
    site.upload("asked")
    s3.head_object(Bucket=site.bucket, Key="asked")
    assert _denied(lambda: s3.put_object(Bucket=site.bucket, Key="asked", Body=b""))
    assert _denied(lambda: s3.list_objects_v2(Bucket=site.bucket))
