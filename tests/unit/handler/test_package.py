"""What goes into the package: our few files, and nothing that they don't need."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lambda_function
from tools.package import PACKAGE

SOURCE = Path(lambda_function.__file__).parent


def imported(environment: dict[str, str], folder: Path = SOURCE) -> set[str]:
    """The modules that importing the handler brings in, in a process of its own.

    "TLS" is among them if it made certificates ready to be checked.
    """
    script = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); before = set(sys.modules);"
        "import lambda_function; print(*(set(sys.modules) - before));"
        "made = lambda_function.table.cache_info().currsize;"
        "trust = made and lambda_function.table()._endpoint.trust;"
        "print('TLS' if trust and trust.context.get_ca_certs() else '')"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-B", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


IN_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "S3ToDynamoProcessor",
    "AWS_REGION": "eu-central-1",
    "TABLE_NAME": "S3ObjectEvents",
}


def test_the_handler_imports_nothing_but_the_standard_library() -> None:
    ours = {path.stem for path in SOURCE.glob("*.py")}
    everything = imported(IN_LAMBDA | {"RECORD_HOOK": "json.dumps"})
    assert ours - everything == {"batch_operations"}
    assert {name.partition(".")[0] for name in everything - ours - {"TLS"}} <= set(
        sys.stdlib_module_names
    )


def test_the_import_makes_tls_ready_in_lambda_and_leaves_it_alone_elsewhere() -> None:
    assert {"ssl", "TLS"} <= imported(IN_LAMBDA)
    assert not {"ssl", "socket", "http11", "TLS"} & imported({})


def test_the_import_leaves_out_what_takes_long() -> None:
    assert not {"typing", "logging", "dataclasses", "urllib", "http"} & imported(IN_LAMBDA)


def test_without_a_hook_nothing_of_it_is_imported() -> None:
    assert not {"hooks", "decimal", "importlib"} & imported(IN_LAMBDA)


def test_without_a_job_nothing_of_s3_batch_operations_is_imported() -> None:
    assert "batch_operations" not in imported(IN_LAMBDA)


def test_the_handler_logs_through_stdout_not_logging() -> None:
    assert not any("import logging" in path.read_text() for path in SOURCE.glob("*.py"))


def test_the_package_fits_160_kilobytes() -> None:
    assert PACKAGE.stat().st_size <= 160 * 1024


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    with zipfile.ZipFile(PACKAGE) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="the bytecode is Python 3.12's")
def test_python_3_12_runs_the_package_without_compiling_it(unpacked: Path) -> None:
    for source in unpacked.glob("*.py"):
        source.write_text("raise SystemExit('compiled')")
    assert "TLS" in imported(IN_LAMBDA, unpacked)


def test_a_runtime_that_ignores_the_bytecode_compiles_the_sources(unpacked: Path) -> None:
    for bytecode in unpacked.glob("__pycache__/*.pyc"):
        bytecode.write_bytes(b"of another version" + bytecode.read_bytes())
    assert "TLS" in imported(IN_LAMBDA, unpacked)
