"""Build the lab by hand, and adopt it into Terraform while uploads go on."""

import json
import shutil
from typing import Any

from pipeline.accept import console_lab
from pipeline.accept.console_lab import ConsoleLab
from pipeline.accept.trial import FAILED_SECONDS, RECORD_SECONDS, Trial
from pipeline.accept.uploads import uploading
from pipeline.deployed import failure_queue, table
from pipeline.deployed.failure_queue import FailedEvent
from pipeline.deployed.session import FailingError
from pipeline.paths import ROOT as MODULE
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import hcl_string

EXAMPLE = MODULE / "examples" / "adopt-console-lab"
ROOT = "adopted"
# Terraform's name for what overrides the example's own settings.
_OVERRIDE = "accept_override.tf.json"
_PAUSE_SECONDS = 0.5
# After the apply, so that the module's own function is seen at work too.
_AFTERWARDS = 5


def adopt(trial: Trial) -> str:
    """A lab that was built by hand is imported; nothing of it is deleted, no upload is lost."""
    box = trial.sandbox
    lab = ConsoleLab(f"{box.prefix}{ROOT}-")
    box.journal.note(f"lab {lab.prefix}")
    console_lab.make(lab, box.client, box.journal.account, box.partition)
    s3, folder = box.client("s3"), box.folder(ROOT)

    def upload(number: int) -> str:
        key = f"while/{number:05}.txt"
        s3.put_object(Bucket=lab.bucket, Key=key, Body=b"x")
        box.uploaded[trial.check.id] += 1
        return key

    first = upload(99999)
    rows = table.Table(box.client("dynamodb"), lab.names["table"])

    def recorded() -> set[str]:
        return {item["objectKey"]["S"] for page in rows.scan(consistent=True) for item in page}

    # Lambda makes the log group, which is imported, when the function first logs.
    trial.until(lambda: first in recorded(), RECORD_SECONDS, "the hand-built lab's record")
    _write(trial, lab)
    box.journal.note(f"root {ROOT}")
    terraform.init(folder, box.environment)
    changes = terraform.plan(folder, box.environment).resource_changes
    imported = [each for each in changes.values() if each["change"].get("importing")]
    ended = [name for name, each in changes.items() if "delete" in each["change"]["actions"]]
    if ended:
        raise FailingError(f"the plan deletes or replaces {', '.join(ended)}")
    with uploading(upload, _PAUSE_SECONDS) as uploads:
        outputs = box.apply(ROOT)["pipeline"]
        uploads.wait_for(_AFTERWARDS)
    sqs, url = box.client("sqs"), outputs["failure_queue_url"]

    def missing() -> set[str]:
        kept = {
            key
            for message in failure_queue.peek(sqs, url)
            if isinstance(message, FailedEvent)
            for _, key, _ in message.objects
        }
        return set(uploads.keys) - recorded() - kept

    trial.until(lambda: not missing(), FAILED_SECONDS, "the last upload's record")
    if first not in recorded():
        raise FailingError("the record from before the adoption is gone")
    return f"{len(imported)} imported, none deleted; {len(uploads.keys)} uploads, none lost"


def _write(trial: Trial, lab: ConsoleLab) -> None:
    """The example, as its page says; what it adds gets names of this run."""
    box, folder = trial.sandbox, trial.sandbox.folder(ROOT)
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    main = (folder / "main.tf").read_text(encoding="utf-8")
    source = hcl_string(box.source(ROOT))
    (folder / "main.tf").write_text(main.replace('"../../"', source), encoding="utf-8")
    override: dict[str, Any] = {
        "provider": {"aws": box.provider},
        "module": {
            "pipeline": {
                "name_prefix": lab.prefix,
                # So that it can be destroyed with what was uploaded.
                "bucket": {"name": lab.bucket, "force_destroy": True},
            }
        },
    }
    (folder / _OVERRIDE).write_text(json.dumps(override), encoding="utf-8")
    values = {
        "bucket_name": lab.bucket,
        "names": lab.names,
        "permission_sid": lab.permission_sid(box.journal.account),
    }
    (folder / "lab.auto.tfvars.json").write_text(json.dumps(values), encoding="utf-8")
