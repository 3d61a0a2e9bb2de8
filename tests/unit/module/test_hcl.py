"""How every module's HCL has to look, read through python-hcl2."""

import functools
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import ROOT
from tools.inputs import blocks, parse
from tools.module import EXAMPLES, MODULES, THEIRS

CONSUMED = [ROOT, *MODULES]
EVERYWHERE = [*CONSUMED, *EXAMPLES, *THEIRS]


def named(folder: Path) -> str:
    return str(folder.relative_to(ROOT))


@functools.cache
def files(folder: Path) -> dict[str, dict[str, Any]]:
    return {file.name: parse(file) for file in sorted(folder.glob("*.tf"))}


@pytest.mark.parametrize("folder", EVERYWHERE, ids=named)
def test_no_line_is_longer_than_160_columns(folder: Path) -> None:
    for file in folder.glob("*.tf"):
        lines = enumerate(file.read_text().splitlines(), 1)
        assert [f"{file.name}:{number}" for number, line in lines if len(line) > 160] == []


def all_blocks(folder: Path, kind: str) -> list[Any]:
    return [block for parsed in files(folder).values() for block in parsed.get(kind, [])]


@pytest.mark.parametrize("folder", CONSUMED, ids=named)
def test_every_variable_is_typed_and_described_in_a_sentence(folder: Path) -> None:
    for name, body in blocks(folder, "variable").items():
        assert body.get("type"), name
        assert "any" not in body["type"].replace("{", " ").replace("(", " ").split(), name
        assert body.get("description", "").endswith("."), name


@pytest.mark.parametrize("folder", CONSUMED, ids=named)
def test_a_variable_takes_null_only_where_null_means_something(folder: Path) -> None:
    for name, body in blocks(folder, "variable").items():
        # `in`, since a default of null reads None.
        means_something = "default" in body and body["default"] is None
        assert body.get("nullable") is (None if means_something else False), name


@pytest.mark.parametrize("folder", EVERYWHERE, ids=named)
def test_every_output_is_described_in_a_sentence(folder: Path) -> None:
    for name, body in blocks(folder, "output").items():
        assert body.get("description", "").endswith("."), name


@pytest.mark.parametrize("folder", CONSUMED, ids=named)
def test_no_provider_is_configured(folder: Path) -> None:
    assert all_blocks(folder, "provider") == []


@pytest.mark.parametrize("folder", EVERYWHERE, ids=named)
def test_the_aws_provider_is_the_only_one_and_in_the_same_range(folder: Path) -> None:
    (settings,) = files(folder)["versions.tf"]["terraform"]
    assert settings["required_version"] == ">= 1.9"
    (required,) = settings["required_providers"]
    assert required == {"aws": {"source": "hashicorp/aws", "version": ">= 5.100, != 6.29.0, < 7.0"}}


@pytest.mark.parametrize("folder", EVERYWHERE, ids=named)
def test_every_resource_is_of_the_aws_provider_or_built_in(folder: Path) -> None:
    for kind in ("resource", "data"):
        for block in all_blocks(folder, kind):
            assert all(name.startswith("aws_") or name == "terraform_data" for name in block), block


def test_the_root_only_composes() -> None:
    assert all_blocks(ROOT, "resource") == []


def test_the_root_calls_every_submodule_once() -> None:
    sources = [body["source"] for block in all_blocks(ROOT, "module") for body in block.values()]
    assert sorted(sources) == [f"./modules/{folder.name}" for folder in MODULES]


@pytest.mark.parametrize("folder", CONSUMED, ids=named)
def test_the_region_comes_from_no_deprecated_source(folder: Path) -> None:
    assert not [block for block in all_blocks(folder, "data") if "aws_region" in block]


@pytest.mark.parametrize("folder", CONSUMED, ids=named)
def test_no_inner_module_waits_for_a_whole_other(folder: Path) -> None:
    for block in all_blocks(folder, "module"):
        assert not [name for name, body in block.items() if "depends_on" in body]
