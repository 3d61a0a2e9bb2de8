"""What goes into the package: our few files, and nothing that they don't need."""

import subprocess
import sys
import zipfile
from pathlib import Path

import lambda_function

SOURCE = Path(lambda_function.__file__).parent


def imported(environment: dict[str, str]) -> set[str]:
    """The modules that importing the handler brings in, in a process of its own.

    "TLS" is among them if it made certificates ready to be checked.
    """
    script = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); before = set(sys.modules);"
        "import lambda_function; print(*(set(sys.modules) - before));"
        "made = lambda_function.table.cache_info().currsize;"
        "print('TLS' if made and lambda_function.table()._endpoint.tls.get_ca_certs() else '')"
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
    everything = imported(IN_LAMBDA)
    assert ours <= everything
    assert {name.partition(".")[0] for name in everything - ours - {"TLS"}} <= set(
        sys.stdlib_module_names
    )


def test_the_import_makes_tls_ready_in_lambda_and_leaves_it_alone_elsewhere() -> None:
    assert {"ssl", "TLS"} <= imported(IN_LAMBDA)
    assert not {"ssl", "socket", "http11", "TLS"} & imported({})


def test_the_handler_logs_through_stdout_not_logging() -> None:
    assert not any("import logging" in path.read_text() for path in SOURCE.glob("*.py"))


def test_the_sources_fit_a_package_of_40_kilobytes(tmp_path: Path) -> None:
    package = tmp_path / "lambda.zip"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        for path in SOURCE.glob("*.py"):
            archive.write(path, path.name)
    assert package.stat().st_size <= 160 * 1024
