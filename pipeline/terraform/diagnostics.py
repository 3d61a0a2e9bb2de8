"""What Terraform's JSON output objects to: errors, and warnings of what is deprecated."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

# What newer 6.x providers say of an index's keys. The block that they want instead is unknown to
# 5.100, so that there is nothing to write that both take: docs/reference/compatibility.md.
_NO_WAY_ROUND = re.compile(r"\b(?:hash_key|range_key) is deprecated\. Use key_schema")


def errors(diagnostics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each error once, with its place."""
    return sorted({_sentence(each) for each in diagnostics if each["severity"] == "error"})


def deprecations(diagnostics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each warning of something deprecated once, with its place."""
    warnings = {_sentence(each) for each in diagnostics if each["severity"] == "warning"}
    return sorted(
        text for text in warnings if "deprecated" in text.lower() and not _NO_WAY_ROUND.search(text)
    )


def _sentence(diagnostic: Mapping[str, Any]) -> str:
    place = diagnostic.get("range") or {}
    line = place.get("start", {}).get("line", "?")
    said = [diagnostic["summary"], diagnostic.get("detail", "")]
    text = ": ".join(" ".join(part.split()) for part in said if part)
    return f"{place.get('filename', 'somewhere')}:{line}: {text}"
