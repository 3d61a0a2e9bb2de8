"""S3 Batch Operations on loopback: plays jobs against an emulator, with the job's own role.

It reads the manifest from the emulator's S3, or makes it, invokes the function for each task, and
writes the completion report, as AWS documents them.
"""

import contextlib
import csv
import gzip
import hashlib
import io
import json
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.support.aws.clients import client

NAMESPACE = "http://awss3control.amazonaws.com/doc/2018-08-20/"
# How often a task that failed for now is tried in all.
ATTEMPTS = 3
# A job ends when more than half of so many tasks have failed.
MANY = 1000

# Bucket, URL-encoded key, version id.
Row = tuple[str, str, str]
# Key and version id, status, code, text.
Result = tuple[Row, str, str, str]


@dataclass
class Played:
    """A job: what CreateJob was asked for, and how far it is."""

    asked: dict[str, Any]
    status: str = "New"
    rows: list[Row] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    reason: str = ""

    def count(self, status: str) -> int:
        return sum(result[1] == status for result in self.results)


@dataclass
class BatchJobs:
    """The service; `jobs` by id."""

    environment: Mapping[str, str]
    url: str = ""
    jobs: dict[str, Played] = field(default_factory=dict)
    parallel: int = 4

    def create(self, asked: dict[str, Any]) -> str:
        job_id = str(uuid.uuid4())
        job = self.jobs[job_id] = Played(asked)
        try:
            job.rows = self._manifest(job)
            job.status = "Suspended" if asked.get("ConfirmationRequired") == "true" else "Ready"
        except Exception as error:  # noqa: BLE001  (as the job's reason)
            job.status, job.reason = "Failed", f"{type(error).__name__}: {error}"
        return job_id

    def update(self, job_id: str, status: str) -> None:
        job = self.jobs[job_id]
        assert job.status == "Suspended"
        job.status = "Active" if status == "Ready" else status
        if status == "Ready":
            threading.Thread(target=self._run, args=(job_id,), daemon=True).start()

    def _clients(self, job: Played) -> Any:
        """A function that makes clients with the rights of the job's role."""
        session = client("sts", self.environment).assume_role(
            RoleArn=job.asked["RoleArn"], RoleSessionName="job"
        )["Credentials"]
        keys = {
            "aws_access_key_id": session["AccessKeyId"],
            "aws_secret_access_key": session["SecretAccessKey"],
            "aws_session_token": session["SessionToken"],
        }
        return lambda service: client(service, self.environment, **keys)

    def _manifest(self, job: Played) -> list[Row]:
        s3 = self._clients(job)("s3")
        if "ManifestGenerator" in job.asked:
            return self._generated(s3, job.asked["ManifestGenerator"]["S3JobManifestGenerator"])
        location = job.asked["Manifest"]["Location"]
        bucket, _, key = location["ObjectArn"].rpartition(":")[2].partition("/")
        answer = s3.get_object(Bucket=bucket, Key=key)
        assert answer["ETag"].strip('"') == location["ETag"].strip('"')
        manifest = json.loads(answer["Body"].read())
        columns = [column.strip() for column in manifest["fileSchema"].split(",")]
        places = [columns.index(name) for name in ("Bucket", "Key", "VersionId")]
        rows = []
        for file in manifest["files"]:
            packed = s3.get_object(Bucket=bucket, Key=file["key"])["Body"].read()
            assert hashlib.md5(packed, usedforsecurity=False).hexdigest() == file["MD5checksum"]
            for line in csv.reader(io.StringIO(gzip.decompress(packed).decode())):
                found, name, version = (line[place] for place in places)
                rows.append((found, name, version))
        return rows

    def _generated(self, s3: Any, asked: Mapping[str, Any]) -> list[Row]:
        """List current versions, and keep the list, as S3 does."""
        bucket = asked["SourceBucket"].rpartition(":")[2]
        chosen = asked.get("Filter", {})
        names = chosen.get("KeyNameConstraint", {})
        # By a right of S3's own.
        pages = client("s3", self.environment).get_paginator("list_object_versions")
        rows = [
            (bucket, quote(version["Key"]), version["VersionId"])
            for page in pages.paginate(Bucket=bucket)
            for version in page.get("Versions", ())
            if version["IsLatest"]
            and version["Key"].startswith(tuple(names.get("MatchAnyPrefix", [""])))
            and version["Key"].endswith(tuple(names.get("MatchAnySuffix", [""])))
            and _before(version["LastModified"], chosen.get("CreatedBefore"))
        ]
        output = asked["ManifestOutputLocation"]
        put_inventory(s3, output["Bucket"].rpartition(":")[2], output["ManifestPrefix"], rows)
        return rows

    def _run(self, job_id: str) -> None:
        job = self.jobs[job_id]
        clients = self._clients(job)
        functions, s3 = clients("lambda"), clients("s3")
        with ThreadPoolExecutor(self.parallel) as pool:
            for result in pool.map(lambda row: self._task(functions, job_id, job, row), job.rows):
                job.results.append(result)
        many = len(job.results) >= MANY and 2 * job.count("failed") > len(job.results)
        self._report(s3, job_id, job)
        job.reason = "JobFailed: more than half of the tasks failed" if many else ""
        job.status = "Failed" if many else "Complete"

    def _task(self, functions: Any, job_id: str, job: Played, row: Row) -> Result:
        invoke = job.asked["Operation"]["LambdaInvoke"]
        schema = invoke.get("InvocationSchemaVersion", "1.0")
        place = (
            {"s3BucketArn": f"arn:aws:s3:::{row[0]}"} if schema == "1.0" else {"s3Bucket": row[0]}
        )
        task_id = uuid.uuid4().hex
        task = {"taskId": task_id, "s3Key": row[1], "s3VersionId": row[2] or None, **place}
        event = {
            "invocationSchemaVersion": schema,
            "invocationId": uuid.uuid4().hex,
            "job": {"id": job_id},
            "tasks": [task],
        }
        code = text = ""
        for _ in range(ATTEMPTS):
            answer = functions.invoke(
                FunctionName=invoke["FunctionArn"], Payload=json.dumps(event).encode()
            )
            said = json.loads(answer["Payload"].read())
            if "FunctionError" in answer:
                code, text = "TemporaryFailure", str(said)
                continue
            assert said["invocationSchemaVersion"] == schema
            assert said["invocationId"] == event["invocationId"]
            (result,) = said["results"]
            assert result["taskId"] == task_id
            code, text = result["resultCode"], result["resultString"]
            if code != "TemporaryFailure":
                break
        return row, "succeeded" if code == "Succeeded" else "failed", code, text

    def _report(self, s3: Any, job_id: str, job: Played) -> None:
        report = job.asked["Report"]
        bucket = report["Bucket"].rpartition(":")[2]
        folder = f"{report['Prefix']}/job-{job_id}"
        failed = [result for result in job.results if result[1] == "failed"]
        results = []
        if failed:
            lines = io.StringIO()
            writer = csv.writer(lines)
            for row, status, code, text in failed:
                writer.writerow([*row, status, code, "200", text])
            key = f"{folder}/results/{uuid.uuid4().hex}.csv"
            body = lines.getvalue().encode()
            s3.put_object(Bucket=bucket, Key=key, Body=body)
            checksum = hashlib.md5(body, usedforsecurity=False).hexdigest()
            about = {"Bucket": bucket, "Key": key, "MD5Checksum": checksum}
            results.append({"TaskExecutionStatus": "failed", **about})
        manifest = {"Format": "Report_CSV_20180820", "Results": results}
        s3.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=json.dumps(manifest))


