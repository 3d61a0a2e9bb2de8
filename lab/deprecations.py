"""What Terraform calls deprecated in a module or in a root that uses one."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

# What newer 6.x providers say of an index's keys. The block that they want instead is unknown to
# 5.100, so that there is nothing to write that both take: docs/compatibility.md.
_NO_WAY_ROUND = re.compile(r"\b(?:hash_key|range_key) is deprecated\. Use key_schema")


def deprecations(diagnostics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Terraform's warnings of what is deprecated, each once, with its place; its JSON's objects."""
    found = []
    for diagnostic in diagnostics:
        text = " ".join(
            f"{diagnostic.get('summary', '')}: {diagnostic.get('detail', '')}".split()
        ).rstrip(": ")
        deprecated = diagnostic.get("severity") == "warning" and "deprecated" in text.lower()
        if deprecated and not _NO_WAY_ROUND.search(text):
            place = diagnostic.get("range") or {}
            line = place.get("start", {}).get("line", "?")
            found.append(f"{place.get('filename', 'somewhere')}:{line}: {text}")
    return sorted(set(found))
