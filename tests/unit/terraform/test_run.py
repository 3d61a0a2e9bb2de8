"""How Terraform fails, each case played by a script in its place."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import PROVIDER_RUN
from tests.support.poll import until
from tests.support.processes import alive


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def playing(root: Path, script: str) -> dict[str, str]:
    """An environment in which `terraform` is a shell script."""
    binaries = root.parent / "bin"
    binaries.mkdir(exist_ok=True)
    played = binaries / "terraform"
    played.write_text(f"#!/bin/sh\n{script}\n")
    played.chmod(0o755)
    return {"PATH": f"{binaries}:/usr/bin:/bin"}


def event(kind: str, **rest: object) -> str:
    return json.dumps({"type": kind, "@message": kind, **rest})


def test_a_killed_apply_is_no_success(root: Path) -> None:
    environment = playing(root, "kill -9 $$")
    with pytest.raises(PipelineError, match=r"`terraform apply` .* was killed"):
        terraform.apply(root, environment)


def test_status_2_is_no_success(root: Path) -> None:
    with pytest.raises(PipelineError, match="failed with status 2: some words"):
        terraform.destroy(root, playing(root, "echo some words >&2; exit 2"))


def test_the_error_is_terraforms_own_without_its_frame(root: Path) -> None:
    frame = "│ Warning: old\n╷\n│ Error: Invalid value\n│ \n│ table.write_units is 0.\n╵"
    (root / "printed").write_text(frame)
    with pytest.raises(PipelineError) as raised:
        terraform.apply(root, playing(root, f"cat '{root}/printed' >&2; exit 1"))
    assert "Error: Invalid value\n\ntable.write_units is 0." in str(raised.value)
    assert "│" not in str(raised.value)
    assert "old" not in str(raised.value)


def test_much_on_stderr_does_not_hang(root: Path) -> None:
    noise = "head -c 400000 /dev/zero | tr '\\0' x >&2; echo done"
    assert terraform.run(root, playing(root, noise), "version").stdout == "done\n"


def test_a_command_that_never_ends_is_stopped_at_its_deadline(root: Path) -> None:
    environment = playing(root, "echo $$ > pid; exec sleep 600")
    with pytest.raises(PipelineError, match=r"took over 1 s and was stopped"):
        terraform.run(root, environment, "plan", timeout=1)
    assert not alive(int((root / "pid").read_text()))


def test_a_missing_provider_becomes_one_sentence(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A CLI configuration of the machine's would be named in the sentence.
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)
    printed = (
        "Error: Failed to query available provider packages\n\nCould not retrieve the list of "
        "available versions for provider hashicorp/aws: could not connect to registry.terraform.io"
    )
    with pytest.raises(PipelineError, match="could not connect to registry") as raised:
        terraform.init(root, playing(root, f"echo '{printed}' >&2; exit 1"))
    assert "TF_PLUGIN_MIRROR" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("fork/exec .terraform/a/x_v5.100.0_x5:\n│ exec format error..", "x5: exec format error"),
        ("Unrecognized remote\n│ plugin message: \n│ Failed to read", "Unrecognized remote plugin"),
    ],
)
def test_a_provider_that_can_not_be_run_becomes_one_sentence(
    root: Path, words: str, reason: str
) -> None:
    frame = f"╷\n│ Error: Failed to load plugin schemas\n│ \n│ Error while loading: {words}\n╵"
    (root / "printed").write_text(frame)
    with pytest.raises(PipelineError, match=f"provider .*{reason}.*: it is damaged") as raised:
        terraform.apply(root, playing(root, "cat printed >&2; exit 1"))
    assert "\n" not in str(raised.value)


PINNED = "provider_override.tf.json"


def pinned(root: Path) -> str:
    document = json.loads((root / PINNED).read_text())
    assert document["terraform"]["required_providers"]["aws"]["source"] == "hashicorp/aws"
    return str(document["terraform"]["required_providers"]["aws"]["version"])


def test_an_initialised_root_asks_for_exactly_the_provider_that_was_run(root: Path) -> None:
    assert terraform.init(root, playing(root, "exit 0")) == PROVIDER_RUN == pinned(root)
    asked = playing(root, "exit 0") | {"PIPELINE_AWS_PROVIDER": "6.61.0"}
    (root / ".terraform.lock.hcl").touch()
    assert terraform.init(root, asked) == "6.61.0" == pinned(root)
    # It would keep Terraform to the provider of before.
    assert not (root / ".terraform.lock.hcl").exists()


def test_where_only_another_provider_is_to_be_found_that_one_is_taken(root: Path) -> None:
    lock = 'provider "registry.terraform.io/hashicorp/aws" {\n  version     = "6.41.0"\n}\n'
    (root / "lock").write_text(lock)
    printed = "provider hashicorp/aws: no available releases match the given constraints 5.100.0"
    script = (
        f"grep -q '>=' {PINNED} && exec cp lock .terraform.lock.hcl; echo '{printed}' >&2; exit 1"
    )
    assert terraform.init(root, playing(root, script)) == "6.41.0"


def test_who_asked_for_a_provider_gets_no_other(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_AWS_PROVIDER", "6.61.0")
    printed = "provider hashicorp/aws: no available releases match the given constraints 6.61.0"
    asked = playing(root, f"echo '{printed}' >&2; exit 1") | {"PIPELINE_AWS_PROVIDER": "6.61.0"}
    with pytest.raises(PipelineError, match=r"hashicorp/aws 6\.61\.0"):
        terraform.init(root, asked)
    assert pinned(root) == "6.61.0"


def test_nothing_but_init_initialises_a_root() -> None:
    places = [
        str(file.relative_to(ROOT))
        for folder in ("pipeline", "tools", "tests", "bench")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r'"init"[,\]]', file.read_text(encoding="utf-8"))
    ]
    assert places == []


def test_driving_a_root_never_deletes_its_state(root: Path) -> None:
    terraform.init(root, playing(root, "exit 0"))
    (root / "terraform.tfstate").write_text("{}")
    (root / ".terraform.lock.hcl").touch()
    terraform.init(root, playing(root, "exit 0"))
    terraform.apply(root, playing(root, "exit 0"))
    assert (root / "terraform.tfstate").exists()
    assert (root / ".terraform.lock.hcl").exists()


def test_events_are_yielded_as_they_come(root: Path) -> None:
    resource = {"addr": "module.pipeline.aws_x.this"}
    lines = [
        event("version"),
        event("planned_change", change={"resource": resource, "action": "create"}),
        event("apply_start", hook={"resource": resource, "action": "create"}),
        event(
            "apply_complete",
            hook={"resource": resource, "action": "create", "elapsed_seconds": 25},
        ),
        event("change_summary"),
    ]
    (root / "lines").write_text("\n".join(lines))
    events = list(terraform.stream(root, playing(root, "cat lines"), "apply", root / "log"))
    assert [e.kind for e in events] == ["planned_change", "apply_start", "apply_complete"]
    assert events[2].address == "module.pipeline.aws_x.this"
    assert events[2].seconds == 25


def test_a_failed_apply_raises_each_of_its_errors(root: Path) -> None:
    for number in (1, 2):
        diagnostic = {"severity": "error", "summary": f"No {number}", "detail": "Some\nreason."}
        line = event("diagnostic", diagnostic=diagnostic | {"address": f"aws_x.{number}"})
        with (root / "lines").open("a") as lines:
            lines.write(line + "\n")
    with pytest.raises(PipelineError) as raised:
        list(terraform.stream(root, playing(root, "cat lines; exit 1"), "apply", root / "log"))
    assert "aws_x.1: No 1: Some reason." in str(raised.value)
    assert "aws_x.2: No 2: Some reason." in str(raised.value)


def test_giving_up_interrupts_terraform_once_and_waits_for_its_state(root: Path) -> None:
    script = (
        "trap 'echo interrupted >> printed; sleep 0.5; echo state > written; exit 1' INT\n"
        f"echo '{event('diagnostic', diagnostic={'severity': 'warning'})}'\n"
        "while :; do sleep 0.05; done"
    )
    events = terraform.stream(root, playing(root, script), "apply", root / "log")
    assert next(events).kind == "warning"
    events.close()
    assert (root / "printed").read_text() == "interrupted\n"
    assert (root / "written").exists()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_terraform_ends_when_whoever_started_it_dies(root: Path, signum: signal.Signals) -> None:
    environment = playing(root, "echo $$ > pid.new; mv pid.new pid; exec sleep 600")
    script = (
        "import sys; from pathlib import Path; from pipeline.terraform import run as terraform\n"
        "terraform.run(Path(sys.argv[1]), {'PATH': sys.argv[2]}, 'plan')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(root), environment["PATH"]],
        cwd=ROOT,
        env=os.environ,
    ) as parent:
        until((root / "pid").exists)
        parent.send_signal(signum)
        parent.wait()
    pid = int((root / "pid").read_text())
    until(lambda: not alive(pid))


def test_told_to_stop_in_its_first_moment_it_still_stops(root: Path) -> None:
    # The command stops its guard, its parent, before the guard can have looked up.
    script = "echo $$ > pid; kill -TERM $PPID; exec sleep 600"
    with pytest.raises(PipelineError, match="was killed"):
        terraform.run(root, playing(root, script), "plan", timeout=20)
    assert not alive(int((root / "pid").read_text()))
