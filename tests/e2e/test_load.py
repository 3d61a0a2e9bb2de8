"""`pipeline load` on the embedded lab: what it uploads, measures, draws and leaves behind."""

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.deployed import failure_queue
from pipeline.deployed.table import Table
from tests.support.poll import until
from tests.support.stacks import kept
from tests.support.stacks.stack import empty_bucket
from tools.faults import counts

PNG = b"\x89PNG\r\n\x1a\n"


def objects(embedded: kept.Kept, prefix: str) -> list[str]:
    answer = embedded.client("s3").list_object_versions(
        Bucket=embedded.outputs["bucket_name"], Prefix=prefix
    )
    assert not answer["IsTruncated"]
    return [each["Key"] for each in answer.get("Versions", []) + answer.get("DeleteMarkers", [])]


def stored(embedded: kept.Kept, prefix: str) -> list[str]:
    table = Table(embedded.client("dynamodb"), embedded.outputs["table_name"])
    return [item["objectKey"]["S"] for page in table.scan(prefix) for item in page]


def remove(embedded: kept.Kept, prefix: str) -> None:
    s3, bucket = embedded.client("s3"), embedded.outputs["bucket_name"]
    versions = s3.list_object_versions(Bucket=bucket, Prefix=prefix).get("Versions", [])
    for version in versions:
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    table = Table(embedded.client("dynamodb"), embedded.outputs["table_name"])
    table.delete([item["objectId"]["S"] for page in table.scan(prefix) for item in page])


