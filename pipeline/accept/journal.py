"""What a run of `pipeline accept` makes and finds, written down before each making.

Whatever ends the run, `--resume` and `--clean` find here which account, names and roots are its.
"""

import json
import os
import threading
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import PipelineError

FILE = "journal.json"
Verdict = Literal["proved", "disproved", "could not be tried"]


@dataclass(frozen=True)
class Result:
    """What became of a check.

    `message` says what was seen, or why it could not be tried. `open` marks a check that another
    run could try, for example with more rights; `at` is when it ended, epoch seconds.
    """

    verdict: Verdict
    message: str
    seconds: float
    dollars: float
    at: float = 0.0
    open: bool = False


@dataclass
class Journal:
    """One run: its account, its names' prefix, what it was told, and what it did so far.

    `makings` name what may exist by now, `left` what is known to be there still after a clean-up.
    """

    folder: Path
    prefix: str
    account: str
    region: str
    endpoint: str
    checks: list[str]
    budget: float
    estimate: float
    began: float
    makings: list[str] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def note(self, what: str) -> None:
        """Write down that `what` is about to be made."""
        with self._lock:
            if what not in self.makings:
                self.makings.append(what)
            self.save()

    def result(self, check: str, result: Result) -> None:
        """Write down what became of a check."""
        with self._lock:
            self.results[check] = result
            self.save()

    def save(self) -> None:
        """Write all of it at once: a reader finds the old or the new, never half of one."""
        with self._lock:
            new = self.folder / f"{FILE}.new"
            with new.open("w", encoding="utf-8") as file:
                json.dump(self._document(), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.folder / FILE)

    def _document(self) -> dict[str, Any]:
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        results = {check: asdict(result) for check, result in self.results.items()}
        private = ("folder", "_lock")
        return {n: v for n, v in known.items() if n not in private} | {"results": results}


def read(folder: Path) -> Journal | None:
    """The journal of the run in `folder`, None without one. Raises PipelineError."""
    file = folder / FILE
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        results = {check: Result(**each) for check, each in read.pop("results").items()}
        return Journal(folder, **read, results=results)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise PipelineError(
            f"{file} can't be read ({error}): look in the account for names that begin with "
            f"accept-, delete them by hand, then delete {folder}."
        ) from error
