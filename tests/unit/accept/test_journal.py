"""A run's journal is whole whenever it is read."""

from pathlib import Path

import pytest

from pipeline.accept import journal
from pipeline.accept.journal import Journal, Result
from pipeline.errors import PipelineError


def new(folder: Path) -> Journal:
    return Journal(folder, "accept-abc123-", "123456789012", "us-east-1", "", [], 5.0, 1.0, 2.0)


def test_what_was_written_down_is_read_again(tmp_path: Path) -> None:
    written = new(tmp_path)
    written.note("root deliveries")
    written.note("root deliveries")
    written.result("replay", Result("proved", "1 replayed", 2.0, 0.1, 3.0))
    found = journal.read(tmp_path)
    assert found is not None
    assert found.makings == ["root deliveries"]
    assert found.results == written.results
    assert (found.prefix, found.account, found.began) == ("accept-abc123-", "123456789012", 2.0)


def test_a_writer_that_dies_leaves_the_journal_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = new(tmp_path)
    written.note("root deliveries")

    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        written.note("root live")
    found = journal.read(tmp_path)
    assert found is not None
    assert found.makings == ["root deliveries"]


def test_no_run_has_no_journal(tmp_path: Path) -> None:
    assert journal.read(tmp_path) is None
    assert journal.read(tmp_path / "absent") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"results": {}}', '{"results": 1}', "\0"])
def test_a_journal_that_is_no_journal_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / journal.FILE).write_text(text)
    with pytest.raises(PipelineError, match="can't be read"):
        journal.read(tmp_path)
