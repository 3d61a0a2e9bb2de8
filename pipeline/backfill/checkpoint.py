"""Where a long run got to, in a file, so that the next one goes on from there."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError


@dataclass(frozen=True)
class Place:
    """Below `prefix` everything is done up to and with the key `after`, and all prefixes before.

    In `bucket`, of those that are gone through, and in all before it.
    """

    prefix: str
    after: str
    bucket: str = ""


class Checkpoint:
    """The file in `folder` of the work that `about` describes: JSON, the same in every run."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        text = json.dumps(about, sort_keys=True)
        self.file = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        # As it is read back: a tuple is a list then.
        self.about = json.loads(text)

    def load(self) -> Place | None:
        """The place that was saved for this work, if any."""
        try:
            saved = json.loads(self.file.read_text(encoding="utf-8"))
            place = Place(**saved["place"])
            whole = all(isinstance(text, str) for text in asdict(place).values())
            return place if whole and saved["about"] == self.about else None
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def save(self, place: Place) -> None:
        """Save the place; a reader finds the old one or the new one, also after a kill."""
        # Two runs at the same time must not write into one file.
        new = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        text = json.dumps({"about": self.about, "place": asdict(place)})
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(text, encoding="utf-8")
            new.replace(self.file)
        except OSError as error:
            raise PipelineError(
                f"{self.file} can't be written ({error.strerror}): it holds how far this got; give "
                "--work-dir a folder to write to."
            ) from error

    def remove(self) -> None:
        """Remove the file, and the folder if nothing else is in it."""
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)
            self.file.parent.rmdir()
