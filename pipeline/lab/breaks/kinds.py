"""What can be broken on purpose in the embedded lab: how it breaks, what it looks like, the fix.

Each break reads what its fix will need, then acts; its fix may run twice, and before the break.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipeline.deployed import aws
from pipeline.deployed.loopback import is_on_loopback
from pipeline.emulator.process import REGION
from pipeline.emulator.throttle import THROTTLED
from pipeline.errors import PipelineError

# The name of whatever a break adds.
_NAME = "broken-on-purpose"
_DENY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "BrokenOnPurpose",
            "Effect": "Deny",
            "Action": ["dynamodb:PutItem", "dynamodb:BatchWriteItem"],
            "Resource": "*",
        }
    ],
}
_RETENTION = "TTL_SECONDS"

Restore = Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """The lab's emulator, and the pipeline's outputs by name.

    Its clients talk to this endpoint with an emulator's keys, whatever the environment says.
    """

    endpoint: str
    outputs: Mapping[str, Any]

    def client(self, service: str) -> Any:
        """A client of the emulator. Raises PipelineError where the endpoint is not on loopback."""
        client = aws.client(
            service,
            attempts=3,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator's root key
        )
        if not is_on_loopback(client):
            raise PipelineError(f"{self.endpoint} is not on this machine: nothing is broken there.")
        return client

    def name(self, output: str) -> str:
        """An output that is a name. Raises PipelineError."""
        value = self.outputs.get(output)
        if not isinstance(value, str) or not value:
            raise PipelineError(f"The lab has no output {output}: run `pipeline lab up` first.")
        return value


@dataclass(frozen=True)
class Break:
    """Something to break. `does`, `cause` and `fix` are sentences for whoever watches.

    `prepare` returns what `put_back` needs, as JSON; it raises PipelineError where this can't be
    broken. `act` breaks it.
    """

    name: str
    title: str
    does: str
    cause: str
    fix: str
    prepare: Callable[[Site], Restore]
    act: Callable[[Site, Restore], None]
    put_back: Callable[[Site, Restore], None]


def _nothing(site: Site) -> Restore:
    return {}


def _leave(site: Site, restore: Restore) -> None:
    """Nothing to do here: the process is the lab folder's, see `run`."""


def _deny(site: Site, _: Restore) -> None:
    site.client("iam").put_role_policy(
        RoleName=site.name("role_name"), PolicyName=_NAME, PolicyDocument=json.dumps(_DENY)
    )


def _allow(site: Site, _: Restore) -> None:
    site.client("iam").delete_role_policy(RoleName=site.name("role_name"), PolicyName=_NAME)


def _table_arn(site: Site) -> str:
    described = site.client("dynamodb").describe_table(TableName=site.name("table_name"))
    return str(described["Table"]["TableArn"])


def _throttle(site: Site, _: Restore) -> None:
    tag = {"Key": THROTTLED, "Value": "every write is refused"}
    site.client("dynamodb").tag_resource(ResourceArn=_table_arn(site), Tags=[tag])


def _unthrottle(site: Site, _: Restore) -> None:
    site.client("dynamodb").untag_resource(ResourceArn=_table_arn(site), TagKeys=[THROTTLED])


def _variables(site: Site) -> dict[str, str]:
    configuration = site.client("lambda").get_function_configuration(
        FunctionName=site.name("function_name")
    )
    return dict(configuration.get("Environment", {}).get("Variables", {}))


def _set_variables(site: Site, variables: Mapping[str, str]) -> None:
    site.client("lambda").update_function_configuration(
        FunctionName=site.name("function_name"), Environment={"Variables": variables}
    )


def _retention(site: Site) -> Restore:
    variables = _variables(site)
    if _RETENTION not in variables:
        raise PipelineError(f"The function has no variable {_RETENTION} that could be taken away.")
    return {_RETENTION: variables[_RETENTION]}


def _crash(site: Site, _: Restore) -> None:
    variables = _variables(site)
    variables.pop(_RETENTION, None)
    _set_variables(site, variables)


def _uncrash(site: Site, restore: Restore) -> None:
    variables = _variables(site)
    if _RETENTION not in variables:
        # Only this one: the others may have changed meanwhile.
        _set_variables(site, variables | dict(restore))


