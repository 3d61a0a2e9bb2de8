"""Is this the account that was meant, is it none of production, and has it room for the run?"""

import os
import re
from typing import Any

from pipeline.deployed import aws
from pipeline.errors import PipelineError

# `prod`, `prd` and `production` as words; not nonprod, pre-prod or product.
_PRODUCTION = re.compile(
    r"(?<![a-z])(?<!non[-_.])(?<!pre[-_.])(prod|prd|production)(?![a-z])", re.I
)
# What one pipeline may run at a time while it is tried.
_INVOKES = 5


def check(account: str, region: str) -> str:
    """The partition of the credentials' account. Raises PipelineError where it is not `account`.

    Also where the account's alias or the profile's name is one of production.
    """
    sts = aws.client("sts", region_name=region)
    with aws.asking("the AWS account", "check AWS_PROFILE and AWS_REGION"):
        identity = sts.get_caller_identity()
    if (found := str(identity["Account"])) != account:
        raise PipelineError(
            f"--account is {account}, but the credentials are of {found}: set AWS_PROFILE to a "
            "profile of the account that you mean."
        )
    with aws.asking("the list of account aliases", "check AWS_PROFILE"):
        aliases = aws.client("iam", region_name=region).list_account_aliases()["AccountAliases"]
    refuse_production({"account alias": aliases, "profile": [os.environ.get("AWS_PROFILE", "")]})
    return str(identity["Arn"]).split(":")[1]


def refuse_production(names: dict[str, list[str]]) -> None:
    """Raise PipelineError where a name, by what it names, is one of production."""
    for what, given in names.items():
        for name in given:
            if _PRODUCTION.search(name):
                raise PipelineError(
                    f"The {what} {name!r} looks like production, where this must not run: take "
                    "an account of its own, or one for tests."
                )


def check_room(pipelines: int, region: str, functions: Any = None) -> None:
    """Raise PipelineError where so many pipelines would throttle each other."""
    functions = functions or aws.client("lambda", region_name=region)
    with aws.asking("the account's Lambda settings", "check AWS_PROFILE and AWS_REGION"):
        limit = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    if limit < (needed := pipelines * _INVOKES):
        raise PipelineError(
            f"Lambda runs {limit} functions at a time in this account, and {pipelines} pipelines "
            f'need {needed}: raise the quota "Concurrent executions" of Lambda in Service '
            "Quotas, or choose fewer checks with --only."
        )
