"""The package is a function of its sources, and the one in the repository is theirs."""

import hashlib
import importlib.util
import io
import json
import marshal
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import certifi
import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tools import package


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "lambda_function.py").write_bytes(b"import b\n")
    (folder / "b.py").write_bytes(b"x = 1\n" * 100)
    return folder


def test_the_changelog_names_the_packages_hash_of_the_newest_version_first() -> None:
    named = re.findall(
        r"^SHA-256 of `lambda_src/dist/lambda\.zip`: `([0-9a-f]{64})`$",
        (ROOT / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    )
    assert named[:1] == [hashlib.sha256(package.PACKAGE.read_bytes()).hexdigest()]


def test_names_are_sorted_times_and_modes_fixed_and_nothing_deflated(source: Path) -> None:
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "b.pyc").write_bytes(b"")
    (source / "notes.txt").write_bytes(b"")
    with zipfile.ZipFile(io.BytesIO(package.build(source))) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == ["b.py", "lambda_function.py"]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_neither_time_nor_mode_nor_place_of_a_source_shows(source: Path, tmp_path: Path) -> None:
    first = package.build(source)
    moved = tmp_path / "else where" / "ü"
    moved.mkdir(parents=True)
    for file in sorted(source.iterdir(), reverse=True):
        (moved / file.name).write_bytes(file.read_bytes())
        (moved / file.name).chmod(0o600)
        os.utime(moved / file.name, (time.time() - 1e6,) * 2)
    assert package.build(moved) == first


def test_another_interpreter_with_another_locale_and_time_zone_builds_the_same_bytes(
    source: Path,
) -> None:
    code = "import sys; from pathlib import Path; from tools import package\n"
    code += "sys.stdout.buffer.write(package.build(Path(sys.argv[1])))"
    other = {
        "PATH": os.environ["PATH"],
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(source)],
        cwd=ROOT,
        env=other,
        capture_output=True,
        check=True,
    )
    assert done.stdout == package.build(source)


def test_check_names_what_differs(source: Path, tmp_path: Path) -> None:
    built = tmp_path / "lambda.zip"
    assert package.differences(built, source) == [f"{built} does not exist"]
    assert package.run(False, packages={source: built}) == 0
    (source / "b.py").write_bytes(b"x = 2\n")
    (source / "c.py").write_bytes(b"")
    (source / "lambda_function.py").rename(source / "new.py")
    assert package.differences(built, source) == [
        f"{name} differs from its source"
        for name in ("b.py", "c.py", "lambda_function.py", "new.py")
    ]


def test_a_deflated_package_differs(source: Path, tmp_path: Path) -> None:
    built = tmp_path / "lambda.zip"
    with zipfile.ZipFile(built, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.iterdir()):
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
    assert package.differences(built, source) == [
        "its files' order, time, mode or compression is not as built"
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip"])
def test_a_damaged_package_differs(source: Path, tmp_path: Path, content: bytes) -> None:
    built = tmp_path / "lambda.zip"
    built.write_bytes(content)
    (sentence,) = package.differences(built, source)
    assert "is no readable zip file" in sentence


compiling = pytest.mark.skipif(
    not package.compiles(), reason=f"only Python {package.COMPILER} compiles the package"
)


@pytest.fixture
def another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "COMPILER", "3.12.99")


@compiling
def test_bytecode_is_that_of_lambda_s_paths_and_never_compared_with_a_source_there(
    source: Path,
) -> None:
    with zipfile.ZipFile(io.BytesIO(package.build(source, compiled=True))) as archive:
        names = archive.namelist()
        data = archive.read("__pycache__/b.cpython-312.pyc")
    assert names[:2] == [f"__pycache__/{name}.cpython-312.pyc" for name in ("b", "lambda_function")]
    # PEP 552: the magic number; the file is hash-based, and not to be checked.
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert data[4:8] == (1).to_bytes(4, "little")
    assert marshal.loads(data[16:]).co_filename == "/var/task/b.py"  # noqa: S302  (our own)


