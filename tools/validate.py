"""`terraform validate` on the root, every submodule and every example.

What Terraform calls deprecated counts as not valid.
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
from pipeline.terraform.shared_provider import shared_provider
from tools.module import EXAMPLES, MODULES, THEIRS, copy_module

FOLDER = WORK / "validate"


def run(as_json: bool = False) -> int:
    """Validate each; returns 1 when one is not valid.

    Raises PipelineError when it can't be tried.
    """
    console = Console(highlight=False, soft_wrap=True, quiet=as_json)
    found: dict[str, str] = {}
    environment = terraform_environment(FOLDER)
    # A copy: nothing lands in the sources.
    with (
        tempfile.TemporaryDirectory(dir=FOLDER) as copy,
        shared_provider(environment, FOLDER) as attach,
    ):
        copy_module(Path(copy))
        known = environment | attach
        for name in (str(one.relative_to(ROOT)) for one in [ROOT, *MODULES, *EXAMPLES, *THEIRS]):
            folder = Path(copy) / name
            try:
                terraform.init(folder, known)
                done = terraform.run(folder, known, "validate", "-json", expected=(0, 1))
                told = json.loads(done.stdout)["diagnostics"]
                if wrong := errors(told) + deprecations(told):
                    found[name] = "\n".join(wrong)
            except PipelineError as error:
                found[name] = str(error)
            console.print(f"[red]{name}[/red]" if name in found else f"{name} is valid")
            if name in found:
                console.print(found[name], markup=False)
    if as_json:
        print(json.dumps({"invalid": found}))
    return int(bool(found))
