"""Read a resource's policy: does it let one AWS service in?

No evaluator of policies: whom a statement names, for what, and from which source. Other conditions
are taken to hold, since what they ask is unknown here.
"""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

_SOURCE_ARN, _SOURCE_ACCOUNT = "aws:sourcearn", "aws:sourceaccount"


def admits(policy: str, service: str, action: str, source_arn: str, account: str) -> bool:
    """Whether a policy (JSON) lets `service` ("s3.amazonaws.com") do `action` for that source."""
    try:
        statements = _list(json.loads(policy).get("Statement"))
    except (ValueError, AttributeError):
        return False
    effects = {
        statement.get("Effect")
        for statement in statements
        if isinstance(statement, dict)
        and _names(statement, service)
        and any(fnmatchcase(action.lower(), str(one).lower()) for one in _actions(statement))
        and _holds(statement, source_arn, account)
    }
    return effects == {"Allow"}


def _names(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal")
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    return service in _list(principal.get("Service")) or "*" in _list(principal.get("AWS"))


def _actions(statement: Mapping[str, Any]) -> list[Any]:
    # SNS's own default policies write SNS:Publish, and old ones Lambda:InvokeFunction.
    return _list(statement.get("Action"))


def _holds(statement: Mapping[str, Any], source_arn: str, account: str) -> bool:
    asked = {_SOURCE_ARN: source_arn, _SOURCE_ACCOUNT: account}
    told = False
    for operator, name, values in _conditions(statement):
        if name in asked and not operator.startswith(("Null", "StringNot", "ArnNot")):
            told = True
            if not any(fnmatchcase(asked[name], str(one)) for one in values):
                return False
    # Denials are about other things than the source (requests without TLS).
    return told or statement.get("Effect") == "Allow" or not statement.get("Condition")


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    condition = statement.get("Condition")
    for operator, tests in (condition if isinstance(condition, dict) else {}).items():
        for name, values in (tests if isinstance(tests, dict) else {}).items():
            yield operator, name.lower(), _list(values)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
