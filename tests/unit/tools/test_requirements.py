"""What CI installs is pinned by hash, and is what pyproject.toml asks for."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import ROOT

GROUPS: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())[
    "dependency-groups"
]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
# Name, extras, version, marker; its hashes; who asks for it.
PIN = re.compile(
    r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)( ; .+?)?(?: \\)?\n"
    r"((?:    --hash=.*\n)*)((?:    #.*\n)*)",
    re.MULTILINE,
)
HASHES = re.compile(r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+")


@dataclass(frozen=True)
class Pin:
    """One line of a lock: its version, its lines of hashes, and whether a group names it."""

    version: str
    hashes: str
    asked_for: bool


def pins(lock: Path) -> dict[str, Pin]:
    return {
        name: Pin(version, hashes, "(pyproject.toml:" in via)
        for name, version, _marker, hashes, via in PIN.findall(lock.read_text())
    }


def wanted(group: str) -> Iterator[tuple[str, str]]:
    """Name and version of everything that a group asks for, by itself or by an included one."""
    for entry in GROUPS[group]:
        if isinstance(entry, dict):
            yield from wanted(entry["include-group"])
        else:
            name, version = entry.split("==")
            yield re.sub(r"\[.*\]", "", name).lower().replace("_", "-"), version


def test_every_group_has_its_lock() -> None:
    assert {lock.stem for lock in LOCKS} == set(GROUPS)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_pins_what_its_group_asks_for_and_nothing_that_it_no_longer_does(lock: Path) -> None:
    asked = {name: pin.version for name, pin in pins(lock).items() if pin.asked_for}
    assert asked == dict(wanted(lock.stem)), 'run `make test ARGS="-e lock"`'


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_holds_pins_with_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert all(HASHES.fullmatch(pin.hashes) for pin in pins(lock).values())
    assert "://" not in text
    # Nothing else: no option, no second index, no package without a version.
    rest = PIN.sub("", text).splitlines()
    assert [line for line in rest if line.strip() and not line.startswith("#")] == []


def test_an_environment_differs_from_a_larger_one_by_nothing_but_what_that_adds() -> None:
    smaller, larger = (pins(ROOT / f"requirements/{name}.txt") for name in ("test", "dev"))
    smallest = pins(ROOT / "requirements/pipeline.txt")
    for part, whole in ((smallest, smaller), (smaller, larger)):
        for name, pin in part.items():
            assert (pin.version, pin.hashes) == (whole[name].version, whole[name].hashes), name


def test_whatever_ci_installs_comes_by_hash() -> None:
    tox, make = (ROOT / "tox.ini").read_text(), (ROOT / "Makefile").read_text()
    assert "install_command = uv pip install --require-hashes " in tox
    assert re.findall(r"^deps = (.*)$", tox, re.M) == [
        f"-r requirements/{name}.txt"
        for name in ("test", "bench", "dev", "security", "dev", "lock")
    ]
    assert "dependency_groups" not in tox
    installs = re.findall(r"pip install (.*)", make)
    assert [install.count("--require-hashes") for install in installs] == [1, 1, 1]
    assert [re.findall(r" -r (\S+?);?(?: |$)", install) for install in installs] == [
        ["requirements/lock.txt"],
        ["$<"],
        ["$<"],
    ]
