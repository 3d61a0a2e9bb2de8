"""Scan the HCL for insecure settings with checkov, as source and as the plan of each example.

Both are needed: in source, a check passes whose variable is null by default; in a plan, the checks
of policies fall away whose ARNs are not known yet. What is skipped says why beside the resource.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.emulator.plan_server import plan_server
from pipeline.errors import PipelineError
from pipeline.paths import ROOT, WORK
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment
from pipeline.terraform.shared_provider import shared_provider
from tools import skips
from tools.module import EXAMPLES, THEIRS, copy_module, plan_anew

FOLDER = WORK / "scan"


def run() -> int:
    """Scan; returns 1 when a check fails. Raises PipelineError when it can't be tried."""
    console = Console(highlight=False, soft_wrap=True)
    if unexplained := skips.without_reason():
        for place in unexplained:
            console.print(f"[red]{place} is skipped without a reason beside it[/red]")
        return 1
    try:
        from checkov.main import Checkov
    except ImportError as error:
        raise PipelineError(
            "checkov is not installed: `pip install -r requirements/security.txt` in an "
            "environment of its own (it asks for another boto3 than the tests), or run "
            '`make test ARGS="-e security"`.'
        ) from error
    environment = terraform_environment(FOLDER)
    with (
        tempfile.TemporaryDirectory(dir=FOLDER) as folder,
        plan_server() as endpoint,
        shared_provider(environment | endpoint, FOLDER) as attach,
    ):
        known = environment | endpoint | attach
        module = copy_module(Path(folder))
        plans = []
        for root in [*EXAMPLES, *THEIRS]:
            example = module / root.relative_to(ROOT)
            name = "-".join(root.relative_to(ROOT).parts[1:])
            console.print(f"planning {name} …")
            plan_anew(example)
            terraform.init(example, known)
            planned = terraform.plan(example, known)
            plans.append(module / f"{name}.json")
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
                scan = Checkov(argv=[*arguments, "--skip-download", "--quiet", "--compact"])
                status = scan.run()
            sys.stdout.flush()
            # What could not be read fails no check.
            files = _looked_at(scan.scan_reports)
            expected = {plan.name for plan in plans} if name == "plans" else {"main.tf"}
            if unread := sorted(expected - files):
                console.print(f"[red]nothing was looked at in {', '.join(unread)}[/red]")
            if status or unread:
                failed.append(name)
    console.rule()
    console.print(f"[red]failed: {', '.join(failed)}[/red]" if failed else "Nothing was found.")
    return int(bool(failed))


def _looked_at(reports: Any) -> set[str]:
    """The names of the files in which checkov passed, failed or skipped a check."""
    return {
        Path(record.file_path).name
        for report in reports
        for records in (report.passed_checks, report.failed_checks, report.skipped_checks)
        for record in records
    }
