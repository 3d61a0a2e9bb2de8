"""What the security scan skips: each check with its reason beside it, or the scan fails."""

import re
from pathlib import Path

from pipeline.paths import ROOT

# A skip as checkov reads it, in any comment.
_SKIP = re.compile(r"(?:checkov|bridgecrew|cortex):skip= *([\w,-]*)(?::([^\n]*))?")
# Three words at least and a full stop; "As above." leads astray once somebody moves a line.
_REASON = re.compile(r"\s*(?!As above)\S+(?: \S+){2,}\.\s*")


def without_reason(root: Path | None = None) -> list[str]:
    """The skipped checks in the module at `root` that nothing is said of: `file:line: check`."""
    root = root or ROOT
    return [
        f"{file.relative_to(root)}:{number}: {match[1] or 'a check'}"
        for pattern in ("*.tf", "modules/*/*.tf", "examples/**/*.tf")
        for file in sorted(root.glob(pattern))
        if ".terraform" not in file.parts
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        for match in _SKIP.finditer(line)
        if not _REASON.fullmatch(match[2] or "")
    ]
