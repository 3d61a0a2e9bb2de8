"""The page's bounds: what it refuses, what does nothing to it, and what it says it can't see."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lab import lab_root
from tests.support.browser import opened
from tests.support.console import (
    PATIENCE_SECONDS,
    Served,
    Watched,
    expect_arrival,
    rows,
    serve,
    settled,
    travel,
)
from tests.support.poll import until

# What the names of AWS's operations that change nothing begin with.
HARMLESS = ("BatchGet", "Describe", "Filter", "Get", "List", "Receive", "Scan", "Simulate", "Test")
MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
HOSTILE = {
    "<script>alert(1)</script>.txt": "<script>alert(1)</script>.txt",
    '"><img src=x onerror=alert(1)>.txt': '"><img src=x onerror=alert(1)>.txt',
    "'-alert(1)-'${alert(1)}{{alert(1)}}": "'-alert(1)-'${alert(1)}{{alert(1)}}",
    # Turned around and hidden characters are written out.
    "photo\u202egpj.exe": "photo\\u202egpj.exe",
    "zero\u200bwidth\ufeff": "zero\\u200bwidth\\ufeff",
    "🦆/emoji 👩‍🚀.txt": "🦆/emoji 👩\\u200d🚀.txt",
}
# ministack keeps an object in a file of its key's name, which may have 255 bytes.
LONG = "/".join(["k" * 200] * 5) + "/" + "k" * 19


def outputs_file(watched: Watched, folder: Path, **changes: Any) -> Path:
    """What `terraform output -json` prints of the lab; a change to None leaves an output out."""
    pipeline = dict(lab_root.outputs(watched.folder)["pipeline"]) | changes
    told = {name: value for name, value in pipeline.items() if value is not None}
    file = folder / "outputs.json"
    file.write_text(json.dumps({"pipeline": {"sensitive": False, "value": told}}))
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
def user(watched: Watched, name: str, denied: str = "nothing:Nothing") -> Iterator[User]:
    """A user who may read everything but for one action, and change nothing, for the block."""
    actions = ["*:Get*", "*:List*", "*:Describe*"]
    actions = [
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
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": "*"},
            {"Effect": "Deny", "Action": denied, "Resource": "*"},
        ],
    }
    iam = watched.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="reads", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        yield User(name, made["AccessKeyId"], made["SecretAccessKey"])
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="reads")
        iam.delete_user(UserName=name)


# --- what does nothing -------------------------------------------------------------------------


def test_a_hostile_key_log_line_message_or_failure_is_shown_as_text_and_does_nothing(
    page: Page, watched: Watched
) -> None:
    elements = "document.querySelectorAll('script, img, iframe, object, embed, base').length"
    before = page.evaluate(elements)
    for key in HOSTILE:
        watched.upload(key)
    page.get_by_role("button", name="Type a text").click()
    for key in "typed <script>alert(3)</script>", LONG:
        page.get_by_label("Key", exact=True).fill(key)
        page.get_by_role("button", name="Upload the text").click()
        expect_arrival(page, key)
    for shown in HOSTILE.values():
        expect_arrival(page, shown)
        record = rows(page, "records", shown).first
        record.locator("summary").click()
        expect(record.locator("dd").get_by_text(shown, exact=True)).to_be_visible()

    logs, group = watched.client("logs"), watched.name("log_group_name")
    line = {"level": MARKUP, "message": MARKUP, "requestId": f"hostile {MARKUP}"}
    logs.create_log_stream(logGroupName=group, logStreamName="hostile")
    now = logs.describe_log_streams(logGroupName=group)["ResponseMetadata"]["HTTPHeaders"]
    assert now
    logs.put_log_events(
        logGroupName=group,
        logStreamName="hostile",
        logEvents=[{"timestamp": _now(), "message": json.dumps(line)}],
    )
    invoke = rows(page, "log", MARKUP).first
    invoke.locator("summary").click()
    expect(invoke.locator("pre")).to_contain_text(MARKUP)

    subject = "<img src=x onerror=alert(4)>"
    watched.client("sns").publish(
        TopicArn=watched.name("topic_arn"), Subject=subject, Message=MARKUP
    )
    mail = rows(page, "mails", subject).first
    mail.locator("summary").click()
    expect(mail.locator(".body")).to_have_text(MARKUP)

    failure = {
        "requestContext": {"condition": MARKUP, "approximateInvokeCount": MARKUP},
        "requestPayload": {
            "Records": [
                {
                    "eventName": "ObjectCreated:Put",
                    "eventTime": "2026-11-22T09:40:00Z",
                    "s3": {"bucket": {"name": MARKUP}, "object": {"key": "%3Cimg%3E%3Cscript%3E"}},
                }
            ]
        },
        "responsePayload": {"errorMessage": MARKUP, "errorType": MARKUP},
    }
    sqs, queue = watched.client("sqs"), watched.name("failure_queue_url")
    try:
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(failure))
        expect(page.locator("#failures > li")).to_contain_text(MARKUP)
    finally:
        sqs.purge_queue(QueueUrl=queue)
    expect(page.locator("#failures-none")).to_be_visible()

    assert page.evaluate(elements) == before
    # The link in the head is all that has an address of its own.
    assert page.evaluate("document.querySelectorAll('main [src], main [href]').length") == 0


def _now() -> int:
    import time

    return int(time.time() * 1000)


# --- who may talk to it ------------------------------------------------------------------------


def test_nobody_gets_in_without_the_token_or_by_another_name(console: Served) -> None:
    for path in "/", "/wrong/", "/wrong/events", f"/{console.token[:-1]}/", f"/{console.token}x/":
        assert console.ask(path)[0] == 403
    for host in "example.com", f"example.com:{console.port}", "127.0.0.1", "127.0.0.1:1", "":
        assert console.ask("", headers={"Host": host})[0] in (400, 421)
    assert console.ask("")[0] == 200
    assert console.ask("", headers={"Host": f"localhost:{console.port}"})[0] == 200
    assert console.ask("no-such-file")[0] == 404
    assert console.ask("../app.py")[0] == 404
    assert console.ask("%2e%2e%2fapp.py")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_another_site_can_neither_upload_nor_replay(
    console: Served, watched: Watched, headers: dict[str, str]
) -> None:
    assert console.ask("objects?key=cross.txt", "PUT", body=b"x", headers=headers)[0] == 403
    body = b'{"messages": "all"}'
    assert console.ask("replay", "POST", body=body, headers=headers)[0] == 403
    bucket = watched.name("bucket_name")
    assert "Contents" not in watched.client("s3").list_objects_v2(Bucket=bucket, Prefix="cross")


def test_a_page_of_another_site_can_neither_read_nor_frame_nor_write(
    browser: Browser, console: Served, watched: Watched
) -> None:
    attack = """async url => {
      const tried = [];
      for (const [path, options] of [["", {}], ["events", {}], ["records", {}],
          ["objects?key=stolen.txt", { method: "PUT", body: "x" }],
          ["objects?key=stolen.txt", { method: "POST", mode: "no-cors", body: "x" }],
          ["replay", { method: "POST", mode: "no-cors", body: '{"messages": "all"}' }]])
        tried.push(await fetch(url + path, options).then(async (answer) => await answer.text(), () => ""));
      return tried;
    }"""  # noqa: E501
    with serve_elsewhere() as elsewhere, opened(browser) as page:
        page.goto(elsewhere)
        assert page.evaluate(attack, console.url) == [""] * 6
        page.evaluate(
            """url => new Promise((done) => {
              const frame = document.createElement("iframe");
              frame.onload = done;
              frame.src = url;
              document.body.append(frame);
            })""",
            console.url,
        )
        assert page.frames[-1].url.startswith("chrome-error:")
    bucket = watched.name("bucket_name")
    assert "Contents" not in watched.client("s3").list_objects_v2(Bucket=bucket, Prefix="stolen")


@contextmanager
def serve_elsewhere() -> Iterator[str]:
    """Another site, on another port."""
    import http.server
    import threading

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>elsewhere</title><body>")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def test_an_upload_over_the_limit_is_refused_and_one_at_it_is_taken(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    most = 1024 * 1024
    arguments = ("--work-dir", str(watched.folder), "--largest", "1")
    with serve(tmp_path / "log", *arguments) as small, opened(browser) as page:
        settled(page, small.url)
        assert small.ask("objects?key=limit.bin", "PUT", body=b"x" * most)[0] == 200
        status, why = small.ask("objects?key=over.bin", "PUT", body=b"x" * (most + 1))
        assert (status, "larger than 1,048,576 bytes" in why) == (413, True)
        # Without a declared length it is counted.
        chunks = iter([b"x" * most, b"x"])
        assert small.ask("objects?key=over.bin", "PUT", body=chunks)[0] == 413
        page.set_input_files("#files", [_file(tmp_path / "over.bin", 30 * most)])
        expect(page.locator("#said")).to_contain_text("larger than 1,048,576 bytes")
        for key in "", "k" * 1025:
            assert small.ask(f"objects?key={key}", "PUT", body=b"x")[0] == 400
    bucket = watched.name("bucket_name")
    assert "Contents" not in watched.client("s3").list_objects_v2(Bucket=bucket, Prefix="over")


def _file(file: Path, size: int) -> Path:
    file.write_bytes(b"x" * size)
    return file


# --- what it can't see, and what it may not do -------------------------------------------------


def test_read_only_means_that_no_call_is_made_that_changes_anything(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    file, bucket = outputs_file(watched, tmp_path), watched.name("bucket_name")
    with (
        user(watched, "reader") as reader,
        serve(
            tmp_path / "log",
            "--outputs",
            str(file),
            **{**watched.environment, **reader.environment},
        ) as served,
        opened(browser) as page,
    ):
        told: list[str] = []
        page.on("response", lambda answer: told.append(answer.url))
        settled(page, served.url)
        with watched.broken():
            watched.upload("looked at.txt")
            expect(rows(page, "failures", "looked at.txt")).to_be_visible()
        for name in "Choose files", "Choose a folder", "Type a text":
            expect(page.get_by_role("button", name=name)).to_be_disabled()
        expect(page.locator("#drop")).to_contain_text("start it with --write")
        expect(page.get_by_role("button", name="Replay")).to_have_count(0)
        page.evaluate("upload([{ file: new Blob(['x']), path: 'not taken.txt' }])")
        assert served.ask("objects?key=not+taken.txt", "PUT", body=b"x")[0] == 403
        assert served.ask("replay", "POST", body=b'{"messages": "all"}')[0] == 403

        # All that there is to be opened asks AWS once more.
        page.locator("#alarms summary").first.click()
        expect(page.locator("#alarms .history").first).to_be_visible()
        page.get_by_label("Key begins with").fill("looked")
        expect(page.locator("#records-note")).to_have_text("")
        calls = served.calls()
        assert {"Scan", "GetRecords", "FilterLogEvents", "ReceiveMessage"} <= calls.keys()
        assert [name for name in calls if not name.startswith(HARMLESS)] == []
        for panel in "records", "log", "failures", "alarms", "mails", "points", "metrics", "checks":
            expect(page.locator(f"#blind-{panel}")).to_be_hidden()

        whole = page.content() + page.evaluate("JSON.stringify(known)") + (tmp_path / "log").read_text()
        for secret in reader.secret, reader.key:
            assert secret not in whole
        assert served.token not in page.content() + page.evaluate("JSON.stringify(known)")
        # The link is printed once, and nothing that is asked under it.
        assert (tmp_path / "log").read_text().count(served.token) == 1
    assert "Contents" not in watched.client("s3").list_objects_v2(Bucket=bucket, Prefix="not taken")
    assert watched.failed() == 1
    status, out, err = _lab(watched, "replay", "--all")
    assert status == 0, out + err


def _lab(watched: Watched, *arguments: str) -> tuple[int, str, str]:
    from tests.support import kept

    process = kept.start(*arguments, "--work-dir", str(watched.folder))
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


DENIED = {
    "log": ("logs:FilterLogEvents", "FilterLogEvents"),
    "alarms": ("cloudwatch:DescribeAlarms", "DescribeAlarms"),
    "failures": ("sqs:GetQueueAttributes", "GetQueueAttributes"),
    "records": ("dynamodb:GetRecords", "GetRecords"),
}


@pytest.mark.parametrize("panel", DENIED)
def test_one_service_denied_makes_its_panel_blind_and_no_other(
    browser: Browser, watched: Watched, tmp_path: Path, panel: str
) -> None:
    action, operation = DENIED[panel]
    file = outputs_file(watched, tmp_path)
    with (
        user(watched, f"without-{panel}", action) as half,
        serve(
            tmp_path / "log", "--outputs", str(file), **{**watched.environment, **half.environment}
        ) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        expect(page.locator(f"#blind-{panel}")).to_contain_text(operation)
        key = f"half seen without {panel}.txt"
        watched.upload(key)
        if panel == "records":
            expect(page.locator("#log > li").first).to_be_visible()
        else:
            expect(rows(page, "records", key)).to_be_visible()
        for other in DENIED.keys() - {panel}:
            expect(page.locator(f"#blind-{other}")).to_be_hidden()
        expect(page.locator("#connection")).to_have_text("✓ live")
        expect(page.locator("#banner")).to_be_hidden()


def test_credentials_that_expire_are_told_and_once_renewed_all_is_seen_again(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    file, iam = outputs_file(watched, tmp_path), watched.client("iam")
    with (
        user(watched, "expiring") as expiring,
        serve(
            tmp_path / "log",
            "--outputs",
            str(file),
            **{**watched.environment, **expiring.environment},
        ) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        watched.upload("before they expire.txt")
        expect(rows(page, "records", "before they expire.txt")).to_be_visible()
        which = {"UserName": expiring.name, "AccessKeyId": expiring.key}
        iam.update_access_key(**which, Status="Inactive")
        for panel in "records", "log", "failures", "alarms":
            expect(page.locator(f"#blind-{panel}")).to_contain_text("credentials are refused")
        expect(rows(page, "records", "before they expire.txt")).to_be_visible()
        iam.update_access_key(**which, Status="Active")
        for panel in "records", "log", "failures", "alarms":
            expect(page.locator(f"#blind-{panel}")).to_be_hidden()
        watched.upload("after they expired.txt")
        expect(rows(page, "records", "after they expired.txt")).to_be_visible()


def test_wrong_credentials_are_told_at_the_top_of_a_page_that_stays_up(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    wrong = {"AWS_ACCESS_KEY_ID": "AKIAWRONGWRONGWRONG1", "AWS_SECRET_ACCESS_KEY": "wrong"}
    file = outputs_file(watched, tmp_path)
    with (
        serve(
            tmp_path / "log", "--outputs", str(file), **{**watched.environment, **wrong}
        ) as served,
        opened(browser) as page,
    ):
        page.goto(served.url)
        expect(page.locator("#banner")).to_contain_text("credentials are refused")
        expect(page.locator("#connection")).to_have_text("✓ live")
        assert served.ask("records")[0] == 502


def test_no_stack_yet_is_told_and_the_stack_is_found_once_it_is_there(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text('output "other" {\n  value = 1\n}\n')
    with (
        serve(tmp_path / "log", "--stack", str(root), **watched.environment) as served,
        opened(browser) as page,
    ):
        page.goto(served.url)
        expect(page.locator("#banner")).to_contain_text("has no outputs")
        expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
        expect(page.locator("#connection")).to_have_text("✓ live")
        state = watched.folder / "root" / "terraform.tfstate"
        (root / "terraform.tfstate").write_text(state.read_text())
        expect(page.locator("#banner")).to_be_hidden()
        watched.upload("the stack is there.txt")
        expect(rows(page, "records", "the stack is there.txt")).to_be_visible()


def test_half_a_stack_is_shown_as_far_as_it_goes(
    browser: Browser, watched: Watched, tmp_path: Path
) -> None:
    file = outputs_file(watched, tmp_path, failure_queue_url=None, alarm_names=None)
    with (
        serve(tmp_path / "log", "--outputs", str(file), **watched.environment) as served,
        opened(browser) as page,
    ):
        settled(page, served.url)
        expect(page.locator("#blind-failures")).to_contain_text("failure_queue_url")
        expect(page.locator("#blind-alarms")).to_contain_text("alarm_names")
        watched.upload("half a stack.txt")
        expect(rows(page, "records", "half a stack.txt")).to_be_visible()
        expect(rows(page, "log", "1 stored").first).to_be_visible()