def _notifications(site: Site) -> Restore:
    found: dict[str, Any] = site.client("s3").get_bucket_notification_configuration(
        Bucket=site.name("bucket_name")
    )
    found.pop("ResponseMetadata", None)
    if not found:
        raise PipelineError("The bucket has no notification configuration to delete.")
    return found


def _silence(site: Site, _: Restore) -> None:
    _put_notifications(site, {})


def _put_notifications(site: Site, restore: Restore) -> None:
    site.client("s3").put_bucket_notification_configuration(
        Bucket=site.name("bucket_name"),
        NotificationConfiguration=dict(restore),
        SkipDestinationValidation=True,
    )


def _mapping(site: Site) -> Restore:
    if not site.outputs.get("buffer_queue_url"):
        raise PipelineError(
            "This lab has no buffer: write delivery = { buffer = {} } into the module's block in "
            "root/main.tf of the lab's folder, and run pipeline lab up."
        )
    url = site.name("buffer_queue_url")
    arn = site.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    found = site.client("lambda").list_event_source_mappings(
        FunctionName=site.name("function_name"), EventSourceArn=arn["Attributes"]["QueueArn"]
    )["EventSourceMappings"]
    if not found or found[0].get("State") not in ("Enabled", "Enabling"):
        raise PipelineError(
            "The function does not read the buffer now: set delivery.paused to false."
        )
    return {"UUID": found[0]["UUID"]}


def _enable(site: Site, restore: Restore, *, on: bool) -> None:
    if "UUID" in restore:
        site.client("lambda").update_event_source_mapping(UUID=restore["UUID"], Enabled=on)


BREAKS = {
    each.name: each
    for each in (
        Break(
            "role",
            "Revoke the right to write",
            "Denies the function's role to write to the table.",
            "The function's role may not write to the table: each write ends with "
            "AccessDeniedException, and the event goes to the failure queue.",
            "Deletes the policy that denies it.",
            _nothing,
            _deny,
            _allow,
        ),
        Break(
            "table",
            "Throttle the table",
            "Makes the table refuse each write, as if its capacity was used up.",
            "The table refuses writes with ProvisionedThroughputExceededException: the function "
            "tries for three seconds, Lambda twice again, then the event goes to the failure "
            "queue.",
            "Lets the table take writes again.",
            _nothing,
            _throttle,
            _unthrottle,
        ),
        Break(
            "handler",
            "Crash the handler",
            f"Takes the variable {_RETENTION} from the function.",
            f"The function raises ValueError on each event, since its variable {_RETENTION} is "
            "missing: after three attempts the event goes to the failure queue.",
            "Gives the function its variable back.",
            _retention,
            _crash,
            _uncrash,
        ),
        Break(
            "notification",
            "Delete the notification",
            "Deletes the bucket's notification configuration.",
            "The bucket tells nobody of uploads, since its notification configuration is gone: "
            "nothing fails, nothing is in the failure queue, and no record is written.",
            "Puts the configuration back; uploads from before are found in the bucket.",
            _notifications,
            _silence,
            _put_notifications,
        ),
        Break(
            "buffer",
            "Fill the buffer",
            "Stops the function from reading the buffer.",
            "The function does not read the buffer, since its event source mapping is disabled: "
            "events wait in the queue, and no record is written.",
            "Enables the mapping; the function then reads what waits.",
            _mapping,
            lambda site, restore: _enable(site, restore, on=False),
            lambda site, restore: _enable(site, restore, on=True),
        ),
        Break(
            "emulator",
            "Stop the emulator",
            "Ends the emulator's process; what it holds is saved.",
            "The emulator does not run, so that no service answers: S3 takes no file, and this "
            "page keeps those that you drop.",
            "Starts it again with what it held.",
            _nothing,
            _leave,
            _leave,
        ),
    )
}
# Terraform, which restores the rest, knows nothing of these.
_ADDED = "role", "table"


def put_back(site: Site, name: str, restore: Restore) -> None:
    """Undo a break, also one that was undone, or whose resource is gone. Raises PipelineError."""
    kind = BREAKS[name]
    try:
        kind.put_back(site, restore)
    except ClientError as error:
        if not aws.is_gone(error):
            raise PipelineError(aws.sentence(error, "the lab", "run `pipeline lab up`")) from error


def sweep(site: Site) -> None:
    """Undo what a crash of the emulator may have brought back after its fix."""
    for name in _ADDED:
        put_back(site, name, {})
