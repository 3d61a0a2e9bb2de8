"""S3 Batch Operations jobs: create one, start it, follow it, and read its completion report."""

import csv
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from pipeline.deployed import aws
from pipeline.deployed.documents import json_object
from pipeline.deployed.loopback import is_on_loopback
from pipeline.errors import PipelineError

WAITS = "Suspended"
ENDED = frozenset({"Complete", "Failed", "Cancelled"})
_SEE = "see the job in S3's console"
_FIX = "take the job's id, and the account and region of the stack"
_PRIORITY = 10
_COLUMNS = 7


@dataclass(frozen=True)
class Job:
    """What S3 tells of a job: counts are of tasks, `reasons` say why it failed.

    `report` is the bucket and the key of its completion report's manifest.
    """

    id: str
    status: str
    function_arn: str
    total: int
    succeeded: int
    failed: int
    reasons: tuple[str, ...]
    report: tuple[str, str]


@dataclass(frozen=True)
class FailedTask:
    """A task that failed: its object, and what the function, Lambda or S3 said."""

    key: str
    version_id: str | None
    code: str
    reason: str


class Jobs:
    """The jobs of an account and region; everything raises PipelineError."""

    def __init__(self, account: str, **settings: Any) -> None:
        self._account = account
        self._control = aws.client("s3control", attempts=6, **settings)
        self._fix = "apply the stack's role, and check the manifest"
        if is_on_loopback(self._control):
            self._fix = "no emulator has it; without --batch-operations, this machine backfills"
            # No emulator's address has names below it.
            self._control.meta.events.register("before-call.s3-control", self._without_account)

    def create(self, function_arn: str, role_arn: str, report: Mapping[str, str], **of: Any) -> str:
        """Have S3 prepare a job on `Manifest` or `ManifestGenerator`; it waits to be started.

        `report` has the `bucket_arn` and the `prefix` of the report. Returns the job's id.
        """
        with aws.asking("S3 Batch Operations", self._fix):
            answer = self._control.create_job(
                **request(self._account, function_arn, role_arn, report, **of)
            )
        return str(answer["JobId"])

    def describe(self, job_id: str) -> Job:
        """How far a job is."""
        with aws.asking(f"the job {job_id}", _FIX):
            job = self._control.describe_job(AccountId=self._account, JobId=job_id)["Job"]
        progress, report = job.get("ProgressSummary", {}), job.get("Report", {})
        prefix = f"{report['Prefix']}/" if report.get("Prefix") else ""
        return Job(
            job_id,
            job["Status"],
            job.get("Operation", {}).get("LambdaInvoke", {}).get("FunctionArn", ""),
            progress.get("TotalNumberOfTasks", 0),
            progress.get("NumberOfTasksSucceeded", 0),
            progress.get("NumberOfTasksFailed", 0),
            tuple(
                f"{reason.get('FailureCode')}: {reason.get('FailureReason')}"
                for reason in job.get("FailureReasons", ())
            ),
            (report.get("Bucket", "").rpartition(":")[2], f"{prefix}job-{job_id}/manifest.json"),
        )

    def start(self, job_id: str) -> None:
        """Start a job that waits."""
        self._update(job_id, "Ready")

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        self._update(job_id, "Cancelled")

    def _update(self, job_id: str, status: str) -> None:
        with aws.asking(f"the job {job_id}", _FIX):
            self._control.update_job_status(
                AccountId=self._account, JobId=job_id, RequestedJobStatus=status
            )

    def _without_account(self, params: dict[str, Any], **_: Any) -> None:
        params["url"] = params["url"].replace(f"//{self._account}.", "//", 1)


def request(
    account: str, function_arn: str, role_arn: str, report: Mapping[str, str], **of: Any
) -> dict[str, Any]:
    """CreateJob's parameters."""
    return {
        "AccountId": account,
        "ClientRequestToken": str(uuid.uuid4()),
        # S3 counts the objects first: what it costs is then known.
        "ConfirmationRequired": True,
        "Description": f"Records of objects, by {function_arn.rpartition(':')[2]}",
        "Operation": {
            "LambdaInvoke": {"FunctionArn": function_arn, "InvocationSchemaVersion": "1.0"}
        },
        "Priority": _PRIORITY,
        "Report": {
            "Bucket": report["bucket_arn"],
            "Prefix": f"{report['prefix']}reports",
            "Format": "Report_CSV_20180820",
            "Enabled": True,
            "ReportScope": "FailedTasksOnly",
            "ExpectedBucketOwner": account,
        },
        "RoleArn": role_arn,
        **of,
    }


def failed_tasks(s3: Any, job: Job) -> Iterator[FailedTask]:
    """The tasks that a job's completion report names as failed. Raises PipelineError."""
    name, key = job.report
    if not name:
        raise PipelineError(f"The job {job.id} was made without a completion report: {_SEE}.")
    thing = f"the completion report s3://{name}/{key}"
    with aws.asking(thing, _SEE):
        manifest = json_object(s3.get_object(Bucket=name, Key=key)["Body"].read()) or {}
        try:
            places = [
                {"Bucket": str(result["Bucket"]), "Key": str(result["Key"])}
                for result in manifest["Results"]
                if result["TaskExecutionStatus"] == "failed"
            ]
        except (KeyError, TypeError) as error:
            raise PipelineError(f"T{thing[1:]} does not name its files: {_SEE}.") from error
        for place in places:
            body = s3.get_object(**place)["Body"]
            lines = (line.decode(errors="replace") for line in body.iter_lines(keepends=True))
            for row in _rows(lines, thing):
                _, encoded, version, _, code, _, reason = row
                try:
                    key = unquote_plus(encoded, errors="strict")
                except UnicodeDecodeError:
                    key = encoded
                yield FailedTask(key, version or None, code, reason)


def _rows(lines: Iterator[str], thing: str) -> Iterator[list[str]]:
    try:
        for row in csv.reader(lines):
            if len(row) != _COLUMNS:
                raise PipelineError(f"{thing} has a line of {len(row)} columns, not {_COLUMNS}.")
            yield row
    except csv.Error as error:
        raise PipelineError(f"T{thing[1:]} can't be read ({error}): {_SEE}.") from error
