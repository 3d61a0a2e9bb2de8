"""The AWS resources behind each stage, and the stage that an alarm is about."""

from collections.abc import Mapping
from typing import Any

# By stage: outputs of the module, each with its label on the page.
_OUTPUTS = {
    "bucket": {"bucket_name": "Name", "bucket_arn": "ARN"},
    "delivery": {"buffer_queue_url": "Buffer"},
    "rule": {},
    "buffer": {"buffer_queue_url": "URL"},
    "function": {
        "function_name": "Name",
        "function_arn": "ARN",
        "role_arn": "Role",
        "log_group_name": "Log group",
    },
    "table": {"table_name": "Name", "table_arn": "ARN", "table_stream_arn": "Stream"},
    "failures": {"failure_queue_url": "URL", "failure_queue_arn": "ARN"},
    "alarms": {},
    "topic": {"topic_arn": "ARN"},
}
# By the runbook's section.
_STAGES = {
    "DynamoDB": "table",
    "FailureQueue": "failures",
    "Lambda": "function",
    "Buffer": "delivery",
    "Rule": "rule",
    "UploadSilence": "bucket",
}


def places(outputs: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Label and value of each name to copy, by stage."""
    return {
        stage: [
            (label, str(outputs[output]))
            for output, label in labels.items()
            if outputs.get(output) not in (None, "")
        ]
        for stage, labels in _OUTPUTS.items()
    }


def stage_of(section: str) -> str:
    """The stage that an alarm of this section is about, the alarms' own for any other."""
    found = (stage for name, stage in _STAGES.items() if section.startswith(name))
    return next(found, "alarms")
