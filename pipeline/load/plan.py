"""What a load run uploads: how many, when, of what size, under which keys."""

import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import PipelineError

Shape = Literal["plain", "odd", "nested"]

# Bodies are made in memory, one for each running upload.
_MOST_BYTES = 100 * 1024**2
_SIZE = re.compile(r"(\d{1,12})\s*(B|kB|KB|KiB|MB|MiB)?", re.ASCII)
_UNITS = {None: 1, "B": 1, "kB": 1000, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2}
# S3's limit, in UTF-8.
_KEY_BYTES = 1024
_UPLOADS = {"s3:ObjectCreated:*", "s3:ObjectCreated:Put"}
# Characters that break notifications, rules, signatures or terminals that don't encode them.
_ODD = ("a b+c", "ü ö/ß 漢", "100%25 &=?", "[red]x[/red]", "'\"\\;#")


@dataclass(frozen=True)
class Plan:
    """One run: `uploads` objects, `rate` of them a second, or as fast as they go if it is None.

    All keys have the prefix `folder`, which no other run has, and end with `suffix`. The same
    `seed` gives the same sizes and contents; the contents of all uploads differ, as far as their
    size allows.
    """

    uploads: int
    rate: float | None
    sizes: tuple[int, int]
    shape: Shape
    folder: str
    suffix: str
    seed: int

    def key(self, number: int) -> str:
        """The key of upload `number`, which counts from 0."""
        name = f"{number:06}"
        if self.shape == "odd":
            name += " " + _ODD[number % len(_ODD)]
        elif self.shape == "nested":
            name = f"{number // 10000:02}/{number // 100 % 100:02}/{number % 100:02}"
        return f"{self.folder}{name}{self.suffix}"

    def body(self, number: int) -> bytes:
        """The contents of upload `number`."""
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311  (nothing secret)
        size = chance.randint(*self.sizes)
        unique = hashlib.sha256(f"{self.folder}{number}".encode()).hexdigest().encode()
        return (unique + chance.randbytes(max(0, size - len(unique))))[:size]

    def due(self, number: int) -> float | None:
        """When upload `number` is to start, in seconds from the first; None in a burst."""
        return None if self.rate is None else number / self.rate


def sizes(text: str) -> tuple[int, int]:
    """The least and the most bytes in `4096`, `1MiB` or `1KiB-1MiB`. Raises PipelineError."""
    found = [_SIZE.fullmatch(part.strip()) for part in text.split("-")]
    if len(found) > 2 or not all(found):
        raise PipelineError(
            f"--size takes bytes or a range of them, such as 4096 or 1KiB-1MiB, not {text!r}."
        )
    numbers = [int(match[1]) * _UNITS[match[2]] for match in found if match]
    least, most = numbers[0], numbers[-1]
    if least > most:
        raise PipelineError(f"--size {text!r} ends before it begins: write the smaller one first.")
    if most > _MOST_BYTES:
        raise PipelineError(f"--size {text!r} is too much for one upload here: 100MiB at most.")
    return least, most


def place(delivery: Mapping[str, Any], prefix: str | None, run: str) -> tuple[str, str]:
    """The folder and the suffix of keys that the pipeline's filters take.

    The folder begins with `prefix`, or that of the first filter that takes uploads. Raises
    PipelineError where no filter does.
    """
    takes = [
        rule for rule in delivery.get("filters") or () if _UPLOADS & {*(rule.get("events") or ())}
    ]
    if not takes:
        raise PipelineError(
            "No filter of the pipeline takes uploads: add s3:ObjectCreated:* to the events of one "
            "in delivery.filters, and apply."
        )
    if prefix is not None:
        fits = [rule for rule in takes if prefix.startswith(rule["prefix"])]
        if not fits:
            known = " or ".join(repr(rule["prefix"]) for rule in takes)
            raise PipelineError(
                f"No filter of the pipeline takes the key prefix {prefix!r}: let --prefix "
                f"begin with {known}."
            )
        takes = fits
    folder = f"{takes[0]['prefix'] if prefix is None else prefix}load-{run}/"
    suffix = takes[0]["suffix"]
    # 40 bytes for the longest name between them.
    if len((folder + suffix).encode()) > _KEY_BYTES - 40:
        raise PipelineError("The prefix is too long: with what follows, S3 takes 1,024 bytes.")
    return folder, suffix
