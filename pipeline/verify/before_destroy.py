"""Would `terraform destroy` go through, and would it lose nothing?

One check a resource that holds something; see `pipeline.verify.stages` for what a check returns and
raises. What is gone already is OK: a destroy that stopped can be looked at again.
"""

from collections.abc import Callable, Generator

from botocore.exceptions import ClientError

from pipeline.deployed import aws, failure_queue
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.verify.stages import Check, Step, examine

# Of the target, without which nothing is looked at.
NEEDED = ("bucket_name", "table_name", "failure_queue_url")
# Ten requests are enough to know that there is much.
_PAGES = 10


def before_destroy(session: Session, tell: Callable[[str], None]) -> Generator[Step]:
    """Yield what is in each resource; `tell` is called with what is looked at."""
    for name, check in _CHECKS.items():
        tell(f"looking into the {name}")
        yield examine(session, name, _unless_gone(check))


def _unless_gone(check: Check) -> Check:
    def checked(session: Session) -> str:
        try:
            return check(session)
        except ClientError as error:
            if aws.is_gone(error):
                return "is gone already"
            raise

    return checked


def _bucket(session: Session) -> str:
    """No version of any object, and no delete marker."""
    name = session.target.bucket_name
    objects = versions = markers = 0
    asked: dict[str, str] = {}
    for _ in range(_PAGES):
        answer = session.client("s3").list_object_versions(Bucket=name, **asked)
        listed = answer.get("Versions", ())
        objects += sum(bool(each["IsLatest"]) for each in listed)
        versions += len(listed)
        markers += len(answer.get("DeleteMarkers", ()))
        if not answer.get("IsTruncated"):
            break
        asked = {"KeyMarker": answer["NextKeyMarker"]}
        asked |= {"VersionIdMarker": answer["NextVersionIdMarker"]}
    if not versions and not markers:
        return f"{name} is empty"
    more = " and more" if answer.get("IsTruncated") else ""
    raise FailingError(
        f"The bucket {name} holds {_number(objects, 'object')}, "
        f"{_number(versions - objects, 'older version')} and {_number(markers, 'delete marker')}"
        f"{more}: a destroy stops there, and keeps bucket and table, or deletes them all if "
        "bucket.force_destroy was applied. To keep objects, copy them; then empty the bucket with "
        "all versions, or apply bucket = { force_destroy = true }. A bucket that was there before "
        "the module stays as it is."
    )


def _table(session: Session) -> str:
    """No record, and no deletion protection."""
    name, dynamodb = session.target.table_name, session.client("dynamodb")
    if dynamodb.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
        raise FailingError(
            f"The table {name} is protected from deletion: a destroy stops there, when all else is "
            "gone. Apply table = { deletion_protection = false } first."
        )
    # DescribeTable counts every six hours only.
    if dynamodb.scan(TableName=name, Limit=1, ConsistentRead=True)["Count"]:
        raise FailingError(
            f"The table {name} holds records, and a destroy deletes them: export what you need, "
            "for example with `pipeline records --json`, or wait until their ttl."
        )
    return f"{name} holds no record"


def _failure_queue(session: Session) -> str:
    """No message."""
    return _queue(session, session.target.failure_queue_url, "record them with `pipeline replay`")


def _buffer(session: Session) -> str:
    """No message."""
    if (url := session.target.buffer_queue_url) is None:
        raise NotCheckedError("the stack has none")
    return _queue(session, url, "end uploads, and wait until the function has read them")


def _queue(session: Session, url: str, fix: str) -> str:
    name = url.rpartition("/")[2]
    if number := sum(failure_queue.depth(session.client("sqs"), url)):
        raise FailingError(
            f"The queue {name} holds {_number(number, 'message')}, events without a record, and a "
            f"destroy deletes them: {fix}."
        )
    return f"{name} is empty"


def _number(count: int, of: str) -> str:
    return f"{count:,} {of}{'' if count == 1 else 's'}"


_CHECKS: dict[str, Check] = {
    "bucket": _bucket,
    "table": _table,
    "failure queue": _failure_queue,
    "buffer": _buffer,
}
