"""Run `terraform validate` on the root, every submodule and every example.

What Terraform calls deprecated counts as invalid.
"""

import json
import tempfile
from pathlib import Path

from rich.console import Console

from pipeline.errors import PipelineError
from pipeline.paths import ROOT, WORK
from pipeline.terraform import run as terraform
from pipeline.terraform.diagnostics import deprecations, errors
from pipeline.terraform.provider import terraform_environment
from tools.module import EXAMPLES, MODULES, THEIRS, copy_module
from tools.shared_provider import shared_provider

FOLDER = WORK / "validate"


def run(as_json: bool = False) -> int:
    """Validate each folder; returns 1 when a folder is invalid. Raises PipelineError."""
    console = Console(highlight=False, soft_wrap=True, quiet=as_json)
    invalid: dict[str, str] = {}
    environment = terraform_environment(FOLDER)
    # A copy: Terraform writes nothing to the sources.
    with (
        tempfile.TemporaryDirectory(dir=FOLDER) as copy,
        shared_provider(environment, FOLDER) as attach,
    ):
        copy_module(Path(copy))
        for source in [ROOT, *MODULES, *EXAMPLES, *THEIRS]:
            name = str(source.relative_to(ROOT))
            try:
                terraform.init(Path(copy) / name, environment | attach)
                validated = terraform.run(
                    Path(copy) / name, environment | attach, "validate", "-json", expected=(0, 1)
                )
                diagnostics = json.loads(validated.stdout)["diagnostics"]
                if found := errors(diagnostics) + deprecations(diagnostics):
                    invalid[name] = "\n".join(found)
            except PipelineError as error:
                invalid[name] = str(error)
            console.print(f"[red]{name}[/red]" if name in invalid else f"{name} is valid")
            if name in invalid:
                console.print(invalid[name], markup=False)
    if as_json:
        print(json.dumps({"invalid": invalid}))
    return int(bool(invalid))
