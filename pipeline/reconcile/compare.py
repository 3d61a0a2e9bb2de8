"""Compare what a bucket holds with what a table tells of it: pure, given both.

A record and an object version belong together by key and version id. A version without an id
("null", in a bucket that is not versioned) leaves nothing to go by but key, eTag and time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.deployed.bucket import Version
from pipeline.deployed.filters import Filter, judge
from pipeline.deployed.table import Record

Identity = tuple[str, str]
Versions = Mapping[Identity, Version]

# An event tells when S3 was done, a listing when it began: minutes apart for a large object, and
# an upload in parts may take days. The other way round it is a matter of rounding.
_EARLY_SECONDS = 5
_LATE_SECONDS = 900
NOT_THERE = "its object is not in the bucket"
_REMOVAL = ("ObjectRemoved", "LifecycleExpiration")


@dataclass(frozen=True)
class Scope:
    """What is compared: one bucket's objects since `since`, as the filters take them.

    `listed_at` is when the listing began; both in epoch seconds. Only with `narrowed` are older
    records left out, too: otherwise whatever has not expired is judged.
    """

    bucket: str
    filters: Sequence[Filter]
    since: float
    listed_at: float
    narrowed: bool = False


@dataclass(frozen=True)
class Stale:
    """A record that tells of something that is not there, and `why`."""

    record: Record
    why: str


@dataclass
class Comparison:
    """What was found. Only `missing`, `doubled` and `stale` are against agreement.

    Of the versions that were listed: how many were `expected` to have a record, are `agreeing`,
    `unjudged` (without a record, and the listing does not tell whether the filters take them),
    `ignored` (not taken), `outside` (older than the time compared).

    Of the records, how many are `expired`, `superseded` (of an object without versions that was
    overwritten), `removed` (gone from the bucket, with a record of that), `late` (newer than the
    listing), `early` (older than a narrowed time), of `other_events`, of `other_buckets`.
    """

    missing: list[Version] = field(default_factory=list)
    doubled: list[tuple[Record, ...]] = field(default_factory=list)
    stale: list[Stale] = field(default_factory=list)
    expected: int = 0
    agreeing: int = 0
    unjudged: int = 0
    ignored: int = 0
    outside: int = 0
    expired: int = 0
    superseded: int = 0
    removed: int = 0
    late: int = 0
    early: int = 0
    other_events: int = 0
    other_buckets: int = 0

    @property
    def agrees(self) -> bool:
        """Whether nothing is missing, doubled or stale."""
        return not (self.missing or self.doubled or self.stale)

    def gone(self) -> list[Record]:
        """The records whose objects are not there."""
        return [one.record for one in self.stale if one.why == NOT_THERE]


def tells_of(record: Record, version: Version) -> bool:
    """Whether a record is one of this very upload; both of the same key and version id."""
    if version.version_id:
        return True
    if record.etag and record.etag != version.etag:
        return False
    after = record.timestamp - version.modified
    return after >= -_EARLY_SECONDS and (version.multipart or after <= _LATE_SECONDS)


def compare(
    scope: Scope, versions: Versions, records: Iterable[Record], later: Versions | None = None
) -> Comparison:
    """Compare the `versions` that were listed with all `records` of the table.

    `later` are versions that were found after the listing: no record of them is missing, and a
    record of them is not stale.
    """
    found = Comparison()
    created: dict[Identity, list[Record]] = defaultdict(list)
    removals: dict[Identity, int] = {}
    for record in records:
        identity = record.key, record.version_id
        if record.bucket != scope.bucket:
            found.other_buckets += 1
        elif record.family == "ObjectCreated":
            created[identity].append(record)
        else:
            found.other_events += 1
            if record.family in _REMOVAL:
                removals[identity] = max(record.timestamp, removals.get(identity, 0))

    there = {**(later or {}), **versions}
    wrong: set[Identity] = set()
    for identity, its in created.items():
        live = [one for one in its if _is_live(found, scope, one)]
        if not _judge_records(found, scope, live, there.get(identity), removals.get(identity)):
            wrong.add(identity)
    for identity, version in versions.items():
        told = any(tells_of(one, version) for one in created.get(identity, ()))
        _judge_version(found, scope, version, told=told, right=identity not in wrong)
    return found


def _judge_version(
    found: Comparison, scope: Scope, version: Version, *, told: bool, right: bool
) -> None:
    judgement = judge(scope.filters, version.key, version.etag)
    if judgement == "ignored":
        found.ignored += 1
    elif version.modified < scope.since:
        found.outside += 1
    elif judgement == "unjudged":
        found.unjudged += not told
    else:
        found.expected += 1
        found.agreeing += told and right
        if not told:
            found.missing.append(version)


def _is_live(found: Comparison, scope: Scope, record: Record) -> bool:
    # DynamoDB deletes expired records within about two days; until then they are no news.
    if record.ttl is not None and record.ttl <= scope.listed_at:
        found.expired += 1
        return False
    if scope.narrowed and record.timestamp < scope.since:
        found.early += 1
        return False
    return True


def _judge_records(
    found: Comparison,
    scope: Scope,
    records: Sequence[Record],
    version: Version | None,
    removed_at: int | None,
) -> bool:
    """Judge the creation records of one key and version id: whether they are right."""
    twins = _twins(records, version)
    stale = []
    for record in records:
        if version is None:
            if record.timestamp > scope.listed_at:
                found.late += 1
            elif removed_at is not None and (record.version_id or removed_at >= record.timestamp):
                found.removed += 1
            else:
                stale.append(Stale(record, NOT_THERE))
        elif not tells_of(record, version):
            found.superseded += 1
        elif why := _difference(record, version):
            stale.append(Stale(record, why))
    found.doubled += twins
    found.stale += stale
    return not (twins or stale)


def _difference(record: Record, version: Version) -> str | None:
    if record.etag and record.etag != version.etag:
        return f"its eTag is {record.etag}, the object's is {version.etag}"
    if record.size is not None and record.size != version.size:
        return f"its size is {record.size} bytes, the object's is {version.size}"
    return None


def _twins(records: Sequence[Record], version: Version | None) -> list[tuple[Record, ...]]:
    """Groups of records that tell of one upload."""
    if len(records) < 2:
        return []
    if records[0].version_id:
        return [tuple(records)]
    groups: dict[str, list[Record]] = defaultdict(list)
    # Those that were filled in have none; it alone tells two uploads of the same bytes apart.
    for one in sorted(records, key=lambda record: not record.sequencer):
        same = one.sequencer or next(
            (name for name, group in groups.items() if _same_upload(one, group[0], version)),
            one.object_id,
        )
        groups[same].append(one)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _same_upload(bare: Record, other: Record, version: Version | None) -> bool:
    """Whether a record without a sequencer tells of the same upload as another of its key."""
    if bare.etag != other.etag:
        return False
    if bare.timestamp == other.timestamp:
        return True
    # Of the object that is there now, a listing and an event tell different times.
    return (
        version is not None
        and version.modified in (bare.timestamp, other.timestamp)
        and tells_of(bare, version)
        and tells_of(other, version)
    )
