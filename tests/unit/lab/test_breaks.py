"""What is broken on purpose: its note, and where nothing may be broken."""

import json
import os
from pathlib import Path

import psutil
import pytest

from pipeline.errors import PipelineError
from pipeline.lab import folder as lab
from pipeline.lab.breaks import run
from pipeline.lab.breaks.kinds import BREAKS, Site


def note(folder: Path, **changed: object) -> None:
    noted = {"name": "role", "since": 1.0, "restore": {}, "owner": [1, 2.0]} | changed
    (folder / lab.BROKEN).write_text(json.dumps(noted))


def test_every_break_says_what_it_does_and_what_it_looks_like() -> None:
    assert len(BREAKS) == 6
    for each in BREAKS.values():
        for sentence in (each.does, each.cause, each.fix):
            assert sentence.endswith("."), sentence


def test_nothing_is_broken_in_a_folder_without_a_note(tmp_path: Path) -> None:
    assert run.current(tmp_path) is None
    assert run.fix(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "role"}', "[" * 100_000])
def test_a_note_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / lab.BROKEN).write_text(text)
    with pytest.raises(PipelineError, match=r"broken\.json can't be read .* delete it"):
        run.current(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [{"name": "nothing"}, {"since": "noon"}, {"restore": 1}, {"owner": []}, {"owner": "ab"}],
)
def test_a_note_of_another_shape_is_named(tmp_path: Path, changed: dict[str, object]) -> None:
    note(tmp_path, **changed)
    with pytest.raises(PipelineError, match="can't be read"):
        run.current(tmp_path)


def test_a_note_that_lacks_what_the_fix_needs_leaves_the_rest_to_terraform() -> None:
    BREAKS["buffer"].put_back(Site("http://127.0.0.1:1", {}), {"x": 1})


def test_a_break_belongs_to_the_process_that_made_it_as_long_as_that_runs(tmp_path: Path) -> None:
    started = psutil.Process().create_time()
    for owner, owned in (([os.getpid(), started], True), ([os.getpid(), started - 60], False)):
        note(tmp_path, owner=owner)
        broken = run.current(tmp_path)
        assert broken is not None
        assert (broken.owned, run.is_mine(broken)) == (owned, owned)


def test_without_a_lab_that_runs_nothing_is_broken(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="does not run: start it with"):
        run.break_on_purpose(tmp_path, "role")
    with pytest.raises(PipelineError, match="There is no break 'all'"):
        run.break_on_purpose(tmp_path, "all")
    assert "does not run" in str(run.unavailable(tmp_path, "role"))
    assert run.current(tmp_path) is None


def test_an_endpoint_that_is_not_on_this_machine_is_never_touched() -> None:
    site = Site("https://iam.amazonaws.com", {"role_name": "a-role"})
    with pytest.raises(PipelineError, match="not on this machine"):
        BREAKS["role"].act(site, {})


def test_a_lab_that_is_forgotten_leaves_no_note(tmp_path: Path) -> None:
    note(tmp_path)
    lab.forget(tmp_path)
    assert run.current(tmp_path) is None
