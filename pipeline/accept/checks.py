"""All that a run tries: its own steps, and one check for each line of docs/reference/limits.md."""

import itertools
from collections.abc import Iterable

from pipeline.accept import adopt, failures, hook, jobs, lines, live
from pipeline.accept.deliveries import BACKFILLED, VIA, Delivery
from pipeline.accept.sandbox import EMULATOR_SECONDS
from pipeline.accept.trial import RECORD_SECONDS, Check, Trial, by_nature, shown
from pipeline.deployed.session import FailingError
from pipeline.errors import PipelineError
from pipeline.verify.run import verify

DELIVERIES = {
    each.name: each
    for each in (
        Delivery(via, buffered, existing=False, customer_key=key)
        for via, buffered, key in itertools.product(VIA, (False, True), (False, True))
    )
}
# What is left when everything was destroyed; the run itself looks.
DESTROYED = "destroyed"
_ODD_KEYS = 20
_METRICS = "an emulator has no metrics of AWS's own, so that no alarm changes by itself"
_POLICIES = "an emulator does not ask every policy that AWS asks"
_KEYS = "an emulator encrypts nothing, and asks no key's policy"
_PASSES = "the emulator takes it whatever it is"


def _deliver(trial: Trial) -> str:
    """Every stage is as it should be; a probe and odd keys have their records."""
    patience = EMULATOR_SECONDS if trial.sandbox.emulator else RECORD_SECONDS
    for step in verify(trial.session, seconds=patience, tell=lambda _: trial.sandbox.check()):
        if step.verdict == "failing":
            raise FailingError(f"{step.name}: {step.message}")
        if step.verdict == "unknown":
            raise PipelineError(f"{step.name}: {step.message}")
    found = trial.load(trial.session, _ODD_KEYS, "odd")
    if found.failed:
        raise FailingError(f"{len(found.failed)} of {_ODD_KEYS} events are in the failure queue")
    slowest = max(found.latency.values(), default=0.0)
    return f"each stage OK; {_ODD_KEYS} odd keys, a record each within {slowest:.1f} s"


def _destroyed(_trial: Trial) -> str:
    raise AssertionError("the run itself looks")


def _steps() -> list[Check]:
    deliver = [
        Check(f"deliver-{name}", str(each), _deliver, (name,), seconds=180, uploads=_ODD_KEYS + 1)
        for name, each in DELIVERIES.items()
    ]
    return [
        *deliver,
        Check(
            "failed-event-kept",
            "without the right to write, an event comes to the failure queue",
            failures.failed_event_kept,
            ("ndns",),
            seconds=300,
            uploads=1,
        ),
        Check(
            "replay",
            "a replay records what failed",
            failures.replayed,
            ("ndns",),
            ("failed-event-kept",),
            uploads=1,
        ),
        Check(
            "alarm-message",
            "an alarm goes off by itself, and its message reaches a subscriber",
            failures.notified,
            ("edns",),
            emulator=_METRICS,
            seconds=1800,
            uploads=1,
        ),
        Check(
            "alarm-message-encrypted",
            "the same, through a topic with a customer-managed key",
            failures.notified,
            ("ndnk",),
            emulator=_METRICS,
            seconds=1800,
            uploads=1,
        ),
        Check(
            "throttled-table",
            "a table throttles by its own capacity, and no event is lost",
            failures.throttled,
            ("ndnk",),
            emulator="its tables take any number of writes",
            seconds=1800,
            uploads=3600,
        ),
        Check(
            "change-delivery",
            "delivery changes on a live pipeline without losing an upload",
            live.change,
            (live.ROOT,),
            seconds=2700,
            uploads=5400,
        ),
        Check(
            "adopt-console-lab",
            "a lab that was built by hand is adopted without losing an upload",
            adopt.adopt,
            (adopt.ROOT,),
            seconds=600,
            uploads=600,
        ),
        Check(DESTROYED, "everything is destroyed, nothing stays", _destroyed, seconds=600),
    ]


def _line(check: str, what: str, run: object, **more: object) -> Check:
    return Check(check, what, run, line=True, **more)  # type: ignore[arg-type]


