"""The page's bounds: who gets in, and what does nothing to it."""

import http.server
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.page.browser import opened
from tests.support.page.console import Lab, Served, expect_recorded, row, serve, settled

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


def test_a_hostile_key_log_line_message_or_failure_is_shown_as_text_and_does_nothing(
    page: Page, lab: Lab
) -> None:
    elements = "document.querySelectorAll('script, img, iframe, object, embed, base').length"
    before = page.evaluate(elements)
    for key in HOSTILE:
        lab.upload(key)
    page.get_by_role("button", name="Enter text").click()
    for key in "typed <script>alert(3)</script>", LONG:
        page.get_by_label("Key", exact=True).fill(key)
        page.get_by_role("button", name="Upload text").click()
        expect_recorded(page, key)
    for shown in HOSTILE.values():
        expect_recorded(page, shown)
        record = row(page, "records", shown)
        record.locator("summary").click()
        expect(record.locator("dd").get_by_text(shown, exact=True)).to_be_visible()

    logs, group = lab.client("logs"), lab.name("log_group_name")
    line = {"level": MARKUP, "message": MARKUP, "requestId": f"hostile {MARKUP}"}
    stream = f"hostile-{uuid.uuid4()}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": int(time.time() * 1000), "message": json.dumps(line)}],
    )
    invoke = row(page, "log", MARKUP)
    invoke.locator("summary").click()
    expect(invoke.locator("pre")).to_contain_text(MARKUP)

    subject = "<img src=x onerror=alert(4)>"
    lab.client("sns").publish(TopicArn=lab.name("topic_arn"), Subject=subject, Message=MARKUP)
    notification = row(page, "notifications", subject)
    notification.locator("summary").click()
    expect(notification.locator(".body")).to_have_text(MARKUP)

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
    sqs, queue = lab.client("sqs"), lab.name("failure_queue_url")
    try:
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(failure))
        expect(page.locator("#failures > li")).to_contain_text(MARKUP)
    finally:
        lab.forget_failures()
    expect(page.locator("#failures-none")).to_be_visible()

    assert page.evaluate(elements) == before
    # The link in the head is all that has an address of its own; the others are of this page.
    links = "main [src], main [href]:not([href^='#/'])"
    assert page.evaluate("links => document.querySelectorAll(links).length", links) == 0

    # Where keys have a place of their own, and addresses that somebody made up.
    key = "<script>alert(1)</script>.txt"
    page.locator("#upload-list a.key").get_by_text(key, exact=True).first.click()
    expect(page.locator("#detail-title")).to_have_text(key)
    expect(page.locator("#detail .attributes dd").get_by_text(key, exact=True)).to_be_visible()
    for address in f"upload/{MARKUP}", "upload/%3Cscript%3E%E0%A4%A", f"stage/{MARKUP}":
        page.evaluate("address => { location.hash = '#/' + address; }", address)
        expect(page.locator("#detail-body")).to_contain_text(re.compile("names no upload|no such"))
    assert page.evaluate(elements) == before


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
    console: Served, lab: Lab, headers: dict[str, str]
) -> None:
    assert console.ask("objects?key=cross.txt", "PUT", body=b"x", headers=headers)[0] == 403
    body = b'{"messages": "all"}'
    assert console.ask("replay", "POST", body=body, headers=headers)[0] == 403
    bucket = lab.name("bucket_name")
    assert "Contents" not in lab.client("s3").list_objects_v2(Bucket=bucket, Prefix="cross")


def test_a_page_of_another_site_can_neither_read_nor_frame_nor_write(
    browser: Browser, console: Served, lab: Lab
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
        assert page.frames[-1].locator("#flow").count() == 0
    bucket = lab.name("bucket_name")
    assert "Contents" not in lab.client("s3").list_objects_v2(Bucket=bucket, Prefix="stolen")


@contextmanager
def serve_elsewhere() -> Iterator[str]:
    """Another site, on another port."""

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
    browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    most = 1024 * 1024
    arguments = ("--work-dir", str(lab.folder), "--largest", "1")
    with serve(tmp_path / "log", *arguments) as small, opened(browser) as page:
        settled(page, small.url)
        assert small.ask("objects?key=limit.bin", "PUT", body=b"x" * most)[0] == 200
        status, why = small.ask("objects?key=over.bin", "PUT", body=b"x" * (most + 1))
        assert (status, "larger than 1,048,576 bytes" in why) == (413, True)
        # Without a declared length it is counted.
        chunks = iter([b"x" * most, b"x"])
        assert small.ask("objects?key=over.bin", "PUT", body=chunks)[0] == 413
        page.set_input_files("#files", [_file(tmp_path / "over.bin", 30 * most)])
        expect(page.locator("#drop-refused")).to_contain_text("larger than 1,048,576 bytes")
        for key in "", "k" * 1025:
            assert small.ask(f"objects?key={key}", "PUT", body=b"x")[0] == 400
    bucket = lab.name("bucket_name")
    assert "Contents" not in lab.client("s3").list_objects_v2(Bucket=bucket, Prefix="over")


def _file(file: Path, size: int) -> Path:
    file.write_bytes(b"x" * size)
    return file
