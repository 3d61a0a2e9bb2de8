"""`pipeline backfill --batch-operations`: an S3 Batch Operations job writes the records."""

import itertools
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console

from pipeline import program, terminal
from pipeline.backfill import manifests
from pipeline.backfill.costs import Costs
from pipeline.backfill.jobs import ENDED, WAITS, FailedTask, Job, Jobs, failed_tasks
from pipeline.deployed import bucket, table
from pipeline.deployed.filters import EVERYTHING, filters_of
from pipeline.deployed.session import Session, connect
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError

# The rest is in --json, which names so many at most: a job may have billions of tasks.
_LINES = 20
_NAMED = 10_000
POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Options:
    """What the command line says: times in epoch seconds, `budget` in dollars."""

    manifest: str | None = None
    prefix: str = ""
    suffix: str = ""
    since: float | None = None
    until: float | None = None
    job: str | None = None
    yes: bool = False
    budget: float | None = None


@dataclass
class Report:
    """What `--json` prints: the job, what it costs in dollars, and the tasks that failed."""

    job: str
    status: str = ""
    objects: int = 0
    succeeded: int = 0
    failed: int = 0
    dollars: str = ""
    reasons: tuple[str, ...] = ()
    failures: list[FailedTask] = field(default_factory=list)


def run(found: Target, options: Options, *, as_json: bool) -> int:
    """Create a job or go on with one, follow it, and name what failed; returns the exit status.

    Raises PipelineError, and KeyboardInterrupt after saying how to follow the job again.
    """
    console = terminal.console(stderr=as_json)
    session = connect(found)
    jobs = Jobs(session.account, **found.settings)
    records = table.Table(session.client("dynamodb"), found.table_name)
    throughput = records.description().get("ProvisionedThroughput", {})
    costs = Costs(int(throughput.get("WriteCapacityUnits", 0)))
    if options.job is None:
        wanted = prepared(session, options)
        terminal.note(
            console,
            f"A job costs ${costs.dollars(0):.2f}, and ${costs.each * 1_000_000:.2f} for a million "
            "objects with their requests, beside the time of the invokes. S3 counts the objects "
            "before the job starts.",
        )
        if not options.yes:
            raise PipelineError(
                "Nothing was made: say --yes if that is meant; --budget DOLLARS cancels a job that "
                "would cost more."
            )
        job_id = jobs.create(**wanted)
        terminal.note(console, f"S3 prepares the job {job_id}.")
    else:
        job_id = options.job
    report = Report(job_id)
    try:
        job = _followed(console, session, jobs, job_id, options, costs)
    except KeyboardInterrupt:
        _say_how_to_go_on(console, found, job_id)
        raise
    report.status, report.reasons = job.status, job.reasons
    report.objects, report.succeeded, report.failed = job.total, job.succeeded, job.failed
    report.dollars = f"{costs.dollars(job.total):.2f}"
    if job.failed:
        s3 = bucket.client(**found.settings)
        report.failures = list(itertools.islice(failed_tasks(s3, job), _NAMED))
    _print(console, report)
    if as_json:
        terminal.print_json(asdict(report))
    return 0 if job.status == "Complete" and not job.failed else 1


def prepared(session: Session, options: Options) -> dict[str, Any]:
    """What `Jobs.create` takes. Raises PipelineError where no such job can work."""
    place = _place(session)
    return {
        "function_arn": session.function_arn,
        "role_arn": place["role_arn"],
        "report": place,
        **_manifest(session, place, options),
    }


def _place(session: Session) -> dict[str, str]:
    """Role, bucket and key prefix of jobs. Raises PipelineError where the stack has none."""
    made = session.target.outputs.get("backfill")
    if not isinstance(made, Mapping) or not all(
        isinstance(made.get(name), str) for name in ("role_arn", "bucket", "prefix")
    ):
        raise PipelineError(
            f"{session.target.origin} has no role for jobs: write backfill = {{ create = true }} "
            "in its module call, and apply."
        )
    bucket_arn = f"arn:{session.partition}:s3:::{made['bucket']}"
    return {**made, "bucket_arn": bucket_arn}


