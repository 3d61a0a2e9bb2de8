"""The handler of the example bring-your-own-handler reads events as the module's own does."""

import importlib.util
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import events
import records
from pipeline.paths import ROOT

SOURCE = ROOT / "examples/bring-your-own-handler/src/checksums.py"
RECORDED = [json.loads(file.read_text()) for file in ROOT.glob("tests/fixtures/events/*.json")]


@pytest.fixture
def checksums(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """It makes clients when it is imported, which wants a region and calls nobody."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    spec = importlib.util.spec_from_file_location("checksums", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def envelopes(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the handler looks for uploads in: the event, or the bodies of its messages."""
    if any(record.get("eventSource") == "aws:sqs" for record in event.get("Records", [])):
        yield from (json.loads(record["body"]) for record in event["Records"])
    else:
        yield event


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: str(recorded["source"])[-40:])
def test_each_upload_has_the_id_that_the_modules_own_handler_gives_it(
    checksums: ModuleType, recorded: dict[str, Any]
) -> None:
    read = events.read(recorded["event"])
    expected = [
        records.object_id(event) for _, event in read.events if "ObjectCreated" in event.name
    ]
    found = [
        checksums.object_id(upload)
        for envelope in envelopes(recorded["event"])
        for upload in checksums.uploads(envelope)
    ]
    assert found == expected


def test_a_key_is_decoded(checksums: ModuleType) -> None:
    item = {"key": "a+b%2B%C3%BC%25.txt", "versionId": "v"}
    record = {"eventTime": "2026-11-22T09:40:00.000Z", "s3": {"bucket": {"name": "b"}}}
    record["s3"]["object"] = item  # type: ignore[index]
    (upload,) = checksums.uploads({"Records": [record]})
    assert upload.key == "a b+ü%.txt"
