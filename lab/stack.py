"""The embedded lab's own folder: its root module, who uses it now, and whether it was kept.

Everything lies in one ignored folder, so that nothing of the operator's is ever read or written:
`root/` (generated, with its state), `kept.json` and `env` (of a lab that stays), and logs.
"""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.emulator import (
    Emulator,
    client_environment,
    emulator,
    is_emulator,
    start_detached,
    stop_detached,
)
from lab.errors import LabError

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / ".work" / "demo"
SUBSCRIBER = "lab-subscriber"
# Write units in five minutes: few enough for a burst of a second to cross.
ALARM_THRESHOLD = 20

_ROOT = """\
# Made by `python -m lab`: the module as it is, called like anybody would call it.
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


@dataclass(frozen=True)
class Kept:
    """A lab that outlives the command that made it; not `ready` while it is being made."""

    endpoint: str
    port: int
    pid: int
    ready: bool


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder for this process. Raises LabError while another process holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"{folder} can't be used ({error.strerror}): give --work-dir a folder to write to."
        ) from error
    lock = folder.with_name(f"{folder.name}.lock")
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise LabError(
                f"Another lab command (process {holder}) works in {folder}: wait for it to end, "
                "end it, or give another folder with --work-dir."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def write_root(folder: Path) -> Path:
    """Write the root module of the lab, afresh; returns its folder."""
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    source = os.path.relpath(REPOSITORY, root.resolve())
    text = _ROOT.replace("SOURCE", _hcl_string(source)).replace("SUBSCRIBER", SUBSCRIBER)
    text = text.replace("THRESHOLD", str(ALARM_THRESHOLD))
    (root / "main.tf").write_text(text, encoding="utf-8")
    return root


def forget(folder: Path) -> None:
    """Delete what a lab leaves that is gone; its logs stay until the next one."""
    for made in (folder / "root", folder / "tmp", *folder.glob("emulator-*")):
        shutil.rmtree(made, ignore_errors=True)
    for name in ("kept.json", "env", "terraform.tfrc"):
        (folder / name).unlink(missing_ok=True)


def make_room(folder: Path) -> None:
    """Clear the folder for a new lab. Raises LabError while a kept one runs there."""
    kept = read_kept(folder)
    if kept is not None and kept.ready and is_emulator(kept.pid):
        raise LabError(
            f"A lab is kept in {folder} at {kept.endpoint}: look around after "
            f"`. {shlex.quote(str(folder / 'env'))}`, or end it with `{command('down', folder)}`."
        )
    if kept is not None:
        # Left over by a command that was killed while it made this lab.
        stop_detached(kept.pid)
    forget(folder)
    for log in folder.glob("*.log"):
        log.unlink()


@contextlib.contextmanager
def running_emulator(folder: Path, *, keep: bool, port: int | None) -> Iterator[Emulator]:
    """An emulator that ends with the block, or with `keep` only if the block fails."""
    if not keep:
        with emulator(folder, port=port) as running:
            yield running
        return
    running = start_detached(folder, port=port)
    try:
        _write_kept(folder, Kept(running.endpoint, running.port, running.pid, ready=False))
        yield running
        _write_kept(folder, Kept(running.endpoint, running.port, running.pid, ready=True))
    except BaseException:
        stop_detached(running.pid)
        raise


def command(name: str, folder: Path) -> str:
    """The command line that does `name` in this folder, to be typed in this shell, where it is."""
    place = "" if folder == FOLDER else f" --work-dir {shlex.quote(str(folder))}"
    # Not resolved: a virtual environment's python is a link to one without its packages.
    python, here = Path(sys.executable), Path.cwd()
    shown = python.relative_to(here) if python.is_relative_to(here) else python
    return f"{shlex.quote(str(shown))} -m lab {name}{place}"


def read_kept(folder: Path) -> Kept | None:
    """What was noted about a kept lab, whether or not it still runs."""
    try:
        return Kept(**json.loads((folder / "kept.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_env(folder: Path, endpoint: str, terraform: Mapping[str, str]) -> Path:
    """Write a file for shells to source, after which `aws` and `terraform` talk to the lab."""
    variables = dict(client_environment(endpoint))
    if "TF_CLI_CONFIG_FILE" in terraform:
        variables["TF_CLI_CONFIG_FILE"] = terraform["TF_CLI_CONFIG_FILE"]
    lines = ["unset AWS_PROFILE AWS_CA_BUNDLE AWS_SESSION_TOKEN"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    file = folder / "env"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _write_kept(folder: Path, kept: Kept) -> None:
    new = folder / "kept.json.new"
    new.write_text(json.dumps(asdict(kept)), encoding="utf-8")
    new.replace(folder / "kept.json")


def _hcl_string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted.replace("${", "$${").replace("%{", "%%{")
