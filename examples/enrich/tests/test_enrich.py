"""The hook, tested as a team would: without AWS, with a client that reads from a dict."""

import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.handler import call_hook, hooks, object_event

FOLDER = Path(__file__).parents[1] / "hook/python"


class Objects(dict[str, bytes]):
    """As much of S3 as the hook asks for; `asked` are the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []

    def get_object(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        end = int(request["Range"].rpartition("-")[2]) + 1
        return {"Body": io.BytesIO(self[request["Key"]][:end])}


@pytest.fixture
def enrich(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(FOLDER)
    # It makes its client when it is imported, which wants a region and calls nobody.
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import enrich

    yield enrich
    del sys.modules["enrich"]


@pytest.fixture
def objects(enrich: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Objects:
    objects = Objects()
    monkeypatch.setattr(enrich, "s3", objects)
    return objects


def test_the_start_of_the_events_own_version_is_hashed(
    enrich: ModuleType, objects: Objects
) -> None:
    objects["scan.pdf"] = b"%PDF-1.7" + bytes(100_000)
    found = call_hook(enrich.on_event, object_event("scan.pdf", size=100_008, version_id="v1"))
    start = hashlib.sha256(objects["scan.pdf"][: 64 * 1024]).hexdigest()
    assert found == {"startSha256": start, "contentType": "application/pdf"}
    (request,) = objects.asked
    assert (request["Bucket"], request["VersionId"]) == ("uploads", "v1")


@pytest.mark.parametrize(
    ("body", "columns"),
    [
        (b"a,b,c\n1,2,3\n", 3),
        (b'\xef\xbb\xbf"a,b",c\r\n', 2),
        ("ä,ö\n".encode()[:4], 2),
        (b"a", 1),
        (b"", 0),
    ],
)
def test_the_columns_of_a_csv_file_are_counted(
    body: bytes, columns: int, enrich: ModuleType, objects: Objects
) -> None:
    objects["data.CSV"] = body
    found = call_hook(enrich.on_event, object_event("data.CSV", size=len(body)))
    assert (found["contentType"], found["columns"]) == ("text/csv", columns)


def test_a_type_that_is_not_known_is_none(enrich: ModuleType, objects: Objects) -> None:
    objects["notes"] = b"hello"
    assert call_hook(enrich.on_event, object_event("notes", size=5))["contentType"] is None


def test_an_empty_object_is_not_read(enrich: ModuleType, objects: Objects) -> None:
    found = call_hook(enrich.on_event, object_event("empty", size=0))
    assert found["startSha256"] == hashlib.sha256(b"").hexdigest()
    assert objects.asked == []


def test_the_consoles_folders_are_skipped(enrich: ModuleType, objects: Objects) -> None:
    with pytest.raises(hooks.SkipRecord):
        call_hook(enrich.on_event, object_event("folder/", size=0))


def test_a_deleted_object_is_recorded_without_being_read(
    enrich: ModuleType, objects: Objects
) -> None:
    assert call_hook(enrich.on_event, object_event("gone", name="ObjectRemoved:Delete")) == {}
    assert objects.asked == []