def _manifest(session: Session, place: Mapping[str, str], options: Options) -> dict[str, Any]:
    """`Manifest` or `ManifestGenerator` of the job. Raises PipelineError."""
    target = session.target
    s3, region = bucket.client(**target.settings), session.client("lambda").meta.region_name
    manifests.refuse_other_region(s3, target.bucket_name, region)
    manifests.refuse_unversioned(s3, target.bucket_name)
    filters = filters_of(target)
    if options.manifest is None:
        return {
            "ManifestGenerator": manifests.generated(
                session.bucket_arn,
                manifests.constraint(filters, options.prefix, options.suffix),
                options.since,
                options.until,
                account=session.account,
                output=place,
            )
        }
    if options.prefix or options.suffix or options.since or options.until:
        raise PipelineError(
            "--manifest takes the whole inventory: leave out --prefix, --suffix, --since and "
            "--until, or --manifest."
        )
    if EVERYTHING not in filters:
        raise PipelineError(
            "--manifest takes the whole inventory, and the pipeline's filters take a part of the "
            "bucket: leave out --manifest, so that S3 lists that part."
        )
    return {
        "Manifest": manifests.inventory(
            s3,
            options.manifest,
            target.bucket_name,
            readable=place["bucket"],
            partition=session.partition,
            region=region,
        )
    }


def _followed(
    console: Console, session: Session, jobs: Jobs, job_id: str, options: Options, costs: Costs
) -> Job:
    """The job, once it has ended; starts it when it waits. Raises PipelineError."""
    started = False
    with terminal.progress(console, f"job {job_id}") as progress:
        while True:
            job = jobs.describe(job_id)
            if job.function_arn != session.function_arn:
                raise PipelineError(
                    f"The job {job_id} is not about {session.function_arn}: take the stack whose "
                    "function it invokes."
                )
            # It may wait for a moment more.
            if job.status == WAITS and not started:
                _start(console, jobs, job, options, costs)
                started = True
            elif job.status in ENDED:
                return job
            done = job.succeeded + job.failed
            progress(f"tasks, {job.failed} failed, {job.status}", done, job.total)
            terminal.wait(POLL_SECONDS)


def _start(console: Console, jobs: Jobs, job: Job, options: Options, costs: Costs) -> None:
    dollars = costs.dollars(job.total)
    terminal.note(
        console,
        f"{job.total:,} objects: about ${dollars:.2f}, and the time of as many invokes."
        f"{costs.pace(job.total)}",
    )
    if options.budget is not None and dollars > options.budget:
        jobs.cancel(job.id)
        raise PipelineError(
            f"The job {job.id} would cost about ${dollars:.2f}, more than --budget "
            f"{options.budget:g}: it was cancelled before it started."
        )
    if not options.yes:
        raise PipelineError(f"The job {job.id} waits to be started: say --yes if that is meant.")
    jobs.start(job.id)


def _say_how_to_go_on(console: Console, found: Target, job_id: str) -> None:
    terminal.note(console, f"The job {job_id} goes on without this command. Follow it again:")
    options = ["backfill", *found.flags, "--batch-operations", "--job", job_id, "--yes"]
    line = f"{program.command_line()} {shlex.join(options)}"
    terminal.command(console, line, "starts it if it still waits")


def _print(console: Console, report: Report) -> None:
    terminal.heading(console, f"Job {report.job}: {report.status}")
    terminal.fields(
        console,
        {
            "objects": f"{report.objects:,}",
            "have a record": f"{report.succeeded:,}",
            "failed": f"{report.failed:,}",
            "cost": f"about ${report.dollars}, and the time of the invokes",
        },
    )
    for reason in report.reasons:
        terminal.problems(console, "reason", [reason], 1)
    lines = [
        f"{each.key} ({each.version_id or 'no version'}): {each.reason}" for each in report.failures
    ]
    terminal.problems(console, "failed", lines, _LINES)
    if report.status == "Complete" and not report.failed:
        terminal.note(console, "Every object has its record, but what a hook skipped.")
