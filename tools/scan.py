"""Scan the HCL for insecure settings with checkov, as source and as the plan of each example.

Both are needed. In source, a check passes whose variable is null by default. In a plan, checkov
skips policies whose ARNs are unknown. Each skipped check has its reason beside it in the HCL.
"""

import contextlib
import json
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from pipeline.emulator.plan_server import plan_server
from pipeline.errors import PipelineError
from pipeline.paths import ROOT, WORK
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment
from tools.module import EXAMPLES, THEIRS, copy_module, use_samples
from tools.shared_provider import shared_provider

FOLDER = WORK / "scan"
# A skip as checkov reads it, in any comment.
_SKIP = re.compile(r"(?:checkov|bridgecrew|cortex):skip= *([\w,-]*)(?::([^\n]*))?")
# Three words at least and a full stop; "As above." misleads once somebody moves a line.
_REASON = re.compile(r"\s*(?!As above)\S+(?: \S+){2,}\.\s*")


def run(root: Path = ROOT) -> int:
    """Scan; returns 1 when a check fails, or is skipped without a reason. Raises PipelineError."""
    console = Console(highlight=False, soft_wrap=True)
    if unexplained := skips_without_reason(root):
        for skip in unexplained:
            console.print(f"[red]{skip} is skipped without a reason beside it[/red]")
        return 1
    try:
        from checkov.main import Checkov
    except ImportError as error:
        raise PipelineError(
            "checkov is not installed: `pip install -r requirements/security.txt` in an "
            "environment of its own (it needs another boto3 than the tests), or run "
            '`make test ARGS="-e security"`.'
        ) from error
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        module, source = Path(folder) / "module", Path(folder) / "source"
        copy_module(module)
        # Apart, so that an example's call of the module leads nowhere: checkov would check the
        # module once more for each, which takes most of the time and finds nothing else.
        copy_module(source / "module")
        (source / "apart").mkdir()
        (source / "module/examples").rename(source / "apart/examples")
        plans = _plans(module, console)
        # The comments with the reasons for a skip stand in the source only.
        enrich = ["--repo-root-for-plan-enrichment", str(module)]
        failed = []
        for name, expected, arguments in (
            ("source", {"main.tf", "consumer.tf"}, ["-d", str(source), "--framework", "terraform"]),
            (
                "plans",
                {plan.name for plan in plans},
                ["-f", *map(str, plans), "--framework", "terraform_plan", *enrich],
            ),
        ):
            console.rule(name)
            with contextlib.chdir(module):
                scan = Checkov(argv=[*arguments, "--skip-download", "--quiet", "--compact"])
                status = scan.run()
            sys.stdout.flush()
            scanned = {
                Path(record.file_path).name
                for report in scan.scan_reports
                for records in (report.passed_checks, report.failed_checks, report.skipped_checks)
                for record in records
            }
            # A file that checkov can't read fails no check.
            if unread := sorted(expected - scanned):
                console.print(f"[red]nothing was checked in {', '.join(unread)}[/red]")
            if status or unread:
                failed.append(name)
    console.rule()
    console.print(f"[red]failed: {', '.join(failed)}[/red]" if failed else "Nothing was found.")
    return int(bool(failed))


def skips_without_reason(root: Path = ROOT) -> list[str]:
    """The skipped checks in the module at `root` without a reason, as `file:line: check`."""
    return [
        f"{file.relative_to(root)}:{number}: {match[1] or 'a check'}"
        for pattern in ("*.tf", "modules/*/*.tf", "examples/**/*.tf")
        for file in sorted(root.glob(pattern))
        if ".terraform" not in file.parts
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        for match in _SKIP.finditer(line)
        if not _REASON.fullmatch(match[2] or "")
    ]


def _plans(module: Path, console: Console) -> list[Path]:
    """The plan of each example, as JSON files in `module`."""
    environment = terraform_environment(FOLDER)
    with plan_server() as endpoint, shared_provider(environment | endpoint, FOLDER) as attach:
        plans = []
        for root in [*EXAMPLES, *THEIRS]:
            example = module / root.relative_to(ROOT)
            name = "-".join(root.relative_to(ROOT).parts[1:])
            console.print(f"planning {name} …")
            use_samples(example)
            terraform.init(example, environment | endpoint | attach)
            planned = terraform.plan(example, environment | endpoint | attach)
            plans.append(module / f"{name}.json")
            plans[-1].write_text(json.dumps(dict(planned)), encoding="utf-8")
    return plans
