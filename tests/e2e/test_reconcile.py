"""`python -m pipeline reconcile` and `backfill` on the embedded lab: loss is named and fixed."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline import times
from pipeline.backfill import report as backfill_report
from pipeline.backfill.checkpoint import Checkpoint, Place
from pipeline.backfill.run import Backfill, Outcome, Selection
from pipeline.deployed.bucket import event_of, pages
from pipeline.deployed.filters import EVERYTHING
from pipeline.deployed.table import Table
from pipeline.deployed.target import Target
from pipeline.errors import PipelineError
from pipeline.handler import records
from pipeline.reconcile import report as reconcile_report
from pipeline.reconcile.run import reconcile
from pipeline.terminal import printable
from tests.support.aws import s3_events
from tests.support.aws.failing import failed
from tests.support.aws.faulty_dynamodb import faulty_dynamodb, message, raw, refuses
from tests.support.poll import until
from tests.support.stacks.kept import Kept
from tests.support.stacks.stack import empty_bucket

ODD = ["a b+c%.txt", "ü/ö", "[red]x[/red]", "100%", "\x1b[31m\r"]
Item = dict[str, dict[str, str]]
# Of an upload's own event and of what was filled in for it.
DIFFERENT = {"eventName", "sequencer", "eventTime", "timestamp", "ttl"}


class Desk:
    """One test's own keys in the lab, or a bucket of its own, and the commands about them."""

    def __init__(
        self, lab: Kept, bucket: str, prefix: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.lab, self.bucket, self.prefix = lab, bucket, prefix
        self.folder, self.capsys = folder, capsys
        self.s3, self.dynamodb = lab.client("s3"), lab.client("dynamodb")
        self.table = lab.outputs["table_name"]
        self.target = Target({**lab.outputs, "bucket_name": bucket}, "The lab")

    def upload(self, *keys: str) -> None:
        for number, key in enumerate(keys):
            self.s3.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=b"x" * number)

    def items(self) -> dict[str, Item]:
        """The records of this bucket's own keys, by objectId."""
        found = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table, ConsistentRead=True
        )
        return {
            item["objectId"]["S"]: item
            for page in found
            for item in page["Items"]
            if item["bucket"]["S"] == self.bucket and item["objectKey"]["S"].startswith(self.prefix)
        }

    def of(self, key: str) -> Item:
        (item,) = [
            item for item in self.items().values() if item["objectKey"]["S"] == self.prefix + key
        ]
        return item

    def delete(self, object_id: str) -> None:
        self.dynamodb.delete_item(TableName=self.table, Key={"objectId": {"S": object_id}})

    def put(self, item: Item) -> None:
        self.dynamodb.put_item(TableName=self.table, Item=item)

    def reconcile(self, status: int, **options: Any) -> Any:
        """What `reconcile --json` prints, and on stderr what people read."""
        given = {"prefix": self.prefix, "since": None, "grace_seconds": 0, **options}
        assert reconcile_report.run(self.target, as_json=True, **given) == status
        return self.read()

    def backfill(self, status: int = 0, *, dry_run: bool = False, **options: Any) -> Any:
        given = {"prefix": self.prefix, "grace_seconds": 0, **options}
        ended = backfill_report.run(
            self.target,
            Selection(self.bucket, [EVERYTHING], **given),
            given,
            folder=self.folder,
            rate=1000,
            parallel=4,
            restart=False,
            dry_run=dry_run,
            as_json=True,
        )
        out = self.read()
        assert ended == status
        return out

    def read(self) -> Any:
        out, self.said = self.capsys.readouterr()
        return json.loads(out)

    def clean(self) -> None:
        for page in pages(self.s3, self.bucket, self.prefix):
            for each in page.versions:
                version = each.version_id or "null"
                self.s3.delete_object(Bucket=self.bucket, Key=each.key, VersionId=version)
        for object_id in self.items():
            self.delete(object_id)
        if self.bucket != self.lab.outputs["bucket_name"]:
            empty_bucket(self.s3, self.bucket)
            self.s3.delete_bucket(Bucket=self.bucket)


