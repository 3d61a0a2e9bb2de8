"""Terraform ends gracefully when it is asked to, also the one that is made of a core's library."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment
from tests.support.processes import read_until

ROOT: dict[str, Any] = {
    "resource": {
        "terraform_data": {
            "made": {},
            "making": {
                "depends_on": ["terraform_data.made"],
                "provisioner": [{"local-exec": {"command": "echo at work; exec sleep 300"}}],
            },
        }
    }
}


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM], ids=lambda asked: asked.name)
def test_an_interrupted_apply_keeps_what_it_made_and_leaves_no_lock(
    tmp_path: Path, asked: signal.Signals
) -> None:
    environment = terraform_environment(tmp_path)
    root = terraform.write_root(tmp_path / "root", ROOT)
    terraform.run(root, environment, "init")
    command = ["terraform", "apply", "-auto-approve", "-no-color"]
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True
    ) as applying:
        read_until(applying.stdout, "(local-exec): at work")
        applying.send_signal(asked)
        said, _ = applying.communicate()
    assert applying.returncode == 1
    assert "Gracefully shutting down" in said
    assert not (root / ".terraform.tfstate.lock.info").exists()
    state = json.loads((root / "terraform.tfstate").read_text())
    assert "made" in {resource["name"] for resource in state["resources"]}