def put_inventory(
    s3: Any,
    bucket: str,
    prefix: str,
    rows: Sequence[Row],
    schema: str = "Bucket, Key, VersionId",
    source: str = "",
) -> str:
    """Write an inventory of `rows`; returns the URL of its manifest."""
    lines = io.StringIO()
    csv.writer(lines, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        row[: len(schema.split(","))] for row in rows
    )
    packed = gzip.compress(lines.getvalue().encode())
    data, key = f"{prefix}/data/{uuid.uuid4().hex}.csv.gz", f"{prefix}/manifest.json"
    s3.put_object(Bucket=bucket, Key=data, Body=packed)
    checksum = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    manifest = {
        "sourceBucket": source or (rows[0][0] if rows else ""),
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": "2016-11-30",
        "fileFormat": "CSV",
        "fileSchema": schema,
        "files": [{"key": data, "size": len(packed), "MD5checksum": checksum}],
    }
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(manifest))
    return f"s3://{bucket}/{key}"


@contextlib.contextmanager
def batch_jobs(environment: Mapping[str, str]) -> Iterator[BatchJobs]:
    """The service for an emulated account, on a free port of loopback; ends with the block."""
    service = BatchJobs(environment)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = urlsplit(self.path)
            if url.path.endswith("/jobs"):
                asked = _plain(ElementTree.fromstring(body))  # noqa: S314  (our own client's)
                self._answer("CreateJobResult", f"<JobId>{service.create(asked)}</JobId>")
                return
            (status,) = parse_qs(url.query)["requestedJobStatus"]
            service.update(url.path.split("/")[-2], status)
            self._answer("UpdateJobStatusResult", f"<Status>{status}</Status>")

        def do_GET(self) -> None:
            job_id = urlsplit(self.path).path.rpartition("/")[2]
            if job_id in service.jobs:
                self._answer("DescribeJobResult", _described(job_id, service.jobs[job_id]))
            else:
                error = (
                    "<Error><Code>NotFoundException</Code><Message>no such job</Message></Error>"
                )
                self._answer("ErrorResponse", error, 404)

        def _answer(self, name: str, text: str, status: int = 200) -> None:
            content = f'<{name} xmlns="{NAMESPACE}">{text}</{name}>'.encode()
            self.send_response(status)
            self.send_header("content-type", "application/xml")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _before(moment: datetime, limit: str | None) -> bool:
    return limit is None or moment < datetime.fromisoformat(limit)