@compiling
def test_processes_with_other_hash_seeds_compile_the_same_bytes() -> None:
    code = "import sys; from tools import package\n"
    code += "sys.stdout.buffer.write(package.build(compiled=True))"
    built = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert built == {package.build(compiled=True)}


@compiling
def test_bytecode_that_this_release_would_not_make_differs(source: Path, tmp_path: Path) -> None:
    built = tmp_path / "lambda.zip"
    swap_bytecode(source, built, lambda data: data + b"!")
    assert package.differences(built, source, compiled=True) == [
        "__pycache__/b.cpython-312.pyc differs from its source"
    ]


@compiling
@pytest.mark.parametrize(
    ("change", "differ"),
    [
        (lambda data: data + b"!", False),
        (lambda data: data[:8] + bytes(8) + data[16:], True),
        (lambda data: data[:4] + bytes(4) + data[8:], True),
        (lambda data: bytes(4) + data[4:], True),
        (lambda data: b"", True),
    ],
    ids=["other code", "other source", "by time", "other version", "empty"],
)
def test_elsewhere_bytecode_counts_by_the_source_that_it_names(
    change: Any, differ: bool, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "lambda.zip"
    swap_bytecode(source, built, change)
    monkeypatch.setattr(package, "COMPILER", "3.12.99")
    names = ["__pycache__/b.cpython-312.pyc differs from its source"] if differ else []
    assert package.differences(built, source, compiled=True) == names


def swap_bytecode(source: Path, built: Path, change: Any) -> None:
    """Build the package, with b's bytecode changed."""
    files = package._entries(package.build(source, compiled=True))
    name = "__pycache__/b.cpython-312.pyc"
    built.write_bytes(package._zipped(files | {name: change(files[name])}))


def test_a_release_and_the_pages_name_the_python_that_compiles() -> None:
    named = f"--python {package.COMPILER} "
    assert named in (ROOT / ".github/workflows/release.yml").read_text()
    for page in ("CONTRIBUTING.md", "SECURITY.md"):
        assert f"CPython {package.COMPILER}" in " ".join((ROOT / page).read_text().split())


def test_another_python_names_the_one_that_compiles(
    source: Path, tmp_path: Path, another_python: None
) -> None:
    with pytest.raises(PipelineError, match=r"Only CPython 3\.12\.99 .* run `uv run --no-project"):
        package.build(source, compiled=True)
    # What needs no bytecode is built by any Python.
    assert package.run(False, packages={source: tmp_path / "lambda.zip"}) == 0


def test_roots_that_certifi_no_longer_has_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without = certifi.contents().replace('"Amazon Root CA 3"', '"Amazon Root CA 33"')
    monkeypatch.setattr(certifi, "contents", lambda: without)
    with pytest.raises(PipelineError, match=r"certifi \S+ has no Amazon Root CA 3\."):
        package.roots()


def test_roots_that_differ_from_certifi_s_are_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(package, "ROOTS", tmp_path / "roots.pem")
    monkeypatch.setattr(package, "of_examples", dict)
    monkeypatch.setattr(package, "differences", lambda *_: [])
    assert package.run(True) == 1
    assert "roots.pem is not what certifi has" in capsys.readouterr().out
    assert package.run(False) == package.run(True) == 0
    assert package.ROOTS.read_text() == package.roots()


def test_check_exits_1_and_changes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tmp_path / "lambda.zip"
    assert package.run(True, packages={source: built}) == 1
    assert not built.exists()
    assert "Run `python -m tools package` and commit the result." in capsys.readouterr().out


def test_json_is_for_programs(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tmp_path / "dist" / "lambda.zip"
    assert package.run(False, as_json=True, packages={source: built}) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["bytes"] == built.stat().st_size
    assert about["written"] is True
    assert list(built.parent.iterdir()) == [built]


def test_windows_line_ends_are_refused_with_the_fix(source: Path) -> None:
    (source / "b.py").write_bytes(b"x = 1\r\n")
    with pytest.raises(PipelineError, match=r"b\.py has Windows line ends.*renormalize"):
        package.build(source)


def test_every_package_in_the_repository_is_what_its_sources_make() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools", "package", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("sha256 (base64)") == 1 + len(package.of_examples())
