"""One check for each line of docs/reference/limits.md."""

from pipeline.accept import failures, hook, jobs, lines
from pipeline.accept.deliveries import BACKFILLED, DELIVERIES
from pipeline.accept.trial import Check, by_nature, shown

METRICS = "an emulator has no metrics of AWS's own, so that no alarm changes by itself"
_POLICIES = "an emulator does not ask every policy that AWS asks"
_KEYS = "an emulator encrypts nothing, and asks no key's policy"
_PASSES = "the emulator takes it whatever it is"


def _line(check: str, what: str, run: object, **more: object) -> Check:
    return Check(check, what, run, line=True, **more)  # type: ignore[arg-type]


_WITH_KEY = (
    *(f"deliver-{name}" for name in DELIVERIES if name.endswith("k")),
    "alarm-message-encrypted",
)
LINES = [
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
        emulator=METRICS,
        seconds=1500,
    ),
    _line(
        "buffer-alarm",
        "the alarm on the buffer goes off",
        failures.buffer_alarm,
        places=("nbns",),
        emulator=METRICS,
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
        emulator=METRICS,
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
