"""`pipeline accept` proves what an account shows, and leaves nothing there, however it ends."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.accept.checks import CHECKS
from pipeline.emulator.process import ACCOUNT_ID, emulator
from tests.support.poll import until
from tests.support.stacks import accepting
from tests.support.stacks.accepting import ACCOUNT, CHECK, ENOUGH, Place, Report
from tests.support.stacks.stack import left_behind


def test_another_account_is_refused_in_one_sentence(accepted: Report) -> None:
    status, out, err = accepted.refused["account"]
    assert (status, out) == (2, "")
    assert err.startswith(f"--account is {ACCOUNT}, but the credentials are of 999999999999: ")
    assert err.count("\n") == 1


def test_without_a_budget_nothing_is_made_but_an_estimate(accepted: Report) -> None:
    status, out, err = accepted.refused["budget"]
    assert status == 2
    assert "at most $0.01" in out
    assert err == "No budget is given: say --budget 0.01 or more.\n"


def test_a_run_that_was_killed_has_its_results_and_no_second_begins_beside_it(
    accepted: Report,
) -> None:
    status, _, err = accepted.unfinished
    assert status == 2
    assert "go on with --resume, or delete what it made with --clean" in err
    assert accepted.result is not None
    assert accepted.result.verdict == "proved", accepted.result


def test_a_run_that_was_killed_is_cleaned_whole(accepted: Report) -> None:
    assert accepted.halfway
    assert accepted.cleaned[0] == 0, accepted.cleaned
    assert accepted.left == {}
    assert accepted.files == []


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Place]:
    with emulator(tmp_path / "emulator") as running:
        yield accepting.place(tmp_path / "run", running)


@pytest.mark.soak
def test_a_whole_run_has_a_verdict_for_every_check_and_leaves_nothing(
    sandbox: Place, tmp_path: Path
) -> None:
    file = tmp_path / "result.md"
    status, out, err = sandbox.run(*ENOUGH, "--json", "--markdown", str(file))
    assert status == 0, err
    found = {check["id"]: check for check in json.loads(out)["checks"]}
    assert found.keys() == CHECKS.keys()
    for name, check in CHECKS.items():
        # What an emulator can't prove is never called proved.
        claims = not check.emulator and not check.line
        assert found[name]["verdict"] == ("proved" if claims else "could not be tried"), found[name]
        assert f"| {name} |" in file.read_text(encoding="utf-8")
    # The emulator can show how this goes, although it proves nothing of Lambda.
    assert "the object was read" in found["hook"]["message"]
    assert sandbox.left() == {}


@pytest.mark.soak
def test_a_right_that_is_missing_is_named_and_nothing_stays(tmp_path: Path) -> None:
    with emulator(tmp_path / "emulator") as running:
        keys = accepting.rights_denied(running, ["sns:CreateTopic"])
        place = Place(tmp_path / "run", running.environment | keys)
        status, _, err = place.run("--account", ACCOUNT_ID, "--only", CHECK, *ENOUGH)
        assert status == 2
        last = err.strip().splitlines()[-1]
        assert last.startswith("These credentials lack the right to sns:CreateTopic: ")
        assert left_behind(running.environment) == {}


@pytest.mark.soak
def test_an_interrupted_run_destroys_what_it_made(sandbox: Place) -> None:
    process = sandbox.start("--only", CHECK, *ENOUGH)
    until(lambda: "tables" in sandbox.left(), 600)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert sandbox.left() == {}
    assert sandbox.journal() is None


@pytest.mark.soak
def test_a_run_that_was_killed_while_it_applied_is_resumed_to_its_end(sandbox: Place) -> None:
    process = sandbox.start("--only", CHECK, *ENOUGH)
    accepting.kill(sandbox, process, lambda: "tables" in sandbox.left())
    status, _, err = sandbox.run("--resume")
    assert (status, sandbox.left()) == (0, {}), err
    assert sandbox.journal() is None


@pytest.mark.soak
def test_what_terraform_does_not_know_is_found_by_its_name(sandbox: Place) -> None:
    process = sandbox.start("--only", CHECK, *ENOUGH)
    accepting.kill(sandbox, process, lambda: "functions" in sandbox.left())
    (sandbox.folder / "deliveries" / "root" / "terraform.tfstate").unlink()
    status, out, err = sandbox.run("--clean")
    assert (status, sandbox.left()) == (0, {}), err
    assert "which are deleted now" in out
