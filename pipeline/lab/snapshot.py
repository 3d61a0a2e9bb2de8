"""Snapshots of new labs in the user's cache: to restore one takes a second, to make one a minute.

The provider waits 25 s for each queue and 55 s for a lifecycle. A snapshot is what the emulator and
Terraform saved of a lab that was applied, without data. It is of one emulator and provider; of
another state of the module, Terraform applies the difference.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from pipeline.emulator import configuration
from pipeline.lab import root
from pipeline.paths import fingerprint

_STATE = "terraform.tfstate"
# Has the digest of all the rest.
_WHOLE = "digest"
_KEPT = 3
# Stands for the path from the root to the module, which is another one in another folder.
_MODULE = "{module}"


def find(provider: str) -> Path | None:
    """The snapshot of this module, else the newest; None without one of this provider."""
    this = _name(provider)
    found = [each for each in _newest_first() if each.name.rpartition("-")[0] == this[0]]
    same = [each for each in found if each.name == "-".join(this)]
    return next(iter(same or found), None)


def is_same(snapshot: Path, provider: str) -> bool:
    """Whether a snapshot is of the module as it is now."""
    return snapshot.name == "-".join(_name(provider))


def put(snapshot: Path, folder: Path, port: int) -> bool:
    """Copy a snapshot into a new lab, whose emulator will listen on `port`; whether it was whole.

    One that is not is deleted.
    """
    try:
        if (snapshot / _WHOLE).read_text(encoding="utf-8") != _digest(snapshot):
            raise ValueError("something of it has changed since")
        text = (snapshot / _STATE).read_text(encoding="utf-8")
        text = text.replace(_MODULE, _escaped(root.source(folder)))
        shutil.copytree(snapshot / "state", folder / "state")
        (folder / "root" / _STATE).write_text(text, encoding="utf-8")
        root.move(folder, port)
    except (OSError, ValueError):
        discard(snapshot)
        shutil.rmtree(folder / "state", ignore_errors=True)
        (folder / "root" / _STATE).unlink(missing_ok=True)
        return False
    with contextlib.suppress(OSError):
        # It is in use: others go first.
        os.utime(snapshot)
    return True


def keep(folder: Path, provider: str) -> None:
    """Keep a snapshot of the lab in `folder`, which was applied, has been saved and runs.

    A cache that can't be written to has none.
    """
    place = _cache() / "-".join(_name(provider))
    with contextlib.suppress(OSError, ValueError, RecursionError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _temporary(place.parent) as new:
            # What is being saved just now comes and goes.
            ignored = shutil.ignore_patterns("*.tmp")
            shutil.copytree(folder / "state", new / "state", ignore=ignored)
            configuration.empty(new / "state")
            text = (folder / "root" / _STATE).read_text(encoding="utf-8")
            own = f'"{_escaped(root.source(folder))}/'
            (new / _STATE).write_text(text.replace(own, f'"{_MODULE}/'), encoding="utf-8")
            (new / _WHOLE).write_text(_digest(new), encoding="utf-8")
            discard(place)
            new.rename(place)
        for old in list(_newest_first())[_KEPT:]:
            discard(old)


def discard(snapshot: Path) -> None:
    """Delete a snapshot."""
    shutil.rmtree(snapshot, ignore_errors=True)


def _cache() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "event-driven-lab"


def _newest_first() -> list[Path]:
    found = []
    for each in _cache().glob("[!.]*"):
        # Another command may delete it.
        with contextlib.suppress(OSError):
            found.append((each.stat().st_mtime, each))
    return [each for _, each in sorted(found, reverse=True)]


def _name(provider: str) -> tuple[str, str]:
    """Of emulator and provider, and of the module with the lab's own root."""
    own = fingerprint(Path(__file__).parent)
    return f"ministack-{metadata.version('ministack')}-aws-{provider}", own[:16]


def _digest(snapshot: Path) -> str:
    """Of the names and contents of all files. Raises OSError and ValueError."""
    whole = hashlib.sha256()
    for file in sorted(snapshot.rglob("*")):
        if file.is_file() and file.name != _WHOLE:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            whole.update(f"{content} {file.relative_to(snapshot)}\0".encode())
    return whole.hexdigest()


def _escaped(path: str) -> str:
    """As it is within a JSON string."""
    return json.dumps(path)[1:-1]


@contextlib.contextmanager
def _temporary(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
