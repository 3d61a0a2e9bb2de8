"""The first command on a machine that has Terraform, and no provider in any mirror."""

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.emulator.ports import free_port
from pipeline.lab import apply
from pipeline.terraform import provider
from pipeline.terraform import run as terraform
from pipeline.terraform.binary import find_terraform
from tests.support.terraform.registry import NEWER, configuration, registry

REPOSITORY = Path(__file__).parents[2]
# `pipeline`, without the mirror that may lie below /opt.
PIPELINE = """
from pathlib import Path
from pipeline import cli
from pipeline.terraform import provider
provider._ADDON_FOLDER = Path("opt")
cli.main()
"""


@pytest.fixture
def executable() -> Iterator[Path]:
    """The provider that was run, from where this machine has it: asked for before `machine`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        terraform.write_root(root, {})
        environment = provider.terraform_environment(Path(folder))
        assert terraform.init(root, environment) == provider.PROVIDER_RUN
        platform = find_terraform()
        installed = root / ".terraform/providers"
        found = provider.find_provider_binary(installed, platform, provider.PROVIDER_RUN)
        assert found is not None
        yield found


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home without any mirror. Not pytest's folder, which would keep gigabytes."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Path(folder)
        for name in list(os.environ):
            if name.startswith(("TF_", "XDG_", "PIPELINE_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", folder)
        monkeypatch.setenv("XDG_DATA_DIRS", str(machine / "share"))
        monkeypatch.setattr(provider, "_ADDON_FOLDER", machine / "opt")
        yield machine


def test_the_registry_gives_the_lab_the_provider_that_was_run_not_the_newest(
    executable: Path, machine: Path
) -> None:
    platform = find_terraform()
    said = io.StringIO()
    with registry(machine / "registry", executable, provider.PROVIDER_RUN, platform) as port:
        (machine / ".terraformrc").write_text(configuration(port))
        listed = machine / "registry/hashicorp/aws/versions"
        assert [each["version"] for each in json.loads(listed.read_text())["versions"]] == [
            provider.PROVIDER_RUN,
            NEWER,
        ]
        lab = apply.new_lab(machine / "lab", None, Console(file=said), {}, keep=False)
        with lab as new:
            # That starts it, as it was unpacked.
            terraform.run(machine / "lab/root", new.environment, "validate")
    assert f"The provider is hashicorp/aws {provider.PROVIDER_RUN}." in said.getvalue()


def test_without_a_registry_either_one_sentence_says_what_to_do(machine: Path) -> None:
    (machine / ".terraformrc").write_text(configuration(free_port()))
    done = subprocess.run(
        [sys.executable, "-c", PIPELINE, "lab", "demo", "--work-dir", str(machine / "lab")],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=machine,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    printed = done.stderr.strip()
    assert printed.startswith(
        f"No {provider.PROVIDER} {provider.PROVIDER_RUN}: none that can be used in "
        "TF_PLUGIN_MIRROR (not set), "
    )
    assert "and none from the registry (" in printed
    assert "connection refused): connect to the internet, or set TF_PLUGIN_MIRROR " in printed
    assert "\n" not in printed
