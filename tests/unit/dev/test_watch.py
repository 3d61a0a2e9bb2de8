"""What is saved is seen, also by an editor that renames, and where a folder is replaced."""

import shutil
from pathlib import Path

import pytest

from pipeline.dev import watch
from pipeline.dev.watch import Watcher

SECONDS = 30


def nothing(_: float) -> None:
    pass


def test_saved_files_are_seen_and_in_deep_folders_those_below(tmp_path: Path) -> None:
    for name in ("flat/below", "deep/below"):
        (tmp_path / name).mkdir(parents=True)
    watcher = Watcher([tmp_path / "flat"], [tmp_path / "deep"], lambda _: None)
    # As some editors save.
    (tmp_path / "flat/new").write_text("a = 1")
    (tmp_path / "flat/new").rename(tmp_path / "flat/a.py")
    assert tmp_path / "flat/a.py" in watcher.saved(SECONDS, nothing)
    (tmp_path / "flat/below/b.py").write_text("b = 1")
    (tmp_path / "deep/below/c.py").write_text("c = 1")
    found = watcher.saved(SECONDS, nothing)
    assert tmp_path / "deep/below/c.py" in found
    assert tmp_path / "flat/below/b.py" not in found


def test_a_folder_that_goes_is_named_and_seen_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FOLDERS_SECONDS", 0.05)
    said: list[str] = []
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    watcher = Watcher([other], [own], said.append)
    shutil.rmtree(own)
    while not said:
        watcher.saved(0, nothing)
    assert said == [f"{own} is gone: the old code stays, and it is waited for."]
    own.mkdir()
    while own not in watcher.saved(SECONDS, nothing):
        pass
    (own / "a.py").write_text("a = 1")
    assert own / "a.py" in watcher.saved(SECONDS, nothing)
    # Another one in its place, in between two looks.
    own.rename(tmp_path / "old")
    own.mkdir()
    while own not in watcher.saved(SECONDS, nothing):
        pass
    assert len(said) == 1