def _described(job_id: str, job: Played) -> str:
    reasons = (
        "<FailureReasons><member><FailureCode>{}</FailureCode><FailureReason>{}</FailureReason>"
        "</member></FailureReasons>"
    )
    code, _, reason = job.reason.partition(": ")
    report = {name: job.asked["Report"][name] for name in ("Bucket", "Prefix")}
    return "".join(
        (
            f"<Job><JobId>{job_id}</JobId><Status>{job.status}</Status>",
            f"<Operation>{_xml(job.asked['Operation'])}</Operation>",
            f"<Report>{_xml(report)}</Report>",
            f"<ProgressSummary><TotalNumberOfTasks>{len(job.rows)}</TotalNumberOfTasks>",
            f"<NumberOfTasksSucceeded>{job.count('succeeded')}</NumberOfTasksSucceeded>",
            f"<NumberOfTasksFailed>{job.count('failed')}</NumberOfTasksFailed></ProgressSummary>",
            reasons.format(escape(code), escape(reason)) if job.reason else "",
            "</Job>",
        )
    )


def _xml(values: Mapping[str, Any]) -> str:
    return "".join(
        f"<{name}>{_xml(value) if isinstance(value, dict) else escape(str(value))}</{name}>"
        for name, value in values.items()
    )


def _plain(element: ElementTree.Element) -> Any:
    """An XML element as a text, a list of its members, or a mapping."""
    if not len(element):
        return element.text or ""
    names = [child.tag.rpartition("}")[2] for child in element]
    if set(names) <= {"member"} or (len(names) > 1 and len(set(names)) == 1):
        return [_plain(child) for child in element]
    return {name: _plain(child) for name, child in zip(names, element, strict=True)}
