"""The package is a function of its sources, and the one in the repository is theirs."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

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
    assert package.differences(package.build(source), built) == [f"{built} does not exist"]
    assert package.run(False, packages={source: built}) == 0
    (source / "b.py").write_bytes(b"x = 2\n")
    (source / "c.py").write_bytes(b"")
    (source / "lambda_function.py").rename(source / "new.py")
    assert package.differences(package.build(source), built) == [
        f"{name} differs from its source"
        for name in ("b.py", "c.py", "lambda_function.py", "new.py")
    ]


def test_a_deflated_package_differs(source: Path, tmp_path: Path) -> None:
    built = tmp_path / "lambda.zip"
    with zipfile.ZipFile(built, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.iterdir()):
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
    assert package.differences(package.build(source), built) == [
        "the files are the same, but not their order, time, mode or compression"
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip"])
def test_a_damaged_package_differs(source: Path, tmp_path: Path, content: bytes) -> None:
    built = tmp_path / "lambda.zip"
    built.write_bytes(content)
    (sentence,) = package.differences(package.build(source), built)
    assert "is no readable zip file" in sentence


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
    assert about["files"] == ["b.py", "lambda_function.py"]
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
