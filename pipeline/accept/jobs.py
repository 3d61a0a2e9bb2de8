"""A backfill by S3 Batch Operations, as `pipeline backfill --batch-operations` does it."""

from pipeline.accept.trial import RECORD_SECONDS, Trial
from pipeline.backfill.batch import Options, prepared
from pipeline.backfill.jobs import ENDED, WAITS, Job, Jobs, failed_tasks
from pipeline.deployed import table
from pipeline.deployed.session import FailingError

OBJECTS = 3
_JOB_SECONDS = 3000.0


def backfilled(trial: Trial) -> str:
    """A job on a list that S3 makes writes the records that were deleted."""
    session = trial.session
    keys = [trial.upload(session, "job") for _ in range(OBJECTS)]
    trial.recorded(session, keys, RECORD_SECONDS)
    dynamodb = session.client("dynamodb")
    rows = table.Table(dynamodb, session.target.table_name)
    for item in (item for page in rows.scan(consistent=True) for item in page):
        if item["objectKey"]["S"] in keys:
            dynamodb.delete_item(TableName=rows.name, Key={"objectId": item["objectId"]})
    service = Jobs(session.account, **session.target.settings)
    prefix = f"{session.target.filters[0]['prefix']}{trial.check.id}/"
    job_id = service.create(**prepared(session, Options(prefix=prefix)))

    def ended() -> Job | None:
        job = service.describe(job_id)
        if job.status == WAITS:
            service.start(job_id)
        return job if job.status in ENDED else None

    job = trial.until(ended, _JOB_SECONDS, f"the end of the job {job_id}")
    assert job is not None  # noqa: S101 - until returns what is truthy
    if job.status != "Complete" or job.failed:
        tasks = failed_tasks(session.client("s3"), job) if job.failed else ()
        reasons = "; ".join([*job.reasons, *(each.reason for each in tasks)])
        raise FailingError(f"the job {job_id} ended as {job.status}: {reasons:.300}")
    trial.recorded(session, keys, RECORD_SECONDS)
    return f"a job wrote the records of {job.succeeded} objects"
