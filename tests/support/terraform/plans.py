"""Plan, and refuse what Terraform calls deprecated."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tftest

from pipeline.terraform import run as terraform
from pipeline.terraform.diagnostics import deprecations, errors


def plan_without_deprecations(
    folder: Path, environment: Mapping[str, str]
) -> tftest.TerraformPlanOutput:
    """Like `terraform.plan`; an AssertionError names what is deprecated, or what is wrong."""
    file = folder / "strict.tfplan"
    # In JSON each warning comes by itself; on a terminal, equal ones are put together.
    arguments = ("plan", "-json", "-input=false", f"-out={file}")
    done = terraform.run(folder, environment, *arguments, expected=(0, 1))
    found = list(diagnostics(done.stdout))
    wrong = errors(found) + deprecations(found)
    assert not wrong, "\n".join(wrong)
    shown = terraform.run(folder, environment, "show", "-json", str(file))
    return tftest.TerraformPlanOutput(json.loads(shown.stdout))


def diagnostics(output: str) -> Iterator[dict[str, Any]]:
    """The errors and warnings in Terraform's JSON output, one message a line."""
    for line in output.splitlines():
        message = json.loads(line)
        if message["type"] == "diagnostic":
            yield message["diagnostic"]
