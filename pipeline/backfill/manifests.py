"""Which objects an S3 Batch Operations job is about: an inventory, or a list that S3 makes."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from pipeline.deployed import bucket
from pipeline.deployed.documents import json_object
from pipeline.deployed.filters import Filter
from pipeline.errors import PipelineError

# One that names 100,000 files.
_LARGEST_MANIFEST = 32 * 1024 * 1024


def inventory(
    s3: Any, url: str, source: str, *, readable: str, partition: str, region: str
) -> dict[str, Any]:
    """The `Manifest` of a job on an S3 Inventory of the bucket `source`.

    `url` names the inventory's manifest.json, `readable` the bucket that jobs read. Raises
    PipelineError where S3 Batch Operations or the function could do nothing with it.
    """
    place = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]+)/(.+)", url)
    if place is None or not url.endswith("manifest.json"):
        raise PipelineError(
            f"--manifest is {url!r:.200}: write that of an inventory, like "
            "s3://BUCKET/…/2026-11-22T01-00Z/manifest.json."
        )
    if place[1] != readable:
        raise PipelineError(
            f"{url} is in the bucket {place[1]}, and the jobs' role reads {readable}: write "
            f'backfill = {{ create = true, bucket = "{place[1]}" }}, and apply.'
        )
    refuse_other_region(s3, place[1], region)
    with bucket.asking(place[1]):
        answer = s3.get_object(Bucket=place[1], Key=place[2])
        content = json_object(answer["Body"].read(_LARGEST_MANIFEST)) or {}
    if not isinstance(content.get("files"), list) or not isinstance(content.get("fileSchema"), str):
        raise PipelineError(f"{url} is no manifest of an S3 Inventory: it names no files.")
    if content.get("sourceBucket") != source:
        raise PipelineError(
            f"{url} lists the bucket {content.get('sourceBucket')!s:.80}, and the pipeline's is "
            f"{source}: take an inventory of that."
        )
    if content.get("fileFormat") != "CSV":
        raise PipelineError(
            f"{url} lists files in {content.get('fileFormat')!s:.20}, of which S3 Batch Operations "
            "reads CSV only: have the inventory written as CSV."
        )
    if "VersionId" not in (column.strip() for column in content["fileSchema"].split(",")):
        raise PipelineError(
            f"{url} lists no versions, by which alone a record is known: let the inventory include "
            "all versions."
        )
    location = {"ObjectArn": f"arn:{partition}:s3:::{place[1]}/{place[2]}", "ETag": answer["ETag"]}
    if answer.get("VersionId", "null") != "null":
        location["ObjectVersionId"] = answer["VersionId"]
    return {"Spec": {"Format": "S3InventoryReport_CSV_20161130"}, "Location": location}


def generated(
    source_arn: str,
    names: Mapping[str, Any],
    since: float | None,
    until: float | None,
    *,
    account: str,
    output: Mapping[str, str],
) -> dict[str, Any]:
    """The `ManifestGenerator` of a job: S3 lists the bucket, and keeps the list at `output`.

    `names` as `constraint` makes them, times in epoch seconds.
    """
    selected: dict[str, Any] = {"KeyNameConstraint": names} if names else {}
    if since is not None:
        selected["CreatedAfter"] = datetime.fromtimestamp(since, UTC)
    if until is not None:
        selected["CreatedBefore"] = datetime.fromtimestamp(until, UTC)
    return {
        "S3JobManifestGenerator": {
            "ExpectedBucketOwner": account,
            "SourceBucket": source_arn,
            "EnableManifestOutput": True,
            "ManifestOutputLocation": {
                "ExpectedManifestBucketOwner": account,
                "Bucket": output["bucket_arn"],
                "ManifestPrefix": f"{output['prefix']}manifests",
                "ManifestEncryption": {"SSES3": {}},
                "ManifestFormat": "S3InventoryReport_CSV_20211130",
            },
            **({"Filter": selected} if selected else {}),
        }
    }


def constraint(filters: Sequence[Filter], prefix: str, suffix: str) -> dict[str, list[str]]:
    """The keys that the filters take below `prefix` and with `suffix`, as S3 selects them.

    Raises PipelineError where there are none, or where S3 can't select them.
    """
    pairs = {
        (max(each.prefix, prefix, key=len), max(each.suffix, suffix, key=len))
        for each in filters
        if (each.prefix.startswith(prefix) or prefix.startswith(each.prefix))
        and (each.suffix.endswith(suffix) or suffix.endswith(each.suffix))
    }
    if not pairs:
        raise PipelineError(
            f"No filter of the pipeline takes keys with the prefix {prefix!r} and the suffix "
            f"{suffix!r}: give --prefix and --suffix that delivery.filters take."
        )
    prefixes, suffixes = ({pair[number] for pair in pairs} for number in (0, 1))
    if len(prefixes) * len(suffixes) != len(pairs):
        raise PipelineError(
            "The pipeline's filters pair prefixes with suffixes, and S3 would list each prefix "
            "with every suffix: give --prefix, so that one of them is left."
        )
    wanted = {"MatchAnyPrefix": sorted(prefixes), "MatchAnySuffix": sorted(suffixes)}
    # An empty one takes every key.
    return {name: texts for name, texts in wanted.items() if "" not in texts}


def refuse_other_region(s3: Any, name: str, region: str) -> None:
    """Raise PipelineError where the bucket is in another region, or can't be asked about."""
    try:
        answer: Any = s3.head_bucket(Bucket=name)
    except ClientError as error:
        answer = error.response
        if "x-amz-bucket-region" not in _headers(answer):
            with bucket.asking(name):
                raise
    found = _headers(answer).get("x-amz-bucket-region", region)
    if found != region:
        raise PipelineError(
            f"The bucket {name} is in {found}, and the function in {region}: S3 Batch Operations "
            "takes buckets of one region only."
        )


def _headers(answer: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return found


def refuse_unversioned(s3: Any, name: str) -> None:
    """Raise PipelineError where the bucket never had versions."""
    with bucket.asking(name):
        status = s3.get_bucket_versioning(Bucket=name).get("Status")
    if status is None:
        raise PipelineError(
            f"The bucket {name} has no versions, by which alone a job's records are known: run "
            "`pipeline backfill` without --batch-operations."
        )
