"""Read JSON that others wrote, which can hold anything."""

import json
from typing import Any


def json_object(value: Any) -> dict[str, Any] | None:
    """The JSON object in a text, or the object itself; None for anything else."""
    try:
        document = json.loads(value) if isinstance(value, str | bytes) else value
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def text(value: Any, at_most: int = 500) -> str:
    """A value as a short text."""
    try:
        return f"{value!s:.{at_most}}"
    except RecursionError:
        return "(too deeply nested to be shown)"
