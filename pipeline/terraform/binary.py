"""Find the Terraform command."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from pipeline.errors import PipelineError

_FROM, _BELOW = (1, 9), (2, 0)
_INSTALL = "install Terraform 1.9 or newer, below 2.0, and put it first on PATH"


def find_terraform(environment: Mapping[str, str] = os.environ) -> str:
    """The platform of the `terraform` on PATH, such as `linux_amd64`.

    Raises PipelineError when there is none, when it does not run, when its version is not
    supported, and when it is OpenTofu.
    """
    found = shutil.which("terraform", path=environment.get("PATH", os.defpath))
    if found is None:
        raise PipelineError(
            f"Terraform was not found on PATH: {_INSTALL} "
            "(https://developer.hashicorp.com/terraform/install)."
        )
    # TF_CLI_ARGS would change even this, a configuration file that is not there adds a warning.
    quiet = {name: v for name, v in environment.items() if not name.startswith("TF_")}
    try:
        # Not as JSON, in which OpenTofu calls its version "terraform_version", too.
        answer = subprocess.run(
            [found, "version"],
            env={**quiet, "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise PipelineError(f"{found} can't be run ({error}): {_INSTALL}.") from error
    match = re.match(r"(Terraform|OpenTofu) v((\d+)\.(\d+)\S*)(?:\s+on (\w+))?", answer)
    if match is None:
        raise PipelineError(f"{found} prints no version of Terraform: {_INSTALL}.")
    program, version, major, minor, platform = match.groups()
    if program == "OpenTofu":
        raise PipelineError(f"{found} is OpenTofu {version}, which is not tested: {_INSTALL}.")
    if not _FROM <= (int(major), int(minor)) < _BELOW:
        raise PipelineError(f"{found} is Terraform {version}, which is not supported: {_INSTALL}.")
    return str(platform)
