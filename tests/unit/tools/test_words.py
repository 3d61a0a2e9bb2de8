"""A word of the old vocabulary is named with its place and its replacement."""

from pathlib import Path

import pytest

from tools import words

HANDLER = '"""Mend nothing: `one` in a string is English."""\n\n\ndef told() -> None: ...\n'


def test_old_words_are_named_in_code_and_prose_and_the_changelog_keeps_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("docs/page.md", "CHANGELOG.md", ".venv/some.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Commend this.\nOne that is mended stays: everyone is told.\n")
    (tmp_path / "handler.py").write_text(HANDLER)
    assert words.run(tmp_path) == 1
    assert capsys.readouterr().out.splitlines() == [
        "handler.py:4: told -> what it holds",
        "docs/page.md:2: mended -> fix",
    ]
