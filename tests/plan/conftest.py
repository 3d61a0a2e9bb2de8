"""One plan for every scenario: each test names its variables, all are planned in one root.

Starting Terraform costs more than planning one more instance of the module, so the scenarios of the
collected tests become instances in one generated root, and the refusals those of a second one.
"""

import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.emulator import plan_server
from pipeline.paths import ROOT
from pipeline.terraform import provider
from pipeline.terraform import run as terraform
from tests.support.stacks.stack import ROOMY
from tests.support.terraform.plans import diagnostics, plan_without_deprecations
from tools.shared_provider import shared_provider

# Known to nobody before apply: what a value computed by another resource looks like at plan.
LATER = "${terraform_data.later.output}"
# Two at a time, and some more: small enough to be quick, large enough to be worth a start.
_ROOTS = 4
OUTPUTS = re.findall(r'^output "(\w+)"', (ROOT / "outputs.tf").read_text(), flags=re.MULTILINE)


@dataclass(frozen=True)
class Planned:
    """What a plan would make of one scenario.

    `resources` holds the planned attributes by address, `bucket.aws_s3_bucket.this[0]` standing for
    `module.<scenario>.module.bucket.aws_s3_bucket.this[0]`; `unknown` has the attributes that only
    apply will tell; `outputs` the module's outputs, None where only apply will tell. `documents`
    holds the arguments of the policy documents that wait for apply, None where one is unknown.
    """

    resources: Mapping[str, dict[str, Any]]
    unknown: Mapping[str, dict[str, Any]]
    outputs: Mapping[str, Any]
    documents: Mapping[str, dict[str, Any]]

    def policy(self, address: str, attribute: str = "policy") -> dict[str, dict[str, Any]]:
        """The statements of a resource's policy, by sid."""
        document = json.loads(self.resources[address][attribute])
        return {statement["Sid"]: statement for statement in document["Statement"]}


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "variables(**values): the module's variables in this test's scenario",
        "sets(**values): the same, in a scenario that other tests' settings share",
        "refused(**values): variables that the module must refuse",
    ):
        config.addinivalue_line("markers", line)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what tests set into few scenarios, each of which takes a second."""
    shared: list[dict[str, Any]] = []
    placed = []
    for item in items:
        if found := item.get_closest_marker("sets"):
            scenario = next((each for each in shared if _fits(found.kwargs, each)), None)
            if scenario is None:
                scenario = {}
                shared.append(scenario)
            for variable, value in found.kwargs.items():
                scenario[variable] = _merged(scenario.get(variable), value)
            placed.append((item, scenario))
    for item, scenario in placed:
        item.add_marker(pytest.mark.variables(**scenario))


def _fits(values: Mapping[str, Any], scenario: Mapping[str, Any]) -> bool:
    """Whether no variable, or attribute of one, has another value there."""
    return all(
        variable not in scenario
        or _merged(value, scenario[variable]) == _merged(scenario[variable], value)
        for variable, value in values.items()
    )


def _merged(first: Any, second: Any) -> Any:
    return first | second if isinstance(first, dict) else second


def _key(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def _scenarios(session: pytest.Session, marker: str) -> dict[str, dict[str, Any]]:
    """Scenario by name, for every collected test; equal variables share one."""
    wanted: dict[str, dict[str, Any]] = {}
    for item in session.items:
        found = item.get_closest_marker(marker)
        if found is None and marker == "variables" and "planned" in item.fixturenames:  # type: ignore[attr-defined]
            wanted[_key({})] = {}
        elif found is not None:
            wanted[_key(found.kwargs)] = dict(found.kwargs)
    return {f"s{number}": values for number, values in enumerate(wanted.values())}


def _module(folder: Path, values: Mapping[str, Any], module: Path = ROOT) -> dict[str, Any]:
    # Relative: Terraform copies a module whose path is absolute, once for each call.
    return {"source": os.path.relpath(module, folder), **values}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Terraform's environment, with an answer to its one remote call."""
    work = tmp_path_factory.mktemp("terraform")
    with plan_server.plan_server() as endpoint:
        yield provider.terraform_environment(work) | endpoint | ROOMY


