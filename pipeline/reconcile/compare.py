"""Compare the versions in buckets with the records in a table, once both were read.

A record and an object version belong together by bucket, key and version id. A version without an
id ("null", in a bucket that is not versioned) is matched by bucket, key, eTag and time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.deployed.bucket import Version
from pipeline.deployed.filters import Filter, judge
from pipeline.deployed.table import Record

Identity = tuple[str, str, str]
Versions = Mapping[Identity, Version]

# An event has the time when S3 was done, a listing when it began: minutes apart for a large object,
# days for an upload in parts. The other way round, only rounding differs.
_EARLY_SECONDS = 5
_LATE_SECONDS = 900
_NO_OBJECT = "its object is not in the bucket"
_REMOVAL = ("ObjectRemoved", "LifecycleExpiration")


@dataclass(frozen=True)
class Scope:
    """What is compared: the objects of `buckets` that the filters take, uploaded since `since`.

    `listed_at` is when the listing began; both are epoch seconds. Older records are judged too,
    unless `narrowed`.
    """

    buckets: Sequence[str]
    filters: Sequence[Filter]
    since: float
    listed_at: float
    narrowed: bool = False


@dataclass(frozen=True)
class Stale:
    """A record that does not match the bucket, and `why`."""

    record: Record
    why: str


@dataclass
class Comparison:
    """The result. Bucket and table agree if nothing is `missing`, `doubled` or `stale`.

    Listed versions: how many are `expected` to have a record, `agreeing`, `unjudged` (without a
    record, and the listing does not show whether the filters take them), `ignored` (not taken),
    `outside` (older than the time compared).

    Records: how many are `expired`, `superseded` (of an object without versions that was
    overwritten), `removed` (of an object whose removal has a record), `late` (newer than the
    listing), `early` (older than a narrowed time), of `other_events`, of `other_buckets`.

    `expected_in` and `agreeing_in` count by bucket.
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
    expected_in: Counter[str] = field(default_factory=Counter)
    agreeing_in: Counter[str] = field(default_factory=Counter)

    @property
    def agrees(self) -> bool:
        """Whether nothing is missing, doubled or stale."""
        return not (self.missing or self.doubled or self.stale)

    def of(self, bucket: str) -> dict[str, int]:
        """The figures of one bucket."""
        return {
            "expected": self.expected_in[bucket],
            "agreeing": self.agreeing_in[bucket],
            "missing": sum(version.bucket == bucket for version in self.missing),
            "doubled": sum(twins[0].bucket == bucket for twins in self.doubled),
            "stale": sum(stale.record.bucket == bucket for stale in self.stale),
        }

    def gone(self) -> list[Record]:
        """The records whose objects are not there."""
        return [stale.record for stale in self.stale if stale.why == _NO_OBJECT]


def matches(record: Record, version: Version) -> bool:
    """Whether both are of the same upload, given the same bucket, key and version id."""
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

    `later` are versions that were found after the listing: they need no record, but may have one.
    """
    found = Comparison()
    created: dict[Identity, list[Record]] = defaultdict(list)
    removals: dict[Identity, int] = {}
    for record in records:
        identity = record.bucket, record.key, record.version_id
        if record.bucket not in scope.buckets:
            found.other_buckets += 1
        elif record.family == "ObjectCreated":
            created[identity].append(record)
        else:
            found.other_events += 1
            if record.family in _REMOVAL:
                removals[identity] = max(record.timestamp, removals.get(identity, 0))

    there = {**(later or {}), **versions}
    wrong: set[Identity] = set()
    for identity, candidates in created.items():
        live = [record for record in candidates if _is_live(found, scope, record)]
        if not _judge_records(found, scope, live, there.get(identity), removals.get(identity)):
            wrong.add(identity)
    for identity, version in versions.items():
        recorded = any(matches(record, version) for record in created.get(identity, ()))
        _judge_version(found, scope, version, recorded=recorded, correct=identity not in wrong)
    return found


def _judge_version(
    found: Comparison, scope: Scope, version: Version, *, recorded: bool, correct: bool
) -> None:
    judgement = judge(scope.filters, version.key, version.etag)
    if judgement == "ignored":
        found.ignored += 1
    elif version.modified < scope.since:
        found.outside += 1
    elif judgement == "unjudged":
        found.unjudged += not recorded
    else:
        found.expected += 1
        found.expected_in[version.bucket] += 1
        found.agreeing += recorded and correct
        found.agreeing_in[version.bucket] += recorded and correct
        if not recorded:
            found.missing.append(version)


def _is_live(found: Comparison, scope: Scope, record: Record) -> bool:
    # DynamoDB deletes expired records within about two days; until then they don't count.
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
    """Judge the creation records of one bucket, key and version id; whether they are correct."""
    twins = _twins(records, version)
    stale = []
    for record in records:
        if version is None:
            if record.timestamp > scope.listed_at:
                found.late += 1
            elif removed_at is not None and (record.version_id or removed_at >= record.timestamp):
                found.removed += 1
            else:
                stale.append(Stale(record, _NO_OBJECT))
        elif not matches(record, version):
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
    """Groups of records of one upload."""
    if len(records) < 2:
        return []
    if records[0].version_id:
        return [tuple(records)]
    groups: dict[str, list[Record]] = defaultdict(list)
    # Backfilled records have no sequencer; it alone tells two uploads of the same bytes apart.
    for record in sorted(records, key=lambda record: not record.sequencer):
        same = record.sequencer or next(
            (name for name, group in groups.items() if _same_upload(record, group[0], version)),
            record.object_id,
        )
        groups[same].append(record)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _same_upload(bare: Record, other: Record, version: Version | None) -> bool:
    """Whether a record without a sequencer is of the same upload as another of its key."""
    if bare.etag != other.etag:
        return False
    if bare.timestamp == other.timestamp:
        return True
    # For the object that is there now, a listing and an event have different times.
    return (
        version is not None
        and version.modified in (bare.timestamp, other.timestamp)
        and matches(bare, version)
        and matches(other, version)
    )
