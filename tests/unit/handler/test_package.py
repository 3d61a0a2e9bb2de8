"""What goes into the package: our few files, and nothing that they don't need."""

import subprocess
import sys
import zipfile
from pathlib import Path

import lambda_function

SOURCE = Path(lambda_function.__file__).parent


def test_the_handler_imports_nothing_but_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules); import lambda_function;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(SOURCE)!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = {path.stem for path in SOURCE.glob("*.py")}
    assert set(run.stdout.split()) - ours <= set(sys.stdlib_module_names)


def test_the_handler_logs_through_stdout_not_logging() -> None:
    assert not any("import logging" in path.read_text() for path in SOURCE.glob("*.py"))


def test_the_sources_fit_a_package_of_40_kilobytes(tmp_path: Path) -> None:
    package = tmp_path / "lambda.zip"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        for path in SOURCE.glob("*.py"):
            archive.write(path, path.name)
    assert package.stat().st_size <= 40 * 1024
