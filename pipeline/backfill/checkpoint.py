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
    """Below `prefix` everything is done up to and with the key `after`, and all prefixes before."""

    prefix: str
    after: str


@dataclass(frozen=True)
class Checkpoint:
    """The file of one piece of work, which `about` names: JSON, the same in every run of it."""

    file: Path
    about: Mapping[str, Any]

    def load(self) -> Place | None:
        """The place that was saved for this very work, if any."""
        try:
            saved = json.loads(self.file.read_text(encoding="utf-8"))
            return Place(**saved["place"]) if saved["about"] == self.about else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save(self, place: Place) -> None:
        """Note the place: whoever reads, or is killed, finds the old one or the new one, whole."""
        # Two runs side by side must not write into one file.
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
        """Forget the place, and the folder if nothing else is in it."""
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)
            self.file.parent.rmdir()


def of(folder: Path, about: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint in `folder` of the work that `about` names."""
    name = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return Checkpoint(folder / f"{name}.json", about)
