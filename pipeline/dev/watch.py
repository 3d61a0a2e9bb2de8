"""Watch folders for files that are saved, also where a folder goes and comes back."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from watchfiles import Change, DefaultFilter, watch

from pipeline.errors import PipelineError

_Saved = set[tuple[Change, str]]

# How long one look at a watcher takes where nothing is saved, and what ends a save.
_LOOK_MS = 50
_CALM_MS = 30
# How often folders are looked at: the kernel tells nothing of one that takes another's place.
_FOLDERS_SECONDS = 0.5


class Watcher:
    """What is saved in `flat` folders, and in `deep` ones with all below them."""

    def __init__(
        self, flat: Sequence[Path], deep: Sequence[Path], say: Callable[[str], None]
    ) -> None:
        """`say` is called with a sentence on folders that go, and come back."""
        self._places = [(each, False) for each in flat] + [(each, True) for each in deep]
        self._say = say
        self._looked_at = 0.0
        self._identities = self._present()
        self._watchers = self._watch()

    def saved(self, seconds: float, pause: Callable[[float], None]) -> set[Path]:
        """The files that were saved, or folders that came back, within so many seconds.

        It returns with the first. `pause` is called again and again, with no time to wait.
        """
        deadline = time.monotonic() + seconds
        while True:
            pause(0)
            found = self._replaced()
            for watcher in self._watchers:
                found |= {Path(file) for _, file in _look(watcher)}
            if found or time.monotonic() >= deadline:
                return found
            if not self._watchers:
                time.sleep(_LOOK_MS / 1000)

    def _present(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for folder, _ in self._places:
            with contextlib.suppress(OSError):
                about = folder.stat()
                found[folder] = about.st_dev, about.st_ino
        return found

    def _replaced(self) -> set[Path]:
        """Folders that have come back, or are others by now."""
        if time.monotonic() < self._looked_at + _FOLDERS_SECONDS:
            return set()
        self._looked_at = time.monotonic()
        before, self._identities = self._identities, self._present()
        if before == self._identities:
            return set()
        for folder in before.keys() - self._identities.keys():
            self._say(f"{folder} is gone: the old code stays, and it is waited for.")
        self._watchers = self._watch()
        return {each for each, known in self._identities.items() if before.get(each) != known}

    def _watch(self) -> list[Iterator[_Saved]]:
        watchers: list[Iterator[_Saved]] = []
        for recursive in (False, True):
            places = [e for e, deep in self._places if deep == recursive and e in self._identities]
            if places:
                watchers.append(
                    watch(
                        *places,
                        watch_filter=DefaultFilter(ignore_dirs=(".git", "__pycache__")),
                        step=_CALM_MS,
                        rust_timeout=_LOOK_MS,
                        yield_on_timeout=True,
                        recursive=recursive,
                    )
                )
                # From its first look on it misses nothing.
                _look(watchers[-1])
        return watchers


def _look(watcher: Iterator[_Saved]) -> _Saved:
    try:
        return next(watcher, set())
    except FileNotFoundError:
        # A folder went meanwhile: the next look at the folders finds that.
        return set()
    except (OSError, RuntimeError) as error:
        raise PipelineError(
            f"The folders can't be watched ({error}): with WATCHFILES_FORCE_POLLING=1 set they "
            "are looked at in turns."
        ) from error
