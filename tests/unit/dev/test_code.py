"""What is packaged of the code that somebody works on, and what of it can't run."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.dev import code
from pipeline.dev.code import Code, FaultyError, chosen
from pipeline.errors import PipelineError
from pipeline.paths import FUNCTION

HOOK = "def on_event(event, record):\n    return {}\n"
HANDLER = "def handler(event, context):\n    pass\n"


def write(file: Path, text: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def unpacked(package: bytes, folder: Path) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        archive.extractall(folder)
        return set(archive.namelist())


def test_the_modules_handler_is_packaged_as_it_is_now() -> None:
    names = {file.name for file in FUNCTION.iterdir() if file.suffix in (".py", ".pem")}
    with zipfile.ZipFile(io.BytesIO(Code().package(()))) as archive:
        assert set(archive.namelist()) == names
        assert archive.read("events.py") == (FUNCTION / "events.py").read_bytes()


def test_a_hook_comes_alone_and_is_found_where_a_layer_would_have_it(tmp_path: Path) -> None:
    hook = write(tmp_path / "mine/enrich.py", HOOK)
    write(tmp_path / "mine/events.py", "raise RuntimeError")
    named = chosen(hook, None, None)
    assert named.variables()["RECORD_HOOK"] == "enrich.on_event"
    names = unpacked(named.package(()), tmp_path / "task")
    assert {"python/enrich.py", "enrich.py", "hooks.py"} <= names
    assert "python/events.py" not in names
    ask = "import enrich; print(enrich.on_event.__code__.co_filename)"
    found = subprocess.check_output([sys.executable, "-c", ask], cwd=tmp_path / "task", text=True)
    assert found.strip() == str(tmp_path / "task/python/enrich.py")


def test_what_lies_beside_a_hook_in_a_layers_folder_comes_along(tmp_path: Path) -> None:
    hook = write(tmp_path / "python/enrich.py", HOOK)
    write(tmp_path / "python/library/__init__.py")
    write(tmp_path / "python/__pycache__/enrich.cpython-312.pyc")
    names = unpacked(chosen(hook, None, None).package(()), tmp_path / "task")
    assert {name for name in names if name.startswith("python/")} == {
        "python/enrich.py",
        "python/library/__init__.py",
    }


def test_a_handlers_folder_comes_whole_but_for_what_is_hidden(tmp_path: Path) -> None:
    write(tmp_path / "own/app.py", HANDLER)
    write(tmp_path / "own/data/words.txt", "words")
    write(tmp_path / "own/.git/config")
    write(tmp_path / "own/__pycache__/app.cpython-312.pyc")
    own = chosen(None, tmp_path / "own", None)
    assert own.handler() == "app.handler"
    assert unpacked(own.package(()), tmp_path / "task") == {"app.py", "data/words.txt"}


def test_the_function_that_is_called_can_be_named(tmp_path: Path) -> None:
    hook = write(tmp_path / "enrich.py", "from math import sin as add\n")
    assert chosen(hook, None, "add").variables()["RECORD_HOOK"] == "enrich.add"
    with pytest.raises(FaultyError, match="has no function on_event: name its function"):
        chosen(hook, None, None).variables()
    write(tmp_path / "own/a.py", HANDLER)
    write(tmp_path / "own/b.py", HANDLER)
    with pytest.raises(FaultyError, match=r"has a\.handler, b\.handler: choose one with --entry"):
        chosen(None, tmp_path / "own", None).handler()
    assert chosen(None, tmp_path / "own", "b.handler").handler() == "b.handler"
    with pytest.raises(FaultyError, match=r"has no function b\.other"):
        chosen(None, tmp_path / "own", "b.other").handler()


def test_a_syntax_error_is_named_with_its_line_also_in_a_folder_below(tmp_path: Path) -> None:
    write(tmp_path / "own/app.py", HANDLER)
    broken = write(tmp_path / "own/deeper/more.py", "a = 1\nb = (\n")
    own = chosen(None, tmp_path / "own", None)
    with pytest.raises(FaultyError, match=r"more\.py:2: '\(' was never closed\."):
        own.package({broken})


def test_what_lambda_does_not_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "own/app.py", HANDLER)
    own = chosen(None, tmp_path / "own", None)
    monkeypatch.setattr(code, "_MOST_ZIPPED", 10)
    with pytest.raises(FaultyError, match=r"The package has .* and Lambda takes .* leave out"):
        own.package(())
    monkeypatch.setattr(code, "_MOST_UNZIPPED", 10)
    with pytest.raises(FaultyError, match=r"has more than .* all that Lambda takes: leave out"):
        own.package(())


@pytest.mark.parametrize(
    ("hook", "folder", "entry", "sentence"),
    [
        ("enrich.py", "own", None, "--hook and --handler both name code: give one"),
        (None, None, "f", "--entry is a function of --hook or --handler"),
        (None, "absent", None, "absent is no folder: give --handler"),
        ("absent.py", None, None, "absent.py is no Python module: give --hook"),
        ("own", None, None, "own is no Python module: give --hook"),
        ("events.py", None, None, "events.py is the name of a file of the module's handler"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, hook: str | None, folder: str | None, entry: str | None, sentence: str
) -> None:
    write(tmp_path / "own/app.py")
    write(tmp_path / "enrich.py")
    write(tmp_path / "events.py")
    with pytest.raises(PipelineError, match=sentence):
        chosen(hook and tmp_path / hook, folder and tmp_path / folder, entry)  # type: ignore[arg-type]
