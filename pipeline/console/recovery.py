"""After a fix: which uploads have no record yet, and their records."""

import math
from collections.abc import Iterable

from pipeline.backfill.invoke import sender
from pipeline.deployed.bucket import Version
from pipeline.deployed.target import Target
from pipeline.reconcile.run import reconcile

# For what Lambda still tries by itself.
_GRACE_SECONDS = 5.0
_PARALLEL = 4


def without_record(target: Target, since: float, grace_seconds: float = 0.0) -> set[Version]:
    """The uploads since an epoch time that should have a record, and have none.

    Raises PipelineError where bucket, table or function can't be read.
    """
    found = reconcile(
        target,
        prefix="",
        # S3 dates objects in whole seconds.
        since=math.floor(since) - 1,
        grace_seconds=grace_seconds,
        progress=lambda what, done, total: None,
    )
    return set(found.comparison.missing)


def recover(target: Target, since: float) -> set[Version]:
    """Send the function those that nothing else brings to it; the uploads that are lost even so.

    Raises PipelineError.
    """
    send = sender(target.function_name, _PARALLEL, **target.settings)
    missing = without_record(target, since, _GRACE_SECONDS)
    # What its hook skips needs no record.
    skipped = {version for version in missing if send(version).state == "skipped"}
    return without_record(target, since) - skipped if missing else set()


def keys(versions: Iterable[Version]) -> list[str]:
    """Their keys, in order."""
    return sorted({version.key for version in versions})