def measured(embedded: kept.Kept, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, report and what was printed for people."""
    status, out, err = embedded.lab("load", "--json", *arguments)
    assert "Traceback" not in err
    return status, json.loads(out), err


def test_what_is_uploaded_at_a_rate_is_removed_by_clean(
    embedded: kept.Kept, tmp_path: Path
) -> None:
    picture = tmp_path / "steady.svg"
    status, report, said = measured(
        embedded,
        *("--uploads", "12", "--rate", "20", "--keys", "nested", "--picture", str(picture)),
        "--clean",
    )
    assert status == 0, said
    assert report["behind_ms"]["p50"] >= 0
    assert report["removed"] == {"objects": 12, "records": 12}
    assert objects(embedded, report["folder"]) == []
    assert stored(embedded, report["folder"]) == []
    assert "12 uploads by notification, direct" in picture.read_text(encoding="utf-8")


def test_a_burst_of_500_odd_keys_loses_none_and_reconcile_agrees(
    embedded: kept.Kept, tmp_path: Path
) -> None:
    picture = tmp_path / "new" / "burst.png"
    status, report, said = measured(
        embedded,
        *("--uploads", "500", "--keys", "odd", "--prefix", "load burst/ü+%"),
        *("--size", "1-3KiB", "--picture", str(picture)),
        # Each worker that is cold takes a second of a core, and they all start at once.
        *("--parallel", "4", "--timeout", "240"),
    )
    assert status == 0, said
    numbers = [report[name] for name in ("uploads", "uploaded", "recorded", "confirmed")]
    assert numbers == [500] * 4
    assert [report[name] for name in ("lost", "in_failure_queue", "doubled")] == [[], [], []]
    assert (report["refused"], report["unseen"], report["ended_by"]) == ({}, 0, None)
    for figures in (report["latency_ms"], report["upload_ms"]):
        assert 0 <= figures["p50"] <= figures["p90"] <= figures["p99"] <= figures["max"]
    assert 0 <= report["cold_starts"] < 500
    # None where the workers that were there sufficed.
    if report["cold_starts"]:
        assert report["cold_ms"]["max"] <= report["latency_ms"]["max"]
    assert ("the same, cold starts" in said) is (report["cold_starts"] > 0)
    assert 0 < report["records_per_second"] <= report["uploads_per_second"]
    assert report["pictures"] == [str(picture)]
    assert picture.read_bytes().startswith(PNG)
    assert picture.stat().st_size > 20_000
    assert report["kept"] == {"objects": 500, "records": 500}
    assert "500 objects and 500 records" in said
    assert report["folder"].startswith("load burst/ü+%load-")
    status, out, err = embedded.lab("reconcile", "--prefix", report["folder"], "--json")
    assert status == 0, err
    figures = json.loads(out)["figures"]
    assert (figures["expected"], figures["agreeing"]) == (500, 500)
    remove(embedded, report["folder"])


def test_uploads_without_a_notification_are_lost(embedded: kept.Kept, tmp_path: Path) -> None:
    s3, silent = embedded.client("s3"), "load-silent"
    s3.create_bucket(Bucket=silent)
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({**embedded.outputs, "bucket_name": silent}), encoding="utf-8")
    picture = tmp_path / "lost.png"
    try:
        process = kept.start(
            *("load", "--json", "--outputs", str(outputs), "--uploads", "5", "--timeout", "0.5"),
            *("--picture", str(picture)),
            **embedded.environment,
        )
        out, err = process.communicate(timeout=900)
    finally:
        empty_bucket(s3, silent)
        s3.delete_bucket(Bucket=silent)
    report = json.loads(out)
    assert process.returncode == 1, err
    assert len(report["lost"]) == 5
    assert (report["uploaded"], report["recorded"], report["latency_ms"]) == (5, 0, None)
    assert f"lost  {report['lost'][0]}" in err
    assert picture.read_bytes().startswith(PNG)


def test_ctrl_c_prints_what_was_measured_and_removes_it_all_the_same(
    embedded: kept.Kept, tmp_path: Path
) -> None:
    prefix = "load-interrupted/"
    process = embedded.start(
        *("load", "--json", "--uploads", "5000", "--rate", "5", "--prefix", prefix, "--clean"),
        *("--picture", str(tmp_path / "some.png")),
    )
    until(lambda: stored(embedded, prefix))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=900)
    report = json.loads(out)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert 0 < report["uploaded"] < 5000
    assert report["recorded"] == report["uploaded"]
    assert report["ended_by"] == "KeyboardInterrupt"
    assert objects(embedded, prefix) == stored(embedded, prefix) == []


def test_a_bucket_that_is_gone_is_named(embedded: kept.Kept, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({**embedded.outputs, "bucket_name": "load-gone"}))
    process = kept.start("load", "--json", "--outputs", str(outputs), **embedded.environment)
    out, err = process.communicate(timeout=900)
    assert (process.returncode, out) == (2, "")
    assert "The bucket load-gone does not exist: take bucket_name" in err
    assert "Traceback" not in err


@contextlib.contextmanager
def failing(embedded: kept.Kept) -> Iterator[None]:
    """The function looks for a table that is not there; its workers are cold at the end."""
    functions, name = embedded.client("lambda"), embedded.outputs["function_name"]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def become(variables: dict[str, str]) -> None:
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )
        functions.get_waiter("function_updated_v2").wait(FunctionName=name)

    become({**before, "TABLE_NAME": "gone"})
    try:
        yield
    finally:
        become(before)


def failed(embedded: kept.Kept, prefix: str) -> dict[str, str]:
    """Receipt handles of the messages in the failure queue, by their uploads' keys."""
    messages = failure_queue.peek(embedded.client("sqs"), embedded.outputs["failure_queue_url"])
    return {
        upload.key: failure.receipt_handle
        for failure in messages
        for upload in counts.uploads_in(failure)
        if upload.key.startswith(prefix)
    }


def test_uploads_whose_events_failed_are_found_in_the_failure_queue(
    embedded: kept.Kept, tmp_path: Path
) -> None:
    prefix, bucket = "load-failing/", embedded.outputs["bucket_name"]
    with failing(embedded):
        # From then on failing takes no time.
        embedded.client("s3").put_object(Bucket=bucket, Key=f"{prefix}first")
        until(lambda: failed(embedded, prefix))
        status, report, said = measured(
            embedded,
            *("--uploads", "2", "--parallel", "1", "--timeout", "10", "--prefix", prefix),
            *("--picture", str(tmp_path / "failed.png")),
        )
    messages = failed(embedded, prefix)
    for handle in messages.values():
        embedded.client("sqs").delete_message(
            QueueUrl=embedded.outputs["failure_queue_url"], ReceiptHandle=handle
        )
    remove(embedded, prefix)
    assert status == 1, said
    assert (report["lost"], len(report["in_failure_queue"])) == ([], 2)
    assert sorted(messages) == [f"{prefix}first", *report["in_failure_queue"]]
    assert "pipeline replay" in said
