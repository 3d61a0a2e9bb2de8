"""The root module of the embedded lab: what it says, what it tells, and where its queues are."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from pipeline.emulator.ports import HOST
from pipeline.emulator.process import ACCOUNT_ID
from pipeline.errors import PipelineError
from pipeline.paths import ROOT

SUBSCRIBER = "lab-subscriber"
# Write units in five minutes: few enough for a burst of a second to cross.
ALARM_THRESHOLD = 20

_ROOT = """\
# Made by `python -m pipeline`: the module as it is, called like anybody would call it.
module "pipeline" {
  source = SOURCE

  # The last step of the demo deletes what it uploaded.
  bucket = { force_destroy = true }

  # The default is 80 % of what the write units give: 1,200 units in five minutes.
  alarms = { write_activity = { threshold = THRESHOLD } }

  topic = {
    subscriptions = {
      lab = { protocol = "sqs", endpoint = aws_sqs_queue.subscriber.arn }
    }
  }
}

# Stands for whoever gets the alarms: e-mail is something that the emulator only logs.
resource "aws_sqs_queue" "subscriber" {
  name   = "SUBSCRIBER"
  policy = data.aws_iam_policy_document.subscriber.json
}

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "subscriber" {
  statement {
    sid       = "TopicsOfThisAccount"
    actions   = ["sqs:SendMessage"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

output "pipeline" {
  value = module.pipeline
}

output "subscriber_queue_url" {
  value = aws_sqs_queue.subscriber.url
}
"""


def write(folder: Path) -> Path:
    """Write the root module of the lab in `folder`, afresh; returns the root's own folder."""
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    source = os.path.relpath(ROOT, root.resolve())
    text = _ROOT.replace("SOURCE", _hcl_string(source)).replace("SUBSCRIBER", SUBSCRIBER)
    text = text.replace("THRESHOLD", str(ALARM_THRESHOLD))
    (root / "main.tf").write_text(text, encoding="utf-8")
    return root


def outputs(folder: Path) -> dict[str, Any]:
    """The root's outputs by name, from its state, since starting Terraform takes a second.

    Empty where nothing was applied. Raises PipelineError where the state can't be read.
    """
    file = folder / "root" / "terraform.tfstate"
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
        return {name: told["value"] for name, told in state["outputs"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise PipelineError(
            f"Terraform's state {file} can't be read ({error}): put terraform.tfstate.backup in "
            "its place, or end the lab and make a new one."
        ) from error


def needed(folder: Path) -> tuple[dict[str, Any], str]:
    """The pipeline's outputs, and the subscriber's URL.

    Raises PipelineError where they are absent.
    """
    told = outputs(folder)
    if not told:
        raise PipelineError(
            f"Nothing is applied in {folder / 'root'}: bring it back with `terraform apply` there, "
            "or with `pipeline lab up`."
        )
    if absent := {"pipeline", "subscriber_queue_url"} - told.keys():
        raise PipelineError(
            f"{folder / 'root' / 'main.tf'} has no output {' and '.join(sorted(absent))}: put it "
            "back, and apply."
        )
    return told["pipeline"], told["subscriber_queue_url"]


def move(folder: Path, port: int) -> None:
    """Let a stopped lab's queues be at `port`, in Terraform's state and in the emulator's.

    A queue's id is its URL, which holds the port; refreshing does not change an id.
    """
    here = re.compile(rf"http://({re.escape(HOST)}|localhost):\d+(?=/{ACCOUNT_ID}/)")
    for file in (folder / "root" / "terraform.tfstate", folder / "state" / "sqs.json"):
        try:
            old = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        new = here.sub(rf"http://\g<1>:{port}", old)
        if new != old:
            partial = file.with_suffix(".partial")
            partial.write_text(new, encoding="utf-8")
            partial.replace(file)


def _hcl_string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted.replace("${", "$${").replace("%{", "%%{")
