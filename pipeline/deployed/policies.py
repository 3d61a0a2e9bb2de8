"""Read a resource's policy: does it let an AWS service in?

This evaluates principal, action and source. Other conditions count as met: what they compare with
is unknown here.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from pipeline.deployed.documents import json_object


def admits(policy: str, service: str, action: str, source_arn: str, account: str) -> bool:
    """Whether a policy (JSON) lets `service` ("s3.amazonaws.com") do `action` for that source."""
    statements = _objects((json_object(policy) or {}).get("Statement"))
    effects = {
        str(statement.get("Effect"))
        for statement in statements
        if _names(statement, service)
        # SNS's own default policies write SNS:Publish, and old ones Lambda:InvokeFunction.
        and any(
            fnmatchcase(action.lower(), str(pattern).lower())
            for pattern in _list(statement.get("Action"))
        )
        and _applies(statement, source_arn, account)
    }
    return effects == {"Allow"}


def _names(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return principal == "*"
    return service in _list(principal.get("Service")) or "*" in _list(principal.get("AWS"))


def _applies(statement: Mapping[str, Any], source_arn: str, account: str) -> bool:
    source = {"aws:sourcearn": source_arn, "aws:sourceaccount": account}
    about_source = False
    for operator, tests in _pairs(statement.get("Condition")):
        for key, patterns in _pairs(tests):
            value = source.get(key.lower())
            if value and not operator.startswith(("Null", "StringNot", "ArnNot")):
                about_source = True
                if not any(fnmatchcase(value, str(pattern)) for pattern in _list(patterns)):
                    return False
    # A denial with other conditions is about something else (requests without TLS).
    return about_source or statement.get("Effect") == "Allow" or not statement.get("Condition")


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in _list(value) if isinstance(each, Mapping)]


def _pairs(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
