"""Snapshots of labs: without data, independent of folder and port, and few."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.emulator import configuration
from pipeline.lab import root, snapshot

QUEUE = "http://127.0.0.1:4000/000000000000/q"
SCOPED = {"__account_region_scoped__": True}


def saved(items: dict[str, Any], ttl: bool = True) -> dict[str, Any]:
    """A table as ministack saves it."""
    table = {"TableName": "t", "ttl": ttl, "items": items, "ItemCount": len(items)}
    return {"payload": {"tables": {**SCOPED, "data": {"t": table}}}}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab's folder, with an object and a record."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "one/lab"
    bucket = folder / "state/s3/000000000000/bucket"
    (bucket / "notes").mkdir(parents=True)
    (bucket / "notes/a.txt").write_text("content")
    (folder / "state/dynamodb.json").write_text(json.dumps(saved({"a": {}})))
    messages = {"q": {"url": QUEUE, "messages": [1], "attributes": {}}}
    (folder / "state/sqs.json").write_text(json.dumps({"payload": messages}))
    (folder / "state/lambda-blobs").mkdir()
    (folder / "state/lambda-blobs/code.zip").write_bytes(b"PK")
    (folder / "root").mkdir()
    package = f"{root.source(folder)}/lambda_src/dist/lambda.zip"
    outputs = {"pipeline": {"package": package}, "subscriber_queue_url": QUEUE}
    state = {"outputs": {name: {"value": value} for name, value in outputs.items()}}
    (folder / "root/terraform.tfstate").write_text(json.dumps(state))
    return folder


def new(folder: Path) -> Path:
    (folder / "root").mkdir(parents=True)
    return folder


def test_a_snapshot_has_no_data_and_fits_another_folder_and_port(lab: Path, tmp_path: Path) -> None:
    snapshot.keep(lab, "5.100.0")
    found = snapshot.find("5.100.0")
    assert found is not None
    assert snapshot.is_same(found, "5.100.0")
    other = new(tmp_path / "somewhere/deeper/lab")
    assert snapshot.put(found, other, 5000)

    pipeline, subscriber = root.needed(other)
    assert subscriber == QUEUE.replace("4000", "5000")
    assert pipeline["package"] == f"{root.source(other)}/lambda_src/dist/lambda.zip"
    assert root.source(other) != root.source(lab)
    assert json.loads((other / "state/dynamodb.json").read_text()) == saved({})
    queues = json.loads((other / "state/sqs.json").read_text())["payload"]
    assert (queues["q"]["messages"], queues["q"]["url"]) == ([], subscriber)
    assert list((other / "state/s3/000000000000/bucket").iterdir()) == []
    assert configuration.digest(other / "state") == configuration.digest(lab / "state")


def test_data_changes_no_digest_and_configuration_does(lab: Path) -> None:
    before = configuration.digest(lab / "state")
    (lab / "state/dynamodb.json").write_text(json.dumps(saved({"a": {}, "b": {}})))
    assert configuration.digest(lab / "state") == before
    (lab / "state/dynamodb.json").write_text(json.dumps(saved({"a": {}}, ttl=False)))
    assert configuration.digest(lab / "state") != before


def test_of_another_provider_there_is_no_snapshot(lab: Path) -> None:
    snapshot.keep(lab, "5.100.0")
    assert snapshot.find("6.61.0") is None


def test_of_another_state_of_the_module_the_newest_is_taken_and_three_are_kept(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        monkeypatch.setattr(snapshot, "fingerprint", lambda _, number=number: f"{number:016}")
        snapshot.keep(lab, "5.100.0")
    monkeypatch.setattr(snapshot, "fingerprint", lambda _: "f" * 16)
    found = snapshot.find("5.100.0")
    assert found is not None
    assert found.name.endswith("-0000000000000003")
    assert not snapshot.is_same(found, "5.100.0")
    assert len(list(found.parent.iterdir())) == 3


@pytest.mark.parametrize(
    ("damaged", "text"),
    [
        ("terraform.tfstate", '{"outputs": '),
        ("terraform.tfstate", "{}"),
        ("state/dynamodb.json", "[]"),
        ("state/lambda-blobs/code.zip", ""),
        ("digest", ""),
    ],
)
def test_a_damaged_snapshot_is_deleted_and_leaves_nothing(
    lab: Path, tmp_path: Path, damaged: str, text: str
) -> None:
    snapshot.keep(lab, "5.100.0")
    found = snapshot.find("5.100.0")
    assert found is not None
    (found / damaged).write_text(text)
    other = new(tmp_path / "other")
    assert not snapshot.put(found, other, 5000)
    assert not found.exists()
    assert [file.name for file in other.rglob("*")] == ["root"]


def test_a_cache_that_cannot_be_written_to_has_no_snapshot(lab: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    (tmp_path / "cache").write_text("no folder")
    snapshot.keep(lab, "5.100.0")
    assert snapshot.find("5.100.0") is None