@pytest.fixture
def open_desk(
    embedded: Kept,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Desk]]:
    for name, value in embedded.environment.items():
        monkeypatch.setenv(name, value)
    opened = []

    def desk(prefix: str, bucket: str | None = None) -> Desk:
        opened.append(
            Desk(embedded, bucket or embedded.outputs["bucket_name"], prefix, tmp_path, capsys)
        )
        return opened[-1]

    yield desk
    for each in opened:
        each.clean()


@pytest.fixture
def own_bucket(open_desk: Callable[..., Desk], embedded: Kept) -> Callable[[bool], Desk]:
    """A bucket that was there before any pipeline: uploads send no event."""

    def make(versioned: bool) -> Desk:
        s3, name = embedded.client("s3"), "older-than-the-pipeline"
        s3.create_bucket(Bucket=name)
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return open_desk("", name)

    return make


def test_what_is_missing_is_named_and_filled_in_as_its_event_would_have(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk("reconcile/missing/")
    keys = [*ODD, *(f"{number:02}" for number in range(25))]
    desk.upload(*keys)
    until(lambda: len(desk.items()) == 30)
    whole = desk.reconcile(0)
    assert (whole["figures"]["expected"], whole["figures"]["agreeing"]) == (30, 30)
    assert "All agree" in desk.said

    lost = {key: desk.of(key) for key in [*ODD, "07"]}
    for item in lost.values():
        desk.delete(item["objectId"]["S"])
    result = desk.reconcile(1)
    assert sorted(upload["key"] for upload in result["missing"]) == sorted(
        desk.prefix + key for key in lost
    )
    assert result["figures"]["agreeing"] == 24
    assert not any(upload["in_failure_queue"] for upload in result["missing"])
    assert all(f"{desk.prefix}{printable(key)} (version " in desk.said for key in lost)
    first = min(upload["uploaded"] for upload in result["missing"])
    assert f"-m pipeline backfill --prefix {desk.prefix} --since {first}" in desk.said

    assert desk.backfill(dry_run=True)["absent"] == 6
    assert len(desk.items()) == 24
    report = desk.backfill(since=times.moment(first, time.time(), "since"))
    assert (report["written"], report["failed"]) == (6, [])
    for key, was in lost.items():
        now = desk.of(key)
        assert now["objectId"] == was["objectId"]
        assert now["eventName"] == {"S": "ObjectCreated:Backfill"}
        assert {k: v for k, v in now.items() if k not in DIFFERENT} == {
            k: v for k, v in was.items() if k not in DIFFERENT
        }
        assert now.keys() == was.keys() - {"sequencer"}
        # A listing and an event may fall into two seconds.
        assert 0 <= int(was["ttl"]["N"]) - int(now["ttl"]["N"]) <= 2
    assert desk.reconcile(0)["agrees"]


def test_each_bucket_is_compared_and_filled_in(
    open_desk: Callable[..., Desk], embedded: Kept
) -> None:
    desk = open_desk("reconcile/several/")
    further = [open_desk(desk.prefix, f"further-{number}") for number in range(2)]
    names = [each.bucket for each in further]
    for each in further:
        # Uploads to them send no event.
        each.s3.create_bucket(Bucket=each.bucket)
        each.upload("same")
    desk.upload("same", "own")
    until(lambda: len(desk.items()) == 2)
    delivery = {**embedded.outputs["delivery"], "buckets": names}
    desk.target = Target({**desk.target.outputs, "delivery": delivery}, "The lab")
    key = f"{desk.prefix}same"

    result = desk.reconcile(1)

    assert [(each["bucket"], each["key"]) for each in result["missing"]] == [
        (name, key) for name in names
    ]
    assert all(f"s3://{name}/{key}, uploaded" in desk.said for name in names)
    assert {name: (of["expected"], of["agreeing"]) for name, of in result["buckets"].items()} == {
        desk.bucket: (2, 2),
        **dict.fromkeys(names, (1, 0)),
    }
    alone = desk.reconcile(1, only=names[1])
    assert list(alone["buckets"]) == names[1:]
    assert f"--bucket {names[1]} --since" in desk.said
    with pytest.raises(PipelineError, match=r"^The lab takes no uploads of the bucket 'x': give"):
        desk.reconcile(2, only="x")

    selection = Selection(desk.bucket, [EVERYTHING], desk.prefix, others=names)
    resumed = Backfill(
        desk.s3,
        Table(desk.dynamodb, desk.table),
        selection,
        retention=86_400,
        start=Place("", "", names[1]),
        dry_run=True,
    )
    assert [outcome.version.bucket for outcome in resumed.run()] == names[1:]
    report = desk.backfill(others=names)

    assert (report["written"], report["there"]) == (2, 2)
    assert {name: of["written"] for name, of in report["buckets"].items()} == {
        desk.bucket: 0,
        **dict.fromkeys(names, 1),
    }
    assert desk.reconcile(0)["agrees"]


def test_a_bucket_that_may_not_be_listed_is_named_with_the_right(
    open_desk: Callable[..., Desk], embedded: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk("reconcile/closed/")
    delivery = {**embedded.outputs["delivery"], "buckets": ["closed"]}
    desk.target = Target({**desk.target.outputs, "delivery": delivery}, "The lab")
    closed = open_desk("", "closed")
    desk.s3.create_bucket(Bucket=closed.bucket)
    iam, name = embedded.client("iam"), "lists-the-own-one"
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:ListBucket*", "Resource": f"arn:aws:s3:::{closed.bucket}"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="most", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        with monkeypatch.context() as as_them:
            as_them.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
            as_them.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
            as_them.setattr(boto3, "DEFAULT_SESSION", None)
            with pytest.raises(PipelineError) as refused:
                desk.reconcile(2)
            assert desk.reconcile(0, only=desk.bucket)["agrees"]
    finally:
        boto3.DEFAULT_SESSION = None
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="most")
        iam.delete_user(UserName=name)
    assert str(refused.value).startswith(
        f"The bucket {closed.bucket} is closed to you: you need the right to s3:ListBucketVersions"
    )


def test_a_record_twice_and_a_record_of_nothing_are_named(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk("reconcile/stale/")
    desk.upload("twice", "gone", "hidden", "changed", "fine")
    until(lambda: len(desk.items()) == 5)
    ids = {key: desk.of(key)["objectId"]["S"] for key in ("twice", "gone", "changed")}
    desk.put({**desk.of("twice"), "objectId": {"S": "twin"}})
    desk.put({**desk.of("changed"), "size": {"N": "77"}})
    gone = desk.of("gone")["versionId"]["S"]
    desk.s3.delete_object(Bucket=desk.bucket, Key=f"{desk.prefix}gone", VersionId=gone)
    desk.s3.delete_object(Bucket=desk.bucket, Key=f"{desk.prefix}hidden")

    result = desk.reconcile(1)

    assert result["missing"] == []
    assert [sorted(twins["object_ids"]) for twins in result["doubled"]] == [
        sorted([ids["twice"], "twin"])
    ]
    assert {stale["object_id"]: stale["why"] for stale in result["stale"]} == {
        ids["gone"]: "its object is not in the bucket",
        ids["changed"]: "its size is 77 bytes, the object's is 3",
    }
    assert result["figures"]["agreeing"] == 2


def test_an_event_in_the_failure_queue_is_named_and_stays_there(
    open_desk: Callable[..., Desk], embedded: Kept
) -> None:
    desk = open_desk("reconcile/failed/")
    desk.upload("a b+%", "lost")
    until(lambda: len(desk.items()) == 2)
    item = desk.of("a b+%")
    event = s3_events.record(
        f"{desk.prefix}a b+%", versionId=item["versionId"]["S"], eTag=item["eTag"]["S"]
    )
    event["s3"]["bucket"]["name"] = desk.bucket
    sqs, queue = embedded.client("sqs"), embedded.outputs["failure_queue_url"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(failed(event)))
    for object_id in desk.items():
        desk.delete(object_id)

    result = {upload["key"]: upload["in_failure_queue"] for upload in desk.reconcile(1)["missing"]}

    assert result == {f"{desk.prefix}a b+%": True, f"{desk.prefix}lost": False}
    assert "-m pipeline replay --all" in desk.said
    assert "-m pipeline backfill --prefix" in desk.said
    status, out, _ = embedded.lab("replay", "--key", f"{desk.prefix}*", "--json")
    assert (status, json.loads(out)["done"]) == (0, 1)
    assert [upload["key"] for upload in desk.reconcile(1)["missing"]] == [f"{desk.prefix}lost"]


def test_an_event_that_is_on_its_way_is_waited_for(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk("reconcile/young/")
    desk.upload("young")
    until(desk.items)
    late = desk.of("young")
    desk.delete(late["objectId"]["S"])
    shown = []

    def progress(what: str, _done: int, _total: int) -> None:
        shown.append(what)
        if "waiting" in what:
            desk.put(late)

    result = reconcile(
        desk.target, prefix=desk.prefix, since=None, grace_seconds=60, progress=progress
    )
    assert any("waiting" in what for what in shown)
    assert result.comparison.agrees


def test_a_backfill_that_was_killed_goes_on_and_leaves_each_once(
    own_bucket: Callable[[bool], Desk], embedded: Kept
) -> None:
    desk = own_bucket(True)
    desk.upload(*(f"{number:02}" for number in range(30)))
    names = {
        "bucket_name": desk.bucket,
        "table_name": desk.table,
        "function_name": embedded.outputs["function_name"],
    }
    by_hand = [word for name, value in names.items() for word in ("--set", f"{name}={value}")]
    arguments = ["backfill", *by_hand]
    process = embedded.start(*arguments, "--rate", "10", **embedded.environment)
    until(lambda: len(desk.items()) >= 5)
    process.kill()
    process.communicate(timeout=900)
    assert len(desk.items()) < 30

    process = embedded.start(*arguments, "--rate", "10", **embedded.environment)
    had = len(desk.items())
    until(lambda: len(desk.items()) > had)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "It ended early" in out
    assert had < len(desk.items()) < 30

    status, out, err = embedded.lab(*arguments, "--rate", "1000", **embedded.environment)
    assert (status, err) == (0, "")
    assert "Every object that was looked at has its record" in out
    assert len(desk.items()) == 30
    assert desk.reconcile(0)["figures"]["agreeing"] == 30


def test_a_run_goes_on_after_the_last_page_that_was_through(
    own_bucket: Callable[[bool], Desk], tmp_path: Path
) -> None:
    desk = own_bucket(True)
    # Several versions of a key, so that pages end between them.
    desk.upload(*(f"[{number}]%+ü" for number in range(9) for _ in range(3)))
    saved = Checkpoint(tmp_path, {"bucket": desk.bucket})

    def filling() -> Iterator[Outcome]:
        return Backfill(
            desk.s3,
            Table(desk.dynamodb, desk.table),
            Selection(desk.bucket, [EVERYTHING]),
            retention=86_400,
            start=saved.load(),
            passed=saved.save,
            page_size=4,
        ).run()

    first = filling()
    for _ in range(18):
        next(first)
    first.close()  # type: ignore[attr-defined]
    place = saved.load()
    # Sixteen are through; the sixteenth is the first version of its key.
    assert place is not None
    assert place.after == "[4]%+ü"

    second = list(filling())

    assert len(second) == 27 - 15
    assert len(desk.items()) == 27
    (page,) = pages(desk.s3, desk.bucket, "")
    assert set(desk.items()) == {records.object_id(event_of(version)) for version in page.versions}


def test_a_record_that_is_there_is_never_overwritten(own_bucket: Callable[[bool], Desk]) -> None:
    desk = own_bucket(True)
    desk.upload("k", "k", "other")
    assert desk.backfill(current=True)["written"] == 2
    assert desk.backfill()["written"] == 1
    theirs = {**desk.of("other"), "eventName": {"S": "ObjectCreated:Copy"}, "note": {"S": "mine"}}
    desk.put(theirs)
    report = desk.backfill()
    assert (report["written"], report["there"]) == (0, 3)
    assert desk.of("other") == theirs
    # Even when it comes after it was looked for.
    table = Table(desk.dynamodb, desk.table)
    assert not table.put_new({**theirs, "note": {"S": "ours"}})
    assert desk.of("other") == theirs


def test_without_versions_nothing_is_filled_in_beside_its_own_event(
    own_bucket: Callable[[bool], Desk],
) -> None:
    desk = own_bucket(False)
    desk.upload("ü +%", "b", "c")
    assert desk.backfill(grace_seconds=60)["young"] == 3
    assert desk.items() == {}
    report = desk.backfill()
    assert (report["written"], report["unversioned"]) == (3, 3)
    assert "have no version id" in desk.said
    event = {
        **desk.of("b"),
        "objectId": {"S": "of-the-event"},
        "eventName": {"S": "ObjectCreated:Put"},
        "sequencer": {"S": "01"},
        "timestamp": {"N": str(int(desk.of("b")["timestamp"]["N"]) + 1)},
    }
    desk.delete(desk.of("b")["objectId"]["S"])
    desk.put(event)

    assert desk.backfill()["there"] == 3
    assert len(desk.items()) == 3
    assert desk.reconcile(0)["figures"]["agreeing"] == 3

    desk.s3.put_object(Bucket=desk.bucket, Key="c", Body=b"overwritten")
    desk.delete(desk.of("ü +%")["objectId"]["S"])
    result = desk.reconcile(1)
    assert [upload["key"] for upload in result["missing"]] == ["c", "ü +%"]
    assert result["figures"]["superseded"] == 1


def test_what_the_table_refuses_is_named_and_tried_again_by_the_next_run(
    own_bucket: Callable[[bool], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = own_bucket(True)
    desk.upload("bad", *ODD)
    with faulty_dynamodb() as refusing:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", refusing.url)
        table = {"Table": {"TableId": "t", "ProvisionedThroughput": {"WriteCapacityUnits": 5}}}
        answers = json.dumps(table).encode(), b"{}"
        refusing.script.extend(raw(message(200, answer)) for answer in answers)
        refusing.rule = refuses("bad")
        report = desk.backfill(status=1)
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB")
    assert report["written"] == len(ODD)
    (failure,) = report["failed"]
    assert (failure["key"], failure["reason"][:19]) == ("bad", "ValidationException")
    assert "  failed  bad (" in desk.said
    assert list(desk.folder.rglob("*.json")) == []
    assert desk.backfill()["written"] == len(ODD) + 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bucket_name", "The bucket no-such-thing does not exist: "),
        ("table_name", "The table no-such-thing does not exist"),
        ("function_name", "The function no-such-thing does not exist"),
    ],
)
def test_what_is_not_there_is_one_sentence(embedded: Kept, name: str, said: str) -> None:
    outputs = ["bucket_name", "table_name", "function_name", "failure_queue_url"]
    names = {output: embedded.outputs[output] for output in outputs} | {name: "no-such-thing"}
    by_hand = [word for output, value in names.items() for word in ("--set", f"{output}={value}")]
    for command in "reconcile", "backfill":
        status, _, err = embedded.lab(command, *by_hand, **embedded.environment)
        assert status == 2
        assert said in err
        assert "Traceback" not in err
