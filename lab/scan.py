"""Scan the HCL for insecure settings with checkov, as source and as the plan of each example.

Both are needed: in source, a check passes whose variable is null by default; in a plan, the checks
of policies fall away whose ARNs are not known yet. What is skipped says why beside the resource.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from lab import terraform
from lab.errors import LabError
from lab.module import WORK, copy_module, plan_anew
from lab.plan_server import plan_server
from lab.provider import terraform_environment

FOLDER = WORK / "scan"


def run() -> int:
    """Scan; returns 1 when a check fails. Raises LabError when it can't be tried."""
    try:
        from checkov.main import Checkov
    except ImportError as error:
        raise LabError(
            "checkov is not installed: `pip install --group security` in an environment of its own "
            '(it asks for another boto3 than the tests), or run `make test ARGS="-e security"`.'
        ) from error
    console = Console(highlight=False)
    environment = terraform_environment(FOLDER)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, plan_server() as endpoint:
        module = copy_module(Path(folder))
        plans = []
        for example in sorted((module / "examples").iterdir()):
            console.print(f"planning {example.name} …")
            plan_anew(example)
            terraform.init(example, environment | endpoint)
            planned = terraform.plan(example, environment | endpoint)
            plans.append(module / f"{example.name}.json")
            plans[-1].write_text(json.dumps(dict(planned)), encoding="utf-8")
        # The comments with the reasons for a skip stand in the source only.
        enrich = ["--repo-root-for-plan-enrichment", str(module)]
        scans = {
            "source": ["-d", str(module), "--framework", "terraform"],
            "plans": ["-f", *map(str, plans), "--framework", "terraform_plan", *enrich],
        }
        failed = []
        for name, arguments in scans.items():
            console.rule(name)
            with contextlib.chdir(module):
                status = Checkov(argv=[*arguments, "--skip-download", "--quiet", "--compact"]).run()
            sys.stdout.flush()
            if status:
                failed.append(name)
    console.rule()
    console.print(f"[red]failed: {', '.join(failed)}[/red]" if failed else "Nothing was found.")
    return int(bool(failed))