@pytest.fixture(scope="session")
def reattached(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The same, with one provider process for the session."""
    work = tmp_path_factory.mktemp("provider")
    with shared_provider(environment, work) as attach:
        yield environment | attach


@pytest.fixture(scope="session")
def every_plan(
    request: pytest.FixtureRequest,
    reattached: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Planned]:
    folder = tmp_path_factory.mktemp("scenarios")
    scenarios = list(_scenarios(request.session, "variables").items())
    # What Terraform does for a root grows faster than the root does.
    roots = [dict(scenarios[first::_ROOTS]) for first in range(min(_ROOTS, len(scenarios)))]
    with ThreadPoolExecutor(2) as pool:
        plans = pool.map(lambda root: _plan(folder / next(iter(root)), root, reattached), roots)
        return {key: plan for root in plans for key, plan in root.items()}


def _plan(
    folder: Path, scenarios: Mapping[str, dict[str, Any]], environment: Mapping[str, str]
) -> dict[str, Planned]:
    folder.mkdir()
    terraform.write_root(
        folder,
        {
            "resource": {
                # One for all outputs: an output is a node of Terraform's graph, and an object with
                # one unknown attribute would be unknown whole.
                "terraform_data": {"later": {"input": "later"}}
                | {name: {"input": f"${{module.{name}}}"} for name in scenarios}
            },
            "module": {name: _module(folder, values) for name, values in scenarios.items()},
        },
    )
    terraform.init(folder, environment)
    changes = plan_without_deprecations(folder, environment).resource_changes
    return {
        _key(values): Planned(
            resources=_part(changes, name, "after"),
            unknown=_part(changes, name, "after_unknown"),
            outputs=dict.fromkeys(OUTPUTS)
            | changes[f"terraform_data.{name}"]["change"]["after"]["input"],
            documents=_part(changes, name, "after", mode="data"),
        )
        for name, values in scenarios.items()
    }


def _part(
    changes: Mapping[str, Any], scenario: str, part: str, mode: str = "managed"
) -> dict[str, dict[str, Any]]:
    prefix = f"module.{scenario}."
    return {
        address.removeprefix(prefix).removeprefix("module."): change["change"][part]
        for address, change in changes.items()
        if address.startswith(prefix) and change["mode"] == mode
    }


@pytest.fixture
def planned(request: pytest.FixtureRequest, every_plan: dict[str, Planned]) -> Planned:
    """The plan of this test's `variables`, or of the defaults."""
    marker = request.node.get_closest_marker("variables")
    return every_plan[_key(marker.kwargs if marker else {})]


@pytest.fixture(scope="session")
def every_refusal(
    request: pytest.FixtureRequest,
    reattached: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    scenarios = _scenarios(request.session, "refused")
    said: dict[str, list[str]] = {name: [] for name in scenarios}
    unplaced: list[str] = []

    def refused(module: Path, asked: Collection[str]) -> set[str]:
        folder = tmp_path_factory.mktemp("refusals")
        for name in asked:
            # A file each: Terraform names the file of a refused argument.
            call = {"module": {name: _module(folder, scenarios[name], module)}}
            (folder / f"{name}.tf.json").write_text(json.dumps(call, indent=2), encoding="utf-8")
        terraform.init(folder, reattached)
        done = terraform.run(folder, reattached, "plan", "-json", "-input=false", expected=(0, 1))
        names = set()
        for file, text in errors_in(done.stdout):
            if found := re.fullmatch(r"(s\d+)\.tf\.json", file):
                names.add(found[1])
                said[found[1]].append(text)
            else:
                unplaced.append(text)
        return names

    # What variables alone decide stops Terraform before it looks at the rest: none of it is needed.
    left = scenarios.keys() - refused(_variables(tmp_path_factory.mktemp("module")), scenarios)
    while left and (names := refused(ROOT, left)):
        left -= names
    # Terraform does not tell which instance of a module broke a precondition: these scenarios are
    # told apart by the values in their messages.
    return {_key(values): "\n".join(said[name] or unplaced) for name, values in scenarios.items()}


def _variables(folder: Path) -> Path:
    """The module without its submodules: its variables, and what their validations read."""
    for pattern in ("variables*.tf", "allowed_values.tf", "filters.tf", "names.tf", "versions.tf"):
        for file in ROOT.glob(pattern):
            shutil.copy(file, folder)
    return folder


def errors_in(output: str) -> Iterator[tuple[str, str]]:
    """File and text of each error in Terraform's JSON output."""
    for found in diagnostics(output):
        if found["severity"] == "error":
            yield (
                found.get("range", {}).get("filename", ""),
                f"{found['summary']}: {found['detail']}",
            )


@pytest.fixture
def refusal(request: pytest.FixtureRequest, every_refusal: dict[str, str]) -> str:
    """What Terraform said of this test's `refused` variables; empty if it took them."""
    marker = request.node.get_closest_marker("refused")
    assert marker is not None
    return every_refusal[_key(marker.kwargs)]
