"""What a long run remembers of itself."""

from pathlib import Path

import pytest

from pipeline.backfill.checkpoint import Checkpoint, Place
from pipeline.errors import PipelineError

ABOUT = {"buckets": ("b", "c"), "filters": [["", "", ["Put"]]]}
PLACE = Place("ü/", "ü/[x]\n%.txt", "c")


def test_a_place_is_found_again_by_the_same_work_only(tmp_path: Path) -> None:
    saved = Checkpoint(tmp_path / "made", ABOUT)
    assert saved.load() is None
    saved.save(PLACE)
    assert Checkpoint(tmp_path / "made", ABOUT).load() == PLACE
    assert Checkpoint(tmp_path / "made", ABOUT | {"buckets": ["c"]}).load() is None
    saved.remove()
    assert saved.load() is None
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"about": {}}', '{"place": {"prefix": 1}}'])
def test_a_file_that_holds_no_place_is_none(tmp_path: Path, text: str) -> None:
    saved = Checkpoint(tmp_path, ABOUT)
    saved.file.write_text(text)
    assert saved.load() is None


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match="can't be written"):
        Checkpoint(tmp_path / "file", ABOUT).save(PLACE)
