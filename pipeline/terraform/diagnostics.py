"""The errors in Terraform's JSON output, and its warnings of what is deprecated."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

# Newer 6.x providers deprecate an index's keys. 5.100 does not know the block that replaces them:
# there is nothing to write that both accept (docs/reference/compatibility.md).
_NO_SUCCESSOR = re.compile(r"\b(?:hash_key|range_key) is deprecated\. Use key_schema")


def errors(diagnostics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each error once, with its place."""
    return sorted({sentence(found) for found in diagnostics if found["severity"] == "error"})


def deprecations(diagnostics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each warning of something deprecated once, with its place."""
    warnings = {sentence(found) for found in diagnostics if found["severity"] == "warning"}
    return sorted(
        text for text in warnings if "deprecated" in text.lower() and not _NO_SUCCESSOR.search(text)
    )


def sentence(diagnostic: Mapping[str, Any], where: str = "") -> str:
    """A diagnostic in one line, after `where`, its place in the configuration if not given."""
    if not where and (place := diagnostic.get("range")):
        where = f"{place['filename']}:{place['start']['line']}"
    parts = [diagnostic.get("summary", ""), diagnostic.get("detail", "")]
    text = (" ".join(part.split()) for part in parts)
    return ": ".join(part for part in (where, *text) if part)
