"""Look for words of the old vocabulary, and name the word to write instead."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pipeline.paths import ROOT

# Names in Python code.
IDENTIFIERS = {
    **{"ground": "session", "stand_on": "connect", "lab_root": "root", "wiring": "path"},
    **{"table_records": "table", "arrivals": "stream", "moments": "times", "making": "apply"},
    **{"tally": "counts", "Tally": "Counts", "watching": "alerting", "LabError": "PipelineError"},
    **{"way": "delivery", "Way": "Delivery", "ways": "deliveries", "EVERY_WAY": "DELIVERIES"},
    **{"Hold": "what it hides or delays", "told": "what it holds", "one": "the thing's own name"},
}
# Text of every file, comments and strings too.
PHRASES = {
    r"mend(s|ed|ing)?": "fix",
    r"without a word": "silently",
    r"keys? of one's own|a key of its own|(?<!'s )own key": "customer-managed key",
    r"keys (that )?begin with": "key prefix",
    r"ways? of delivery|four ways|in (each|every) way": "delivery",
    r"reached the topic": "notifications",
    r"LabErrors": "PipelineError",
    r"lab-verify-": "pipeline-verify-",
    r"python -m lab": "python -m pipeline lab",
    r"(?<!pipeline/)(?<!unit/)lab/\w+\.py": "pipeline/…",
    r"(?<=[\"'])(well|broken|blind)(?=[\"'])": "ok, failing, unknown",
}
_SUFFIXES = {".py", ".md", ".tf", ".toml", ".ini", ".yml", ".js", ".css", ".html"}
# What may speak of the past, and this list.
_EXEMPT = {
    "CHANGELOG.md",
    "docs/upgrade.md",
    "lab.py",
    "tools/words.py",
    "tests/unit/tools/test_words.py",
}
_PHRASES = {re.compile(rf"(?<!\w)(?:{old})(?!\w)"): new for old, new in PHRASES.items()}


def run(root: Path = ROOT) -> int:
    """Print `file:line: word -> replacement` for each; returns 1 if there are any."""
    console = Console(highlight=False, soft_wrap=True)
    status = 0
    for file in _files(root):
        for line, word, replacement in sorted(old_words(file)):
            status = 1
            place = f"{file.relative_to(root)}:{line}"
            console.print(f"{place}: {word} -> {replacement}", markup=False, emoji=False)
    return status


def old_words(file: Path) -> Iterator[tuple[int, str, str]]:
    """Line, word and replacement of each old word in a file."""
    text = file.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, replacement in _PHRASES.items():
            for match in pattern.finditer(line):
                yield number, match[0], replacement
    if file.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and token.string in IDENTIFIERS:
                yield token.start[0], token.string, IDENTIFIERS[token.string]


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in root.walk():
        # Whatever the tooling makes is in a folder whose name starts with a dot.
        folders[:] = sorted(name for name in folders if name == ".github" or name[0] != ".")
        for file in sorted(folder / name for name in names):
            if file.suffix in _SUFFIXES and str(file.relative_to(root)) not in _EXEMPT:
                yield file
