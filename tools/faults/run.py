"""Run one fault, and report what became of each upload.

A run uploads while something is broken, repairs it, replays the failure queue, and checks that no
upload is lost or counted twice.
"""

import contextlib
import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.lab.observe import NotSeenError
from tools.faults.counts import Counts, Upload
from tools.faults.deployment import TIMEOUT_SECONDS, Deployment
from tools.faults.faults import FAULTS
from tools.faults.trial import Progress, Trial

_LONGEST_TIMEOUT_SECONDS = 30
# Of a Python process that starts: an invoke also connects, and waits for others' writes.
_STARTS_AN_INVOKE = 6
# Two save waiting for what is refused for good. Where everything must get through in the end, as
# many as the module's default.
_FEW_RECEIVES = 2
_RECEIVES = {"worker-killed": 5, "throttled": 5, "emulator-restarted": 5}


@dataclass(frozen=True)
class Result:
    """What became of the uploads of one run.

    Before the replay `recorded` of them had a record, `in_failure_queue` messages were in that
    queue, and `both` uploads had a record and a message, which is fine: an invoke may fail after
    its write. Then `replayed` messages went through. `doubled` counts records and messages beyond
    an upload's first, `lost` uploads that had neither, or have no record at the end. `problems`
    are sentences.
    """

    fault: str
    delivery: str
    uploads: int
    recorded: int
    in_failure_queue: int
    both: int
    replayed: int
    doubled: int
    lost: int
    seconds: float
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, nothing doubled, and everything else went as expected."""
        return not (self.problems or self.lost or self.doubled)


def run_fault(
    fault: str,
    deployment: Deployment,
    count: int,
    progress: Progress = lambda what, done, total: None,
) -> Result:
    """Run one fault on `count` uploads, and repair it whatever happens.

    Needs an empty failure queue. Raises PipelineError where the pipeline can't be used.
    """
    began = time.monotonic()
    timeout = invoke_seconds()
    trial = Trial(deployment, count, f"{fault}/{random.getrandbits(48):x}/", progress)
    trial.patience_seconds = max(trial.patience_seconds, 10.0 * timeout)
    with _short_retries(deployment, _RECEIVES.get(fault, _FEW_RECEIVES), timeout):
        try:
            with FAULTS[fault](trial):
                trial.settle()
                before = trial.counts()
        except NotSeenError as error:
            trial.problems.append(f"the run was stopped: {error}")
            before = trial.counts()
        finally:
            deployment.proxy.rule = lambda request: None
        replayed = trial.replay()
        if left := trial.failed():
            trial.problems.append(f"{left} messages are left in the failure queue")
        after = trial.counts()
    return judge(fault, trial, before, after, replayed, time.monotonic() - began)


def judge(
    fault: str, trial: Trial, before: Counts, after: Counts, replayed: int, seconds: float
) -> Result:
    """The result of a run from the counts `before` and `after` the replay."""
    uploads = trial.uploads
    lost = [
        upload
        for upload in uploads
        if not after.records[upload] or not (before.records[upload] or before.messages[upload])
    ]
    return Result(
        fault,
        trial.deployment.delivery,
        uploads=len(uploads),
        recorded=sum(before.records[upload] > 0 for upload in uploads),
        in_failure_queue=before.messages.total() + before.without_event,
        both=len(
            [upload for upload in uploads if before.records[upload] and before.messages[upload]]
        ),
        replayed=replayed,
        doubled=sum(
            max(0, counted[upload] - 1)
            for counted in (before.messages, after.records)
            for upload in uploads
        ),
        lost=len(lost),
        seconds=round(seconds, 1),
        problems=(*trial.problems, *_problem("are lost", lost), *_problems(trial, before, after)),
    )


def _problems(trial: Trial, before: Counts, after: Counts) -> Iterator[str]:
    uploads = trial.uploads
    yield from _problem(
        "are counted twice",
        [upload for upload in uploads if after.records[upload] > 1 or before.messages[upload] > 1],
    )
    yield from _problem(
        "changed in the replay",
        [name for name in before.items if before.items[name] != after.items.get(name)],
    )
    if not trial.either:
        unrecorded = [
            upload for upload in before.messages if upload in uploads and not before.records[upload]
        ]
        yield from _problem(
            "failed though nothing was wrong with them",
            [upload for upload in unrecorded if upload not in trial.refused],
        )
        yield from _problem(
            "are recorded though they were refused",
            [upload for upload in trial.refused if before.records[upload]],
        )
    foreign = before.without_event + sum(
        number for upload, number in before.messages.items() if upload not in uploads
    )
    if foreign:
        yield f"{foreign} messages in the failure queue are of no upload"


def _problem(what: str, found: Sequence[Upload | str]) -> Iterator[str]:
    if found:
        names = [each.key if isinstance(each, Upload) else each for each in found[:3]]
        yield f"{len(found)} {what}: {', '.join(names)}{', ...' * (len(found) > 3)}"


def invoke_seconds() -> int:
    """How many seconds an invoke may take on this machine as busy as it is now, 2 to 30."""
    began = time.monotonic()
    # As the emulator does it, and as many as uploads come at a time.
    script = [sys.executable, "-I", "-c", "import http.client, json, ssl"]
    workers = [subprocess.Popen(script) for _ in range(4)]
    for worker in workers:
        worker.wait()
    needed = math.ceil(_STARTS_AN_INVOKE * (time.monotonic() - began))
    return min(max(TIMEOUT_SECONDS, needed), _LONGEST_TIMEOUT_SECONDS)


@contextlib.contextmanager
def _short_retries(deployment: Deployment, receives: int, timeout: int) -> Iterator[None]:
    """An invoke times out after `timeout` seconds; a message comes back then, `receives` times."""
    functions, name = deployment.client("lambda"), deployment.pipeline.function_name
    functions.update_function_configuration(FunctionName=name, Timeout=timeout)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    url, sqs = deployment.pipeline.buffer_queue_url, deployment.client("sqs")
    if url is None:
        yield
        return
    names = ["VisibilityTimeout", "RedrivePolicy"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    redrive = {**json.loads(before["RedrivePolicy"]), "maxReceiveCount": receives}
    # Longer than an invoke, as SQS asks; the module's own is six times as long and more.
    short = {"VisibilityTimeout": str(timeout + 1), "RedrivePolicy": json.dumps(redrive)}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=short)
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)
