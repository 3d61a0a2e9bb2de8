"""The page of `pipeline console`: serve it, send it requests, and read it as people do."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from pipeline.emulator.process import client_environment
from pipeline.lab import folder as lab_folder
from pipeline.lab import root
from tests.support.aws.clients import client
from tests.support.aws.failing import DENY
from tests.support.poll import until
from tests.support.stacks.kept import REPOSITORY

# Of whatever is waited for; a busy machine takes its time.
PATIENCE_SECONDS = 90.0
expect.set_options(timeout=PATIENCE_SECONDS * 1000)


@dataclass(frozen=True)
class Lab:
    """The lab in `folder`; its endpoint changes when it is stopped and started again."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = lab_folder.read_kept(self.folder)
        assert kept is not None
        return client_environment(kept.endpoint)

    def client(self, service: str) -> Any:
        return client(service, self.environment)

    def name(self, output: str) -> Any:
        return root.outputs(self.folder)["pipeline"][output]

    def upload(self, key: str) -> None:
        """Upload, but not through the page."""
        self.client("s3").put_object(Bucket=self.name("bucket_name"), Key=key, Body=b"content")

    def keys(self) -> set[str]:
        """Of the records."""
        pages = self.client("dynamodb").get_paginator("scan")
        found = pages.paginate(TableName=self.name("table_name"))
        return {item["objectKey"]["S"] for page in found for item in page["Items"]}

    def failed(self) -> int:
        """How many messages are in the failure queue, hidden ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(
            QueueUrl=self.name("failure_queue_url"), AttributeNames=names
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    def forget_failures(self) -> None:
        """Empty the failure queue, of messages that are hidden too."""

        def emptied() -> bool:
            self.client("sqs").purge_queue(QueueUrl=self.name("failure_queue_url"))
            return self.failed() == 0

        until(emptied)

    def put_datapoint(self, metric: str, value: float) -> None:
        """A datapoint of the table's, as AWS writes them."""
        table = {"Name": "TableName", "Value": self.name("table_name")}
        datum = {"MetricName": metric, "Dimensions": [table], "Value": value}
        self.client("cloudwatch").put_metric_data(Namespace="AWS/DynamoDB", MetricData=[datum])

    def reset_alarm(self, alarm: str) -> None:
        """Set an alarm to OK: the emulator does so only at a new datapoint."""
        cloudwatch = self.client("cloudwatch")
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="tested")

    @contextmanager
    def crashing(self) -> Iterator[None]:
        """The function raises in this block, before it reads its event."""
        functions, name = self.client("lambda"), self.name("function_name")
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        without = {each: value for each, value in before.items() if each != "TTL_SECONDS"}

        def use(variables: dict[str, str]) -> None:
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}
            )

        use(without)
        try:
            yield
        finally:
            use(before)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """The function may not write records in this block."""
        iam, role = self.client("iam"), self.name("role_name")
        policy = json.dumps(DENY)
        iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="denied")


@dataclass(frozen=True)
class Served:
    """A console that runs: its page's address, its process, and what it has said on stderr."""

    url: str
    pid: int
    log: Path

    @property
    def token(self) -> str:
        return urlsplit(self.url).path.strip("/")

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Status and body of the answer to a request that no browser makes.

        `path` begins below the token, or with a slash at the root.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            whole = path if path.startswith("/") else f"/{self.token}/{path}"
            connection.request(method, whole, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def calls(self) -> dict[str, int]:
        """What it asked AWS so far, by operation."""
        status, text = self.ask("calls")
        assert status == 200, text
        found: dict[str, int] = json.loads(text)
        return found


@contextmanager
def serve(log: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    """Run `python -m pipeline console ARGUMENTS` for the block, and end it with Ctrl-C."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "console", "--json", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONUTF8": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (process.wait(), log.read_text())
            yield Served(json.loads(line)["url"], process.pid, log)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                status = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert status == 0, (status, log.read_text())


def settled(page: Page, url: str) -> Page:
    """Open the page, and wait until it is live and shows the stages."""
    page.goto(url)
    expect(page.locator("#connection")).to_have_text("✓ Live")
    expect(page.locator("#stage-table")).to_be_visible()
    return page


def upload_row(page: Page, key: str) -> Locator:
    """The row of the newest upload of a key."""
    name = page.locator(".key").get_by_text(key, exact=True)
    return page.locator("#upload-list > li").filter(has=name).first


def expect_recorded(page: Page, key: str) -> None:
    """Wait until an upload has passed every stage."""
    row = upload_row(page, key)
    expect(row).to_have_attribute("data-upload", "recorded")
    expect(row.locator(".step[data-step=done]")).to_have_count(4)
    expect(row.locator(".state")).to_have_text("Recorded")


def row(page: Page, panel: str, text: str) -> Locator:
    """A panel's newest row that has this text."""
    return page.locator(f"#{panel} > li").filter(has_text=text).first