_WITH_KEY = (
    *(f"deliver-{name}" for name in DELIVERIES if name.endswith("k")),
    "alarm-message-encrypted",
)
_LINES = [
    _line(
        "provider-new-bucket",
        "a plan after the apply is empty, for buckets that are made today",
        lines.second_plan,
        places=("ndns",),
        emulator="its buckets are no newer than the emulator",
    ),
    _line(
        "large-batches",
        "an invoke gets more than ten messages of the buffer",
        lines.large_batches,
        places=("nbns",),
        emulator="it makes smaller batches, at once",
        uploads=100,
        seconds=300,
    ),
    _line(
        "filter-encoding",
        "a filter with special characters takes the keys that it names",
        lines.filter_encoding,
        places=("ndns",),
        emulator="it does not decode filters",
        uploads=1,
    ),
    _line(
        "filter-length",
        "S3 takes a filter of 1,024 encoded characters",
        lines.filter_length,
        places=("ndns",),
        emulator=_PASSES,
        seconds=700,
        uploads=1,
    ),
    _line(
        "bucket-settings",
        "S3 takes the storage classes that the plan takes, and a policy of 20 KB",
        lines.bucket_settings,
        places=("nbns",),
        emulator=_PASSES,
        seconds=20,
    ),
    _line(
        "key-cache",
        "the role's kms:Decrypt is enough after the table's key has left the cache",
        lines.key_cache,
        places=("ednk",),
        emulator=_KEYS,
        seconds=700,
        uploads=1,
    ),
    _line(
        "x-ray",
        "X-Ray has traces of the function",
        lines.traces,
        places=("ebns",),
        emulator="it has no X-Ray",
        seconds=600,
        uploads=1,
    ),
    _line(
        "dashboard-query",
        "the dashboard's query finds the failures in the log",
        lines.dashboard_query,
        places=("ndns",),
        needs=("failed-event-kept",),
        emulator="it has no language of Logs Insights",
        seconds=180,
    ),
    _line(
        "memory-limit",
        "no invoke comes close to the function's memory",
        lines.memory_limit,
        places=("nbns",),
        needs=("large-batches",),
        emulator="it limits no memory",
    ),
    _line(
        "rule-retries",
        "what a rule can't deliver comes to its dead-letter queue",
        failures.rule_gives_up,
        places=("edns", "ebns"),
        emulator="its rules neither retry nor have a dead-letter queue",
        seconds=900,
        uploads=2,
    ),
    _line(
        "rule-alarm",
        "the alarm on the rule goes off",
        failures.rule_alarm,
        places=("edns", "ebns"),
        needs=("rule-retries",),
        emulator=_METRICS,
        seconds=1500,
    ),
    _line(
        "buffer-alarm",
        "the alarm on the buffer goes off",
        failures.buffer_alarm,
        places=("nbns",),
        emulator=_METRICS,
        seconds=1500,
        uploads=100,
    ),
    _line(
        "alarm-delays",
        "alarms come as late as the runbook says",
        by_nature(
            "compare the seconds of alarm-message, buffer-alarm and rule-alarm with the runbook, "
            "How late an alarm comes"
        ),
    ),
    _line(
        "service-metrics",
        "asynchronous invokes, SQS and EventBridge have metrics",
        lines.service_metrics,
        places=("ndns", "nbns", "edns"),
        needs=("deliver-ndns", "deliver-nbns", "deliver-edns"),
        emulator=_METRICS,
        seconds=900,
    ),
    _line(
        "change-delays",
        "S3 applies a change within five minutes, EventBridge within one",
        lines.change_delays,
        places=("ndns", "edns"),
        emulator="it applies a change at once",
        seconds=1200,
        uploads=400,
    ),
    _line(
        "function-policy",
        "the function's policy lets bucket and rule in",
        shown,
        needs=("deliver-ndns", "deliver-edns"),
        emulator=_POLICIES,
    ),
    _line(
        "queue-policies",
        "the queues' policies let the rule in",
        shown,
        needs=("deliver-ebns", "rule-retries"),
        emulator=_POLICIES,
    ),
    _line(
        "topic-policy",
        "the topic's policy lets alarms in",
        shown,
        needs=("alarm-message",),
        emulator=_POLICIES,
    ),
    _line(
        "role-trust",
        "Lambda may assume the role",
        shown,
        needs=("deliver-ndns",),
        emulator=_POLICIES,
    ),
    _line(
        "key-policy",
        "the key's policy lets in who uses bucket, table, queues, topic and logs",
        shown,
        needs=_WITH_KEY,
        emulator=_KEYS,
    ),
    _line(
        "role-use",
        "Lambda writes logs, polls the buffer and sends failures with the role",
        shown,
        needs=("deliver-nbns", "failed-event-kept"),
        emulator="it does these without asking IAM",
    ),
    _line(
        "key-use",
        "table, queues, topic, bucket and logs work with the key",
        shown,
        needs=_WITH_KEY,
        emulator=_KEYS,
    ),
    _line(
        "key-source-arn",
        "aws:SourceArn reaches KMS when S3 sends to an encrypted queue",
        shown,
        needs=("deliver-nbnk",),
        emulator=_KEYS,
    ),
    _line(
        "partitions",
        "it works in another partition than aws",
        lines.partition,
        needs=("deliver-ndns",),
        emulator="it has the names of one partition",
    ),
    _line(
        "dashboard-look",
        "the dashboard looks as it should",
        by_nature(
            "look at it in a pipeline of yours: CloudWatch, Dashboards, event-driven-pipeline"
        ),
    ),
    _line(
        "vpc-interfaces",
        "the function works in a VPC, and its interfaces go with it",
        by_nature(
            "a run makes no VPC: apply with function.vpc in one of yours, and look at EC2, "
            "Network interfaces, after the destroy"
        ),
    ),
    _line(
        "mail-and-sms",
        "e-mail and SMS arrive",
        by_nature("set alarm_emails to an address of yours, confirm, and look in its mailbox"),
    ),
    _line(
        "alarms-to-others",
        "an alarm arrives in Slack, in Microsoft Teams and in PagerDuty",
        by_nature(
            "apply the examples alarms-to-slack, alarms-to-teams and alarms-to-pagerduty with ids "
            "of yours, run `pipeline verify --wait-alarm`, and look there"
        ),
    ),
    _line(
        "other-accounts",
        "events of another account are recorded",
        by_nature(
            "a run has one account: apply examples/two-accounts in two of yours, upload there, and "
            "look for the record here"
        ),
    ),
    _line(
        "package-version",
        "Lambda reads a given version of a package from S3",
        lines.package_version,
        places=("nbns",),
        emulator="it asks for no right to the object",
        uploads=2,
        seconds=20,
    ),
    _line(
        "hook",
        "a hook reads the object, and Lambda starts another process for one that ended itself",
        hook.called,
        places=(hook.PLACE,),
        emulator="its processes and layers are not Lambda's",
        uploads=3,
        seconds=700,
    ),
    _line(
        "batch-operations",
        "a job of S3 Batch Operations writes the records that are missing",
        jobs.backfilled,
        places=(BACKFILLED,),
        emulator="it has no jobs",
        seconds=3600,
        uploads=jobs.OBJECTS,
        # A job; its objects cost less than a cent.
        dollars=0.26,
    ),
    _line(
        "eventbridge-price",
        "an S3 event by EventBridge costs $1 a million",
        by_nature("look at EventBridge in the bill, a day after a run"),
    ),
]

CHECKS = {each.id: each for each in (*_steps(), *_LINES)}


def choose(only: str | None) -> list[Check]:
    """All checks, or those with the ids in `only` (`a,b`) and what they need, in their order.

    Raises PipelineError for an id that there is none of.
    """
    if only is None:
        return list(CHECKS.values())
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    if unknown := sorted(wanted - CHECKS.keys()):
        raise PipelineError(
            f"--only names no check {', '.join(unknown)}: write some of {', '.join(CHECKS)}."
        )
    if not wanted:
        raise PipelineError(f"--only is empty: write some of {', '.join(CHECKS)}.")
    wanted.add(DESTROYED)
    while more := {need for name in wanted for need in CHECKS[name].needs} - wanted:
        wanted |= more
    return [check for check in CHECKS.values() if check.id in wanted]


def places(checks: Iterable[Check]) -> list[str]:
    """The places that checks need, each once, deliveries first."""
    found = dict.fromkeys(place for check in checks for place in check.places)
    return sorted(found, key=lambda place: place not in DELIVERIES)


def is_late(check: Check) -> bool:
    """Whether a check comes after those of a single place."""
    return len(check.places) != 1 or any(is_late(CHECKS[need]) for need in check.needs)
